"""Two connections talk over any pipe, and one reads any bytes: no surprise, no exception.

The pipe keeps what is written, in order, and hands it on in chunks of any size, at any time; it
may break at any time, and then all that is in it is lost.
"""

from __future__ import annotations

import os
import random
import tracemalloc
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from wslab.protocol import Frame, Opcode, ProtocolError, apply_mask
from wslab.protocol.connection import Connection, Role, State
from wslab.protocol.deflate import Deflate
from wslab.protocol.events import (
    Binary,
    Closed,
    Closing,
    Ping,
    Pong,
    ProtocolEvent,
    Text,
    Violation,
)
from wslab.protocol.messages import Limits

FUZZ_ROUNDS = int(os.environ.get("WSLAB_FUZZ_ROUNDS", "300"))
LIMITS = Limits(frame=20_000, message=20_000, fragments=50)
SIDES = st.sampled_from(["client", "server"])
BINARY = st.one_of(st.binary(max_size=300), st.integers(0, 20_000).map(bytes))
DEFLATES = st.sampled_from(
    [None, Deflate(), Deflate(True, True), Deflate(True, False, 9, 10), Deflate(False, True, 15, 9)]
)


class Side:
    """One end: the connection, what is on its way to it, what it was sent and what it got."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.incoming = b""
        self.due: deque[ProtocolEvent] = deque()  # what the other side has sent, not yet delivered
        self.fragments: list[bytes] = []


class Conversation(RuleBasedStateMachine):
    """Any two ends that keep to the rules: everything arrives, in order, and it can be ended."""

    @initialize(deflate=DEFLATES, seed=st.integers(0, 1000))
    def connect(self, deflate: Deflate | None, seed: int) -> None:
        rng = random.Random(seed)
        client = Connection(
            Role.CLIENT, masks=lambda: rng.randbytes(4), deflate=deflate, limits=LIMITS
        )
        server = Connection(Role.SERVER, deflate=deflate, limits=LIMITS)
        self.sides = {"client": Side(client), "server": Side(server)}

    def pair(self, name: str) -> tuple[Side, Side]:
        return self.sides[name], self.sides["server" if name == "client" else "client"]

    @rule(name=SIDES, text=st.text(max_size=200))
    def send_text(self, name: str, text: str) -> None:
        side, other = self.pair(name)
        if side.connection.state is State.OPEN and not side.fragments:
            side.connection.send_text(text)
            other.due.append(Text(text))

    @rule(name=SIDES, data=BINARY, fin=st.booleans())
    def send_fragment(self, name: str, data: bytes, fin: bool) -> None:
        side, other = self.pair(name)
        if side.connection.state is not State.OPEN:
            return
        if sum(map(len, side.fragments)) + len(data) > LIMITS.message or len(side.fragments) > 40:
            data, fin = b"", True
        side.connection.send_binary(data, fin=fin)
        side.fragments.append(data)
        if fin:
            other.due.append(Binary(b"".join(side.fragments)))
            side.fragments = []

    @rule(name=SIDES, payload=st.binary(max_size=125), ping=st.booleans())
    def send_control(self, name: str, payload: bytes, ping: bool) -> None:
        side, other = self.pair(name)
        if side.connection.state in (State.OPEN, State.CLOSE_SENT):
            (side.connection.ping if ping else side.connection.pong)(payload)
            other.due.append(Ping(payload) if ping else Pong(payload))

    @rule(name=SIDES, code=st.sampled_from([1000, 1001, 1005, 3000, 4999]))
    def close(self, name: str, code: int) -> None:
        side, other = self.pair(name)
        if side.connection.state is State.OPEN:
            side.connection.close(code)
            other.due.append(Closing(code, ""))
        else:
            with pytest.raises(ProtocolError):
                side.connection.close(code)

    @rule(name=SIDES, size=st.integers(1, 30_000))
    def deliver(self, name: str, size: int) -> None:
        side, other = self.pair(name)
        side.incoming += other.connection.data_to_send()
        data, side.incoming = side.incoming[:size], side.incoming[size:]
        was_open = side.connection.state is State.OPEN
        for event in side.connection.receive(data):
            assert event == side.due.popleft()
            if isinstance(event, Ping):
                other.due.append(Pong(event.data))
            elif isinstance(event, Closing) and was_open:
                other.due.append(event)  # the code comes back

    @precondition(
        lambda self: any(side.connection.state is State.OPEN for side in self.sides.values())
    )
    @rule(name=SIDES)
    def break_the_pipe(self, name: str) -> None:
        """Both learn that TCP is gone; whoever has not exchanged Close frames calls it unclean."""
        for side in self.sides.values():
            clean = side.connection.state is State.CLOSE_EXCHANGED
            events = side.connection.receive_eof()
            assert [(type(event), getattr(event, "clean", None)) for event in events] in (
                [(Closed, clean)],
                [],
            )

    @invariant()
    def little_is_kept(self) -> None:
        for side in getattr(self, "sides", {}).values():
            assert len(side.connection.frames) < 14 + 125

    def teardown(self) -> None:
        """However it stands: if one side closes, both are done, in order and clean."""
        sides = getattr(self, "sides", {})
        if any(side.connection.state is State.CLOSED for side in sides.values()):
            return
        if sides:
            self.close("client", 1000)
            for _ in range(3):
                for name in sides:
                    self.deliver(name, 1 << 30)
        for side in sides.values():
            assert side.connection.state is State.CLOSE_EXCHANGED
            (closed,) = side.connection.receive_eof()
            assert isinstance(closed, Closed)
            assert closed.clean


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def endpoint(role: Role, deflate: Deflate | None) -> Connection:
    masks = (lambda: b"mask") if role is Role.CLIENT else None
    return Connection(role, masks=masks, deflate=deflate, limits=LIMITS)


def swallow(connection: Connection, data: bytes, size: int) -> None:
    """Feed any bytes: events of known kinds, at most one end, and replies no longer than fair."""
    events: list[ProtocolEvent] = []
    for start in range(0, len(data), size):
        events += connection.receive(data[start : start + size])
    final = [event for event in events if isinstance(event, Violation | Closing)]
    assert final == events[-1:] or not final
    assert len(connection.data_to_send()) <= 3 * len(data) + 200
    (closed,) = connection.receive_eof()
    assert isinstance(closed, Closed)
    assert connection.receive(data) == []


@given(
    data=st.binary(max_size=500),
    role=st.sampled_from(Role),
    deflate=DEFLATES,
    size=st.integers(1, 500),
)
def test_any_bytes(data: bytes, role: Role, deflate: Deflate | None, size: int) -> None:
    swallow(endpoint(role, deflate), data, size)


FRAMES = st.builds(
    Frame,
    st.one_of(st.sampled_from(Opcode), st.integers(0, 15)),
    st.one_of(st.binary(max_size=200), st.text(max_size=50).map(str.encode)),
    st.booleans(),
    st.sampled_from([0, 0, 0, 0b100, 0b111]),
    st.sampled_from([None, b"mask"]),
)


@given(frames=st.lists(FRAMES, max_size=12), role=st.sampled_from(Role), deflate=DEFLATES)
def test_any_frames(frames: list[Frame], role: Role, deflate: Deflate | None) -> None:
    """Frames, right or wrong; and how they are chopped does not matter."""
    data = b"".join(frame.serialize(check=False) for frame in frames)
    whole, chopped = endpoint(role, deflate), endpoint(role, deflate)
    expected = whole.receive(data)
    found = [
        event for index in range(len(data)) for event in chopped.receive(data[index : index + 1])
    ]
    # zlib words an error by how far it got, and notices some references only between calls.
    assert [type(event) for event in found] == [type(event) for event in expected]
    assert chopped.state is whole.state
    swallow(endpoint(role, deflate), data, 7)


def mutant(rng: random.Random) -> bytes:
    """Return a valid conversation with some of its bytes changed, lost, or there twice."""
    parts = []
    for _ in range(rng.randint(1, 20)):
        opcode, payload = (
            rng.choice([*Opcode, Opcode.TEXT]),
            rng.randbytes(rng.choice([0, 2, 9, 130])),
        )
        if rng.random() < 0.5:
            payload = apply_mask(payload, b"\x20\x20\x20\x20").translate(bytes(range(128)) * 2)
        parts.append(
            Frame(opcode, payload, rng.random() < 0.8, 0, rng.randbytes(4)).serialize(check=False)
        )
    data = bytearray(b"".join(parts))
    for _ in range(rng.randint(0, 3)):
        place = rng.randrange(len(data))
        match rng.randrange(3):
            case 0:
                data[place] = rng.randrange(256)
            case 1:
                del data[place : place + rng.randint(1, 9)]
            case 2:
                data[place:place] = data[place : place + rng.randint(1, 9)]
        data = data or bytearray(1)
    return bytes(data)


@pytest.mark.untraced
def test_mutants() -> None:
    """A bounded fuzz run, seeded: WSLAB_FUZZ_ROUNDS=100000 makes it long."""
    rng = random.Random(6455)
    tracemalloc.start()
    for _ in range(FUZZ_ROUNDS):
        deflate = rng.choice([None, Deflate()])
        swallow(endpoint(Role.SERVER, deflate), mutant(rng), rng.choice([1, 5, 1 << 20]))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1 << 20
    assert peak < 8 << 20
