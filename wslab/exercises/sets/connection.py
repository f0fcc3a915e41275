"""Exercises of lesson 04: the connection."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import reduce
from operator import and_, or_
from typing import Any

from wslab.exercises.conformance.grid import Grid, run_grid
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial
from wslab.protocol.close import Close, CloseCode
from wslab.protocol.errors import ProtocolError
from wslab.protocol.frames import Frame, Opcode

__all__ = ["SET"]

SET = TaskSet.beside(__file__)

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = Opcode


# ★ Which close code?

SITUATIONS = {
    "the conversation is over": (1000, "§7.4.1"),
    "the server shuts down": (1001, "§7.4.1"),
    "opcode 3 arrives": (1002, "§5.2"),
    "a server that takes text only gets binary": (1003, "§7.4.1"),
    "a text that is not UTF-8 arrives": (1007, "§8.1"),
    "a message breaks a rule of the house": (1008, "§7.4.1"),
    "a message is over the limit": (1009, "§7.4.1"),
    "the handler raises an exception": (1011, "§7.4.1"),
    "the peer's Close frame is empty": (1005, "§7.1.5"),
    "TCP ends without a Close frame": (1006, "§7.1.5"),
}


@SET.task(may_call=(CloseCode,))
def close_code(trial: Trial, say: Any) -> None:
    """Ask for all ten, in any order."""
    situations = list(SITUATIONS)
    trial.rng.shuffle(situations)
    for situation in situations:
        code, section = SITUATIONS[situation]
        got = trial.result(say, situation)
        # The learner has to find the number, so the verdict only says that this one is wrong.
        trial.want(got == code, f"{situation}: the code is not {int(got)}", f"RFC 6455 {section}")


# ★ Answer a ping


@SET.task(may_call=(Opcode, Frame.serialize))
def answer_ping(trial: Trial, reply: Any) -> None:
    """Try pings of all sizes, and other frames."""
    rng = trial.rng
    payloads = [b"", b"are you there?", rng.randbytes(125), rng.randbytes(rng.randrange(2, 90))]
    for payload in payloads:
        got = trial.result(reply, Frame(PING, payload, mask=rng.randbytes(4)))
        trial.want(got, "a ping must be answered", got=got)
        masked = len(got) > 1 and got[1] >= 0x80
        trial.want(not masked, "a server does not mask", "RFC 6455 §5.1")
        expected, section = Frame(PONG, payload).serialize(), "RFC 6455 §5.5.3"
        trial.same_bytes(got, expected, "this is not a PONG frame with the ping's payload", section)
    for opcode, payload in ((PONG, b"1"), (TEXT, b"ping"), (BINARY, b"\x89\x00")):
        got = trial.call(reply, Frame(opcode, payload, mask=rng.randbytes(4)))
        trial.same(got, b"", f"a {opcode.name} is not a PING, so write nothing")


# ★★ Read a Close


def _closes(rng: random.Random) -> Iterator[tuple[bytes, Close | int, str]]:
    """Yield payloads, each with its Close or the code to fail with, and the section."""
    some = rng.randrange(3000, 5000)
    for code in (1000, 1001, 1007, 1011, 3000, 4999, some):
        reason = rng.choice(("", "bye", "再见"))
        yield Close(code, reason).serialize(), Close(code, reason), "RFC 6455 §5.5.1"
    yield b"", Close(1005, ""), "RFC 6455 §7.1.5"
    yield Close(4000, "r" * 123).serialize(), Close(4000, "r" * 123), "RFC 6455 §5.5.1"
    yield b"\x03", 1002, "RFC 6455 §5.5.1"
    for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, rng.randrange(1016, 3000)):
        yield code.to_bytes(2) + b"x", 1002, "RFC 6455 §7.4"
    yield b"\x03\xe8\xff", 1007, "RFC 6455 §8.1"
    yield b"\x03\xe8" + "再".encode()[:2], 1007, "RFC 6455 §8.1"


@SET.task(may_call=(CloseCode, ProtocolError))
def read_close(trial: Trial, read: Any) -> None:
    """Try codes that may travel, some that may not, and broken payloads."""
    for payload, expected, section in _closes(trial.rng):
        if isinstance(expected, Close):
            got = trial.result(read, payload)
            trial.same(got[0], expected.code, "the code is wrong", section)
            trial.same(got[1], expected.reason, "the reason is wrong", section)
        else:
            broken = "your code accepts a broken Close"
            with trial.must_raise(ProtocolError, broken, section) as caught:
                trial.call(read, payload)
            trial.same(caught[0].code, expected, "the error has a wrong code", section)


# ★★ Put fragments together


def _streams(rng: random.Random) -> Iterator[tuple[str, list[Frame], list[str | bytes] | int]]:
    """Yield descriptions, frames, and the messages or the close code to fail with."""
    smile, noise = "😀".encode(), rng.randbytes(9)
    ping, end = Frame(PING, b"?"), Frame(CONTINUATION, b"lo")
    begin = Frame(TEXT, b"Hel", fin=False)
    yield "two messages", [Frame(TEXT, b"Hi"), Frame(BINARY, b"\xff")], ["Hi", b"\xff"]
    yield "two fragments", [begin, end], ["Hello"]
    yield "an empty message", [Frame(TEXT, b""), Frame(BINARY, b"")], ["", b""]
    yield "a ping between two fragments", [begin, ping, end, ping], ["Hello"]
    pieces = [Frame(TEXT, smile[:1], fin=False)]
    pieces += [Frame(CONTINUATION, smile[i : i + 1], fin=i == 3) for i in (1, 2, 3)]
    yield "a character in four fragments", pieces, ["😀"]
    binary = [Frame(BINARY, noise[:4], fin=False), Frame(CONTINUATION, noise[4:])]
    yield "binary in fragments, then text", [*binary, Frame(TEXT, b"x")], [noise, "x"]
    empty = [Frame(TEXT, b"", fin=False), Frame(CONTINUATION, b"", fin=False), end]
    yield "empty fragments", empty, ["lo"]
    yield "a message whose end has not come", [Frame(TEXT, b"Hi"), begin], ["Hi"]
    yield "a continuation without a message", [end], 1002
    yield "a continuation after a message", [begin, end, end], 1002
    yield "a new message inside a fragmented one", [begin, Frame(TEXT, b"Hi")], 1002
    yield "text that is not UTF-8", [Frame(TEXT, b"caf\xff")], 1007
    yield "text that ends within a character", [Frame(TEXT, smile[:3])], 1007


@SET.task(may_call=(Opcode, ProtocolError))
def assemble(trial: Trial, assemble: Any) -> None:
    """Try messages in pieces, control frames between them, and streams that break a rule."""
    for what, frames, expected in _streams(trial.rng):
        trial.doing = f"assemble(frames) with {what}"
        if isinstance(expected, int):
            section = "RFC 6455 §8.1" if expected == 1007 else "RFC 6455 §5.4"
            with trial.must_raise(ProtocolError, f"your code accepts {what}", section) as caught:
                list(assemble(list(frames)))
            trial.same(caught[0].code, expected, f"{what}: the close code is wrong", section)
        else:
            got = assemble(list(frames))
            trial.of_type(got, list, tuple)
            trial.same(list(got), expected, f"{what}: the messages are wrong")
            right = [type(message) for message in got] == [type(m) for m in expected]
            trial.want(right, f"{what}: text is str, and binary is bytes", "RFC 6455 §5.6")


# ★★★ An endpoint


def table(trial: Trial, endpoint: Any) -> Grid:
    """Run the conformance table against an endpoint."""

    def note(text: str) -> None:
        trial.doing = text

    return run_grid(lambda role, row: endpoint(role.value), note)


@SET.task(
    may_call=tuple(f"wslab.protocol.{name}" for name in ("close", "errors", "events", "frames"))
)
def endpoint(trial: Trial, endpoint: Any) -> None:
    """Run the conformance table in both roles; the rules that the library keeps are required.

    Then look at the masking keys.
    """
    grid = table(trial, endpoint)
    trial.doing = ""
    if not grid.passed:
        broken = [result for result in grid.results if result.mark == "✗"]
        first = "\n".join(
            f"{one.row} (as {one.role.value}): {one.complaint[:200]}" for one in broken[:3]
        )
        details = {"the first ones": first, "to see all": "grid(Endpoint)"}
        trial.wrong(grid.caption, broken[0].row.section, **details)
    _unpredictable(trial, endpoint)


def _unpredictable(trial: Trial, endpoint: Any) -> None:
    """Refuse masking keys that can be guessed, on two connections of a client."""
    section, kept, connections = "RFC 6455 §5.3", random.getstate(), []
    try:
        for _ in range(2):
            random.seed(1902)  # as a person who guesses would do
            connections.append(_keys(endpoint("client")))
    finally:
        random.setstate(kept)
    for keys in connections:
        got = ", ".join(key.hex(" ") for key in keys[:4]) + ", …"
        fresh = len(set(keys)) == len(keys)
        trial.want(fresh, "two of the client's frames have the same masking key", section, got=got)
    numbers = [int.from_bytes(key) for keys in connections for key in keys]
    always, ever = reduce(and_, numbers), reduce(or_, numbers)  # bits
    # No bit is the same in all the keys, and not every key has four equal bytes.
    varied = not always and ever == 2**32 - 1 and any(len(set(key)) > 1 for key in connections[0])
    got = ", ".join(key.hex(" ") for key in connections[0][:4]) + ", …"
    trial.want(varied, "a part of the masking key can be guessed", section, got=got)
    first, second = map(set, connections)
    known = "the masking keys can be predicted; draw them from `secrets`"
    trial.want(not first & second, known, section)


def _keys(client: Any) -> list[bytes]:
    """Return the masking keys of 14 frames of each kind that a client writes."""
    for _ in range(4):
        client.send_text("Hello")
        client.send_binary(b"")
        client.receive(Frame(PING, b"?").serialize())
    client.ping(b"?")
    client.close()
    data, start, keys = client.data_to_send(), 0, []
    while parsed := Frame.parse(data, start, masked=True):
        frame, start = parsed
        keys.append(frame.mask or b"")
    return keys
