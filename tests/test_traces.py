"""What a test leaves behind: each kind of trace is seen, and garbage with no stack left is not."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys

import pytest

from wslab.kit import backoff

from .traces import changes, shared


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda patch, _: patch.setenv("WSLAB_NEW", "1"), ["os.environ: WSLAB_NEW"]),
        (lambda patch, _: patch.delenv("WSLAB_OLD"), ["os.environ: WSLAB_OLD"]),
        (lambda patch, tmp_path: patch.chdir(tmp_path), ["os: getcwd()"]),
        (lambda patch, _: patch.setattr(asyncio, "run", print), ["asyncio: run"]),
        (lambda patch, _: patch.setattr(socket.socket, "connect", 1), ["socket: connect"]),
        (lambda patch, _: patch.setattr(backoff, "__all__", []), ["wslab.kit.backoff: __all__"]),
        (
            lambda patch, _: patch.delitem(sys.modules, "wslab.kit.backoff"),
            ["sys.modules: wslab.kit.backoff"],
        ),
        (lambda patch, _: patch.setattr(backoff, "new", 1, raising=False), []),
        (lambda patch, _: patch.setenv("WSLAB_OLD", "old"), []),
    ],
)
def test_a_trace_is_seen(monkeypatch, tmp_path, change, seen):
    monkeypatch.setenv("WSLAB_OLD", "old")
    before = shared()
    change(monkeypatch, tmp_path)
    found = changes(before)
    monkeypatch.undo()
    assert found == seen


def deep(levels, function):
    return deep(levels - 1, function) if levels else function()


class Garbage:
    def __init__(self):
        self.circle = self

    def __del__(self):
        deep(30, bool)


def test_garbage_that_is_collected_at_the_deepest_call_fails_no_test():
    gc.freeze()
    for levels in range(sys.getrecursionlimit()):
        Garbage()
        try:
            deep(levels, gc.collect)
        except RecursionError:
            break
    gc.unfreeze()
