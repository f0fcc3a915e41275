"""Exercises of lesson 06: the chatroom."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import Any

from websockets.asyncio.server import ServerConnection

from wslab.exercises.engine import wire
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown
from wslab.protocol.errors import quantity

__all__ = ["SET"]

SET = TaskSet("chatroom", "06_chatroom", "The chatroom")

LIMIT = 64 * 1024  # bytes that may wait for one member
SIZE = 16 * 1024  # bytes of a long message
SHORT = 512  # bytes of a short message, used near the limit to find it
WAITING = 32 * 1024  # bytes that may wait until the library's `send` waits; its default
ROUNDS = 300  # messages, more than the kernel and LIMIT can hold, even on a slow machine
AFTERWARDS = 5  # messages after the slow member is out


# ★ Read a message


def _messages(trial: Trial) -> list[tuple[Any, str]]:
    """Return messages that no member may send, each with its fault."""
    deep = "[" * 100_000
    return [
        ("not json!", "it is not JSON"),
        ("", "an empty message is not JSON"),
        ("null", "null is not an object"),
        ('["chat", "Hello"]', "a list is not an object"),
        ('"chat"', "a string is not an object"),
        (str(trial.rng.randrange(100)), "a number is not an object"),
        ("{}", "the type is missing"),
        ('{"type": "chat"}', "the text is missing"),
        ('{"text": "Hello"}', "the type is missing"),
        ('{"type": "fly", "text": "Hello"}', "the type is unknown"),
        ('{"type": ["chat"], "text": "Hello"}', "the type is a list"),
        ('{"type": "chat", "text": {"toString": "boom"}}', "the text is an object"),
        ('{"type": "chat", "text": 5}', "the text is a number"),
        ('{"type": "setName", "text": null}', "the text is null"),
        ('{"type": "chat", "text": " \\t\\n "}', "the text has only blanks"),
        ('{"type": "setName", "text": " \\t"}', "the name has only blanks"),
        (b'{"type": "chat", "text": "Hello"}', "it is binary, not text"),
        (b"\xff\x00", "it is binary, not text"),
        (deep, "100,000 brackets are too deep for Python; json.loads raises RecursionError"),
    ]


@SET.task(
    "Read a message",
    level=1,
    section="Lesson 06, section 4",
    takes=("data",),
    hints=(
        "Ask in this order: is it text? JSON? an object? a known type? a text? Every `no` is a "
        "ValueError, and json.loads raises one by itself (mostly).",
        "Use `isinstance(value, dict)` first, then `value.get(…)`, which gives None for a missing "
        "field. A type might be a list, so compare it with `==`, or look for it in a tuple.",
        "json.loads raises RecursionError for JSON that is nested too deeply. Catch it, and raise "
        "a ValueError yourself.",
    ),
)
def read_message(trial: Trial, read: Any) -> None:
    """Try good messages, malformed ones, and lies."""
    texts = [
        "Hello",
        "你好!",
        " blanks around\n",
        '{"type": "chat"}',
        f"{trial.rng.random()}",
        "x" * 999,
    ]
    for text in texts:
        kind = trial.rng.choice(["chat", "setName"])
        data = json.dumps({"type": kind, "text": text, "more": [1, 2]}, ensure_ascii=False)
        got = trial.call(read, data)
        trial.of_type(got, tuple)
        trial.same(got, (kind, text), "the message is good, but your result differs")
    cases = _messages(trial)
    trial.rng.shuffle(cases)
    for wrong, why in cases:
        with trial.must_raise(ValueError, f"your code accepts a bad message: {why}", ""):
            trial.call(read, wrong)


# ★★ To all but the sender


async def _hears(
    trial: Trial, ws: Any, who: str, expected: str | bytes, own: str | None = None
) -> None:
    """Let a member hear this message, and not its own one."""
    heard = await wire.heard(trial, ws, who)
    trial.want(own is None or heard != own, f"{who} hears {who}'s own message")
    trial.same(heard, expected, f"{who} hears a different message")


class _Hall:
    """A server with the learner's handler, and its members."""

    def __init__(self, trial: Trial, relay: Any, url: str = "") -> None:
        self.trial, self.relay, self.url = trial, relay, url
        self.members: set[ServerConnection] = set()
        self.served: list[ServerConnection] = []

    async def handler(self, connection: ServerConnection) -> None:
        """Serve a connection."""
        self.served.append(connection)
        wire.keep_little(connection)
        await self.relay(connection, self.members)

    async def come(self, stack: AsyncExitStack) -> Any:
        """Connect as a member."""
        count = len(self.members)
        sock = await wire.small_socket(self.url)
        ws = await stack.enter_async_context(wire.client(self.url, sock=sock))
        missing = "a newcomer is not among `members`"
        await wire.until(self.trial, lambda: len(self.members) > count, missing)
        return ws

    async def come_meanwhile(self, stack: AsyncExitStack, ada: Any, bob: Any, eve: Any) -> Any:
        """Let a member come while the handler has messages to send that Bob does not take."""
        bob.transport.pause_reading()
        texts = [f"{self.trial.rng.random()} ".ljust(SIZE, ".") for _ in range(10)]
        for text in texts:
            await ada.send(text)
        unread = self.served[1].transport.get_write_buffer_size
        await wire.until(self.trial, lambda: unread() > WAITING, "nothing is sent to Bob")
        dan = await self.come(stack)
        bob.transport.resume_reading()
        for text in texts:
            await _hears(self.trial, bob, "Bob", text)
            await _hears(self.trial, eve, "Eve", text)
        return dan


async def _relay_scenario(trial: Trial, relay: Any) -> None:
    hall = _Hall(trial, relay)
    words = [f"word {trial.rng.random()}" for _ in range(5)]
    async with wire.serving(trial, hall.handler) as hall.url, AsyncExitStack() as stack:
        trial.doing = "Ada, Bob and Eve; Ada speaks first, then Bob"
        ada, bob, eve = [await hall.come(stack) for _ in range(3)]
        await ada.send(words[0])
        await _hears(trial, bob, "Bob", words[0])
        await _hears(trial, eve, "Eve", words[0])
        await bob.send(words[1])
        await _hears(trial, ada, "Ada", words[1], own=words[0])
        await _hears(trial, eve, "Eve", words[1])
        trial.doing = "Ada sends bytes"
        await ada.send(words[2].encode())
        await _hears(trial, bob, "Bob", words[2].encode())
        await _hears(trial, eve, "Eve", words[2].encode())
        trial.doing = "Ada speaks, Bob does not read for a moment, and meanwhile Dan comes in"
        dan = await hall.come_meanwhile(stack, ada, bob, eve)
        trial.doing = "Eve leaves properly, Bob's connection is reset"
        await eve.close()
        bob.transport.abort()
        gone = "a member who has left is still among `members`"
        await wire.until(trial, lambda: len(hall.members) == 2, gone)
        trial.doing = "after that Dan speaks, then Ada"
        await dan.send(words[3])
        await _hears(trial, ada, "Ada", words[3])
        await ada.send(words[4])
        while await wire.heard(trial, dan, "Dan") != words[4]:
            pass  # the messages that she sent as he came


@SET.task(
    "To all but the sender",
    level=2,
    section="Lesson 06, section 1",
    takes=("connection", "members"),
    may_call=("websockets",),
    form="async def",
    seconds=8.0,
    hints=(
        "Lesson 06, section 1: come in, pass on in an `async for`, go out. Who must not get it?",
        "`members - {connection}` is a new set without the speaker. The library's `broadcast` "
        "takes any set, text and bytes, and skips members who are gone.",
        "A connection that is reset makes the `async for` raise. Use `finally` for the step that "
        "has to happen in any case.",
    ),
)
def relay(trial: Trial, relay: Any) -> None:
    """Try members who speak, leave, are lost, and come later."""
    trial.run(_relay_scenario(trial, relay))


# ★★★ Do not wait for the slow one


class _Crowd:
    """Two members who read, and one who does not, as the server sees them."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.members: set[ServerConnection] = set()
        self.arrived: list[ServerConnection] = []
        self.slow_is_out = False

    async def handler(self, connection: ServerConnection) -> None:
        """Take a member, and keep the connection open."""
        wire.keep_little(connection)
        self.members.add(connection)
        self.arrived.append(connection)
        await connection.wait_closed()

    async def come(self, url: str, stack: AsyncExitStack) -> Any:
        """Connect as a member."""
        count = len(self.arrived)
        ws = await stack.enter_async_context(wire.client(url, sock=await wire.small_socket(url)))
        stack.callback(ws.transport.abort)  # a stalled one takes part in no closing handshake
        await wire.until(self.trial, lambda: len(self.arrived) > count, "no connection")
        return ws

    def check_slow(self, before: int, size: int) -> None:
        """Refuse an answer that does not treat the slow member as the task says.

        before: bytes that waited when `say` was called. size: bytes of its message.
        """
        slow = self.arrived[-1]
        waits, trial = slow.transport.get_write_buffer_size(), self.trial
        if slow in self.members and not slow.transport.is_closing():
            bound = LIMIT + size + 100
            message = f"{waits} bytes wait for the slow member, so it has to go"
            trial.want(waits <= bound, message, expected=f"up to {LIMIT}, and one message more")
            return
        trial.want(slow not in self.members, "the slow one is cut off, but still in `members`")
        trial.want(
            slow.transport.is_closing(),
            "the slow one is out of `members`, but its connection is not cut off",
        )
        kept = "the slow one is out, but its bytes still wait; transport.close() waits for them"
        left = slow.transport.get_write_buffer_size()
        trial.want(left == 0, kept, got=quantity(left, "byte"))
        early = f"the slow one is out, although only {quantity(before, 'byte')} waited before say()"
        enough = self.slow_is_out or before > LIMIT
        trial.want(enough, early, expected=f"more than {LIMIT} bytes")
        self.slow_is_out = True


async def _say_scenario(trial: Trial, say: Any) -> None:
    crowd = _Crowd(trial)
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
            async with trial.within(1, "say() waits, although two members read; it is not done"):
                await say(crowd.members, text)
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
    "Do not wait for the slow one",
    level=3,
    section="RFC 6455 §10.4",
    takes=("members", "message"),
    may_call=("websockets",),
    form="async def",
    seconds=15.0,
    hints=(
        "See lesson 06, section 5. Which of the four ways does not wait? Why is it not enough?",
        "`member.transport.get_write_buffer_size()` says how many bytes wait in this process. "
        "Take a member over the limit out of `members`, and send it nothing more.",
        "`await member.close()` waits for an answer that a stalled member does not give. "
        "`member.transport.abort()` does not wait. And go over a copy of the set.",
    ),
)
def say(trial: Trial, say: Any) -> None:
    """Talk to a room in which one of three does not read."""
    trial.run(_say_scenario(trial, say))
