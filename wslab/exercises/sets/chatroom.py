"""Exercises of lesson 06: the chatroom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

from wslab.exercises.engine import wire
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown
from wslab.exercises.rooms import LIMIT, SIZE, Crowd, Hall, Measured, at_once, hears

__all__ = ["SET"]

SET = TaskSet("chatroom", "06_chatroom", "The chatroom")

KINDS = ("chat", "setName")
SHORT = 512  # … and of those that come near the limit, so that it is found
ROUNDS = 300  # messages, more than the kernel and LIMIT can hold, on a slow machine too
AFTERWARDS = 5  # of them, once the slow one is out


# ★ Read a message


def _good(trial: Trial) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield messages, written in several ways, and what is in them."""
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
    """Yield what no member may send, and what is wrong with it."""
    good = '{"type": "chat", "text": "Hello"}'
    for binary in (good.encode(), b"\xff\x00"):
        yield binary, "a binary message is not text"
    for data in ("not json!", "", good[:-1], f"{good} {good}", f"{good} // end", f"say {good}"):
        yield data, "this is not JSON"
    for data in (good.replace('"', "'"), good.replace("}", ",}"), good.replace("lo", "l\to")):
        yield data, "this is not JSON, although Python might read it"
    pairs = [["type", "chat"], ["text", "Hello"]]
    values: list[Any] = [None, pairs, "chat", trial.rng.randrange(100), True]
    for value in values:
        yield json.dumps(value), "this is JSON, but not an object"
    kinds: list[Any] = ["fly", "Chat", "setname", "chat ", "chats", "set", "at", "", "chat setName"]
    for kind in (*kinds, ["chat"], {"chat": 1}, None, True, 0):
        yield json.dumps({"type": kind, "text": "Hello"}), "nobody knows this type"
    for kind in KINDS:
        yield json.dumps({"type": kind}), "there is no text"
        for no_text in (["Hello"], {"toString": "boom"}, 5, True, None):
            yield json.dumps({"type": kind, "text": no_text}), "this text is not a string"
        for text in ("", " ", " \t\r\n", "\u3000\u00a0"):
            yield (
                json.dumps({"type": kind, "text": text}),
                "there is nothing but blanks in the text",
            )
    deep = "too deep for Python: json.loads raises RecursionError"
    yield "{}", "there is no type"
    yield json.dumps({"text": "Hello"}), "there is no type"
    yield "[" * 100_000, f"100,000 brackets are {deep}"
    yield '{"type":' * 100_000, f"100,000 braces are {deep}"
    yield good.replace("}", f', "more": {"[" * 100_000}{"]" * 100_000}}}'), f"this is {deep}"


@SET.task(
    "Read a message",
    level=1,
    section="RFC 8259 §4",
    takes=("data",),
    hints=(
        "Ask in this order: is it text? JSON? an object? a known type? a text? Every `no` is a "
        "ValueError, and json.loads raises one by itself (mostly).",
        "`isinstance(value, dict)` first, then `value.get(…)`: it gives None for what is not "
        "there. A type may be a list; compare it with `==`, or look for it in a tuple.",
        "json.loads raises RecursionError for what is nested too deeply: catch it, and raise a "
        "ValueError yourself.",
    ),
)
def read_message(trial: Trial, read: Any) -> None:
    """Try good messages, malformed ones, and lies."""
    for data, expected in _good(trial):
        got = trial.call(read, data)
        trial.of_type(got, tuple)
        trial.same(got, expected, "this is a good message")
    cases = list(_bad(trial))
    trial.rng.shuffle(cases)
    for wrong, why in cases:
        with trial.must_raise(ValueError, f"it lets this pass: {why}", "RFC 8259 §2"):
            trial.call(read, wrong)


# ★★ To everybody except the sender


async def _relay_scenario(trial: Trial, relay: Any) -> None:
    words = [f"word {trial.rng.random()}" for _ in range(5)]
    odd: list[str | bytes] = [
        "",
        " \n",
        f" {words[0]} ",
        words[0],
        words[0],
        "x" * 40_000,
        b"",
        b"\xff\x00",
        "{}",
    ]
    async with AsyncExitStack() as stack:
        hall, other = Hall(trial, relay, stack), Hall(trial, relay, stack)
        trial.doing = "Ada, Bob and Eve, and Zoe in another room; Ada speaks first, then Bob"
        ada, bob, eve = await hall.open("Ada", "Bob", "Eve")
        (zoe,) = await other.open("Zoe")
        await ada.send(words[0])
        for ws, who in ((bob, "Bob"), (eve, "Eve")):
            await hears(trial, ws, who, words[0])
        await bob.send(words[1])
        heard = await wire.heard(trial, ada, "Ada")
        trial.want(heard != words[0], "Ada hears what Ada has said")
        trial.same(heard, words[1], "Ada hears something else")
        await hears(trial, eve, "Eve", words[1])
        trial.doing = "Ada sends texts and bytes of all kinds, some of them twice"
        for message in odd:
            await ada.send(message)
        for ws, who in ((bob, "Bob"), (eve, "Eve")):
            await hears(trial, ws, who, *odd)
        trial.doing = "Ada speaks, Bob does not read for a moment, and meanwhile Dan comes in"
        dan, texts = await hall.come_meanwhile(ada, bob, eve)
        trial.doing = "Dan has come in, and Ada speaks"
        await ada.send(words[2])
        for ws, who in ((bob, "Bob"), (eve, "Eve")):
            await hears(trial, ws, who, words[2])
        while (heard := await wire.heard(trial, dan, "Dan")) != words[2]:
            message = "Dan hears what was not said since he came"
            trial.want(heard in texts, message, got=shown(heard))
        trial.doing = "Eve leaves properly, Bob's connection is reset"
        await eve.close()
        bob.transport.abort()
        gone = "somebody who has left is still among `members`"
        await wire.until(trial, lambda: len(hall.members) == 2, gone)
        trial.doing = "Dan and Ada speak, and Bob is among `members`, as if he were lost just now"
        hall.members.add(hall.served[1])
        await dan.send(words[3])
        await hears(trial, ada, "Ada", words[3])
        await ada.send(words[4])
        await hears(trial, dan, "Dan", words[4])
        await dan.send(words[0])
        await hears(trial, ada, "Ada", words[0])
        trial.doing = "somebody comes into the other room"
        yan = await other.come("Yan")
        await zoe.send(words[1])
        await hears(trial, yan, "Yan", words[1])
        await yan.send(words[2])
        await hears(trial, zoe, "Zoe", words[2])


@SET.task(
    "To everybody except the sender",
    level=2,
    section="RFC 6455 §7.1.5",
    takes=("connection", "members"),
    may_call=("websockets",),
    form="async def",
    seconds=8.0,
    hints=(
        "Lesson 06, section 1: come in, pass on in an `async for`, go out. Who must not get it?",
        "`members - {connection}` is a new set without the speaker; the library's `broadcast` "
        "takes any set, text and bytes, and skips who is gone.",
        "A connection that is reset makes the `async for` raise. What has to happen in any case "
        "stands in a `finally`.",
    ),
)
def relay(trial: Trial, relay: Any) -> None:
    """Meet members who speak, leave, are lost, and come later."""
    trial.run(_relay_scenario(trial, relay))


# ★★★ Do not wait for the slow one


async def _bound_scenario(trial: Trial, say: Any) -> None:
    """See who goes out when the numbers are exact; one member is gone already."""
    crowd = Crowd(trial)
    waiting = [LIMIT, LIMIT + 1, 0, trial.rng.randrange(LIMIT + 1, 9 * LIMIT), LIMIT - 1, LIMIT + 1]
    async with wire.serving(trial, crowd.handler) as url, AsyncExitStack() as stack:
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
            trial.want(is_in or server.transport.is_closing(), f"{what} out, and still connected")
    trial.doing = "nobody is there"
    await at_once(say(set(), "Hello"))


async def _say_scenario(trial: Trial, say: Any) -> None:
    crowd = Crowd(trial)
    options = {"close_timeout": 10, "max_size": 2 * SIZE}
    async with wire.serving(trial, crowd.handler, **options) as url, AsyncExitStack() as stack:
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
                trial.want(got == text, f"{who} hears another message", got=repr(got[:40]))
            crowd.check_slow(waited, size)
            left -= crowd.slow_is_out
            if not left:
                break
        trial.want(len(crowd.members) > 1, "somebody who reads was put out, too")
        message = f"after {ROUNDS} messages that it has not read the slow one is still a member"
        trial.want(len(crowd.members) == 2, message)


@SET.task(
    "Do not wait for the slow one",
    level=3,
    section="RFC 6455 §10.4",
    takes=("members", "message"),
    may_call=("websockets",),
    form="async def",
    seconds=15.0,
    hints=(
        "Lesson 06, section 5: which of the four ways does not wait? What is still wrong with it?",
        "`member.transport.get_write_buffer_size()` says how many bytes wait in this process. "
        "Who is over the limit goes out of `members`, and gets nothing more.",
        "`await member.close()` waits for an answer that a stalled member does not give; "
        "`member.transport.abort()` waits for nothing. And go over a copy of the set.",
    ),
)
def say(trial: Trial, say: Any) -> None:
    """Talk to rooms in which somebody does not read, somebody is gone, and nobody is there."""
    trial.run(_say_scenario(trial, say))
    trial.run(_bound_scenario(trial, say))
