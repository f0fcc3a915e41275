"""The check that a test leaves no trace sees each kind of trace."""

from __future__ import annotations

import asyncio
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
