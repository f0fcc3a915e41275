"""Exercises of lesson 03: frames."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Trial, shown
from wslab.protocol.errors import ProtocolError, quantity
from wslab.protocol.frames import Frame, Header, Opcode, apply_mask

__all__ = ["SET"]

SET = TaskSet.beside(__file__)

SIZES = (0, 1, 125, 126, 127, 65535, 65536)
LIMIT = 100_000  # bytes of payload that a parser is told to accept


def _field(trial: Trial, got: object, expected: object, name: str) -> None:
    """Refuse a field of a wrong type, such as 1 for True, or of a wrong value."""
    kind = type(expected)
    right = isinstance(got, kind) and isinstance(got, bool) is (kind is bool)
    what = f"{name} is {type(got).__name__}, not {kind.__name__}"
    trial.want(right, what, expected=shown(expected), got=shown(got))
    trial.same(got, expected, f"{name} is wrong")


# ★ Read two bytes


@SET.task()
def first_two(trial: Trial, read: Any) -> None:
    """Try all kinds of headers."""
    cases = [b"\x81\x05", b"\x01\x85", b"\x89\x00", b"\x00\x7e", b"\x82\xff"]
    opcodes = [int(opcode) for opcode in Opcode]
    for _ in range(12):
        first = trial.rng.choice(opcodes) | trial.rng.choice((0, 0x80))
        cases.append(bytes((first, trial.rng.randrange(256))))
    for data in cases:
        expected = (data[0] >= 0x80, data[0] & 0xF, data[1] >= 0x80, data[1] & 0x7F)
        got = trial.result(read, data)
        for name, one, wanted in zip(trial.values, got, expected, strict=True):
            _field(trial, one, wanted, name)


# ★ Mask


@SET.task()
def mask(trial: Trial, mask: Any) -> None:
    """Try the RFC's example, and lengths up to two keys and a byte."""
    cases = [(b"Hello", bytes.fromhex("37fa213d"))]
    cases += [(trial.rng.randbytes(size), trial.rng.randbytes(4)) for size in (0, 1, 3, 4, 5, 8, 9)]
    for payload, key in cases:
        trial.same_bytes(
            trial.call(mask, payload, key), apply_mask(payload, key), "the masked payload differs"
        )
        twice = trial.call(mask, apply_mask(payload, key), key)
        trial.same_bytes(twice, payload, "masking a second time must give the payload back")


# ★★ Write a frame


def _part(frame: bytes, at: int) -> str:
    """Say which field of a frame a byte belongs to."""
    header = Header.parse(frame)
    assert header is not None
    lengths = header.size - (4 if header.mask else 0)
    if at < 2:
        return ("FIN or opcode", "MASK bit or length code")[at]
    return "length" if at < lengths else "masking key" if at < header.size else "payload"


@SET.task(may_call=(Opcode, apply_mask))
def write(trial: Trial, write: Any) -> None:
    """Try every length code, masked and not."""
    key = trial.rng.randbytes(4)
    for size in SIZES:
        for used in (None, key):
            opcode = int(trial.rng.choice((Opcode.TEXT, Opcode.BINARY)))
            payload = trial.rng.randbytes(size)
            expected = Frame(opcode, payload, mask=used).serialize()
            got = trial.result(write, opcode, payload, used)
            pairs = enumerate(zip(got, expected, strict=False))
            at = next((i for i, pair in pairs if pair[0] != pair[1]), len(expected) - 1)
            part = _part(expected, max(0, at))
            what = f"payload of {quantity(size, 'byte')}: {part} is wrong"
            section = "RFC 6455 §5.3" if part in ("masking key", "payload") else ""
            trial.same_bytes(got, expected, what, section)


# ★★ Cut a text into fragments


@SET.task()
def fragment(trial: Trial, cut: Any) -> None:
    """Try texts of letters and of characters of several bytes, and the empty one."""
    letters = "".join(trial.rng.choice("abc你好😀") for _ in range(trial.rng.randrange(6, 12)))
    for text, size in (("Hello", 2), ("Hello", 5), ("你好", 4), ("", 3), (letters, 3), ("x", 1)):
        got = trial.result(cut, text, size)
        seen = quantity(len(got), "fragment")
        trial.want(got, "an empty text is a message too, of one empty frame", got=seen)
        trial.want(text or len(got) == 1, "an empty text is one empty frame", got=seen)
        for i, one in enumerate(got):
            trial.of_type(one, tuple, list, message=f"fragment {i} is")
            trial.want(len(one) == 3, f"fragment {i} is not (opcode, payload, fin)", got=one)
            opcode, payload, fin = one
            _field(trial, opcode, 0 if i else 1, f"fragment {i}: the opcode")
            what = f"fragment {i}: the payload is {type(payload).__name__}, not bytes"
            trial.want(isinstance(payload, bytes | bytearray), what, got=shown(payload))
            what = f"fragment {i} has {quantity(len(payload), 'byte')} of payload"
            trial.want(len(payload) <= size, f"{what}, limit {size}", got=shown(payload))
            _field(trial, fin, i == len(got) - 1, f"fragment {i} of {len(got)}: FIN")
        whole = b"".join(payload for _, payload, _ in got)
        trial.same_bytes(whole, text.encode(), "the payloads together are not the text")


# ★★★ Parse


def _good(rng: random.Random) -> Iterator[Frame]:
    """Yield frames of every kind of header."""
    for size in SIZES:
        for key in (None, rng.randbytes(4)):
            opcode = rng.choice((Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION))
            yield Frame(opcode, rng.randbytes(size), rng.random() < 0.5, mask=key)
    yield Frame(Opcode.PING, bytes(125), mask=rng.randbytes(4))


def _bad(rng: random.Random) -> Iterator[tuple[str, str, bytes, bool, int]]:
    """Yield frames that break a rule, as description, section, bytes, from a client, close code."""
    for opcode in (0x3, 0x7, 0xB, 0xF, rng.choice((0x4, 0x5, 0x6, 0xC, 0xD, 0xE))):
        bad = Frame(opcode, b"?").serialize(check=False)
        yield f"opcode {opcode:#x}", "RFC 6455 §5.2", bad, False, 1002
    for rsv in (1, 2, 4, rng.choice((3, 5, 6, 7))):
        bad = Frame(Opcode.TEXT, rsv=rsv).serialize(check=False)
        yield f"RSV bits {rsv:03b}", "RFC 6455 §5.2", bad, False, 1002
    ping, close = Opcode.PING, Opcode.CLOSE
    long, cut = bytes.fromhex("89 7e 00 7e"), Frame(close, fin=False).serialize(check=False)
    yield "the header of a ping of 126 bytes", "RFC 6455 §5.5", long, False, 1002
    yield "a Close without FIN", "RFC 6455 §5.5", cut, False, 1002
    for start in ("81 7e 00 7d", "81 7f 00 00 00 00 00 00 ff ff"):
        what = "a length in more bytes than it needs"
        yield what, "RFC 6455 §5.2", bytes.fromhex(start), False, 1002
    top = bytes.fromhex("82 7f 80 00 00 00 00 00 00 00")
    yield "a 64-bit length with its top bit set", "RFC 6455 §5.2", top, False, 1002
    plain = Frame(ping, b"?").serialize()
    masked = Frame(ping, b"?", mask=rng.randbytes(4)).serialize()
    yield "a client's frame without a mask", "RFC 6455 §5.1", plain, True, 1002
    yield "a server's frame with a mask", "RFC 6455 §5.1", masked, False, 1002
    huge = bytes.fromhex("82 7f 40 00 00 00 00 00 00 00")
    yield "a header that announces 2**62 bytes", "RFC 6455 §10.4", huge, False, 1009


def _check_frame(trial: Trial, got: Any, expected: tuple[Frame, int]) -> None:
    trial.want(got is not None, "the frame is complete, but your answer is None")
    trial.want(isinstance(got[0], Frame), "the result is not (Frame, end)", got=got)
    frame, wanted = got[0], expected[0]
    _field(trial, got[1], expected[1], "the end, where the next frame begins,")
    _field(trial, frame.opcode, int(wanted.opcode), "the opcode")
    _field(trial, frame.fin, wanted.fin, "FIN")
    trial.same_bytes(frame.payload, wanted.payload, "the payload differs")


@SET.task(may_call=(Opcode, ProtocolError, apply_mask))
def parse(trial: Trial, parse: Any) -> None:
    """Try good frames, cut anywhere and at any offset, and frames that break each rule."""
    junk = trial.rng.randbytes(3)
    for frame in _good(trial.rng):
        wire, masked = frame.serialize(), frame.mask is not None
        for lead in (b"", junk):
            whole = lead + wire + b"\x81"
            got = trial.result(parse, whole, len(lead), masked, LIMIT)
            _check_frame(trial, got, (frame, len(lead) + len(wire)))
        for size in (*range(min(len(wire), 16)), len(wire) - 1):
            got = trial.result(parse, junk + wire[:size], 3, masked, LIMIT)
            trial.want(
                got is None,
                f"{quantity(size, 'byte')} of {len(wire)} are not a whole frame yet; return None",
                got=got,
            )
    for what, section, wire, masked, code in _bad(trial.rng):
        with trial.must_raise(ProtocolError, f"your code accepts {what}", section) as caught:
            trial.call(parse, wire, 0, masked, LIMIT)
        trial.same(caught[0].code, code, f"{what}: the close code is wrong", section)
