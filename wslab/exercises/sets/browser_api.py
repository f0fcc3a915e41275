"""Exercises of lesson 05: the browser's API."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from wslab.exercises.engine import wire
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown

__all__ = ["SET"]

SET = TaskSet.beside(__file__)

ANSWER = 1.0  # seconds that `ask` waits in all
THINKING = 0.4  # seconds that a server takes to answer
PATIENCE = 0.3  # seconds that `login` waits for a token
NOW = 1_000_000.0  # the time of all checks, in seconds


# ★ May a page close like this?


@SET.task()
def may_close(trial: Trial, judge: Any) -> None:
    """Try codes on both sides of every limit, and reasons."""
    cases = [(code, "") for code in (1000, 3000, 3999, 4000, 4999)]
    cases += [(code, "") for code in (999, 1001, 1005, 1006, 2999, 5000, 0)]
    cases += [(trial.rng.randrange(3000, 5000), "bye"), (trial.rng.randrange(1001, 3000), "")]
    cases += [(1000, "r" * 123), (1000, "r" * 124), (4000, "再" * 41), (4000, "再" * 42)]
    trial.rng.shuffle(cases)
    for code, reason in cases:
        expected = code == 1000 or 3000 <= code <= 4999
        why = "a page may use 1000 and 3000 to 4999, and no other code"
        if expected and len(reason.encode()) > 123:
            expected, why = False, f"this reason is {len(reason.encode())} bytes, limit 123"
        trial.same(trial.call(judge, code, reason), expected, why)


# ★ Whose pages may connect?


@SET.task()
def may_connect(trial: Trial, judge: Any) -> None:
    """Try the shop's own pages, and pages that look like them."""
    shop = f"https://shop{trial.rng.randrange(10, 99)}.example"
    cases: list[tuple[str | None, list[str | None], bool, str]] = [
        (shop, [shop], True, "this is the shop's own page"),
        (shop, ["https://other.example", shop], True, "this is one of the two accepted origins"),
        (f"{shop}.evil.example", [shop], False, "the host is different, and only begins like it"),
        (shop.replace("://", "://evil-"), [shop], False, "the host is different"),
        (shop.replace("https", "http"), [shop], False, "the scheme is different, and not secure"),
        (f"{shop}:8443", [shop], False, "the port is different"),
        ("https://evil.example", [shop], False, "this is a stranger's page"),
        (None, [shop], False, "there is no Origin, and None is not accepted"),
        (None, [shop, None], True, "this is a program, and None is accepted"),
        ("null", [shop, None], False, '"null" is not None, because any page can have that origin'),
        ("null", [shop, "null"], False, '"null" never may connect, even if it is on the list'),
        ("", [shop], False, "the Origin is empty"),
    ]
    trial.rng.shuffle(cases)
    for origin, accepted, expected, why in cases:
        trial.same(trial.call(judge, origin, list(accepted)), expected, why)


# ★★ Ask a server


async def _ask_scenario(trial: Trial, ask: Any) -> None:
    question, answer = f"question {trial.rng.random()}", f"answer {trial.rng.random()}"
    heard: list[Any] = []
    ended = asyncio.Event()

    async def oracle(connection: ServerConnection) -> None:
        heard.append(await connection.recv())
        await asyncio.sleep(THINKING)
        await connection.send(answer)
        await connection.send("and something else")
        await connection.wait_closed()
        heard.append(connection.protocol.close_rcvd and connection.protocol.close_rcvd.code)
        ended.set()

    async def slowly(connection: ServerConnection, request: object) -> None:
        await asyncio.sleep(0.1)  # a handshake over half the world

    async with wire.serving(trial, oracle, process_request=slowly) as url:
        trial.doing = "a server whose handshake takes a while"
        async with trial.within(2, "no result although the server has answered"):
            got = await ask(url, question)
        trial.want(heard, "the server did not get the question", got=shown(got))
        trial.same(heard[0], question, "the server got a different question")
        trial.same(got, answer, "the result is not the first message")
        async with trial.within(1, "the socket was not closed"):
            await ended.wait()
        trial.same(heard[1], 1000, "the server should get close code 1000", "RFC 6455 §7.4.1")


async def _gone(connection: ServerConnection) -> None:
    connection.transport.abort()


def _refuse(connection: ServerConnection, request: object) -> Any:
    return connection.respond(HTTPStatus.FORBIDDEN, "no\n")


async def _no_answer_scenario(trial: Trial, ask: Any) -> None:
    left: list[int | None] = []

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()
        left.append(connection.close_code)

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side ends the connection
        await reader.read()
        left.append(None)

    async with (
        wire.serving(trial, _gone) as dying,
        wire.serving(trial, _gone, process_request=_refuse) as refusing,
        wire.serving(trial, silent) as quiet,
        trial.serving(never) as port,
    ):
        over = 0.8 * ANSWER, "no result although the connection is over"
        late = 2.5 * ANSWER, f"no result (the limit is {ANSWER:g} s), not even"
        cases = {
            "does not answer: nobody listens": ("ws://127.0.0.1:9/", *over),
            "does not answer: HTTP 403": (refusing, *over),
            "does not answer: reset": (dying, *over),
            "never answers the question": (quiet, *late),
            "never answers the handshake": (f"ws://127.0.0.1:{port}/", *late),
        }
        for what, (url, seconds, message) in cases.items():
            trial.doing = f"a server that {what}"
            async with trial.within(seconds, message):
                got = await ask(url, "anybody?")
            trial.want(got is None, "without an answer the result is None", got=shown(got))
            if "never" in what:
                await wire.until(trial, lambda: left, "the socket was not closed")
                code = 1000 if url == quiet else None
                wrong = f"the server should get close code {code}"
                trial.same(left.pop(), code, wrong, "RFC 6455 §7.4.1")


@SET.task(may_call=("wslab.browser",))
def ask(trial: Trial, ask: Any) -> None:
    """Try servers that are slow, refuse, die, or say nothing."""
    trial.run(_ask_scenario(trial, ask))
    trial.run(_no_answer_scenario(trial, ask))


# ★★★ Let them in


async def _login_scenario(trial: Trial, login: Any) -> None:
    valid, old = f"t-{trial.rng.random()}", f"t-{trial.rng.random()}"
    tokens = {valid: ("Ana", NOW + 60), old: ("Bo", NOW - 1)}
    cases: list[tuple[str, str | bytes | None, int]] = [
        ("an unknown token", "t-guess", 3000),
        ("a token that has expired", old, 4001),
        ("a token as binary", valid.encode(), 3000),
        ("a client that says nothing", None, 3000),
    ]
    trial.rng.shuffle(cases)

    async def handler(connection: ServerConnection) -> None:
        await login(connection, tokens, NOW)

    async with wire.serving(trial, handler) as url:
        trial.doing = "a valid token"
        await _welcome(trial, url, valid, "Ana")
        for what, token, code in cases:
            trial.doing = what
            async with wire.client(url) as ws:
                if token is not None:
                    await ws.send(token)
                async with trial.within(3 * PATIENCE + 0.5, "the connection was not closed"):
                    await _refused(trial, ws, what, code)
        trial.doing = "a client that is gone before it has said anything"
        async with wire.client(url) as ws:
            ws.transport.abort()
        await asyncio.sleep(0)
        trial.doing = "a valid token after all these"
        await _welcome(trial, url, valid, "Ana")


async def _welcome(trial: Trial, url: str, token: str, name: str) -> None:
    async with wire.client(url) as ws:
        try:
            await ws.send(token)
            async with trial.within(1, "no welcome"):
                trial.same(await ws.recv(), f"Welcome, {name}", "the welcome is wrong")
            for message in ("你好", b"\x00\xff", "", b"text as bytes", "你好"):
                async with trial.within(1, "after the welcome a message gets no echo"):
                    await ws.send(message)
                    got = await ws.recv()
                trial.want(
                    got == message,
                    "the echo differs from the message; text comes back as text, bytes as bytes",
                    expected=shown(message),
                    got=shown(got),
                )
        except ConnectionClosed:
            trial.raise_first()
            trial.wrong("the connection was closed", got=f"close code {ws.close_code}")


async def _refused(trial: Trial, ws: Any, what: str, code: int) -> None:
    try:
        got = await ws.recv()
    except ConnectionClosed:
        trial.raise_first()
        trial.want(
            ws.close_code == code,
            f"{what} gets a wrong close code",
            "RFC 6455 §7.4.2",
            expected=code,
            got=ws.close_code,
        )
    else:
        trial.wrong(f"{what} gets a message; it should get only a close code", got=shown(got))


@SET.task(may_call=("websockets",))
def login(trial: Trial, login: Any) -> None:
    """Try clients that may come in, that may not, that are silent, and that are gone."""
    trial.run(_login_scenario(trial, login))
