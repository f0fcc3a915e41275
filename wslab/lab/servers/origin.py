"""The `Origin` of a request decides which pages may connect; headers protect our own pages.

A browser lets any page on the web open a WebSocket to any address, and says in `Origin` which page
it was (RFC 6455 §10.2, §4.1). Cookies and firewalls do not help against a page that the learner has
opened, so the server looks at the Origin. It accepts pages of this machine, and programs that send
no Origin at all. Pages from elsewhere have to be allowed.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from wslab.lab.peers import on_hub

__all__ = ["PAGE_HEADERS", "POLICY", "Origins", "add_origin"]

# A page of this machine. The Host header does not tell, because an attacker can choose it with a
# name that points to 127.0.0.1 (DNS rebinding).
LOOPBACK_ORIGIN = re.compile(r"https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")
NOWHERE = "null"  # the Origin of a page that was opened from a file

# Our own pages load nothing from elsewhere. Only our scripts run, even if a message got into the
# page as markup, and no foreign page can frame ours. 'self' includes WebSocket (CSP 3).
POLICY = "Content-Security-Policy"
PAGE_HEADERS = {
    POLICY: (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # a token may be in the address
}


def add_origin(parser: argparse.ArgumentParser) -> None:
    """Add --origin to the options of a server."""
    parser.add_argument(
        "--origin",
        dest="origins",
        action="append",
        default=[],
        metavar="URL",
        help="a page elsewhere that may connect, as https://hub.example; may be repeated. "
        '"null" lets in every page that was opened from a file, or that a site has locked up in '
        "a frame (sandbox)",
    )


class Origins(set[str]):
    """The origins of pages that are welcome besides this machine's, such as "https://hub.example".

    "null" stands for every page without an origin, that is, files, and locked up frames (`sandbox`)
    of any site.
    """

    def __init__(self, origins: Iterable[str] = ()) -> None:
        super().__init__()
        for origin in origins:
            self.allow(origin)

    def allow(self, origin: str) -> None:
        """Welcome a page from now on; ValueError if this is not an origin (RFC 6454 §6.2)."""
        origin = origin.rstrip("/").lower()
        if origin != NOWHERE and not re.fullmatch(r"https?://[^/\s?#]+", origin):
            raise ValueError(
                f'an origin is like "https://hub.example:8000", or "null" for pages from files, '
                f"but this is {origin!r}"
            )
        self.add(origin)

    def welcomes(self, origin: str, host: str = "") -> bool:
        """Tell whether a page may connect. host: the request's `Host`.

        On a JupyterHub a page of the hub is welcome. Its requests come through the user's own
        proxy, which asks for a login, and passes on the name by which the browser knows the hub.
        """
        own = on_hub() and host != "" and origin in (f"http://{host}", f"https://{host}")
        return own or origin in self or LOOPBACK_ORIGIN.fullmatch(origin) is not None

    def refuses(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a page that is not welcome has sent a plain HTTP request.

        Most GET requests have no Origin. A browser may say that a different site asked
        (`Sec-Fetch-Site`). With DNS rebinding, `Host` has a name that is not this machine's.
        """
        host = headers.get("Host", "")
        if (origin := headers.get("Origin")) is not None:
            return not self.welcomes(origin, host)
        if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return True
        known = {urlsplit(origin).netloc for origin in self}
        return not (on_hub() or host in known or _is_address(host))

    def explain(self, origin: str) -> str:
        """Say why a page may not connect, and what to do."""
        if origin == NOWHERE:
            who = (
                "A page that was opened from a file, or locked up in a frame, is not welcome here."
            )
            how = (
                '--origin null on the command line, or allow_origin("null"), lets all of those in.'
            )
            return f"{who} Open it over http. {how}\n"
        return (
            f"Pages from {origin!a:.200} are not welcome here. The person who runs this server "
            "can change that: allow_origin(…), or --origin on the command line.\n"
        )


def _is_address(host: str) -> bool:
    """Tell whether a `Host` is localhost or an IP address, which no name server can redirect."""
    name = re.sub(r":\d*$", "", host).strip("[]")
    if name == "localhost":
        return True
    try:
        return bool(ip_address(name))
    except ValueError:
        return False
