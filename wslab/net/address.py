"""Hosts and ports: what a spelling means for the one who listens and for the one who connects.

A host is a name or an address of either family. In a URL an IPv6 address has brackets, in a call
of the system it has none. Wildcards (``""``, ``0.0.0.0``, ``::``) listen everywhere and are nowhere
to connect to, and two spellings may mean the same place. All that is decided here.
"""

import socket
from contextlib import suppress
from ipaddress import IPv6Address, ip_address

__all__ = ["LOOPBACK", "SCHEME_PORTS", "authority", "check_port", "is_address", "is_loopback"]
__all__ += ["plain", "reachable", "reaches"]

LOOPBACK = "127.0.0.1"
SCHEME_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}
_WILDCARDS = {"0.0.0.0": LOOPBACK, "::": "::1"}  # and where such a listener is found


def plain(host: str) -> str:
    """Return a host in its one plain form: no brackets, lower case, short; "" is 0.0.0.0.

    >>> plain("[::0:1]"), plain("LOCALHOST."), plain("")
    ('::1', 'localhost', '0.0.0.0')
    """
    if not isinstance(host, str):
        raise TypeError(f"host is {host!r:.40}, it must be text, such as {LOOPBACK!r}")
    bare = host.strip().removeprefix("[").removesuffix("]").rstrip(".").lower()
    with suppress(ValueError):
        address = ip_address(bare)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return str(mapped or address)
    return bare or "0.0.0.0"


def authority(host: str, port: int) -> str:
    """Return ``host:port`` as a URL has it, an IPv6 address in brackets."""
    host = plain(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable(host: str) -> str:
    """Return where to connect to what listens on this host: for a wildcard, its loopback."""
    return _WILDCARDS.get(plain(host), plain(host))


def is_address(host: str) -> bool:
    """Tell whether a host is an address, not a name."""
    try:
        ip_address(plain(host))
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Tell whether a host means this machine by itself, without its network."""
    host = plain(host)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def reaches(asked: str, listening: str) -> bool:
    """Tell whether who connects to the host `asked` may reach who listens on `listening` here.

    >>> reaches("localhost", "127.0.0.1"), reaches("example.com", "0.0.0.0")
    (True, False)
    """
    asked, listening = reachable(asked), plain(listening)
    names = {"localhost": (LOOPBACK, "::1")}
    for one in names.get(asked, (asked,)):
        for other in names.get(listening, (listening,)):
            if one == other or (other in _WILDCARDS and _is_ours(one, other)):
                return True
    return False


def _is_ours(host: str, wildcard: str) -> bool:
    """Tell whether this is an address of this machine: only those can be bound."""
    family = socket.AF_INET6 if ":" in wildcard else socket.AF_INET
    try:
        if ip_address(host).version != (6 if ":" in wildcard else 4):
            return False
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except (OSError, ValueError):
        return False
    return True


def check_port(port: object, least: int = 0) -> None:
    """Raise TypeError or ValueError unless this is a port; 0 stands for any free one."""
    allowed = f"0 (any free one) to {0xFFFF}" if least == 0 else f"{least} to {0xFFFF}"
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"port is {port!r:.40}, it must be a whole number: {allowed}")
    if not least <= port <= 0xFFFF:
        raise ValueError(f"port is {port}, allowed are {allowed}")
