"""The users that a server accepts on a shared machine, and the way for a page to reach it there.

A port of 127.0.0.1 is open to everybody on the machine. If a JupyterHub starts all its users on one
host, that is the whole class, because everybody's proxy, `/user/NAME/proxy/PORT/`, leads to all
ports. On Linux the kernel tells which user owns a socket (/proc/net/tcp, /proc/net/tcp6). There a
server accepts only connections of its own user, and those of that user's JupyterLab are among them.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

__all__ = ["CAN_TELL", "OwnPeers", "on_hub", "owner_of", "page_url"]

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
CAN_TELL = sys.platform == "linux" and Path(TABLES[0]).exists()  # which user owns a socket

Address = tuple[IPv4Address | IPv6Address, int]


def on_hub() -> bool:
    """Tell whether a JupyterHub has started this process."""
    return any(name.startswith("JUPYTERHUB_") for name in os.environ)


def page_url(url: str) -> str:
    """Return the address at which a page reaches a server that has this URL.

    That is the URL itself, but on a JupyterHub it leads through the user's own proxy. If the hub
    does not tell its name (JUPYTERHUB_PUBLIC_URL), only the path is returned. A page completes it.
    """
    home = os.environ.get("JUPYTERHUB_PUBLIC_URL") or os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if not home:
        return url
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    way = urljoin(f"{home.rstrip('/')}/", f"proxy/{parts.port}{parts.path or '/'}{query}")
    return f"ws{way.removeprefix('http')}" if parts.scheme == "ws" and "://" in way else way


def owner_of(peer: Any, own: Any) -> int | None:
    """Return the user id of a connection's other end; None if that is gone or on another machine.

    peer, own: the addresses of both ends, as `getpeername` and `getsockname` return them.
    """
    ends = [_address(host, port) for host, port, *_ in (peer, own)]
    ports = [f":{port:04X}" for _, port in ends]
    for fields in _rows():
        local, remote, inode = fields[1], fields[2], fields[9]
        if not (local.endswith(ports[0]) and remote.endswith(ports[1])):
            continue
        # Without an inode nobody holds the socket any more, so it has no owner.
        if inode != "0" and [_parsed(local), _parsed(remote)] == ends:
            return int(fields[7])
    return None


class OwnPeers(socket.socket):
    """A listening socket that hangs up on everybody except the user of this process."""

    def accept(self) -> tuple[socket.socket, Any]:
        """Return this user's next connection; BlockingIOError if there is none yet."""
        while True:
            connection, peer = super().accept()
            if owner_of(peer, connection.getsockname()) == os.geteuid():
                return connection, peer
            connection.close()


def _rows() -> Iterator[list[str]]:
    """Yield the kernel's tables of TCP sockets; see proc(5)."""
    for table in TABLES:
        if Path(table).exists():
            lines = Path(table).read_text(encoding="utf-8").splitlines()[1:]
            yield from map(str.split, lines)


def _parsed(field: str) -> Address:
    """Read an address of the table, in words of 32 bits, each in the machine's order of bytes."""
    host, _, port = field.partition(":")
    data = bytes.fromhex(host)
    words = (data[i : i + 4] for i in range(0, len(data), 4))
    if sys.byteorder == "little":
        words = (word[::-1] for word in words)
    return _address(ip_address(b"".join(words)), int(port, 16))


def _address(host: str | IPv4Address | IPv6Address, port: int) -> Address:
    """Return an address in one form, where IPv4 within IPv6 (::ffff:127.0.0.1) becomes IPv4."""
    address = ip_address(host.partition("%")[0]) if isinstance(host, str) else host
    return getattr(address, "ipv4_mapped", None) or address, port
