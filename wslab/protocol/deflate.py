"""The extension permessage-deflate, which compresses messages one by one with zlib (RFC 7692).

The opening handshake agrees on it. The client offers parameters (`Deflate.extension`), the server
decides (`Deflate.negotiate`), and both read the answer (`agreed`). From then on a message is
compressed if its first frame has RSV1 set. One side's `Deflater` compresses it across all its
frames, and the other side's `Inflater` decompresses it.

zlib cannot compress with a window of 8 bits. It refuses, or silently takes 9, depending on its
version (github.com/madler/zlib/issues/171). In the words of §7, we do not support that window, so
the server declines such an offer, and the client refuses such an answer. Decompressing with 8 bits
works.
"""

import zlib
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from wslab.protocol.errors import HandshakeError, ProtocolError
from wslab.protocol.handshake import Extension, parse_extensions
from wslab.protocol.http import Headers

__all__ = ["NAME", "Deflate", "Deflater", "Inflater", "agreed"]

NAME = "permessage-deflate"

_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_BITS = ("server_max_window_bits", "client_max_window_bits")
_WINDOWS = tuple(str(bits) for bits in range(8, 16))  # decimal, no leading zero (§7.1.2)

# A new start after a final block costs zlib about as much as RESTART bytes, so it counts as that
# many against the limit. zlib copies the data after the block, so it gets them in pieces.
RESTART, PIECE = 256, 4096

# A flush to a byte boundary always ends with these bytes, so they need not travel (§7.2.1).
_TAIL = b"\x00\x00\xff\xff"


@dataclass(frozen=True)
class Deflate:
    """The four parameters that a server sets, a client offers, or both agreed on (RFC 7692 §7.1).

    server_no_context_takeover, client_no_context_takeover: True if that side begins every message
    with an empty window. That saves memory between messages, but compresses less.
    server_max_window_bits, client_max_window_bits: 8 to 15, and at least 9 for our own side. That
    side's window has at most 2 to this power bytes. None leaves it at 15. If a client offers None
    for itself, the server may not limit it.

    >>> str(Deflate(server_no_context_takeover=True, client_max_window_bits=12).extension())
    'permessage-deflate; server_no_context_takeover; client_max_window_bits=12'
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | None = None

    @classmethod
    def parse(cls, extension: Extension, *, offer: bool = False) -> Self:
        """Read the parameters of an answer, or of an offer.

        Raises HandshakeError for a parameter that is unknown, repeated, or has a wrong value.
        Source: RFC 7692 §7, §7.1.
        """
        values: dict[str, Any] = {}
        for name, value in extension.parameters:
            if name in _FLAGS and value is None and name not in values:
                values[name] = True
            elif name in _BITS and value in _WINDOWS and name not in values:
                values[name] = int(value)
            elif offer and (name, value) == ("client_max_window_bits", None) and name not in values:
                values[name] = 15  # "limit me as you like" (§7.1.2.2)
            else:
                raise HandshakeError(f"{NAME} cannot have {name}={value} here", "RFC 7692 §7")
        return cls(**values)

    def extension(self) -> Extension:
        """Write the parameters as a header does."""
        pairs = [(name, value) for name, value in asdict(self).items() if value]
        return Extension(NAME, tuple((n, None if v is True else str(v)) for n, v in pairs))

    def negotiate(self, offer: Extension) -> Extension | None:
        """Decide on a client's offer, as a server with these settings; return None to decline.

        Pass it to `handshake.answer` as ``extensions={NAME: Deflate().negotiate}``. The server may
        limit its own window as it likes, and the client's only if the client lets it.
        Source: RFC 7692 §5.1, §7.1.
        """
        try:
            asked = Deflate.parse(offer, offer=True)
        except HandshakeError:
            return None  # as §7 says; the client's next offer might do
        server_bits = _least(self.server_max_window_bits, asked.server_max_window_bits)
        answer = Deflate(
            self.server_no_context_takeover or asked.server_no_context_takeover,
            self.client_no_context_takeover or asked.client_no_context_takeover,
            server_bits,
            # Only if the client lets the server limit it, and at most what it offers (§7.1.2.2).
            asked.client_max_window_bits
            and self.client_max_window_bits
            and min(self.client_max_window_bits, asked.client_max_window_bits),
        )
        return None if server_bits == 8 else answer.extension()

    def check(self, answer: Self) -> Self:
        """Check a server's answer, as the client that offered this; return what both agreed on.

        Raises HandshakeError if it does not fit the offer, or demands a window of 8 bits from us.
        Source: RFC 7692 §7.1.
        """
        takes_over = self.server_no_context_takeover > answer.server_no_context_takeover
        too_wide = (answer.server_max_window_bits or 16) > (self.server_max_window_bits or 16)
        unasked = answer.client_max_window_bits and not self.client_max_window_bits
        if takes_over or too_wide or unasked or answer.client_max_window_bits == 8:
            seen = f"{answer.extension()} does not fit the offer, {self.extension()}"
            raise HandshakeError(seen, "RFC 7692 §7.1")
        # A client keeps its own word in the offer, even if the answer does not repeat it.
        no_takeover = self.client_no_context_takeover or answer.client_no_context_takeover
        bits = _least(self.client_max_window_bits, answer.client_max_window_bits)
        return replace(answer, client_no_context_takeover=no_takeover, client_max_window_bits=bits)

    def window(self, *, server: bool) -> tuple[int, bool]:
        """Return window bits and context takeover for one side's messages, server's or client's."""
        if server:
            return self.server_max_window_bits or 15, not self.server_no_context_takeover
        return self.client_max_window_bits or 15, not self.client_no_context_takeover


def agreed(headers: Headers, offered: Deflate | None = None) -> Deflate | None:
    """Return the parameters that a 101 response agrees on; None means no compression.

    headers: the response's headers. offered: the offer in the client's request; None on a server.
    Raises HandshakeError if the answer is malformed, or does not fit the offer.
    Source: RFC 7692 §5.1, §7.
    """
    found = [extension for extension in parse_extensions(headers) if extension.name == NAME]
    if len(found) > 1:
        raise HandshakeError(f"{NAME} is there {len(found)} times", "RFC 7692 §5.1")
    answer = Deflate.parse(found[0]) if found else None
    return offered.check(answer) if offered and answer else answer


def _least(*bits: int | None) -> int | None:
    return min(filter(None, bits), default=None)


class Deflater:
    """Compress the messages that one side sends.

    bits: the window's bits, 9 to 15. takeover: False to begin every message with an empty window.
    """

    def __init__(self, bits: int = 15, takeover: bool = True) -> None:
        if bits not in range(9, 16):
            raise ValueError(f"the window has {bits} bits, but zlib needs 9 to 15")
        self._bits, self._takeover = bits, takeover
        self._zlib: zlib._Compress | None = None  # made when needed; takes 144 KiB with 15 bits

    def deflate(self, data: bytes, end: bool = True) -> bytes:
        """Compress a fragment; end is True for the last one of a message.

        Returns the payload of its frame, at least one byte, even for an empty message (§7.2.3.6).
        Source: RFC 7692 §7.2.1.

        >>> Deflater().deflate(b"Hello").hex(" ")
        'f2 48 cd c9 c9 07 00'
        """
        if self._zlib is None:
            self._zlib = zlib.compressobj(wbits=-self._bits, memLevel=5)
        payload = self._zlib.compress(data) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        if end and not self._takeover:
            self._zlib = None
        return payload.removesuffix(_TAIL) if end else payload


class Inflater:
    """Decompress the messages that the other side sent.

    bits: the sender's window bits, 8 to 15. takeover: False if the sender begins every message with
    an empty window.
    """

    def __init__(self, bits: int = 15, takeover: bool = True) -> None:
        self._bits, self._takeover = bits, takeover
        self._zlib: zlib._Decompress | None = None
        self._restarts = 0  # final blocks of the message that is under way

    def inflate(self, data: bytes, room: int, end: bool = True) -> bytes:
        """Decompress a part of a message, of any size; end is True for the last one.

        room: how many bytes are welcome. At most one more is produced, and it tells that the
        message is too big.
        Raises ProtocolError with code 1007 if this is not deflated data. RFC 7692 names no code for
        that. In RFC 6455 §7.4.1, 1007 is for a payload that does not match its message's type. 1002
        would point to the frames, and they are in order.
        Source: RFC 7692 §7.2.2.

        >>> Inflater().inflate(bytes.fromhex("f248cdc9c90700"), room=5)
        b'Hello'
        """
        data, inflated, start = data + _TAIL if end else data, b"", 0
        try:
            while start < len(data) and len(inflated) <= room:
                self._zlib = self._zlib or zlib.decompressobj(wbits=-self._bits)
                piece = data[start : start + PIECE]
                inflated += self._zlib.decompress(piece, room + 1 - len(inflated))
                start += len(piece) - len(self._zlib.unused_data)
                # Some senders flush with a final block (§7.2.3.4). It ends zlib's stream and the
                # sender's window, but not the message.
                if self._zlib.eof:
                    self._zlib, self._restarts = None, self._restarts + 1
                    if self._restarts > 16 + room // RESTART:
                        seen = f"message has {self._restarts} final blocks, too many for its size"
                        raise ProtocolError(seen, "RFC 6455 §10.4", 1009)
        except zlib.error as error:
            raise ProtocolError(f"not deflated data: {error}", "RFC 7692 §7.2.2", 1007) from None
        if end:
            self._zlib, self._restarts = self._zlib if self._takeover else None, 0
        return inflated
