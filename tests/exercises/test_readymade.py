"""An answer that calls what the task is to build is found out, however it does so."""

from __future__ import annotations

import asyncio
import functools
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest
import websockets
import wsproto.frame_protocol

from wslab import protocol
from wslab.exercises import check
from wslab.exercises.engine.readymade import made_of, watching
from wslab.exercises.engine.verdict import Outcome
from wslab.kit import Backoff, ReconnectingClient, delays
from wslab.protocol import (
    Frame,
    Headers,
    Opcode,
    ProtocolError,
    accept_key,
    quoting,
    upgrade_request,
)
from wslab.protocol.connection import Connection

REQUEST = upgrade_request("server.example", nonce=b"the sample nonce")
KEY = REQUEST.headers.get("Sec-WebSocket-Key") or ""
try:
    from websockets.speedups import apply_mask as mask_in_c
except ImportError:  # no wheel for this machine
    mask_in_c = None


def called(run: Callable[[], object], *allowed: Any) -> str:
    with watching(*allowed) as found:
        run()
    return next(iter(found), "")


def test_another_name_and_another_way_are_no_disguise() -> None:
    other = accept_key
    assert called(lambda: other(KEY)) == "accept_key"
    assert called(lambda: list(map(other, [KEY]))) == "accept_key"
    assert called(lambda: functools.partial(other, KEY)()) == "accept_key"
    assert called(lambda: functools.reduce(lambda _, key: other(key), [KEY], "")) == "accept_key"
    assert called(lambda: asyncio.run(asyncio.to_thread(len, other(KEY)))) == "accept_key"
    assert called(lambda: wsproto.frame_protocol.FrameProtocol(True, [])) == "FrameProtocol"


@pytest.mark.skipif(mask_in_c is None, reason="websockets has no C part on this machine")
def test_a_function_in_c_is_seen() -> None:
    assert called(lambda: mask_in_c(b"Hello", b"abcd")) == "apply_mask"
    assert called(lambda: mask_in_c(b"Hello", b"abcd"), mask_in_c) == ""


def test_what_is_allowed_may_do_what_it_likes() -> None:
    assert called(lambda: Frame(Opcode.TEXT, b"", mask=KEY.encode()[:4])) == ""
    assert called(lambda: REQUEST.headers.tokens("Connection"), Headers) == ""
    assert called(lambda: ProtocolError("no", "RFC 6455"), ProtocolError) == ""
    assert called(lambda: accept_key(KEY), "wslab.protocol") == ""
    assert called(lambda: accept_key(KEY), "wslab.proto") == "accept_key"
    assert called(lambda: Frame.parse(b"\x81\x00"), Frame.serialize) == "Frame.parse"


def test_what_a_library_calls_by_itself_is_not_the_answers() -> None:
    assert called(lambda: REQUEST.headers.tokens("Connection"), Headers.tokens) == ""


def test_an_import_is_not_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "quoting", quoting)  # and restore it later
    monkeypatch.delitem(sys.modules, "wslab.protocol.quoting")

    def imports() -> None:
        from websockets import connect  # noqa: F401

        import wslab.protocol.quoting  # noqa: F401

    assert called(imports) == ""


def test_what_python_cleans_up_is_not_a_call() -> None:
    """A generator of a library may be closed while an answer runs."""
    policy, rng = Backoff(), random.Random(1)
    started = [delays(policy, rng=rng)]
    next(started[0])
    assert called(lambda: started.clear()) == ""
    assert called(lambda: next(delays(policy, rng=rng))) == "delays"


def test_an_answer_may_be_ready_made_itself() -> None:
    class Endpoint(Connection):
        pass

    assert made_of(accept_key) == "accept_key"
    assert made_of(functools.partial(accept_key)) == "accept_key"
    assert made_of(Frame.parse) == "Frame.parse"
    assert made_of(Endpoint) == "Connection"
    assert made_of(websockets.broadcast) == "broadcast"
    assert made_of(websockets.broadcast, "websockets") == ""
    assert made_of(lambda: accept_key(KEY)) == ""


def test_nobody_watches_afterwards() -> None:
    before = sys.getprofile()
    with pytest.raises(ZeroDivisionError), watching():
        _ = 1 // 0
    assert sys.getprofile() is before


def test_every_check_looks() -> None:
    """The engine watches, so no check has to think of it."""

    async def follow(url: str, count: int) -> list[str]:
        texts = []
        async with ReconnectingClient(url) as client:
            async for event in client:
                texts.append(event.message["text"])
                if len(texts) == count:
                    break
        return texts

    verdict = check.framing.mask.judge(lambda payload, key: Frame(2, payload).serialize()[2:])
    assert verdict.outcome is Outcome.WRONG
    seen: list[bytes] = []

    def mask(payload: bytes, key: bytes) -> bytes:
        seen.append(Frame(Opcode.BINARY, payload).serialize())
        return bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))

    assert "your code calls the ready-made `Frame.serialize`" in repr(
        check.framing.mask.judge(mask)
    )
    assert "ready-made `accept_key`" in repr(check.handshake.accept_key.judge(accept_key))
    assert "ready-made `ReconnectingClient`" in repr(check.reconnect.follow.judge(follow))
