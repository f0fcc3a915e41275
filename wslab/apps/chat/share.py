"""A room for a classroom, by `python -m wslab serve chat --lan`, with a link that can be scanned.

Without `--lan` the server listens on 127.0.0.1, so only this machine can reach it. With it, the
network can. So the link carries a token that nobody can guess, and the number of members and their
rate are limited. Only the command line opens rooms, and it says what is exposed.
"""

from __future__ import annotations

import argparse
import io
import secrets
import socket
import sys
from dataclasses import replace
from typing import Any

from wslab.apps.chat.rules import Rules
from wslab.apps.chat.server import ChatServer, serve
from wslab.lab.servers.origin import add_origin

__all__ = ["CLASSROOM", "add_chat_options", "address_on_the_network", "invitation", "start"]

EVERYWHERE = "0.0.0.0"
CLASSROOM = 100  # members, on the network

# No packet goes there. "Connecting" a UDP socket only asks the system which way it would take.
ELSEWHERE = ("192.0.2.1", 9)  # RFC 5737: an address that nobody has


def add_chat_options(parser: argparse.ArgumentParser) -> None:
    """Add the chat server's own options."""
    parser.add_argument(
        "--lan",
        action="store_true",
        help="let the whole network in, with a link and a QR code, and not only this machine",
    )
    parser.add_argument(
        "--lang",
        dest="language",
        choices=("en", "zh"),
        help="the language of the room and its page; en by default",
    )
    parser.add_argument(
        "--classic",
        action="store_true",
        help="use the words and fields of the Chinese tutorial that the course started from",
    )
    parser.add_argument(
        "--rate",
        type=message_rate,
        default=5.0,
        metavar="N",
        help='messages a second of one member, 5 by default; "off" for any number',
    )
    parser.add_argument(
        "--room",
        dest="rooms",
        action="append",
        metavar="NAME",
        help="a room besides the main one, at /NAME; may be repeated. With it, or with --lan, "
        "nobody else can open one",
    )
    add_origin(parser)


def message_rate(text: str) -> float | None:
    """Read the value of --rate."""
    if text == "off":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a rate: it has to be a number above 0, or "off"'
        )
    return rate


def start(*, host: str, lan: bool, rate: float | None, **options: Any) -> ChatServer:
    """Start the server that the command line asks for, and write its address on stderr.

    lan, rate: as on the command line. options: for `serve`.

    Raises OSError, with a line to show, if the port is taken, if --lan finds no network, or if
    options exclude each other.
    """
    if lan and host != "127.0.0.1":
        raise OSError("--lan already listens on every address; leave out --host")
    rules, token = Rules(rate=rate), None
    if lan:
        address = address_on_the_network()
        host, token = EVERYWHERE, secrets.token_urlsafe(12)
        options["rooms"] = options["rooms"] or ()  # nobody else opens one
        rules = replace(rules, members=CLASSROOM)
    try:
        server = serve(host=host, rules=rules, token=token, **options)
    except ValueError as error:
        raise OSError(str(error)) from None  # the command line shows it in one line
    if lan:
        server.shown_host = address
    if host != "127.0.0.1":
        server.allow_origin("http" + server.url.partition("?")[0].removeprefix("ws"))
    note = invitation(server) if lan else f"The page: {server.page}"
    print(note, file=sys.stderr, flush=True)
    return server


def address_on_the_network() -> str:
    """Return this machine's IPv4 address as its neighbours see it; OSError if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
            address = str(probe.getsockname()[0])
        except OSError:
            address = ""
    if not address or address.startswith(("127.", "0.")):
        raise OSError("this machine is not on a network; leave out --lan to use the chat alone")
    return address


def invitation(server: ChatServer) -> str:
    """Return the link to a room as text and QR code, with a list of what it exposes."""
    rate = server.rules.rate
    limit = f"{rate:g} messages a second of each" if rate is not None else "no rate limit"
    others = "".join(
        f"  {server.page.replace('/?', f'/{name}?')}\n" for name in server.rooms if name
    )
    rooms = f"Its other rooms:\n\n{others}\n" if others else ""
    return (
        f"The page, for everybody on this network:\n\n  {server.page}\n\n{qr_code(server.page)}\n"
        f"{rooms}"
        f"This exposes the chat on port {server.port} to everybody on the network who has the "
        "link: its page, its rooms, nothing else of this machine.\n"
        f"It is not encrypted, so others on the network can read along. At most "
        f"{server.rules.members} members, {limit}. Ctrl-C ends it; the next start has a new token."
    )


def qr_code(text: str) -> str:
    """Return a text as a QR code of block characters, dark on light or light on dark."""
    import segno  # needed only with --lan

    drawing = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawing, compact=True)
    return drawing.getvalue()
