"""The conformance table, run against `Connection`, and against `websockets` as the oracle.

The oracle has to agree with every row, but for those that say why it does not (`differs`); and
those it has to fail, or the remark is out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidHandshake
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Opcode as OracleOpcode
from websockets.headers import build_extension, parse_extension
from websockets.protocol import Protocol, Side

from wslab.exercises.conformance.row import LIMITS, MASK, Case, Make, complaints
from wslab.protocol import (
    Extension,
    Frame,
    HandshakeError,
    Headers,
    Opcode,
    Request,
    answer,
    upgrade_request,
)
from wslab.protocol.connection import Connection, Role
from wslab.protocol.deflate import NAME, Deflate, agreed
from wslab.protocol.events import Binary, Ping, Pong, Text

from .compression import Compressed
from .conformance import ALL_GROUPS, ROWS
from .negotiation import ANSWERS, OFFERS, Answer, Offer

SHORT = 5_000  # bytes; the headers of what is longer are cut by seven bytes, too


def agreed_on(row: Case) -> Deflate | None:
    return row.deflate if isinstance(row, Compressed) else None


def connection(role: Role, row: Case) -> Connection:
    masks = (lambda: MASK) if role is Role.CLIENT else None
    return Connection(role, masks=masks, deflate=agreed_on(row), limits=LIMITS)


def size(sent: Frame | bytes) -> int:
    return len(sent.payload if isinstance(sent, Frame) else sent)


def faults(
    rows: list[Case], make: Make, chunk: int | None = None
) -> Iterator[tuple[Case, str, list[str]]]:
    """Run rows in each of their roles; yield the row, its name and what is wrong with it."""
    for row in rows:
        for role in row.roles:
            yield row, f"{row}, {role.value}", complaints(row, role, make, chunk=chunk)


@pytest.mark.parametrize("group", ALL_GROUPS)
def test_rows(group: str) -> None:
    found = faults(ALL_GROUPS[group], connection)
    assert {name: wrong for _, name, wrong in found if wrong} == {}


@pytest.mark.parametrize("group", ALL_GROUPS)
def test_rows_chopped(group: str) -> None:
    rows = ALL_GROUPS[group]
    short = [row for row in rows if sum(map(size, row.sends)) <= SHORT]
    for chunk, some in ((1, short), (2, short), (7, rows), (1 << 20, rows)):
        found = faults(some, connection, chunk)
        assert {name: wrong for _, name, wrong in found if wrong} == {}, f"{chunk} bytes at once"


class Oracle:
    """The library's sans-I/O protocol, made to look like ours.

    It gives frames; this puts them together as the library's own `recv` does, and fails the
    connection with 1007 for text that cannot be decoded, as that does too.
    """

    def __init__(self, role: Role, row: Case) -> None:
        side = Side.SERVER if role is Role.SERVER else Side.CLIENT
        self.protocol = Protocol(side, max_size=(LIMITS.message, LIMITS.frame))
        if (deflate := agreed_on(row)) is not None:
            bits, takeover = deflate.window(server=role is Role.SERVER)
            peer_bits, peer_takeover = deflate.window(server=role is Role.CLIENT)
            extension = PerMessageDeflate(not peer_takeover, not takeover, peer_bits, bits)
            self.protocol.extensions = [extension]
        self.message: list[bytes] = []
        self.text = False
        self.sending = False

    def receive(self, data: bytes) -> list[object]:
        self.protocol.receive_data(data)
        found = (self.event(frame) for frame in self.protocol.events_received())
        return [event for event in found if event is not None]

    def event(self, frame: object) -> object:
        opcode, data = frame.opcode, bytes(frame.data)  # type: ignore[attr-defined]
        if opcode is OracleOpcode.PING:
            return Ping(data)
        if opcode is OracleOpcode.PONG:
            return Pong(data)
        if opcode is OracleOpcode.CLOSE:
            return None
        if opcode is not OracleOpcode.CONT:
            self.message, self.text = [], opcode is OracleOpcode.TEXT
        self.message.append(data)
        if not frame.fin:  # type: ignore[attr-defined]
            return None
        whole = b"".join(self.message)
        try:
            return Text(whole.decode()) if self.text else Binary(whole)
        except UnicodeDecodeError as error:
            self.protocol.fail(1007, str(error)[:100])
            return None

    def data_to_send(self) -> bytes:
        return b"".join(self.protocol.data_to_send())

    def send(self, opcode: Opcode, data: bytes, fin: bool) -> None:
        if self.sending:
            assert opcode == self.opcode, "the library has one method for all continuations"
            self.protocol.send_continuation(data, fin)
        elif opcode == Opcode.TEXT:
            self.protocol.send_text(data, fin)
        else:
            self.protocol.send_binary(data, fin)
        self.sending, self.opcode = not fin, opcode

    def send_text(self, text: str, *, fin: bool = True) -> None:
        self.send(Opcode.TEXT, text.encode(), fin)

    def send_binary(self, data: bytes, *, fin: bool = True) -> None:
        self.send(Opcode.BINARY, data, fin)

    def ping(self, data: bytes) -> None:
        self.protocol.send_ping(data)

    def pong(self, data: bytes) -> None:
        self.protocol.send_pong(data)

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.protocol.send_close(code, reason)


@pytest.mark.parametrize("group", ALL_GROUPS)
def test_oracle(group: str) -> None:
    found = faults(ALL_GROUPS[group], Oracle)
    assert {name: wrong for row, name, wrong in found if bool(wrong) != bool(row.differs)} == {}


# What the server agrees to


def server_answer(offer: Offer) -> str | None:
    request = upgrade_request("example.com", nonce=bytes(16)).serialize()
    field = f"\r\nSec-WebSocket-Extensions: {offer.offer}\r\n\r\n".encode()
    parsed = Request.parse(request.replace(b"\r\n\r\n", field))
    assert parsed is not None
    response = answer(parsed[0], extensions={NAME: offer.wished.negotiate})
    assert response.status == 101
    return response.headers.get("Sec-WebSocket-Extensions")


def oracle_answer(offer: Offer) -> str | None:
    wished = offer.wished
    factory = ServerPerMessageDeflateFactory(
        wished.server_no_context_takeover,
        wished.client_no_context_takeover,
        wished.server_max_window_bits,
        wished.client_max_window_bits,
    )
    for name, parameters in parse_extension(offer.offer):
        assert name == NAME
        try:
            pairs, _ = factory.process_request_params(parameters, [])
        except InvalidHandshake:
            continue
        return build_extension([(factory.name, pairs)])
    return None


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: f"{offer.rule}: {offer.offer[18:]}")
def test_offer(offer: Offer) -> None:
    assert server_answer(offer) == offer.answer
    assert (oracle_answer(offer) != offer.answer) == bool(offer.differs)


# What the client makes of it


def oracle_agreed(case: Answer) -> Deflate | None:
    offered = case.offered
    factory = ClientPerMessageDeflateFactory(
        offered.server_no_context_takeover,
        offered.client_no_context_takeover,
        offered.server_max_window_bits,
        offered.client_max_window_bits,
    )
    extensions: list[PerMessageDeflate] = []
    try:
        for _, parameters in parse_extension(case.answer):
            extensions.append(factory.process_response_params(parameters, extensions))
    except InvalidHandshake:
        return None
    (found,) = extensions
    return Deflate(
        found.remote_no_context_takeover,
        found.local_no_context_takeover,
        found.remote_max_window_bits,
        found.local_max_window_bits,
    )


def in_numbers(deflate: Deflate | None) -> list[tuple[int, bool]] | None:
    return deflate and [deflate.window(server=server) for server in (True, False)]


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: f"{case.rule}: {case.answer[18:]}")
def test_answer(case: Answer) -> None:
    headers = Headers([("Sec-WebSocket-Extensions", case.answer)])
    if case.agreed is None:
        with pytest.raises(HandshakeError) as caught:
            agreed(headers, case.offered)
        assert caught.value.section.startswith("RFC 7692")
    else:
        assert in_numbers(agreed(headers, case.offered)) == in_numbers(case.agreed)
    assert (in_numbers(oracle_agreed(case)) != in_numbers(case.agreed)) == bool(case.differs)


# The table itself


def test_rows_are_distinct() -> None:
    for role in Role:
        names = [str(row) for row in ROWS if role in row.roles]
        assert len(names) == len(set(names))


def test_rows_say_where_it_is_written() -> None:
    for entry in (*ROWS, *OFFERS, *ANSWERS):
        assert re.match(r"RFC (6455|7692) §\d+", entry.section)


def test_offer_is_written_as_it_reads() -> None:
    for case in ANSWERS:
        extension = case.offered.extension()
        assert Deflate.parse(extension, offer=True) == case.offered
        assert isinstance(extension, Extension)
