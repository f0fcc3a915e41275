"""Read WebSocket URLs (RFC 6455 §3) as browsers do: the host to connect to, and what to ask for.

One function reads them for every client: the client from scratch, the client that comes back, and
the page's twin. A URL that it refuses is the caller's mistake, so it raises a plain ValueError.
Source: RFC 6455 §3, and the WHATWG URL Standard for what people write.
"""

import base64
import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, unquote_to_bytes, urlsplit

__all__ = ["Address", "parse_url"]

_PORTS = {"ws": 80, "wss": 443}
_PATH_SAFE = "/%:@!$&'()*+,;=|[]~-._\\"  # and letters and digits; all else is percent-encoded
_QUERY_SAFE = _PATH_SAFE.replace("'", "") + "?{}`^"


@dataclass(frozen=True)
class Address:
    """The place that a WebSocket URL leads to.

    secure: True for ``wss``. host: a name in ASCII, or an address without brackets. port: a number.
    target: path and query, percent-encoded, as in the request line.
    authorization: the Authorization header for a user in the URL; None without a user.
    """

    secure: bool
    host: str
    port: int
    target: str
    authorization: str | None = None

    @property
    def authority(self) -> str:
        """The Host header, with brackets for an IPv6 address and without the default port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self._scheme] else f"{host}:{self.port}"

    @property
    def _scheme(self) -> str:
        return "wss" if self.secure else "ws"

    def __str__(self) -> str:
        """Write the URL in its normal form, without the user."""
        return f"{self._scheme}://{self.authority}{self.target}"


def parse_url(url: str) -> Address:
    """Read a ``ws://`` or ``wss://`` URL.

    Raises ValueError for anything else, and TypeError if it is not text.
    Source: RFC 6455 §3; RFC 7617 §2 for the user.

    >>> address = parse_url("wss://ada:secret@Example.com:443/房间?a=b c")
    >>> str(address), address.authorization
    ('wss://example.com/%E6%88%BF%E9%97%B4?a=b%20c', 'Basic YWRhOnNlY3JldA==')
    """
    if not isinstance(url, str):
        hint = f": write {type(url).__name__.lower()}.url" if hasattr(url, "url") else ""
        raise TypeError(f"a URL is text, but this is {url!r:.60}{hint}")
    try:
        parts = urlsplit(url.strip("\t\n\f\r "))
        port = parts.port
        host = _host(parts.hostname or "")
        target = _target(parts.path, parts.query, "?" in url)
    except ValueError as error:
        raise ValueError(f"{_shown(url)} is not a URL: {error}") from None
    if parts.scheme not in _PORTS or not host:
        raise ValueError(f"{_shown(url)} does not begin with ws:// or wss:// and a host")
    if "#" in url:
        raise ValueError(f"{_shown(url)} has a fragment: remove # and the rest (RFC 6455 §3)")
    authorization = None
    if parts.username or parts.password:
        user = (unquote_to_bytes(one or "") for one in (parts.username, parts.password))
        authorization = "Basic " + base64.b64encode(b":".join(user)).decode()
    number = _PORTS[parts.scheme] if port is None else port
    return Address(parts.scheme == "wss", host, number, target, authorization)


def _shown(url: str) -> str:
    """Quote a URL for a message, without the password that may be in it."""
    return repr(re.sub(r"//[^/?#]*@", "//…@", url)[:60])


def _host(host: str) -> str:
    host = host.lower()
    if ":" in host:
        return str(ip_address(host.partition("%")[0]))
    ascii_host = host if host.isascii() else host.encode("idna").decode()
    if ascii_host and not re.fullmatch(r"[a-z0-9._~-]+", ascii_host):
        raise ValueError(f"the host {host[:40]!r} has a character that no name has")
    return ascii_host


def _target(path: str, query: str, has_query: bool) -> str:
    """Percent-encode a path where needed, and resolve ``.`` and ``..``; a lone ``%`` stays."""
    kept: list[str] = []
    *folders, last = path.replace("\\", "/").removeprefix("/").split("/")
    for part in folders:
        _go(kept, part)
    ending = "" if _go(kept, last) else kept.pop()
    encoded = quote("/".join(["", *kept, ending]), safe=_PATH_SAFE)
    return f"{encoded}?{quote(query, safe=_QUERY_SAFE)}" if has_query else encoded


def _go(kept: list[str], part: str) -> bool:
    """Follow one part of a path; return whether it was a dot segment."""
    dots = re.sub("%2e", ".", part, flags=re.IGNORECASE)
    if dots == "..":
        del kept[-1:]
    elif dots != ".":
        kept.append(part)
    return dots in (".", "..")
