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

SET = TaskSet("browser_api", "05_browser_api", "The browser's API")

ANSWER = 1.0  # seconds that `ask` waits in all
PATIENCE = 0.3  # seconds that `login` waits for a token
NOW = 1_000_000.0  # the time at which checks take place, in seconds


# ★ May a page close like this?


@SET.task(
    "May a page close like this?",
    level=1,
    section="WHATWG WebSockets §3.1",
    takes=("code", "reason"),
    hints=(
        "Lesson 05, section 5. The codes from 1001 on belong to the protocol, with one exception "
        "below them and two ranges of a thousand above.",
        "A reason is limited in bytes, `len(reason.encode())`, not in characters.",
    ),
)
def may_close(trial: Trial, judge: Any) -> None:
    """Try codes on both sides of every limit, and reasons."""
    cases = [(code, "") for code in (1000, 3000, 3999, 4000, 4999)]
    cases += [(code, "") for code in (999, 1001, 1005, 1006, 2999, 5000, 0)]
    cases += [(trial.rng.randrange(3000, 5000), "bye"), (trial.rng.randrange(1001, 3000), "")]
    cases += [(1000, "r" * 123), (1000, "r" * 124), (4000, "再" * 41), (4000, "再" * 42)]
    trial.rng.shuffle(cases)
    for code, reason in cases:
        expected = code == 1000 or 3000 <= code <= 4999
        why = "1000 and 3000 to 4999 are a page's, all others are not"
        if expected and len(reason.encode()) > 123:
            expected, why = False, f"this reason is {len(reason.encode())} bytes, limit 123"
        trial.same(trial.call(judge, code, reason), expected, why)


# ★ Whose pages may connect?


@SET.task(
    "Whose pages may connect?",
    level=1,
    section="RFC 6455 §10.2",
    takes=("origin", "accepted"),
    hints=(
        "An origin is scheme, host and port. Which part may differ?",
        "None: compare the whole. And what did the lesson say of programs, which send no Origin, "
        'and of "null"?',
    ),
)
def may_connect(trial: Trial, judge: Any) -> None:
    """Try the shop's own pages, and those that look like them."""
    shop = f"https://shop{trial.rng.randrange(10, 99)}.example"
    cases: list[tuple[str | None, list[str | None], bool, str]] = [
        (shop, [shop], True, "the shop's own page"),
        (shop, ["https://other.example", shop], True, "one of two"),
        (f"{shop}.evil.example", [shop], False, "it begins like the shop's, and is another host"),
        (shop.replace("://", "://evil-"), [shop], False, "it ends like the shop's"),
        (shop.replace("https", "http"), [shop], False, "another scheme: anybody on the way can be"),
        (f"{shop}:8443", [shop], False, "another port"),
        ("https://evil.example", [shop], False, "a stranger's page"),
        (None, [shop], False, "no Origin, and None is not accepted"),
        (None, [shop, None], True, "a program, and None is accepted"),
        ("null", [shop, None], False, '"null" is not None: any page can have that origin'),
        ("null", [shop, "null"], False, '"null" is nobody\'s origin, even on the list'),
        ("", [shop], False, "an empty one"),
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
        trial.want(heard, "the server did not get the question", got=repr(got))
        trial.same(heard[0], question, "the server got something else")
        trial.same(got, answer, "the result is not the first message")
        async with trial.within(1, "the socket was not closed: the server still waits"):
            await ended.wait()
        trial.same(heard[1], 1000, "the server should get close code 1000")


async def _silence_scenario(trial: Trial, ask: Any) -> None:
    left: list[int | None] = []

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()
        left.append(connection.close_code)

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side ends the connection
        await reader.read()
        left.append(None)

    async with wire.serving(trial, silent) as url, trial.serving(never) as port:
        cases = {
            "a server that never answers the question": (url, 1000),
            "a server that never answers the handshake": (f"ws://127.0.0.1:{port}/", None),
        }
        for what, (where, code) in cases.items():
            trial.doing = what
            async with trial.within(2.5 * ANSWER, f"no result, {ANSWER:g} s are the limit"):
                got = await ask(where, "anybody?")
            trial.want(got is None, "without an answer the result is None", got=repr(got))
            await wire.until(trial, lambda: left, "the socket was not closed")
            trial.same(left.pop(), code, "the server should get another close code")


async def _no_answer_scenario(trial: Trial, ask: Any) -> None:
    async def gone(connection: ServerConnection) -> None:
        connection.transport.abort()

    def refuse(connection: ServerConnection, request: object) -> Any:
        return connection.respond(HTTPStatus.FORBIDDEN, "no\n")

    async with (
        wire.serving(trial, gone) as dying,
        wire.serving(trial, gone, process_request=refuse) as refusing,
    ):
        cases = {
            "nobody listens": f"ws://127.0.0.1:{trial.closed_port()}/",
            "HTTP 403": refusing,
            "reset": dying,
        }
        for what, url in cases.items():
            trial.doing = f"a server that does not answer: {what}"
            async with trial.within(0.8 * ANSWER, "no result although the connection is over"):
                got = await ask(url, "anybody?")
            trial.want(got is None, "without an answer the result is None", got=repr(got))


@SET.task(
    "Ask a server",
    level=2,
    section="WHATWG WebSockets §3.1",
    takes=("url", "question"),
    may_call=("wslab.browser",),
    form="async def",
    seconds=10.0,
    hints=(
        "Nothing can be sent before `open`: do it in `onopen`.",
        "`open` never comes if the connection fails, but `close` always does: answer to either.",
        "A future is a bridge from callbacks to `await`: the running loop's `create_future()` "
        "makes one. Set its result in `onmessage`, or to None in `onclose`, whichever comes first "
        "(`done()` tells), await it, and close the socket.",
        f"`async with asyncio.timeout({ANSWER:g})` around the `await` limits the wait. Catch the "
        "TimeoutError, and close the socket all the same.",
    ),
)
def ask(trial: Trial, ask: Any) -> None:
    """Meet servers that are slow, refuse, die, or say nothing."""
    trial.run(_ask_scenario(trial, ask))
    trial.run(_no_answer_scenario(trial, ask))
    trial.run(_silence_scenario(trial, ask))


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
        await ws.send(token)
        try:
            async with trial.within(1, "no welcome"):
                trial.same(await ws.recv(), f"Welcome, {name}", "another welcome")
            for message in ("你好", b"\x00\xff", "", b"text as bytes", "你好"):
                async with trial.within(1, "after the welcome a message gets no echo"):
                    await ws.send(message)
                    got = await ws.recv()
                trial.want(
                    got == message,
                    "the echo is not the message as it came, text as text and bytes as bytes",
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
            f"{what} gets another close code",
            "RFC 6455 §7.4.2",
            expected=code,
            got=ws.close_code,
        )
    else:
        trial.wrong(f"{what} gets a message; it should get a close code only", got=repr(got))


@SET.task(
    "Let them in",
    level=3,
    section="RFC 6455 §10.5, §7.4.2",
    takes=("connection", "tokens", "now"),
    may_call=("websockets",),
    form="async def",
    seconds=10.0,
    hints=(
        f"`async with asyncio.timeout({PATIENCE})` around `recv()`; a TimeoutError is a refusal.",
        "Not every message is text, and `tokens.get(token)` gives None for what it does not know. "
        "`await connection.close(code, reason)` says it.",
        "A client may be gone while you wait: `recv()` then raises ConnectionClosed, and the "
        "library expects that to pass.",
    ),
)
def login(trial: Trial, login: Any) -> None:
    """Meet clients that may come in, that may not, that are silent, and that are gone."""
    trial.run(_login_scenario(trial, login))
