"""Messages out of bytes, as they arrive: bytes → pieces of frames → messages.

Nobody waits for the end of a frame or a message to find out what is wrong with it. `FrameReader`
cuts the stream into pieces of frames, as far as they are there (RFC 6455 §5.2); `MessageReader`
puts them together (§5.4), decompresses (RFC 7692) and checks that text is UTF-8 (§8.1).
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from wslab.protocol.deflate import Inflater
from wslab.protocol.errors import ProtocolError
from wslab.protocol.events import Binary, Text
from wslab.protocol.frames import RSV1, Header, Opcode, apply_mask

__all__ = ["FrameReader", "Limits", "MessageReader", "Piece"]

_CONTINUATION, _TEXT = Opcode.CONTINUATION, Opcode.TEXT  # looked up once, compared very often

# A part of a frame: its header, checked; this part of the payload, unmasked; whether it is the
# frame's first part, and its last. Most are both, and those of control frames always.
Piece = tuple[Header, bytes, bool, bool]


@dataclass(frozen=True)
class Limits:
    """How much to accept from a peer; more is answered with close code 1009 (RFC 6455 §10.4).

    message: the longest message, in bytes, decompressed.
    fragments: the most frames of one message.
    frame: the longest payload of a frame, in bytes, as it travels; None for no other limit than
    the message's. Memory needs none: nobody waits for the end of a frame.
    """

    message: int = 1 << 20
    fragments: int = 1 << 12
    frame: int | None = None


class FrameReader:
    """Cut a stream of bytes into pieces of frames.

    masked: True if the sender is a client, False if it is a server.
    rsv: the reserved bits that an extension may set on the first frame of a message.
    limit: the longest payload to accept, in bytes.
    """

    def __init__(self, *, masked: bool, rsv: int = 0, limit: int | None = None) -> None:
        self._masked, self._rsv, self._limit = masked, rsv, limit
        self._rest = b""  # at most a header or a control frame, of which a part is missing
        self._header: Header | None = None  # of the data frame that is under way
        self._done = 0  # bytes of its payload that were read
        self.has_more = False  # whether bytes follow the piece that was given last

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take bytes as they came from TCP, give the pieces that they make.

        Raises ProtocolError as soon as a header is there that breaks a rule.
        """
        data, start, header, done = self._rest + data, 0, self._header, self._done
        while True:
            first = header is None
            if header is None:
                header = Header.parse(data, start)
                if header is None:
                    break
                # Not on control frames, and not on later fragments (RFC 7692 §6).
                rsv = self._rsv if 0 < header.opcode < 8 else 0
                header.check(masked=self._masked, rsv=rsv, limit=self._limit)
            begin = start + header.size if first else start
            end = begin + header.length - done
            last = end <= len(data)
            if not last and (header.opcode & 0x8 or (begin == len(data) and not first)):
                break
            payload = data[begin:end]
            if header.mask is not None:  # go on with the key where the last piece left off
                payload = apply_mask(payload, header.mask[done % 4 :] + header.mask[: done % 4])
            start = begin + len(payload)
            self.has_more = start < len(data)
            yield header, payload, first, last
            header, done = (None, 0) if last else (header, done + len(payload))
        self._rest, self._header, self._done = data[start:], None if first else header, done


class MessageReader:
    """Put the pieces of data frames together to messages.

    limits: how much to accept.
    inflater: decompresses the messages that begin with RSV1; None if nobody agreed on that.
    """

    def __init__(self, limits: Limits, inflater: Inflater | None = None) -> None:
        self._limits, self._inflater = limits, inflater
        self._opcode: int | None = None  # of the message that is under way
        self._compressed = False
        self._fragments = 0
        self._data = bytearray()
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def read(self, piece: Piece) -> Text | Binary | None:
        """Take a piece; return the message if this completes it.

        Raises ProtocolError: 1002 for a fragment where none may be, 1007 at the first byte that
        is not UTF-8, 1009 for too much.
        """
        header, data, first, last = piece
        if first:
            self._begin(header)
        end = last and header.fin
        if self._compressed and self._inflater is not None:
            data = self._inflater.inflate(data, self._limits.message - len(self._data), end)
            self._check_size(len(data))
        try:
            message = self._add(data, end)
        except UnicodeDecodeError as error:
            seen = f"text is not UTF-8: {error.reason}"
            raise ProtocolError(seen, "RFC 6455 §8.1", 1007) from None
        if end:
            self._opcode = None
        return message

    def _begin(self, header: Header) -> None:
        """Check whether this frame may come now, and that it is not one too many."""
        if header.opcode != _CONTINUATION:
            if self._opcode is not None:
                seen = f"{Opcode(header.opcode).name}, not CONTINUATION, amid a fragmented message"
                raise ProtocolError(seen, "RFC 6455 §5.4")
            self._opcode, self._fragments = header.opcode, 0
            self._compressed = header.rsv == RSV1
        elif self._opcode is None:
            raise ProtocolError("CONTINUATION without a message to continue", "RFC 6455 §5.4")
        self._fragments += 1
        self._check_size(0 if self._compressed else header.length)

    def _check_size(self, more: int) -> None:
        size, limits = len(self._data) + more, self._limits
        if size > limits.message or self._fragments > limits.fragments:
            seen = f"message has {size} bytes in {self._fragments} fragments"
            seen += f", limits are {limits.message} and {limits.fragments}"
            raise ProtocolError(seen, "RFC 6455 §10.4", 1009)

    def _add(self, data: bytes, end: bool) -> Text | Binary | None:
        is_text = self._opcode == _TEXT
        if end and not self._data:  # the whole message at once, as most of them come
            return Text(data.decode()) if is_text else Binary(data)
        if is_text:
            self._utf8.decode(data)  # only to fail early
        self._data += data
        if not end:
            return None
        whole, self._data = bytes(self._data), bytearray()
        return Text(whole.decode()) if is_text else Binary(whole)
