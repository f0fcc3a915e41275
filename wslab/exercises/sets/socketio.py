"""Exercises of lesson 09: Socket.IO."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import socketio
from aiohttp import web

from wslab.apps.socketio import EnginePacket, EngineType, SocketPacket, SocketType
from wslab.apps.socketio.packets import ENGINE_IO
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Late, Trial, shown
from wslab.net.address import LOOPBACK

__all__ = ["SET"]

SET = TaskSet.beside(__file__)

EVENT = "chat message"
TYPES = (EngineType, SocketType)
PORT = 9000
PING = 0.15  # seconds between the server's pings
PATIENCE = 0.6  # seconds that it waits for a pong
THINKING = 1.0  # seconds after which the server answers

_SILENT = logging.Logger("wslab-check", logging.CRITICAL + 1)


def _event(data: list[Any], namespace: str = "/", number: int | None = None) -> str:
    """Write an event as the text of a frame."""
    packet = SocketPacket(SocketType.EVENT, data, namespace, number)
    return f"{EngineType.MESSAGE:d}{packet.serialize()}"


@SET.task(may_call=TYPES)
def layers(trial: Trial, layers: Any) -> None:
    """Try packets of all types."""
    cases = ['0{"sid":"x","pingInterval":25000}', "1", "2", "2probe", "3", "3probe", "5", "6"]
    cases += ["40", '40{"token":"42"}', "41", '42["2"]', '43/admin,7["ok"]', '431["3"]']
    cases += ['44{"message":"40"}', '451-["a",{"_placeholder":true,"num":0}]', "461-7[0]"]
    trial.rng.shuffle(cases)
    for text in cases:
        engine = EnginePacket.parse(text).type
        second = SocketType(int(text[1])).name if engine is EngineType.MESSAGE else None
        got = trial.result(layers, text)
        trial.same(got[0], engine.name, "Engine.IO's type is wrong", ENGINE_IO)
        message = "only a MESSAGE carries a packet of Socket.IO, so the second value is None"
        trial.same(got[1], second, message if second is None else "Socket.IO's type is wrong")


def _events(trial: Trial) -> list[tuple[str, tuple[Any, ...] | None, str]]:
    """Return texts, each with its meaning and a description."""
    rng = trial.rng
    number, channel = rng.randrange(10, 10_000), f"/room-{rng.randrange(100)}"
    good: list[tuple[list[Any], str, int | None, str]] = [
        ([EVENT, f"Hello {rng.random()}"], "/", None, "an event"),
        (["join"], "/", None, "an event without arguments"),
        (["sum", 2, 3], "/", number, "an event that asks for an acknowledgement"),
        (["size", {"a": [1, None]}], channel, None, "a namespace"),
        (["version", "/, 1"], channel, number, "a namespace and an id"),
        ([EVENT, '你好, "you" ]'], "/", 0, "id 0, which is an id"),
        ([EVENT, f"/tmp/{number}, please"], "/", None, "a slash and digits only in the text"),
        ([f"move/{number}", "a/b,c"], "/", None, "a slash and digits only in the event's name"),
        (["7 days"], "/", number, "an id, and digits in the event's name"),
    ]
    cases: list[tuple[str, tuple[Any, ...] | None, str]] = [
        (_event(data, namespace, id), (namespace, id, data), what)
        for data, namespace, id, what in good
    ]
    none = {
        "2": "a ping of Engine.IO is not an event",
        "3probe": "a pong of Engine.IO is not an event",
        "40": "CONNECT is not an event",
        '40{"sid":"42"}': "CONNECT is not an event",
        f'43{number}["42"]': "an acknowledgement is not an event",
        '44{"message":"no"}': "CONNECT_ERROR is not an event",
        '2["a"]': "a packet of Socket.IO needs the digit of Engine.IO before it",
    }
    return cases + [(text, None, what) for text, what in none.items()]


@SET.task()
def event(trial: Trial, event: Any) -> None:
    """Try events with all parts that may come before the JSON, and texts that are not events."""
    cases = _events(trial)
    trial.rng.shuffle(cases)
    for text, expected, what in cases:
        got = trial.result(event, text)
        if expected is None:
            trial.want(got is None, f"{what}, so the result is None", got=shown(got))
            continue
        for part, one, other in zip(trial.values, got, expected, strict=True):
            same = one == other and type(one) is type(other)
            message = f"{what}: {part} is wrong"
            trial.want(same, message, expected=shown(other), got=shown(one))


@SET.task(may_call=TYPES)
def reply(trial: Trial, reply: Any) -> None:
    """Try all kinds of packets that a server sends."""
    word = f"probe{trial.rng.randrange(1000)}"
    cases: dict[str, tuple[str | None, str]] = {
        '0{"sid":"x","upgrades":[],"pingInterval":25000}': ("40", "Engine.IO is open, so connect"),
        "2": ("3", "a ping needs a pong"),
        f"2{word}": (f"3{word}", "a pong repeats what the ping carries"),
        "2probe": ("3probe", "a pong repeats what the ping carries"),
        "3probe": ("5", "the probe has succeeded, so upgrade"),
        "3": (None, "only the pong to the client's own probe is answered"),
        f"3{word}": (None, "only the pong to the client's own probe is answered"),
        **{
            f"3{other}": (None, "only the pong to the client's own probe is answered")
            for other in ("x-probe", "probes", "Probe", "other", " probe")
        },
        '40{"sid":"y"}': (None, "CONNECT is the server's consent, which needs no answer"),
        '42["2"]': (None, "this event asks for no answer"),
        '42["3probe"]': (None, "this event asks for no answer"),
        '42["probe"]': (None, "this event asks for no answer"),
        "1": (None, "a CLOSE is the end, and needs no answer"),
        "6": (None, "a NOOP needs no answer"),
        "41": (None, "a DISCONNECT is the end, and needs no answer"),
        '44{"message":"2"}': (None, "a CONNECT_ERROR is a refusal, and needs no answer"),
    }
    texts = list(cases)
    trial.rng.shuffle(texts)
    for text in texts:
        expected, why = cases[text]
        got = trial.result(reply, text)
        same = _is_connect(got) if expected == "40" else got == expected
        trial.want(same, why, expected=shown(expected), got=shown(got))


def _is_connect(packet: Any) -> bool:
    """Tell whether this is a CONNECT to the main namespace; it may carry an object."""
    if not isinstance(packet, str) or not packet.startswith("40"):
        return False
    try:
        return packet == "40" or isinstance(json.loads(packet[2:]), dict)
    except ValueError:
        return False


class _Chat:
    """python-socketio's server, on the trial's own loop.

    said: the arguments of the clients' events. is_known: True once a client has connected.
    has_answered: True once it has sent the answer. gone: set when a client has left.
    """

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.said: list[Any] = []
        self.is_known = False
        self.has_answered = False
        self.gone = asyncio.Event()
        self.sio = socketio.AsyncServer(
            async_mode="aiohttp",
            ping_interval=PING,
            ping_timeout=PATIENCE,
            logger=_SILENT,
            engineio_logger=_SILENT,
        )
        self.sio.on("connect", self.connect)
        self.sio.on(EVENT, self.hear)
        self.sio.on("disconnect", self.leave)

    async def connect(self, sid: str, environ: object) -> None:
        """Greet a new client."""
        self.is_known = True
        await self.sio.emit("welcome", {"members": 1}, to=sid)

    async def hear(self, sid: str, *arguments: Any) -> None:
        """Answer after a while, and after a different event."""
        self.said.append(arguments)
        await self.sio.emit("typing", "Ada", to=sid)
        await asyncio.sleep(THINKING)
        self.has_answered = True
        await self.sio.emit(EVENT, self.answer, to=sid)

    async def leave(self, sid: str, reason: str) -> None:
        """Note that a client is gone."""
        self.gone.set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve; gives the URL."""
        app = web.Application()
        self.sio.attach(app)
        runner = web.AppRunner(app, access_log=None, logger=_SILENT, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, PORT).start()
        try:
            yield f"ws://{LOOPBACK}:{PORT}/"
        finally:
            await self.sio.shutdown()
            await runner.cleanup()


async def _join_scenario(trial: Trial, join: Any) -> None:
    text, answer = f'你好, "Ada" {trial.rng.random()}', f"42 {trial.rng.random()} ]"
    chat = _Chat(answer)
    async with chat.serving() as url:
        trial.doing = f"a server that pings every {PING:g} s and answers after {THINKING:g} s"
        try:
            async with trial.within(3, "no result"):
                got = await join(url, text)
        except Late:
            _explain(trial, chat, text)
            raise
        if chat.is_known:
            # The client has to close before the server gives up because it gets no pongs.
            unclosed = "your code has returned, but the connection was not closed"
            async with trial.within(PATIENCE - 0.2, unclosed):
                await chat.gone.wait()
        _explain(trial, chat, text, got)
        trial.same(got, answer, f"the result is not the text of the first {EVENT!r}")


def _explain(trial: Trial, chat: _Chat, text: str, got: object = None) -> None:
    """Refuse an answer that did not send the right event, with the reason that the server saw.

    got: the result, None if there is none.
    """
    trial.want(chat.said, f"the server has not heard any event {EVENT!r}")
    trial.want(
        chat.said == [(text,)],
        "the server has heard a different event",
        expected=json.dumps([text], ensure_ascii=False),
        got=shown(list(chat.said[0])),
    )
    if chat.gone.is_set() and not chat.has_answered:
        why = "did every ping get its pong?" if got is None else "did your code return too early?"
        early = f"the connection ended before the server answered; {why}"
        trial.wrong(early, ENGINE_IO, got=shown(got))


@SET.task(may_call=("websockets", *TYPES))
def join(trial: Trial, join: Any) -> None:
    """Try it on python-socketio's own server."""
    trial.run(_join_scenario(trial, join))
