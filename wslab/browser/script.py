"""Check and convert a script's arguments as JavaScript and the browser do, before sending.

Source: WHATWG WebSockets Standard, "The WebSocket interface"; Web IDL for strings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urljoin

from wslab.protocol.url import parse_url

__all__ = ["ScriptError", "checked_protocols", "checked_url", "length_of", "scalar", "size_of"]

SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2


class ScriptError(Exception):
    """The DOMException that JavaScript would throw. name: such as "InvalidStateError"."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


def scalar(text: str) -> str:
    """Return text that UTF-8 can write; half a surrogate pair becomes U+FFFD, as in JavaScript."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def size_of(data: str | bytes) -> int:
    """Return how many bytes a message has on the wire, without its frame."""
    return len(data.encode() if isinstance(data, str) else data)


def length_of(data: str | bytes) -> int:
    """Return the length as JavaScript counts it, in bytes or UTF-16 code units."""
    return (
        len(data.encode("utf-16-le", "surrogatepass")) // 2 if isinstance(data, str) else len(data)
    )


def checked_url(url: str, origin: str) -> str:
    """Return the URL to connect to, absolute, ws: or wss:, without a user. Raises ScriptError."""
    try:
        whole = urljoin(f"{origin}/", url.strip())
        scheme, colon, rest = whole.partition(":")
        return str(parse_url(SCHEMES.get(scheme.lower(), scheme) + colon + rest))
    except ValueError as error:
        raise ScriptError("SyntaxError", str(error)) from None


def checked_protocols(names: Sequence[str]) -> Sequence[str]:
    """Return the subprotocols if they are distinct tokens. Raises ScriptError."""
    for name in names:
        if not TOKEN.fullmatch(name) or names.count(name) > 1:
            raise ScriptError(
                "SyntaxError", f"subprotocol {name[:60]!r} is not a token, or repeated"
            )
    return names
