"""The duties of an endpoint, one row for each MUST, and a function that runs a row.

A `Case` has the frames that the peer sends, or the calls of the application, and the reaction that
the endpoint must show. `complaints` runs one against any endpoint that has `receive` and
`data_to_send`, such as `wslab.protocol.connection.Connection` or a learner's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from wslab.protocol import Close, Frame, Opcode
from wslab.protocol.connection import Role
from wslab.protocol.events import Binary, Ping, Pong, Text
from wslab.protocol.messages import Limits

__all__ = ["Case", "Make", "TestedEndpoint", "breach", "closing", "complaints", "fragment", "raw"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = Opcode

MASK = bytes.fromhex("37fa213d")
BOTH, SERVER, CLIENT = (Role.SERVER, Role.CLIENT), (Role.SERVER,), (Role.CLIENT,)

# An endpoint is made with these limits, which are enough for every row and small enough to test.
LIMITS = Limits(frame=70_000, message=70_000, fragments=10)


class TestedEndpoint(Protocol):
    """An endpoint to test; rows with `calls` also need the methods that they name."""

    def receive(self, data: bytes, /) -> Iterable[object]:
        """Take bytes from the peer; return the events, which are Text, Binary, Ping, Pong, …."""
        ...

    def data_to_send(self) -> bytes:
        """Return the bytes to write."""
        ...


@dataclass(frozen=True)
class Case:
    """One rule, and a way to try it.

    name: the situation. section: the source of the rule.

    sends: the peer's frames, which the runner masks if the peer is a client, or its raw bytes.
    calls: the application's calls before that, as names of methods and their arguments.

    refused: True if the last of these calls must raise and write nothing.
    delivers: the events for the application, of the kinds Text, Binary, Ping and Pong.

    replies: the frames that the endpoint writes, without masks; of a Close only the code counts.
    fails: the close code if the peer breaks a rule. The endpoint must ignore everything after that.

    roles: those that the endpoint plays. differs: the library's own reaction, and which is right.
    """

    name: str
    section: str
    sends: tuple[Frame | bytes, ...] = ()
    calls: tuple[tuple[Any, ...], ...] = ()
    refused: bool = False
    delivers: tuple[object, ...] = ()
    replies: tuple[Frame, ...] = ()
    fails: int | None = None
    roles: tuple[Role, ...] = BOTH
    differs: str = ""

    def __str__(self) -> str:
        return f"{self.section} {self.name}"

    def written(self, data: bytes, role: Role, *, rsv: int = 0) -> Iterator[Frame]:
        """Read the endpoint's frames; ValueError if one is cut off or masked wrongly.

        rsv: the RSV bits that were agreed on.
        """
        index = 0
        while index < len(data):
            parsed = Frame.parse(data, index, rsv=rsv)
            if parsed is None:
                raise ValueError(f"wrote only a part of a frame: {data[index:]!r}")
            frame, index = parsed
            if (frame.mask is not None) != (role is Role.CLIENT):
                raise ValueError(
                    f"wrote {Opcode(frame.opcode).name} with mask {frame.mask!r} (§5.1)"
                )
            yield frame


Make = Callable[[Role, Case], TestedEndpoint]


def complaints(row: Case, role: Role, make: Make, *, chunk: int | None = None) -> list[str]:
    """Run a row against an endpoint; return the faults of its reaction, at best none.

    make: makes the endpoint, with LIMITS, for a role and a row.
    chunk: the number of bytes to give it at once; None for one frame at a time.
    """
    endpoint = make(role, row)
    found = _call(row, endpoint)
    events: list[object] = []
    for data in _chunks([_wire(item, role) for item in row.sends], chunk):
        events += endpoint.receive(data)
    delivered = tuple(event for event in events if type(event) in (Text, Binary, Ping, Pong))
    if delivered != row.delivers:
        found.append(f"delivered {delivered}, not {row.delivers}")
    try:
        written = [_essence(frame) for frame in row.written(endpoint.data_to_send(), role)]
    except ValueError as error:
        return [*found, str(error)]
    expected = [_essence(frame) for frame in row.replies]
    if row.fails is not None and not any(call[0] == "close" for call in row.calls):
        expected.append(_essence(Frame(CLOSE, Close(row.fails).serialize())))
    if written != expected:
        found.append(f"wrote {written}, not {expected}")
    if row.fails is not None or any(frame[0] == CLOSE for frame in written):
        found += _still_alive(row, role, endpoint)
    return found


def _call(row: Case, endpoint: Any) -> list[str]:
    for index, (name, *arguments) in enumerate(row.calls, 1):
        options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        try:
            getattr(endpoint, name)(*arguments, **options)
        except Exception as error:
            if not (row.refused and index == len(row.calls)):
                return [f"{name}{tuple(arguments)} raised {error!r}"]
        else:
            if row.refused and index == len(row.calls):
                return [f"{name}{tuple(arguments)} was not refused"]
    return []


def _still_alive(row: Case, role: Role, endpoint: TestedEndpoint) -> list[str]:
    """Return a fault if it reads or writes after a violation, or after both Close frames."""
    if row.fails is None and not any(
        isinstance(item, Frame) and item.opcode == CLOSE for item in row.sends
    ):
        return []
    late = (Frame(TEXT, b"late"), Frame(PING, b"late"), Frame(CLOSE))
    events = [event for frame in late for event in endpoint.receive(_wire(frame, role))]
    written = endpoint.data_to_send()
    if not events and not written:
        return []
    return [f"after the end it still delivered {events} and wrote {written!r}"]


def _wire(item: Frame | bytes, role: Role) -> bytes:
    if isinstance(item, bytes):
        return item
    mask = MASK if role is Role.SERVER and item.mask is None else None
    return item._replace(mask=mask).serialize(check=False)


def _chunks(frames: list[bytes], size: int | None) -> Iterator[bytes]:
    if size is None:
        yield from frames
    else:
        data = b"".join(frames)
        yield from (data[i : i + size] for i in range(0, len(data), size))


def _essence(frame: Frame) -> tuple[object, ...]:
    payload = frame.payload[:2] if frame.opcode == CLOSE else frame.payload
    return frame.opcode, payload, frame.fin, frame.rsv


def breach(name: str, section: str, *sends: Frame | bytes, code: int = 1002, **more: Any) -> Case:
    """Return a row in which the peer breaks a rule.

    code: the close code with which the endpoint fails the connection. more: other fields.
    """
    return Case(name, section, sends, fails=code, **more)


def raw(text: str) -> bytes:
    """Return the bytes of a text of hexadecimal digits."""
    return bytes.fromhex(text)


def fragment(data: bytes, opcode: Opcode = TEXT) -> Frame:
    """Return a frame that is not the last of its message."""
    return Frame(opcode, data, fin=False)


def closing(code: int, reason: bytes = b"") -> Frame:
    """Return a Close frame with any code, valid or not."""
    return Frame(CLOSE, code.to_bytes(2, "big") + reason)
