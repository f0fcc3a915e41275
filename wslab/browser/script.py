"""What JavaScript and the browser make of a script's arguments, before anything is sent.

Source: WHATWG WebSockets Standard, "The WebSocket interface"; Web IDL for strings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urljoin, urlsplit

__all__ = ["ScriptError", "checked_protocols", "checked_url", "length_of", "scalar", "size_of"]

SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2


class ScriptError(Exception):
    """What JavaScript would throw, a DOMException. name: such as "InvalidStateError"."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


def scalar(text: str) -> str:
    """Return text that UTF-8 can write: JavaScript puts U+FFFD for half a surrogate pair."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def size_of(data: str | bytes) -> int:
    """Return how many bytes a message has on the wire, without its frame."""
    return len(data.encode() if isinstance(data, str) else data)


def length_of(data: str | bytes) -> int:
    """Return the length as JavaScript counts: bytes, or UTF-16 code units."""
    return (
        len(data.encode("utf-16-le", "surrogatepass")) // 2 if isinstance(data, str) else len(data)
    )


def checked_url(url: str, origin: str) -> str:
    """Return the URL to connect to: absolute, ws: or wss:, without a user's name. ScriptError."""
    try:
        parts = urlsplit(urljoin(f"{origin}/", url.strip()))
        port = parts.port
    except ValueError as error:
        raise ScriptError("SyntaxError", f"{url[:60]!r} is no URL: {error}") from None
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ScriptError("SyntaxError", f"{url[:60]!r} is no URL that begins with ws:// or wss://")
    if "#" in url:
        raise ScriptError("SyntaxError", f"{url[:60]!r} has a fragment, a WebSocket URL has none")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = host if port is None else f"{host}:{port}"  # a user's name and password stay here
    scheme = SCHEMES[parts.scheme]
    return parts._replace(scheme=scheme, netloc=address, path=parts.path or "/").geturl()


def checked_protocols(names: Sequence[str]) -> Sequence[str]:
    """Return the subprotocols if each is a token, and none is there twice. ScriptError."""
    for name in names:
        if not TOKEN.fullmatch(name) or names.count(name) > 1:
            raise ScriptError(
                "SyntaxError", f"subprotocol {name[:60]!r} is no token, or there twice"
            )
    return names
