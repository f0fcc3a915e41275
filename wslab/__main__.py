"""wslab in a terminal: `python -m wslab` says what there is.

A lesson adds its server to `SERVERS`: one line for the list, a function that starts it, and
options of its own if it has any.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

from wslab import lab
from wslab.lab.servers.base import BaseServer

PROGRAM = "python -m wslab"


class Service(NamedTuple):
    """A server that `serve` can run.

    summary: one line for the list.
    start: starts the server and returns it; gets the parsed options. It imports what it needs
    itself, so that the list stays quick.
    add_options: adds options beside --host and --port.
    """

    summary: str
    start: Callable[[argparse.Namespace], BaseServer]
    add_options: Callable[[argparse.ArgumentParser], None] = lambda parser: None


def start_echo(options: argparse.Namespace) -> BaseServer:
    """Start the server of lesson 00, or its twin from scratch of lesson 04."""
    if options.from_scratch:
        from wslab.scratch.server import serve_from_scratch

        echo: Any = lab.echo  # it does not mind whose connection it gets: the surface is the same
        return serve_from_scratch(echo, host=options.host, port=options.port)
    return lab.serve(lab.echo, host=options.host, port=options.port)


def add_echo_options(parser: argparse.ArgumentParser) -> None:
    """Add --from-scratch."""
    parser.add_argument(
        "--from-scratch",
        action="store_true",
        help="by the course's own implementation of the protocol, not the library's",
    )


def start_chat(options: argparse.Namespace) -> BaseServer:
    """Start the chat server of lesson 06."""
    from wslab.apps.chat.share import start

    return start(options)


def add_chat_options(parser: argparse.ArgumentParser) -> None:
    """Add what the chat server has of its own."""
    parser.add_argument(
        "--lan",
        action="store_true",
        help="let the whole network in, with a link and a QR code; without it only this machine",
    )
    parser.add_argument("--lang", choices=("en", "zh"), help="of its notices; en is the default")
    parser.add_argument(
        "--classic", action="store_true", help="the document's own words and fields, in Chinese"
    )
    parser.add_argument(
        "--rate",
        type=message_rate,
        default=5.0,
        metavar="N",
        help='messages a second of one member, 5 by default; "off" for any number',
    )
    parser.add_argument(
        "--origin",
        action="append",
        default=[],
        metavar="URL",
        help="a page elsewhere that may connect, as https://hub.example; may be repeated",
    )


def message_rate(text: str) -> float | None:
    """Read the value of --rate."""
    if text == "off":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError(f'{text!r} is no rate: a number above 0, or "off"')
    return rate


def start_socketio(options: argparse.Namespace) -> BaseServer:
    """Start the chat of lesson 09."""
    from wslab.apps.socketio.chat import serve_chat

    return serve_chat(host=options.host, port=options.port)


def start_heartbeat(options: argparse.Namespace) -> BaseServer:
    """Start the server of lesson 07."""
    from wslab.apps.heartbeat.server import serve_heartbeat

    return serve_heartbeat(host=options.host, port=options.port)


SERVERS = {
    "echo": Service("sends every message back", start_echo, add_echo_options),
    "heartbeat": Service("answers the heartbeat page of lesson 07, and pings", start_heartbeat),
    "chat": Service("a room to talk in, with its page", start_chat, add_chat_options),
    "socketio": Service("the same talk by Socket.IO, with its page", start_socketio),
}


# The commands: parsed options in, exit code out


def serve(options: argparse.Namespace) -> int:
    """Run a server until Ctrl-C or SIGTERM; the first line on stdout is its URL."""
    server = None
    with signals_interrupt():
        try:
            server = SERVERS[options.server].start(options)
            print(server.url, flush=True)
            while True:
                time.sleep(3600)  # a signal ends it on every system; not so with Event.wait()
        except KeyboardInterrupt:
            return 0
        except OSError as error:
            # strerror is the text without "[Errno 98]"
            print(f"{PROGRAM} serve: {error.strerror or error}", file=sys.stderr)
            return 2
        finally:
            if server is not None:
                server.stop_now()
                for failure in server.errors:
                    print(failure, file=sys.stderr)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM raise KeyboardInterrupt here, and ignore the others."""
    names = ("SIGINT", "SIGTERM", "SIGBREAK")  # SIGBREAK is Windows' Ctrl-Break
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]

    def interrupt(*_: object) -> NoReturn:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def demo(_options: argparse.Namespace) -> int:
    """Send "Hello" through a cable, show its transcript, cut the cable, show what comes of it."""
    try:
        asyncio.run(_demo())
    except (OSError, TimeoutError) as error:
        said = str(error) or "no answer within 10 s"
        print(f"{PROGRAM} demo: {said}\nTo find out why: {PROGRAM} doctor", file=sys.stderr)
        return 1
    return 0


async def _demo() -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosedError

    async with (
        asyncio.timeout(10),
        lab.serve(lab.echo) as server,
        lab.cable(server) as cable,
    ):
        print(f"A server that sends every message back:\n  {server!r}")
        print(f"A cable that leads to it and can be watched:\n  {cable!r}\n")
        async with connect(cable.url, proxy=None) as ws:
            await ws.send("Hello")
            print(f'The client sends "Hello" through the cable and gets {await ws.recv()!r}.')
        print("What has passed, with both goodbyes:\n")
        print(await cable.settle(until=lambda: cable.transcript.only(kind="CLOSE")[1:]))

        async with connect(cable.url, proxy=None) as ws:
            cable.cut()
            print("\nA second connection, and now the cable is cut. The client sees:\n")
            try:
                await ws.recv()
            except ConnectionClosedError as error:
                print(f"  {type(error).__name__}: {error}")
        print(f"\nThe server saw:\n\n{await server.settle(until=4)!r}")
    print("\nThe same and much more, step by step: make lab")


def examine(_options: argparse.Namespace) -> int:
    """Look at this machine; the exit code is 1 if something needs attention."""
    from wslab.lab.doctor import doctor

    checkup = doctor()
    print(checkup)
    return 0 if checkup.ok else 1


COMMANDS: dict[str, tuple[str, Callable[[argparse.Namespace], int]]] = {
    "serve": ("run one of the course's servers until Ctrl-C; prints its URL", serve),
    "demo": ("send a message through a cable, see its bytes, cut the cable", demo),
    "doctor": ("look for what is missing or in the way on this machine", examine),
}


# The command line


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        """Leave with exit code 2."""
        self.exit(2, f"{self.prog}: {message}; for help: {self.prog} --help\n")


def port_number(text: str) -> int:
    """Read the value of --port."""
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 (any free one) to 65535")
    return port


def make_parser() -> Parser:
    """Make the parser from `COMMANDS` and `SERVERS`."""
    servers = "".join(f"\n  {name:<20}{offer.summary}" for name, offer in SERVERS.items())
    epilog = f"servers, for {PROGRAM} serve NAME:{servers}"
    about = "wslab without a notebook: take WebSocket apart, byte by byte."
    parser = Parser(prog=PROGRAM, description=about, epilog=epilog)
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, (summary, run) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=run.__doc__)
        command.set_defaults(run=run)
        if run is serve:
            _add_servers(command)
    return parser


def _add_servers(command: argparse.ArgumentParser) -> None:
    names = command.add_subparsers(dest="server", metavar="NAME", required=True, title="servers")
    for name, offer in SERVERS.items():
        parser = names.add_parser(name, help=offer.summary, description=offer.summary)
        parser.add_argument(
            "--port", type=port_number, default=0, metavar="N", help="0, the default: any free one"
        )
        parser.add_argument(
            "--host",
            default="127.0.0.1",
            metavar="H",
            help="the address to listen on; 127.0.0.1, the default, is for this machine only",
        )
        offer.add_options(parser)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; without a command, say what there is."""
    # A terminal that cannot show a character shows its code instead of a traceback.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.run is None:
        parser.print_help()
        return 0
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main())
