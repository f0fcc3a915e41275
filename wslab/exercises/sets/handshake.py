"""Exercises of lesson 02: the opening handshake."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Peer, Trial, shown
from wslab.protocol.handshake import GUID, answer, upgrade_request
from wslab.protocol.handshake import accept_key as correct
from wslab.protocol.http import Headers, Request, Response

__all__ = ["SET"]

SET = TaskSet.beside(__file__)

RFC_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HEADER_LIMIT = 64 * 1024  # bytes after which a server must have refused


def draw_key(rng: random.Random) -> str:
    """Return a key as a client draws it."""
    return base64.b64encode(rng.randbytes(16)).decode()


# ★ Compute the accept key


def usual_mistakes(key: str) -> dict[str, str]:
    """Return the accept values that usual mistakes give, with a sentence about each mistake."""

    def sha1(data: bytes) -> Any:
        return hashlib.sha1(data, usedforsecurity=False)

    whole = (key + GUID).encode()
    decoded = base64.b64decode(key) + GUID.encode()
    return {
        sha1(whole).hexdigest(): "this is the digest in hex, but it has to be in Base64",
        base64.b64encode(sha1(whole).hexdigest().encode()).decode(): "your code encodes the hex "
        "digits, not the digest's 20 bytes",
        base64.b64encode(sha1(decoded).digest()).decode(): "your code decodes the key first, but "
        "the key is hashed as text",
        base64.b64encode(sha1(key.encode()).digest()).decode(): "the GUID is missing",
        base64.b64encode(sha1((GUID + key).encode()).digest()).decode(): "the GUID stands before "
        "the key, but belongs after it",
    }


@SET.task()
def accept_key(trial: Trial, compute: Any) -> None:
    """Try the RFC's example and random keys."""
    for key in (RFC_KEY, *(draw_key(trial.rng) for _ in range(4))):
        got, expected = trial.result(compute, key), correct(key)
        usual = "the accept value is not the one that the client expects"
        trial.same(got, expected, usual_mistakes(key).get(got, usual))


# ★ Choose a subprotocol


@SET.task()
def choose(trial: Trial, choose: Any) -> None:
    """Try different orders, unknown names, capitals, and no offer at all."""
    names = ["chat", "superchat", "mqtt", "graphql-ws", "v2.chat"]
    cases: list[tuple[list[str], list[str]]] = [
        (["superchat", "chat"], ["chat", "superchat"]),
        (["mqtt", "chat"], ["chat"]),
        (["mqtt"], ["chat"]),
        ([], ["chat"]),
        (["Chat"], ["chat"]),
        (["chat"], ["superchat"]),
    ]
    for _ in range(10):
        picks = [trial.rng.sample(names, trial.rng.randrange(5)) for _ in range(2)]
        cases.append((picks[0], picks[1]))
    for offered, spoken in cases:
        expected = next((name for name in offered if name in spoken), None)
        got = trial.call(choose, list(offered), list(spoken))
        message = "this is not the client's first choice among those that the server speaks"
        if expected is None:
            message = "no name is in both lists, so return None (names are case-sensitive)"
        trial.same(got, expected, message)


# ★★ Judge a request


def _changes(key: str, rng: random.Random) -> list[tuple[str, str | None, str]]:
    """Return changes to a request, each with header, value, and the section that decides."""

    def encoded(size: int) -> str:
        return base64.b64encode(rng.randbytes(size)).decode()

    section, versions = "RFC 6455 §4.2.1", "RFC 6455 §4.4"
    upgrades = ("WebSocket", None, "websockets", "websocket2", "my-websocket", "tekcosbew")
    connections = ["keep-alive, Upgrade", "Upgrade,keep-alive", None, "close", "Upgraded"]
    connections += ["Upgrade-Insecure-Requests", "keep-alive, x-upgrade", "keep-alive Upgrade"]
    others = (None, "7", "8", "12", "14", "25", "130", "113", "013", "13.0", "1.3e1", "1 3")
    return [
        *(("Upgrade", value, section) for value in upgrades),
        *(("Connection", value, section) for value in connections),
        *(("Sec-WebSocket-Version", value, versions) for value in others),
        ("Sec-WebSocket-Key", None, section),
        ("Sec-WebSocket-Key", encoded(rng.randrange(1, 16)), section),
        ("Sec-WebSocket-Key", encoded(rng.choice([17, 18])), section),  # 24 characters, too
        ("Sec-WebSocket-Key", "?" * 24, section),
        ("Sec-WebSocket-Key", f"{key[:9]}?{key[9:]}", section),
        ("Host", None, "RFC 9112 §3.2"),
    ]


def _requests(rng: random.Random) -> list[tuple[str, Request, str]]:
    """Return requests, each with its description, and the section that decides."""
    good = dict(upgrade_request("server.example", "/chat", nonce=rng.randbytes(16)).headers)
    section, methods = "RFC 6455 §4.2.1", ("POST", "PUT", "OPTIONS", "HEAD", "get")
    small = Headers((name.lower(), value) for name, value in good.items())
    cases = [
        ("a good request", Request("/chat", Headers(good.items())), section),
        ("a good request with header names in lower case", Request("/chat", small), section),
        *(
            (f"method {method}", Request("/chat", Headers(good.items()), method=method), section)
            for method in methods
        ),
    ]
    for name, value, where in _changes(good["Sec-WebSocket-Key"], rng):
        fields = Headers((n, v) for n, v in {**good, name: value}.items() if v is not None)
        what = f"a request without {name}" if value is None else f"{name}: {value}"
        cases.append((what, Request("/chat", fields), where))
    rng.shuffle(cases)
    return cases


@SET.task(may_call=(Headers,))
def status(trial: Trial, status: Any) -> None:
    """Try requests that break one rule each, and good ones."""
    for what, request, section in _requests(trial.rng):
        trial.doing = f"status(request), {what}"
        expected, got = answer(request).status, status(request)
        trial.of_type(got, int)
        trial.want(got == expected, f"the status is {got}, and should be {expected}", section)


# ★★★ Serve the handshake


async def _expect(peer: Peer, request: Request, what: str) -> None:
    """Read a response, and compare it with the right response to the request."""
    head = await peer.read(b"\r\n\r\n", f"answer to {what}")
    trial, expected = peer.trial, answer(request)
    line = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
    status = int(line[1]) if line else None
    other = shown(head[:40].decode(errors="replace")) if head else "the end of the connection"
    trial.want(
        status == expected.status,
        "the response has a wrong status",
        "RFC 6455 §4.2.2" if expected.status == 101 else "RFC 6455 §4.2.1",
        expected=expected.status,
        got=other if status is None else status,
    )
    if status != 101:
        return
    parsed = Response.parse(head)
    for name, value in expected.headers:
        got = parsed[0].headers.get(name) if parsed else None
        same = got == value if "Accept" in name else (got or "").lower() == value.lower()
        what = f"header {name} is {'missing' if got is None else 'wrong'}"
        trial.want(same, what, "RFC 6455 §4.2.2", expected=shown(value), got=shown(got))


@asynccontextmanager
async def _client(trial: Trial, port: int, what: str) -> AsyncIterator[Peer]:
    """Play one client, and wait for the handler, so that an error belongs to this client."""
    trial.doing = what
    async with trial.peer(port) as peer:
        yield peer
        await peer.read_to_end("end of the connection: the handler has not returned")
    trial.want(not trial.raised, "the handler raised")  # the check ends, and shows that


async def _serve_scenario(trial: Trial, handler: Any) -> None:
    rng = trial.rng
    good = [upgrade_request("server.example", nonce=rng.randbytes(16)) for _ in range(4)]
    async with trial.serving(handler) as port:
        async with _client(trial, port, "a request in one piece") as peer:
            await peer.send(good[0].serialize())
            await _expect(peer, good[0], trial.doing)
        async with _client(trial, port, "a request in pieces, as TCP may deliver it") as peer:
            data, cut = good[1].serialize(), rng.randrange(20, 60)
            await peer.send(data[:cut])
            await asyncio.sleep(0.01)  # so that the pieces do not arrive as one
            await peer.send(data[cut:-1])
            await asyncio.sleep(0.01)
            await peer.send(data[-1:])
            await _expect(peer, good[1], trial.doing)
        async with _client(
            trial, port, "a client that is gone in the middle of its request"
        ) as peer:
            await peer.send(b"GET / HTTP/1.1\r\nHost: ")
            peer.writer.write_eof()
        async with _client(trial, port, "a request without a key") as peer:
            bad = Request("/", Headers([f for f in good[2].headers if "Key" not in f[0]]))
            await peer.send(bad.serialize())
            await _expect(peer, bad, trial.doing)
        async with _client(trial, port, "a header that never ends") as peer:
            await _flood(trial, peer)
        async with _client(trial, port, "a good request after all these") as peer:
            await peer.send(good[3].serialize())
            await _expect(peer, good[3], trial.doing)


async def _flood(trial: Trial, peer: Peer) -> None:
    """Send a header without end; the server has to stop reading."""
    line = b"X-Padding: " + b"x" * 1000 + b"\r\n"
    stopped = True  # by an answer, or by the end of the connection
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
        f"the handler still reads after {HEADER_LIMIT} bytes of header",
        "RFC 6455 §10.4",
        expected="an answer, or the end of the connection",
        got="nothing",
    )


@SET.task(may_call=("wslab.protocol",))
def serve(trial: Trial, handler: Any) -> None:
    """Try clients that are proper, slow, gone, wrong and malicious."""
    trial.run(_serve_scenario(trial, handler))
