"""Exercises of lesson 06: the chatroom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

from wslab.exercises.engine import wire
from wslab.exercises.engine.networks import Networks, Weather
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown
from wslab.exercises.rooms import (
    LIMIT,
    SIZE,
    Crowd,
    Hall,
    Measured,
    at_once,
    hears,
    relay_day,
    say_day,
)

__all__ = ["SET"]

SET = TaskSet.beside(__file__)

KINDS = ("chat", "setName")
SHORT = 512  # bytes of a short message, used near the limit to find it
ROUNDS = 300  # messages, more than the kernel and LIMIT can hold, even on a slow machine
AFTERWARDS = 5  # messages after the slow member is out


# ★ Read a message


def _good(trial: Trial) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield messages, written in several ways, each with its type and text."""
    texts = [
        "Hello",
        "你好!",
        " blanks around\n",
        '{"type": "chat"}',
        "isn't it?",
        "null",
        "[" * 500,
    ]
    for text in (*texts, "x" * 5000, f"{trial.rng.random()}"):
        for kind in KINDS:
            fields = {"type": kind, "text": text}
            more = {"more": {"type": "fly", "text": ["", None, True]}, **fields, "and": "more"}
            yield json.dumps(fields), (kind, text)
            yield "\n " + json.dumps(more, ensure_ascii=False, indent=1), (kind, text)


def _bad(trial: Trial) -> Iterator[tuple[Any, str]]:
    """Yield messages that no member may send, each with its fault."""
    good = '{"type": "chat", "text": "Hello"}'
    for binary in (good.encode(), b"\xff\x00"):
        yield binary, "it is binary, not text"
    for data in ("not json!", "", good[:-1], f"{good} {good}", f"{good} // end", f"say {good}"):
        yield data, "it is not JSON"
    for data in (good.replace('"', "'"), good.replace("}", ",}"), good.replace("lo", "l\to")):
        yield data, "it is not JSON, although Python might read it"
    pairs = [["type", "chat"], ["text", "Hello"]]
    values: list[Any] = [None, pairs, "chat", trial.rng.randrange(100), True]
    for value in values:
        yield json.dumps(value), "it is JSON, but not an object"
    kinds: list[Any] = ["fly", "Chat", "setname", "chat ", "chats", "set", "at", "", "chat setName"]
    for kind in (*kinds, ["chat"], {"chat": 1}, None, True, 0):
        yield json.dumps({"type": kind, "text": "Hello"}), "the type is unknown"
    for kind in KINDS:
        yield json.dumps({"type": kind}), "the text is missing"
        for no_text in (["Hello"], {"toString": "boom"}, 5, True, None):
            yield json.dumps({"type": kind, "text": no_text}), "the text is not a string"
        for text in ("", " ", " \t\r\n", "\u3000\u00a0"):
            yield json.dumps({"type": kind, "text": text}), "the text has only blanks"
    deep = "too deep for Python; json.loads raises RecursionError"
    yield "{}", "the type is missing"
    yield json.dumps({"text": "Hello"}), "the type is missing"
    yield "[" * 100_000, f"100,000 brackets are {deep}"
    yield '{"type":' * 100_000, f"100,000 braces are {deep}"
    yield good.replace("}", f', "more": {"[" * 100_000}{"]" * 100_000}}}'), f"it is {deep}"


@SET.task()
def read_message(trial: Trial, read: Any) -> None:
    """Try good messages, malformed ones, and lies."""
    for data, expected in _good(trial):
        trial.same(
            trial.result(read, data), expected, "the message is good, but your result differs"
        )
    cases = list(_bad(trial))
    trial.rng.shuffle(cases)
    for wrong, why in cases:
        with trial.must_raise(ValueError, f"your code accepts a bad message: {why}", ""):
            trial.call(read, wrong)


# ★★ To everybody except the sender


async def _relay_scenario(trial: Trial, relay: Any) -> None:
    words = [f"word {trial.rng.random()}" for _ in range(5)]
    async with AsyncExitStack() as stack:
        hall, other = Hall(trial, relay, stack), Hall(trial, relay, stack)
        trial.doing = "Ada, Bob and Eve, and Zoe in a different room; Ada speaks first, then Bob"
        ada, bob, eve = await hall.open("Ada", "Bob", "Eve")
        (zoe,) = await other.open("Zoe")
        await ada.send(words[0])
        for ws, who in ((bob, "Bob"), (eve, "Eve")):
            await hears(trial, ws, who, words[0])
        await bob.send(words[1])
        heard = await wire.heard(trial, ada, "Ada")
        trial.want(heard != words[0], "Ada hears Ada's own message")
        trial.same(heard, words[1], "Ada hears a different message")
        await hears(trial, eve, "Eve", words[1])
        trial.doing = "Ada sends texts and bytes of all kinds, some of them twice"
        blanks: list[str | bytes] = ["", " \n", f" {words[0]} ", words[0], words[0]]
        odd = [*blanks, "x" * 40_000, b"", b"\xff\x00", "{}"]
        for message in odd:
            await ada.send(message)
        for ws, who in ((bob, "Bob"), (eve, "Eve")):
            await hears(trial, ws, who, *odd)
        await _come_and_go(trial, hall, (ada, bob, eve), words)
        trial.doing = "Yan comes into Zoe's room"
        yan = await other.enter("Yan")
        await zoe.send(words[1])
        await hears(trial, yan, "Yan", words[1])
        await yan.send(words[2])
        await hears(trial, zoe, "Zoe", words[2])


async def _come_and_go(trial: Trial, hall: Hall, three: tuple[Any, Any, Any], words: Any) -> None:
    """Let Dan come while Bob does not read; then Eve leaves, and Bob is lost."""
    ada, bob, eve = three
    trial.doing = "Ada speaks, Bob does not read for a moment, and meanwhile Dan comes in"
    dan, texts = await hall.come_meanwhile(ada, bob, eve)
    trial.doing = "Dan has come in, and Ada speaks"
    await ada.send(words[2])
    for ws, who in ((bob, "Bob"), (eve, "Eve")):
        await hears(trial, ws, who, words[2])
    while (heard := await wire.heard(trial, dan, "Dan")) != words[2]:
        message = "Dan hears a message that was not sent after he came"
        trial.want(heard in texts, message, got=shown(heard))
    trial.doing = "Eve leaves properly, Bob's connection is reset"
    await eve.close()
    bob.transport.abort()
    gone = "a member who has left is still among `members`"
    await wire.until(trial, lambda: len(hall.members) == 2, gone)
    trial.doing = "Dan and Ada speak, and Bob is among `members`, as if he were lost just now"
    hall.members.add(hall.arrived[1])
    await dan.send(words[3])
    await hears(trial, ada, "Ada", words[3])
    await ada.send(words[4])
    await hears(trial, dan, "Dan", words[4])
    await dan.send(words[0])
    await hears(trial, ada, "Ada", words[0])


@SET.task(
    may_call=("websockets",),
    networks=Networks(relay_day, Weather(within=4, longest=2, outage=0.3, most=3), runs=40),
)
def relay(trial: Trial, relay: Any) -> None:
    """Try members who speak, leave, are lost, and come later."""
    trial.run(_relay_scenario(trial, relay))


# ★★★ Do not wait for the slow one


async def _bound_scenario(trial: Trial, say: Any) -> None:
    """Try exact numbers of waiting bytes; one member is gone already."""
    crowd = Crowd(trial)
    waiting = [LIMIT, LIMIT + 1, 0, trial.rng.randrange(LIMIT + 1, 9 * LIMIT), LIMIT - 1, LIMIT + 1]
    async with wire.serving(trial, crowd) as url, AsyncExitStack() as stack:
        for size in waiting:
            await crowd.come(url, stack)
            server: Any = crowd.arrived[-1]
            server.transport = Measured(server.transport, size)
        gone = await crowd.come(url, stack)
        await gone.close()
        trial.doing = f"members for whom {waiting} bytes wait, and one who is gone"
        await at_once(say(crowd.members, "Hello"))
        for size, server in zip(waiting, crowd.arrived, strict=False):
            is_in, what = server in crowd.members, f"a member for whom {size} bytes wait is"
            trial.want(is_in or size > LIMIT, f"{what} put out", expected=f"more than {LIMIT}")
            trial.want(not is_in or size <= LIMIT, f"{what} still among `members`")
            trial.want(is_in or server.transport.is_closing(), f"{what} out, but not cut off")
    trial.doing = "nobody is there"
    await at_once(say(set(), "Hello"))


async def _say_scenario(trial: Trial, say: Any) -> None:
    crowd = Crowd(trial)
    options = {"close_timeout": 10, "max_size": 2 * SIZE}
    async with wire.serving(trial, crowd, **options) as url, AsyncExitStack() as stack:
        ada, bob, slow = [await crowd.come(url, stack) for _ in range(3)]
        slow.transport.pause_reading()  # a phone in a tunnel
        left = AFTERWARDS
        for number in range(ROUNDS):
            waited = crowd.arrived[2].transport.get_write_buffer_size()
            size = SIZE if waited < LIMIT - SIZE else SHORT
            trial.doing = f"message {number + 1}, of {size} bytes; one of three does not read"
            text = f"{number} {trial.rng.random()}".ljust(size, ".")
            await at_once(say(crowd.members, text))
            for who, ws in (("Ada", ada), ("Bob", bob)):
                got = await wire.heard(trial, ws, who)
                trial.want(got == text, f"{who} hears a different message", got=shown(got))
            crowd.check_slow(waited, size)
            left -= crowd.slow_is_out
            if not left:
                break
        trial.want(len(crowd.members) > 1, "a member who reads was put out, too")
        message = f"the slow one is still a member, although it has not read {ROUNDS} messages"
        trial.want(len(crowd.members) == 2, message)


@SET.task(
    may_call=("websockets",),
    networks=Networks(say_day, Weather(("freeze", "cut", "reset"), within=4, longest=5), runs=30),
)
def say(trial: Trial, say: Any) -> None:
    """Talk to rooms with a member who does not read, with one who is gone, and with nobody."""
    trial.run(_say_scenario(trial, say))
    trial.run(_bound_scenario(trial, say))
