"""Messages out of bytes, as they arrive: bytes → pieces of frames → messages.

Nobody waits for the end of a frame or a message to find out what is wrong with it. `FrameReader`
cuts the stream into pieces of frames, as far as they are there (RFC 6455 §5.2); `MessageReader`
puts them together (§5.4), decompresses (RFC 7692) and checks that text is UTF-8 (§8.1).
"""

import codecs
from dataclasses import dataclass

from wslab.protocol.deflate import Inflater
from wslab.protocol.errors import ProtocolError
from wslab.protocol.events import Binary, Text
from wslab.protocol.frames import RSV1, Fields, Opcode, check_header, read_header, xor

__all__ = ["FramePiece", "FrameReader", "Limits", "MessageReader"]

_new = tuple.__new__  # a named tuple of its fields, at half the price
_CONTINUATION, _TEXT = int(Opcode.CONTINUATION), int(Opcode.TEXT)  # compared very often

# A part of a frame: its header, checked; this part of the payload, unmasked; whether it is the
# frame's first part, and its last. Most are both, and those of control frames always.
FramePiece = tuple[Fields, bytes, bool, bool]


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
        self._rest, self._start = b"", 0  # what came from TCP, and where in it to go on
        self._header: Fields | None = None  # of the data frame that is under way
        self._done = 0  # bytes of its payload that were read
        self.has_more = False  # whether bytes follow the piece that was given last

    def feed(self, data: bytes) -> None:
        """Take bytes as they came from TCP."""
        self._rest, self._start = self._rest[self._start :] + data if self._rest else data, 0

    def next(self) -> FramePiece | None:
        """Return the next piece; None means that more bytes are needed.

        Raises ProtocolError as soon as a header is there that breaks a rule.
        """
        data, start, header, done = self._rest, self._start, self._header, self._done
        first, size = header is None, len(data)
        if header is None:
            header = read_header(data, start)
            if header is None:
                return None
            # Not on control frames, and not on later fragments (RFC 7692 §6).
            rsv = self._rsv if self._rsv and 0 < header[2] < 8 else 0
            check_header(header, self._masked, rsv, self._limit)
            start += header[5]
        _, _, opcode, mask, length, _ = header
        end = start + length - done
        last = end <= size
        if not last and (opcode & 0x8 or (start == size and not first)):
            return None
        payload = data[start:end]
        if mask is not None:  # go on with the key where the last piece left off
            payload = xor(payload, mask[done % 4 :] + mask[: done % 4] if done else mask)
        self._header, self._done = (None, 0) if last else (header, done + len(payload))
        self.has_more = end < size
        # A long rest is not copied for every piece. A short one is: what has to wait, a part of a
        # header (14 bytes) or of a control frame (125 more), shall not keep all the bytes.
        self._start = end
        if size - end <= 14 + 125:
            self._rest, self._start = data[end:] if self.has_more else b"", 0
        return header, payload, first, last


class MessageReader:
    """Put the pieces of data frames together to messages.

    limits: how much to accept.
    inflater: decompresses the messages that begin with RSV1; None if nobody agreed on that.
    """

    def __init__(self, limits: Limits, inflater: Inflater | None = None) -> None:
        self._limits, self._inflater = limits, inflater
        self._opcode: int | None = None  # of the message that is under way
        self._compressed, self._fragments = False, 0
        self._data = bytearray()
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def read(self, piece: FramePiece) -> Text | Binary | None:
        """Take a piece; return the message if this completes it.

        Raises ProtocolError: 1002 for a fragment where none may be, 1007 at the first byte that
        is not UTF-8, 1009 for too much.
        """
        (fin, rsv, opcode, _, length, _), data, first, last = piece
        is_whole = first and last and fin and not rsv and opcode and self._opcode is None
        try:
            if is_whole and length <= self._limits.message:  # as most of them come
                return _new(Text, (data.decode(),)) if opcode == _TEXT else _new(Binary, (data,))
            if first:
                self._begin(opcode, rsv, length)
            end = last and fin
            if self._compressed and self._inflater is not None:
                data = self._inflater.inflate(data, self._limits.message - len(self._data), end)
                if len(self._data) + len(data) > self._limits.message:
                    self._refuse(len(self._data) + len(data))
            return self._add(data, end)
        except UnicodeDecodeError as error:
            seen = f"text is not UTF-8: {error.reason}"
            raise ProtocolError(seen, "RFC 6455 §8.1", 1007) from None

    def _begin(self, opcode: int, rsv: int, length: int) -> None:
        """Check whether this frame may come now, and that it is not one too many."""
        if opcode != _CONTINUATION:
            if self._opcode is not None:
                seen = f"{Opcode(opcode).name}, not CONTINUATION, amid a fragmented message"
                raise ProtocolError(seen, "RFC 6455 §5.4")
            self._opcode, self._fragments = opcode, 0
            self._compressed = rsv == RSV1
        elif self._opcode is None:
            raise ProtocolError("CONTINUATION without a message to continue", "RFC 6455 §5.4")
        self._fragments += 1
        size, limits = len(self._data) + (0 if self._compressed else length), self._limits
        if size > limits.message or self._fragments > limits.fragments:
            self._refuse(size)

    def _refuse(self, size: int) -> None:
        seen = f"message has {size} bytes in {self._fragments} fragments"
        seen += f", limits are {self._limits.message} and {self._limits.fragments}"
        raise ProtocolError(seen, "RFC 6455 §10.4", 1009)

    def _add(self, data: bytes, end: bool) -> Text | Binary | None:
        """Add a fragment, or a part of one, to the message that is under way."""
        is_text = self._opcode == _TEXT
        if is_text:
            self._utf8.decode(data)  # only to fail early
        self._data += data
        if not end:
            return None
        whole, self._data, self._opcode = bytes(self._data), bytearray(), None
        return Text(whole.decode()) if is_text else Binary(whole)
