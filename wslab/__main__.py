"""wslab in a terminal; `python -m wslab` lists its commands.

A lesson adds its server to `SERVICES`, in one line.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pkgutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from wslab.net.realtime.choice import NeedsSystem, is_chosen

PROGRAM = "python -m wslab"
COURSE = Path(__file__).parents[1]  # the folder that holds `notebooks` and the package


class Service(NamedTuple):
    """An entry for `serve` and `demo`. Functions, such as "module:name", are imported when used.

    summary: one line for the list.
    start: gets the options as arguments, which are at least host and port; starts the server and
    returns it. options: adds more options to a parser. demo: a coroutine function.
    """

    summary: str
    start: str
    options: str = ""
    demo: str = ""


SERVICES = {
    "echo": Service(
        "sends every message back",
        "wslab.apps.echo:start_echo",
        "wslab.apps.echo:add_echo_options",
        "wslab.apps.echo:demo_echo",
    ),
    "heartbeat": Service(
        "answers the heartbeat page of lesson 07, and pings",
        "wslab.apps.heartbeat.server:serve_heartbeat",
    ),
    "chat": Service(
        "a room to talk in, with its page",
        "wslab.apps.chat.share:start",
        "wslab.apps.chat.share:add_chat_options",
    ),
    "socketio": Service(
        "the same talk by Socket.IO, with its page",
        "wslab.apps.socketio.chat:serve_chat",
        "wslab.lab.servers.origin:add_origin",
    ),
    "scores": Service(
        "a football match, live, with a page",
        "wslab.apps.scores:serve",
        demo="wslab.apps.scores:demo_scores",
    ),
    "danmaku": Service(
        "comments that fly over a picture, and a flood of them, with a page",
        "wslab.apps.danmaku:start_danmaku",
        "wslab.apps.danmaku:add_danmaku_options",
        "wslab.apps.danmaku:demo_danmaku",
    ),
    "media": Service(
        "a chat with pictures and sounds, with its page",
        "wslab.apps.media:serve",
        demo="wslab.apps.media:demo_media",
    ),
    "location": Service(
        "couriers on a map, and a page that looks at a part of it",
        "wslab.apps.location:serve",
        demo="wslab.apps.location:demo_location",
    ),
    "coediting": Service(
        "rooms to write one text together, for y-websocket, with a page",
        "wslab.apps.coediting:start_coediting",
        "wslab.apps.coediting:add_coediting_options",
        "wslab.apps.coediting:demo_coediting",
    ),
    "quotes": Service(
        "prices of an exchange at your own pace, with a page",
        "wslab.apps.quotes:serve",
        demo="wslab.apps.quotes:demo_quotes",
    ),
}


COMMON = {"run", "server", "rest"}  # options that are not for a service

# The commands take parsed options, and return an exit code


def serve(options: argparse.Namespace) -> int:
    """Run a server until Ctrl-C or SIGTERM; the first line on stdout is its URL."""
    server = None
    with signals_interrupt():
        try:
            if is_chosen():
                raise OSError(str(NeedsSystem("sockets, which other programs can reach")))
            own = {name: vars(options)[name] for name in vars(options).keys() - COMMON}
            server = pkgutil.resolve_name(SERVICES[options.server].start)(**own)
            print(server.url, flush=True)
            while True:
                time.sleep(3600)  # unlike Event.wait(), a signal ends it on every system
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


def demo(options: argparse.Namespace) -> int:
    """Show what a service does, without a notebook; by default, lesson 00 in a few lines."""
    try:
        asyncio.run(pkgutil.resolve_name(SERVICES[options.name].demo)())
    except KeyboardInterrupt:
        return 0  # some demos go on until Ctrl-C
    except (OSError, TimeoutError) as error:
        said = str(error) or "no answer within 10 s"
        print(f"{PROGRAM} demo: {said}\nTo find out why: {PROGRAM} doctor", file=sys.stderr)
        return 1
    return 0


def examine(_options: argparse.Namespace) -> int:
    """Look at this machine; the exit code is 1 if something needs attention."""
    from wslab.lab.checkup import doctor

    checkup = doctor()
    print(checkup)
    return 0 if checkup.ok else 1


def open_course(options: argparse.Namespace) -> int:
    """Open your copies of the lessons in JupyterLab, in `work/`; they are made on first use.

    All other arguments are JupyterLab's, such as --port=9000.
    """
    if not (COURSE / "notebooks").is_dir():
        said = (
            f"the folder notebooks is not in {COURSE}: install the course with `pip install -e .`"
        )
        print(f"{PROGRAM} lab: {said}", file=sys.stderr)
        return 2
    from jupyterlab.labapp import LabApp

    from wslab.exercises.copies import make_copies

    newer = [path.name for path in make_copies(COURSE) if path.name.endswith(".new.ipynb")]
    if newer:
        print(f"Newer versions stand beside your copies: {', '.join(newer)}")
    print(f"Opening your copies in {COURSE / 'work'}. Ctrl-C twice ends JupyterLab.", flush=True)
    LabApp.launch_instance([*lab_arguments(), *options.rest])
    return 0


def lab_arguments() -> list[str]:
    """Return the options that JupyterLab needs for the course and for this machine."""
    first = "/lab/tree/work/00_start_here.ipynb"
    found = [f"--ServerApp.root_dir={COURSE}", f"--LabApp.default_url={first}"]
    screens = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in screens):
        found.append("--no-browser")  # JupyterLab prints its URL
    if sys.platform != "win32" and os.getuid() == 0:
        found.append("--allow-root")  # containers run as root, but JupyterLab refuses without it
    return found


COMMANDS: dict[str, tuple[str, Callable[[argparse.Namespace], int]]] = {
    "lab": ("open your copies of the lessons in JupyterLab, at the first one", open_course),
    "serve": ("run one of the course's servers until Ctrl-C; prints its URL", serve),
    "demo": ("watch a message on its way, byte by byte; NAME: a different demo", demo),
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
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 (any free one) to 65535")
    return port


def make_parser(arguments: Sequence[str]) -> Parser:
    """Make the parser from `COMMANDS` and `SERVICES`; only a service that is named is imported."""
    servers = "".join(f"\n  {name:<20}{service.summary}" for name, service in SERVICES.items())
    epilog = f"servers, for {PROGRAM} serve NAME:{servers}"
    about = "wslab without a notebook: take WebSocket apart, byte by byte."
    parser = Parser(prog=PROGRAM, description=about, epilog=epilog)
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, (summary, run) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=run.__doc__)
        command.set_defaults(run=run)
        if run is serve:
            _add_servers(command, arguments)
        elif run is demo:
            shown = [name for name, service in SERVICES.items() if service.demo]
            command.add_argument("name", nargs="?", choices=shown, default="echo")
    return parser


def _add_servers(command: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    names = command.add_subparsers(dest="server", metavar="NAME", required=True, title="servers")
    for name, service in SERVICES.items():
        parser = names.add_parser(name, help=service.summary, description=service.summary)
        parser.add_argument(
            "--port", type=port_number, default=0, metavar="N", help="0, the default: any free one"
        )
        parser.add_argument(
            "--host",
            default="127.0.0.1",
            metavar="H",
            help="the address to listen on; 127.0.0.1, the default, is for this machine only",
        )
        if service.options and name in arguments:
            pkgutil.resolve_name(service.options)(parser)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; without a command, list the commands."""
    # A terminal that cannot show a character shows its code instead of a traceback.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = make_parser(arguments)
    options, rest = parser.parse_known_args(arguments)
    if options.run is None:
        parser.print_help()
        return 0
    if rest and options.run is not open_course:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    options.rest = rest
    return int(options.run(options))


if __name__ == "__main__":
    sys.exit(main())
