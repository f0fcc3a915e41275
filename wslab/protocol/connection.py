"""A connection after the opening handshake. It takes bytes, and gives events and bytes to write.

It has no socket. A *driver* owns one, and calls `receive` with the bytes that it read, and
`receive_eof` at their end. It writes `data_to_send()` after every call. RFC 6455 §5.4 to §7.

    sock.recv() → receive() → [Text("Hello"), Ping(b""), …] → the application
                        ↓ replies, such as Pong
    sock.send() ← data_to_send() ← send_text(), ping(), close(), … ← the application

If the peer breaks a rule, that is an event like any other, a `Violation`. If the caller is about to
break one, an exception says so.
"""

from collections.abc import Callable
from enum import Enum

from wslab.protocol.close import Close, CloseCode, cut_reason
from wslab.protocol.deflate import Deflate, Deflater, Inflater
from wslab.protocol.errors import ProtocolError
from wslab.protocol.events import Closed, Closing, Ping, Pong, ProtocolEvent, Violation
from wslab.protocol.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    RSV1,
    TEXT,
    Data,
    Frame,
    Opcode,
)
from wslab.protocol.messages import FrameReader, Limits, MessageReader

__all__ = ["TRANSITIONS", "Connection", "Role", "State", "Step"]


class Role(Enum):
    """The end of a connection. A client masks its frames, a server does not."""

    CLIENT = "client"
    SERVER = "server"


class State(Enum):
    """The state of a connection. CONNECTING, the handshake's state, comes before OPEN."""

    OPEN = "messages go both ways"
    CLOSE_SENT = "our Close is on its way, the peer may still send"
    CLOSE_RECEIVED = "the peer's Close is here, our reply is due at once"
    CLOSE_EXCHANGED = "both Closes are sent, TCP is left to close"
    FAILED = "the peer broke a rule, nothing more is read"
    CLOSED = "TCP is closed"


class Step(Enum):
    """A step that changes a connection's state."""

    SEND_CLOSE = "we send Close"
    RECEIVE_CLOSE = "the peer sends Close"
    FAIL = "the peer breaks a rule"
    END = "TCP ends"


# The closing handshake (RFC 6455 §7). Any other step cannot happen, or is not allowed.
TRANSITIONS = {
    (State.OPEN, Step.SEND_CLOSE): State.CLOSE_SENT,
    (State.OPEN, Step.RECEIVE_CLOSE): State.CLOSE_RECEIVED,
    (State.CLOSE_SENT, Step.RECEIVE_CLOSE): State.CLOSE_EXCHANGED,
    (State.CLOSE_RECEIVED, Step.SEND_CLOSE): State.CLOSE_EXCHANGED,
    (State.OPEN, Step.FAIL): State.FAILED,
    (State.CLOSE_SENT, Step.FAIL): State.FAILED,
    (State.OPEN, Step.END): State.CLOSED,
    (State.CLOSE_SENT, Step.END): State.CLOSED,
    (State.CLOSE_EXCHANGED, Step.END): State.CLOSED,
    (State.FAILED, Step.END): State.CLOSED,
}

# Until the peer's Close arrives, its frames are read, and control frames may be sent (§5.5.1).
_READING = (State.OPEN, State.CLOSE_SENT)


class Connection:
    """One end of an open WebSocket connection.

    masks: called for each frame of a client, such as ``lambda: secrets.token_bytes(4)``. It draws a
    fresh masking key, 4 bytes that nobody can guess (§5.3). A server has none.
    deflate: the parameters that the handshake agreed on (`deflate.agreed`); None: no compression.
    limits: how much to accept from the peer.
    frames: the reader of the peer's frames. Its length is the number of bytes not yet looked at.
    Raises ValueError for a client without masks and for a server with them.

    >>> server = Connection(Role.SERVER)
    >>> server.receive(bytes.fromhex("81 85 37fa213d 7f9f4d5158"))
    [Text(data='Hello')]
    >>> server.send_text("Hello")
    >>> server.data_to_send().hex(" ")
    '81 05 48 65 6c 6c 6f'
    """

    def __init__(
        self,
        role: Role,
        *,
        masks: Callable[[], bytes] | None = None,
        deflate: Deflate | None = None,
        limits: Limits | None = None,
    ) -> None:
        is_server = role is Role.SERVER
        if is_server == (masks is not None):
            raise ValueError("a client needs masks, a server has none (RFC 6455 §5.1)")
        self.role, self.state, self._masks = role, State.OPEN, masks
        limits = limits or Limits()
        self._deflater = Deflater(*deflate.window(server=is_server)) if deflate else None
        inflater = Inflater(*deflate.window(server=not is_server)) if deflate else None
        self.frames = FrameReader(masked=is_server, rsv=RSV1 if deflate else 0, limit=limits.frame)
        self._messages = MessageReader(limits, inflater)
        self._sending: Opcode | None = None  # the kind of message of which fragments were sent
        self._output: list[bytes] = []
        self._peer_close = Close(CloseCode.ABNORMAL_CLOSURE)  # until one arrives (§7.1.5)

    @property
    def should_close_tcp(self) -> bool:
        """Tell if the driver should close TCP, once `data_to_send` is written.

        A server closes first, so that the client does not have to wait in TIME_WAIT (§7.1.1). A
        client waits for that. In any state except OPEN, both should set themselves a time limit.
        """
        finished = self.state in (State.CLOSE_EXCHANGED, State.FAILED)
        return self.state is State.CLOSED or (finished and self.role is Role.SERVER)

    # Incoming

    def receive(self, data: Data | str) -> list[ProtocolEvent]:
        """Take bytes that the peer sent, cut anywhere; return the events in order.

        data: bytes, or hexadecimal text.

        After the peer's Close, or a violation, the bytes are ignored (§5.5.1, §7.1.7).
        """
        self.feed(data)
        return list(iter(self.next_event, None))

    def feed(self, data: Data | str) -> None:
        """Take bytes that the peer sent. Only `next_event` looks at them.

        With these two, unlike `receive`, the application can still answer a message that came
        together with a Close or a violation, because the bytes after it are not looked at yet.
        """
        if self.state in _READING:
            self.frames.feed(data)

    def next_event(self) -> ProtocolEvent | None:
        """Return the next event; None means that more bytes are needed, or no longer read."""
        try:
            while self.state in _READING and (piece := self.frames.next()) is not None:
                if (opcode := piece.header.opcode) >= 0x8:
                    return self._receive_control(opcode, piece.data)
                if (message := self._messages.read(piece)) is not None:
                    return message
        except ProtocolError as error:
            return self._fail(error)
        return None

    def receive_eof(self) -> list[ProtocolEvent]:
        """Take note that TCP has ended in some way; return Closed the first time."""
        if self.state is State.CLOSED:
            return []
        clean = self.state is State.CLOSE_EXCHANGED
        self._step(Step.END)
        return [Closed(*self._peer_close, clean)]

    def _receive_control(self, opcode: int, payload: bytes) -> ProtocolEvent:
        if opcode == PING:
            self._write(PONG, payload)  # §5.5.2: as soon as is practical
            return Ping(payload)
        if opcode == PONG:
            return Pong(payload)
        self._peer_close = Close.parse(payload)
        self._step(Step.RECEIVE_CLOSE)
        if self.state is State.CLOSE_RECEIVED:
            self._send_close(payload)  # §5.5.1: the reply repeats the code
        return Closing(*self._peer_close)

    def _fail(self, error: ProtocolError) -> Violation:
        """Fail the connection; tell the peer why, and read no more (§7.1.7)."""
        if self.state is State.OPEN:
            self._write(CLOSE, Close(error.code, cut_reason(str(error))).serialize())
        self._step(Step.FAIL)
        return Violation(error.code, error.section, error.message)

    # Outgoing

    def send_text(self, text: str, fin: bool = True) -> None:
        """Send a text message, or a fragment of it; fin=False on all but the last (§5.4).

        Raises ProtocolError after Close, or in the middle of a binary message.
        """
        self._send_data(TEXT, text.encode(), fin)

    def send_binary(self, data: bytes, fin: bool = True) -> None:
        """Send a binary message, or a fragment of it; fin=False on all but the last (§5.4).

        Raises ProtocolError after Close, or in the middle of a text message.
        """
        self._send_data(BINARY, data, fin)

    def ping(self, payload: bytes = b"") -> None:
        """Ask for a sign of life. The Pong will repeat the payload, at most 125 bytes (§5.5.2).

        Raises ProtocolError for a longer payload, or after the peer's Close.
        """
        self._send_control(PING, payload)

    def pong(self, payload: bytes = b"") -> None:
        """Give a sign of life unasked, with at most 125 bytes (§5.5.3). Replies are automatic.

        Raises ProtocolError for a longer payload, or after the peer's Close.
        """
        self._send_control(PONG, payload)

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Begin the closing handshake; no message can be sent after this (§7.1.2).

        code: see `CloseCode.is_sendable`; 1005 sends none. reason: at most 123 bytes in UTF-8.
        Raises ProtocolError for a different code or a longer reason, or if a Close was sent before.
        """
        self._send_close(Close(code, reason).serialize())

    def data_to_send(self) -> bytes:
        """Return all bytes to write to TCP, replies included. Each is returned once."""
        data, self._output = b"".join(self._output), []
        return data

    def _send_data(self, opcode: Opcode, payload: bytes, fin: bool) -> None:
        if self.state is not State.OPEN:
            raise ProtocolError(f"cannot send {opcode.name} after Close", "RFC 6455 §5.5.1")
        first = self._sending is None
        if not first and self._sending is not opcode:
            seen = f"cannot send {opcode.name} amid a fragmented message of the other kind"
            raise ProtocolError(seen, "RFC 6455 §5.4")
        self._sending = None if fin else opcode
        rsv = 0
        if self._deflater is not None:
            payload = self._deflater.deflate(payload, fin)
            rsv = RSV1 if first else 0
        self._write(opcode if first else CONTINUATION, payload, fin, rsv)

    def _send_control(self, opcode: Opcode, payload: bytes) -> None:
        if self.state not in _READING:
            raise ProtocolError(f"cannot send {opcode.name}, the connection is over", "RFC 6455 §7")
        self._write(opcode, payload)

    def _send_close(self, payload: bytes) -> None:
        if (self.state, Step.SEND_CLOSE) not in TRANSITIONS:
            raise ProtocolError("cannot send CLOSE a second time", "RFC 6455 §5.5.1")
        self._write(CLOSE, payload)
        self._step(Step.SEND_CLOSE)

    def _write(self, opcode: Opcode, payload: bytes, fin: bool = True, rsv: int = 0) -> None:
        mask = self._masks() if self._masks else None
        self._output.append(Frame(opcode, payload, fin, rsv, mask).serialize())

    def _step(self, step: Step) -> None:
        self.state = TRANSITIONS[self.state, step]
