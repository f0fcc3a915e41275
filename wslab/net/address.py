"""Hosts and ports, and the meaning of their spellings for a listener and for a client.

A host is a name, or an address of either family. An IPv6 address has brackets in a URL, but not in
a system call. A server can listen on a wildcard (``""``, ``0.0.0.0``, ``::``), but nobody can
connect to one. Two spellings can mean the same place. This module decides all that.
"""

import socket
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

__all__ = ["LOOPBACK", "SCHEME_PORTS", "authority", "check_port", "is_address", "is_for_many"]
__all__ += ["is_loopback", "meant_by", "plain", "reachable", "reaches"]

LOOPBACK = "127.0.0.1"
SCHEME_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}
_WILDCARDS = {"0.0.0.0": LOOPBACK, "::": "::1"}  # and the address to reach such a listener at


def plain(host: str) -> str:
    """Return a host in its one plain form, short, in lower case, without brackets; "" is 0.0.0.0.

    >>> plain("[::0:1]"), plain("LOCALHOST."), plain("")
    ('::1', 'localhost', '0.0.0.0')
    """
    if not isinstance(host, str):
        raise TypeError(f"host is {host!r:.40}, it must be text, such as {LOOPBACK!r}")
    return _plain(host)


@lru_cache(256)  # the same few hosts are asked for at every connection
def _plain(host: str) -> str:
    bare = host.strip().removeprefix("[").removesuffix("]").rstrip(".").lower()
    with suppress(ValueError):
        address = ip_address(bare)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return str(mapped or address)
    return bare or "0.0.0.0"


def authority(host: str, port: int) -> str:
    """Return ``host:port`` as in a URL, with brackets around an IPv6 address."""
    host = plain(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable(host: str) -> str:
    """Return the host to connect to if a server listens on this one; a wildcard's is loopback."""
    return _WILDCARDS.get(plain(host), plain(host))


def is_address(host: str) -> bool:
    """Tell whether a host is an address, not a name."""
    try:
        ip_address(plain(host))
    except ValueError:
        return False
    return True


@lru_cache(256)
def is_for_many(host: str) -> bool:
    """Tell whether an address means several hosts at once, so that TCP cannot connect to it.

    >>> is_for_many("224.0.0.1"), is_for_many("ff02::1"), is_for_many("255.255.255.255")
    (True, True, True)
    """
    host = plain(host)
    return is_address(host) and (ip_address(host).is_multicast or host == "255.255.255.255")


@lru_cache(256)
def is_loopback(host: str) -> bool:
    """Tell whether a host means this machine only, and is out of reach for its network."""
    host = plain(host)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@lru_cache(256)
def meant_by(host: str) -> frozenset[str]:
    """Return the addresses that a name of this machine stands for; another host is itself.

    >>> sorted(meant_by("localhost")), sorted(meant_by("127.0.0.2"))
    (['127.0.0.1', '::1'], ['127.0.0.2'])
    """
    is_name = is_loopback(host) and not is_address(host)
    return frozenset({LOOPBACK, "::1"} if is_name else {plain(host)})


def reaches(asked: str, listening: str) -> bool:
    """Tell whether a client that connects to `asked` can reach a server here on `listening`.

    >>> reaches("localhost", "127.0.0.1"), reaches("example.com", "0.0.0.0")
    (True, False)
    """
    asked, listening = reachable(asked), plain(listening)
    for one in meant_by(asked):
        for other in meant_by(listening):
            if one == other or (other in _WILDCARDS and _is_ours(one, other)):
                return True
    return False


def _is_ours(host: str, wildcard: str) -> bool:
    """Tell whether this is an address of this machine, because only those can be bound."""
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
        raise TypeError(f"port is {port!r:.40}, it must be a whole number from {allowed}")
    if not least <= port <= 0xFFFF:
        raise ValueError(f"port is {port}, it must be from {allowed}")
