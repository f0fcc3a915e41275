"""Exercises of lesson 02: the opening handshake."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import re
from typing import Any

from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Peer, Trial, shown
from wslab.protocol.handshake import GUID, answer, upgrade_request
from wslab.protocol.handshake import accept_key as correct
from wslab.protocol.http import Headers, Request, Response

__all__ = ["SET"]

SET = TaskSet("handshake", "02_handshake", "The handshake")

RFC_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HEADER_LIMIT = 64 * 1024  # bytes after which a server must have said no


def draw_key(rng: random.Random) -> str:
    """Return a key as a client draws it."""
    return base64.b64encode(rng.randbytes(16)).decode()


# ★ Compute the accept key


def usual_mistakes(key: str) -> dict[str, str]:
    """Return the accept values that come of usual mistakes, and what each mistake is."""

    def sha1(data: bytes) -> Any:
        return hashlib.sha1(data, usedforsecurity=False)

    whole = (key + GUID).encode()
    decoded = base64.b64decode(key) + GUID.encode()
    return {
        sha1(whole).hexdigest(): "this is the digest in hex; Base64 is wanted",
        base64.b64encode(sha1(whole).hexdigest().encode()).decode(): "the hex digits were encoded, "
        "not the digest's 20 bytes",
        base64.b64encode(sha1(decoded).digest()).decode(): "the key was decoded first; it goes in "
        "as the text that it is",
        base64.b64encode(sha1(key.encode()).digest()).decode(): "the GUID is missing",
        base64.b64encode(sha1((GUID + key).encode()).digest()).decode(): "the GUID stands before "
        "the key, it comes after it",
    }


@SET.task(
    "Compute the accept value",
    level=1,
    section="RFC 6455 §4.2.2, item 5.4",
    takes=("key",),
    hints=(
        "Lesson 02, section 2: append, hash, encode. What goes in is text, what comes out is text.",
        "The digest has to be 20 bytes, so use `digest()`; Base64 of them has 28 characters.",
    ),
)
def accept_key(trial: Trial, compute: Any) -> None:
    """Try the RFC's example and random keys."""
    for key in (RFC_KEY, *(draw_key(trial.rng) for _ in range(4))):
        got, expected = trial.call(compute, key), correct(key)
        trial.of_type(got, str)
        usual = "the accept value is not the one that the client expects"
        trial.same(got, expected, usual_mistakes(key).get(got, usual))


# ★ Choose a subprotocol


@SET.task(
    "Choose a subprotocol",
    level=1,
    section="RFC 6455 §4.2.2, item 5.5",
    takes=("offered", "spoken"),
    hints=(
        "Whose order counts? The client offers, best first.",
        "Go through `offered`, and return the first one that is in `spoken`.",
    ),
)
def choose(trial: Trial, choose: Any) -> None:
    """Try orders, strangers, letters' case, and no offer at all."""
    names = ["chat", "superchat", "mqtt", "graphql-ws", "v2.chat"]
    cases: list[tuple[list[str], list[str]]] = [
        (["superchat", "chat"], ["chat", "superchat"]),
        (["mqtt", "chat"], ["chat"]),
        (["mqtt"], ["chat"]),
        ([], ["chat"]),
        (["Chat"], ["chat"]),
    ]
    for _ in range(10):
        picks = [trial.rng.sample(names, trial.rng.randrange(5)) for _ in range(2)]
        cases.append((picks[0], picks[1]))
    for offered, spoken in cases:
        expected = next((name for name in offered if name in spoken), None)
        got = trial.call(choose, list(offered), list(spoken))
        message = "not the client's first choice among those that the server speaks"
        if expected is None:
            message = "nothing fits, so there is no subprotocol: None (names are case-sensitive)"
        trial.same(got, expected, message)


# ★★ Judge a request


def _requests(rng: random.Random) -> list[tuple[str, Request, str]]:
    """Return requests: what each is, itself, and the section that decides."""
    key = draw_key(rng)
    good = dict(upgrade_request("server.example", "/chat", nonce=rng.randbytes(16)).headers)
    good["Sec-WebSocket-Key"] = key

    def request(method: str = "GET", version: str = "HTTP/1.1", **changes: str | None) -> Request:
        fields = dict(good)
        for name, value in changes.items():
            header = next(h for h in good if h.replace("-", "").lower() == name)
            if value is None:
                del fields[header]
            else:
                fields[header] = value
        return Request("/chat", Headers(fields.items()), method=method, version=version)

    short = base64.b64encode(rng.randbytes(rng.randrange(1, 16))).decode()
    lower = Headers((name.lower(), value) for name, value in good.items())
    section = "RFC 6455 §4.2.1"
    cases = [
        ("a good request", request(), section),
        ("header names in small letters", Request("/chat", lower), "RFC 9110 §5.1"),
        ("Upgrade: WebSocket", request(upgrade="WebSocket"), section),
        ("Connection: keep-alive, Upgrade", request(connection="keep-alive, Upgrade"), section),
        ("method POST", request("POST"), section),
        ("no Upgrade", request(upgrade=None), section),
        ("Connection: close", request(connection="close"), section),
        ("version 8", request(secwebsocketversion="8"), "RFC 6455 §4.4"),
        ("no key", request(secwebsocketkey=None), section),
        ("a key of another length", request(secwebsocketkey=short), section),
        ("a key that is not Base64", request(secwebsocketkey="?" * 24), section),
        ("no Host", request(host=None), "RFC 9112 §3.2"),
    ]
    rng.shuffle(cases)
    return cases


@SET.task(
    "Judge a request",
    level=2,
    section="RFC 6455 §4.2.1",
    takes=("request",),
    hints=(
        "Lesson 02, section 7 has every case. First the method, then Host, then whether it is "
        "about WebSocket at all, then the key.",
        "`request.headers.get(name)` gives a value or None, whatever the case of the name. "
        "`request.headers.tokens(name)` splits a list such as `keep-alive, Upgrade`.",
        "The values of Upgrade and Connection have no case either: compare `.lower()`. A key is "
        "good if `base64.b64decode(key, validate=True)` gives 16 bytes and does not raise.",
    ),
)
def status(trial: Trial, status: Any) -> None:
    """Try requests that break one rule each."""
    for what, request, section in _requests(trial.rng):
        expected, got = answer(request).status, trial.call(status, request)
        trial.doing = f"status(request) with {what}"
        trial.of_type(got, int)
        trial.want(
            got == expected, f"{what} gets another status", section, expected=expected, got=got
        )


# ★★★ Serve the handshake


async def _expect(peer: Peer, request: Request, what: str) -> None:
    """Read a response and compare it with what the request deserves."""
    head = await peer.read(b"\r\n\r\n", f"answer to {what}")
    trial, expected = peer.trial, answer(request)
    line = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
    status = int(line[1]) if line else None
    other = shown(head[:40].decode(errors="replace")) if head else "the end of the connection"
    trial.want(
        status == expected.status,
        "the answer has another status",
        "RFC 6455 §4.2.2",
        expected=expected.status,
        got=other if status is None else status,
    )
    if status != 101:
        return
    parsed = Response.parse(head)
    for name, value in expected.headers:
        got = parsed[0].headers.get(name) if parsed else None
        same = got == value if "Accept" in name else (got or "").lower() == value.lower()
        trial.want(same, f"header {name} is wrong", "RFC 6455 §4.2.2", expected=value, got=got)


async def _serve_scenario(trial: Trial, handler: Any) -> None:
    rng = trial.rng
    good = [upgrade_request("server.example", nonce=rng.randbytes(16)) for _ in range(4)]
    async with trial.serving(handler) as port:
        trial.doing = "a request in one piece"
        async with trial.peer(port) as peer:
            await peer.send(good[0].serialize())
            await _expect(peer, good[0], trial.doing)
        trial.doing = "a request in pieces, as TCP may deliver it"
        async with trial.peer(port) as peer:
            data, cut = good[1].serialize(), rng.randrange(20, 60)
            await peer.send(data[:cut])
            await asyncio.sleep(0.01)  # so that the pieces do not arrive as one
            await peer.send(data[cut:-1])
            await asyncio.sleep(0.01)
            await peer.send(data[-1:])
            await _expect(peer, good[1], trial.doing)
        trial.doing = "a client that is gone in the middle of its request"
        async with trial.peer(port) as peer:
            await peer.send(b"GET / HTTP/1.1\r\nHost: ")
            peer.writer.write_eof()
            await peer.read_to_end("end of a connection whose client is gone")
        trial.doing = "a request without a key"
        async with trial.peer(port) as peer:
            bad = Request("/", Headers([f for f in good[2].headers if "Key" not in f[0]]))
            await peer.send(bad.serialize())
            await _expect(peer, bad, trial.doing)
        trial.doing = "a header that never ends"
        async with trial.peer(port) as peer:
            await _flood(trial, peer)
        trial.doing = "a good request after all these"
        async with trial.peer(port) as peer:
            await peer.send(good[3].serialize())
            await _expect(peer, good[3], trial.doing)


async def _flood(trial: Trial, peer: Peer) -> None:
    """Send a header without end: the server has to stop listening."""
    line = b"X-Padding: " + b"x" * 1000 + b"\r\n"
    stopped = True  # by an answer, or by the end
    try:
        async with asyncio.timeout(1):
            await peer.send(b"GET / HTTP/1.1\r\n", *[line] * (HEADER_LIMIT // len(line)))
            await peer.reader.read(1)
    except ConnectionError:
        pass
    except TimeoutError:
        stopped = False
    trial.want(
        stopped,
        f"it goes on reading after {HEADER_LIMIT} bytes of header, for ever",
        "RFC 6455 §10.4",
        expected="an answer or the end",
        got="nothing",
    )


@SET.task(
    "Serve the handshake",
    level=3,
    section="RFC 6455 §4.2",
    takes=("reader", "writer"),
    form="async def",
    seconds=6.0,
    hints=(
        "`Request.parse(received)` returns None as long as the request is not complete; so read, "
        "append, and ask again.",
        "`await reader.read(1024)` returns b'' when the client is gone: then there is nothing to "
        "answer. `answer(request)` makes the response to a request that could be read.",
        "`Request.parse` raises HandshakeError if there is too much or it is no HTTP: "
        "`reject(error)` makes the response to that.",
    ),
)
def serve(trial: Trial, handler: Any) -> None:
    """Meet clients that are proper, slow, gone, wrong and malicious, over TCP."""
    trial.run(_serve_scenario(trial, handler))
