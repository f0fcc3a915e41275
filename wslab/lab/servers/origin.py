"""Which pages may come: the `Origin` of a request, and what a page of elsewhere can do to ours.

A browser lets any page on the web open a WebSocket to any address, and says in `Origin` which page
it was (RFC 6455 §10.2, §4.1). Cookies and firewalls do not help against a page that the learner has
opened, so the server looks: pages of this machine are welcome, and programs that send no Origin at
all; those of elsewhere only if they were allowed.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from wslab.lab.peers import on_hub

__all__ = ["PAGE_HEADERS", "Origins", "add_origin"]

# A page of this machine. Not "whatever the Host header says": that is the attacker's to choose,
# who lets a name of his own point to 127.0.0.1 (DNS rebinding).
LOOPBACK_ORIGIN = re.compile(r"https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")
NOWHERE = "null"  # what a browser says of a page that was opened from a file

# For our own pages: nothing from elsewhere, no script but ours even if a message got into the page
# as markup, and no frame of a foreign page around it. 'self' is meant for WebSocket too (CSP 3).
PAGE_HEADERS = {
    "Content-Security-Policy": (
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
        action="append",
        default=[],
        metavar="URL",
        help="a page elsewhere that may connect, as https://hub.example; may be repeated. "
        '"null" lets in every page that was opened from a file, or that a site has locked up in '
        "a frame (sandbox)",
    )


class Origins(set[str]):
    """The origins of pages that are welcome besides this machine's, as "https://hub.example".

    "null" stands for every page without an origin: files, and frames that are locked up
    (`sandbox`), of whatever site.
    """

    def __init__(self, origins: Iterable[str] = ()) -> None:
        super().__init__()
        for origin in origins:
            self.allow(origin)

    def allow(self, origin: str) -> None:
        """Welcome a page from now on; ValueError if this is no origin (RFC 6454 §6.2)."""
        origin = origin.rstrip("/").lower()
        if origin != NOWHERE and not re.fullmatch(r"https?://[^/\s?#]+", origin):
            raise ValueError(
                f'an origin is like "https://hub.example:8000", or "null" for pages from files; '
                f"this is {origin!r}"
            )
        self.add(origin)

    def welcomes(self, origin: str, host: str = "") -> bool:
        """Tell whether a page may connect. host: the request's `Host`.

        On a JupyterHub a page of the hub is welcome: requests come from the user's own proxy, which
        asks for a login, and passes on the name by which the browser knows the hub.
        """
        own = on_hub() and host != "" and origin in (f"http://{host}", f"https://{host}")
        return own or origin in self or LOOPBACK_ORIGIN.fullmatch(origin) is not None

    def refuses(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a page that is not welcome has sent a plain HTTP request.

        Most GET requests have no Origin. A browser's may say that another site asked
        (`Sec-Fetch-Site`); and with DNS rebinding, `Host` has a name that is not this machine's.
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
            f"Pages from {origin!a:.200} are not welcome here. Whoever runs this server "
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
