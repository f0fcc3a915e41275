"""Read messages from bytes as they arrive: bytes → pieces of frames → messages.

A fault is found at once, before the end of its frame or message. `FrameReader` cuts the bytes that
have arrived into pieces of frames (RFC 6455 §5.2). `MessageReader` puts the pieces together (§5.4),
decompresses them (RFC 7692) and checks that text is UTF-8 (§8.1).
"""

import codecs
from dataclasses import dataclass
from typing import NamedTuple

from wslab.protocol.deflate import Inflater
from wslab.protocol.errors import ProtocolError, quantity
from wslab.protocol.events import Binary, Text
from wslab.protocol.frames import (
    CONTINUATION,
    RSV1,
    TEXT,
    Data,
    Header,
    Opcode,
    apply_mask,
    check_header,
    parse_hex,
)

__all__ = ["FramePiece", "FrameReader", "Limits", "MessageReader"]


class FramePiece(NamedTuple):
    """The part of a frame that has arrived. Most frames are one piece, control frames always.

    header: the frame's header, checked. data: this part of the payload, unmasked.
    first, last: whether this is the frame's first part, and its last.
    """

    header: Header
    data: bytes
    first: bool
    last: bool


@dataclass(frozen=True)
class Limits:
    """How much to accept from a peer; more is answered with close code 1009 (RFC 6455 §10.4).

    message: the longest message, in bytes, decompressed.
    fragments: the most frames of one message.
    frame: the longest payload of a frame, in bytes, as it travels. None leaves only the message's
    limit. That protects memory, because a reader does not wait for the end of a frame.
    """

    message: int = 1 << 20
    fragments: int = 1 << 12
    frame: int | None = None


class FrameReader:
    """Cut a stream of bytes into pieces of frames.

    masked: True if the sender is a client, False if it is a server.
    rsv: the reserved bits that an extension may set on a message's first frame.
    limit: the longest payload, in bytes.
    """

    def __init__(self, *, masked: bool, rsv: int = 0, limit: int | None = None) -> None:
        self._masked, self._rsv, self._limit = masked, rsv, limit
        self._buffer = bytearray()  # from TCP, and not looked at yet
        self._header: Header | None = None  # of the data frame that is under way
        self._done = 0  # bytes of its payload that were read

    def __len__(self) -> int:
        """Count the waiting bytes; they are part of a header or control frame, or more frames."""
        return len(self._buffer)

    def feed(self, data: Data | str) -> None:
        """Take bytes as they came from TCP, or hexadecimal text."""
        self._buffer += parse_hex(data) if isinstance(data, str) else data

    def next(self) -> FramePiece | None:
        """Return the next piece; None means that more bytes are needed.

        Raises ProtocolError for a header that breaks a rule, as soon as it is there.
        """
        header, start = self._header, 0
        if header is None:
            header = Header.parse(self._buffer)
            if header is None:
                return None
            # Not on control frames, and not on later fragments (RFC 7692 §6).
            rsv = self._rsv if 0 < header.opcode < 0x8 else 0
            check_header(header, self._masked, rsv, self._limit)
            start = header.size
        first, end = self._header is None, start + header.length - self._done
        last = end <= len(self._buffer)
        if not last and (header.opcode & 0x8 or not (first or self._buffer)):
            return None
        data: Data = self._buffer[start:end]
        del self._buffer[:end]
        if mask := header.mask:  # go on with the key where the last piece left off
            turn = self._done % 4
            data = apply_mask(data, mask[turn:] + mask[:turn])
        self._header, self._done = (None, 0) if last else (header, self._done + len(data))
        return FramePiece(header, bytes(data), first, last)


class MessageReader:
    """Put the pieces of data frames together to messages.

    limits: how much to accept.
    inflater: decompresses the messages that begin with RSV1; None without an agreement on that.
    """

    def __init__(self, limits: Limits, inflater: Inflater | None = None) -> None:
        self._limits, self._inflater = limits, inflater
        self._opcode: int | None = None  # of the message that is under way
        self._compressed, self._fragments = False, 0
        self._data = bytearray()
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def read(self, piece: FramePiece) -> Text | Binary | None:
        """Take a piece; return the message if the piece completes it.

        Raises ProtocolError with code 1002 for a fragment in the wrong place, 1007 at the first
        byte that is not UTF-8, and 1009 for a message over the limits.
        """
        header, data, first, last = piece
        end = last and header.fin
        if first:
            self._begin(header)
        try:
            if self._compressed and self._inflater is not None:
                data = self._inflater.inflate(data, self._limits.message - len(self._data), end)
                if len(self._data) + len(data) > self._limits.message:
                    self._refuse(len(self._data) + len(data))
            return self._add(data, end)
        except UnicodeDecodeError as error:
            seen = f"text is not UTF-8: {error.reason}"
            raise ProtocolError(seen, "RFC 6455 §8.1", 1007) from None

    def _begin(self, header: Header) -> None:
        """Check that this frame may come now, and that it is not one too many."""
        if header.opcode != CONTINUATION:
            if self._opcode is not None:
                seen = f"{Opcode(header.opcode).name}, not CONTINUATION, amid a fragmented message"
                raise ProtocolError(seen, "RFC 6455 §5.4")
            self._opcode, self._fragments = header.opcode, 0
            self._compressed = header.rsv == RSV1
        elif self._opcode is None:
            raise ProtocolError("CONTINUATION without a message to continue", "RFC 6455 §5.4")
        self._fragments += 1
        size = len(self._data) + (0 if self._compressed else header.length)
        if size > self._limits.message or self._fragments > self._limits.fragments:
            self._refuse(size)

    def _refuse(self, size: int) -> None:
        seen = f"message has {quantity(size, 'byte')} in {quantity(self._fragments, 'fragment')}"
        seen += f", limits are {self._limits.message} and {self._limits.fragments}"
        raise ProtocolError(seen, "RFC 6455 §10.4", 1009)

    def _add(self, data: bytes, end: bool) -> Text | Binary | None:
        """Add a fragment, or a part of one, to the message that is under way."""
        is_text = self._opcode == TEXT
        self._data += data
        if not end:
            if is_text:
                self._utf8.decode(data)  # only to fail early
            return None
        whole, self._data, self._opcode = self._data, bytearray(), None
        self._utf8.reset()
        return Text(whole.decode()) if is_text else Binary(bytes(whole))
