"""The exceptions for a peer that breaks a rule, in one small tree.

ValueError
 └── PeerError              what was seen, what was allowed, where it is written
      ├── HandshakeError    the opening handshake is not valid   → an HTTP status
      └── ProtocolError     a frame or a message is not valid    → a close code
"""

from wslab.protocol.quoting import escaped

__all__ = ["HandshakeError", "PeerError", "ProtocolError", "quantity"]

Fields = tuple[tuple[str, str], ...]


class PeerError(ValueError):
    """A peer sent bytes that the protocol does not allow.

    message: a sentence that tells what was seen and what is allowed; the peer's words are escaped.
    section: where the rule is written, such as ``"RFC 6455 §5.2"``.
    """

    def __init__(self, message: str, section: str) -> None:
        self.message, self.section = escaped(message), section
        super().__init__(f"{self.message} ({section})")


class HandshakeError(PeerError):
    """The opening handshake failed.

    status: the HTTP status that a server answers with, or that a client received; 0 if what it
    received was not HTTP.
    headers: header fields that must go with that status, such as ``Allow``.
    """

    def __init__(self, message: str, section: str, status: int = 400, headers: Fields = ()) -> None:
        super().__init__(message, section)
        self.status, self.headers = status, headers


class ProtocolError(PeerError):
    """A frame or a message breaks a rule after the opening handshake.

    code: the close code to send before closing (RFC 6455 §7.4.1).
    """

    def __init__(self, message: str, section: str, code: int = 1002) -> None:
        super().__init__(message, section)
        self.code = code


def quantity(number: int, noun: str) -> str:
    """Write a number of things in words, with the plural where it is needed.

    >>> quantity(1, "byte"), quantity(2, "byte")
    ('1 byte', '2 bytes')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
