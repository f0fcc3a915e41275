"""Write the course's cheat sheet: two pages of HTML to print, made from `wslab.protocol`.

    python notebooks/exercises/cheatsheet.py [FILE]     FILE is cheatsheet.html if it is not named

Every number, byte and signature on it is asked of the package, so it cannot contradict the lessons.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from wslab import lab
from wslab.browser import WebSocket
from wslab.kit.retry import of_code
from wslab.lab import Cable
from wslab.protocol import (
    Close,
    CloseCode,
    Frame,
    Headers,
    Opcode,
    Request,
    accept_key,
    answer,
    apply_mask,
    frames,
    upgrade_request,
)
from wslab.protocol.connection import TRANSITIONS, Connection, State

NONCE = b"the sample nonce"  # the RFC's example
KEY = bytes.fromhex("37fa213d")  # its masking key

STYLE = """
@page { size: A4; margin: 9mm 12mm; }
body { font: 8.2pt/1.25 sans-serif; color: black; background: white; margin: 0 auto; }
@media screen { body { max-width: 186mm; padding: 1em; } }
section { break-after: page; } section:last-of-type { break-after: auto; }
h1 { font-size: 14pt; margin: 0 0 1mm; } h2 { font-size: 10pt; margin: 2mm 0 0.5mm; }
h2 small, h1 small { font-weight: normal; font-size: 8pt; }
pre, code { font: 7.8pt/1.25 monospace; }
pre { margin: 0; border-left: 1pt solid; padding-left: 2mm; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
table + table { margin-top: 1.5mm; }
table { border-collapse: collapse; width: 100%; break-inside: avoid; }
th { text-align: left; border-bottom: 0.8pt solid; } td { vertical-align: top; }
th, td { padding: 0.1mm 2mm 0.1mm 0; } td:first-child { white-space: nowrap; }
.calls td:first-child { white-space: normal; width: 46%; }
p { margin: 1mm 0; } tr + tr td { border-top: 0.2pt solid #999; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 0 6mm; align-items: start; }
"""

# What a learner types, by object: names of functions and methods.
CALLS: dict[Any, Sequence[str]] = {
    lab: ("serve", "serve_tcp", "cable", "dissect", "doctor"),
    Cable: ("delay", "split", "throttle", "freeze", "thaw", "cut", "reset", "mend"),
    Frame: ("parse", "serialize"),
    Close: ("parse", "serialize"),
    Connection: ("receive", "data_to_send", "send_text", "send_binary", "ping", "close"),
    WebSocket: ("send", "close"),
}


def code(text: object) -> str:
    return f"<code>{escape(str(text))}</code>"


def pre(text: str) -> str:
    return f"<pre>{escape(text.strip())}</pre>"


def table(head: Iterable[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """Return a table; its cells are HTML."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table class={kind!r}><thead><tr>{top}</tr></thead><tbody>\n{body}</tbody></table>"


def handshake() -> str:
    request = upgrade_request("server.example", "/chat", nonce=NONCE)
    response = answer(request)
    key = request.headers.get("Sec-WebSocket-Key") or ""
    sums = f'accept_key("{key}") == "{accept_key(key)}"'
    both = f"{pre(request.serialize().decode())}{pre(response.serialize().decode())}"
    return (
        "<h2>Opening handshake <small>RFC 6455 §4</small></h2>"
        f'<div class="two">{both}</div><p>{code(sums)}: SHA-1 of the key and a fixed GUID, in '
        "Base64. It shows that the server speaks WebSocket. It is no secret.</p>"
        + table(("request", "status", "because of"), refusals(request))
    )


def refusals(request: Request) -> list[tuple[str, ...]]:
    """Return what the protocol answers to a request with one fault."""

    def without(name: str) -> Request:
        return Request("/chat", Headers(f for f in request.headers if f[0] != name))

    cases = {
        "method POST": Request("/chat", request.headers, method="POST"),
        **{f"no {name}": without(name) for name, _ in request.headers},
    }
    found = {what: answer(one) for what, one in cases.items()}
    return [
        (escape(what), f"{one.status} {escape(one.reason)}", escape(one.body.decode().strip()))
        for what, one in found.items()
    ]


def frame() -> str:
    lines = (frames.__doc__ or "").split("\n")
    picture = "\n".join(line[4:] for line in lines if line.startswith("    "))
    sizes = [(0, 125), (126, 65_535), (65_536, 2**63 - 1)]
    heads = [len(Frame(Opcode.BINARY, bytes(low)).serialize()) - low for low, _ in sizes]
    names = ("itself", "126", "127")
    lengths = [
        (f"{low:,} to {high:,}", name, str(size - 2))
        for (low, high), name, size in zip(sizes, names, heads, strict=True)
    ]
    hello = b"Hello"
    samples = {
        '"Hello" from a server': Frame(Opcode.TEXT, hello),
        '"Hello" from a client': Frame(Opcode.TEXT, hello, mask=KEY),
        '"Hel", to be continued': Frame(Opcode.TEXT, hello[:3], fin=False),
        'and "lo"': Frame(Opcode.CONTINUATION, hello[3:]),
        "a ping": Frame(Opcode.PING, hello),
        "a Close": Frame(Opcode.CLOSE, Close(CloseCode.NORMAL_CLOSURE, "bye").serialize()),
    }
    rows = [(escape(what), code(one.serialize().hex(" "))) for what, one in samples.items()]
    opcodes = [(code(f"{one:#x}"), one.name, "control" if one >= 8 else "data") for one in Opcode]
    masked = f"{hello.hex(' ')} → {apply_mask(hello, KEY).hex(' ')} with the key {KEY.hex(' ')}"
    return (
        f"<h2>Frame <small>RFC 6455 §5.2</small></h2><pre>{escape(picture)}</pre>"
        '<div class="two"><div>'
        + table(("payload, bytes", "length code", "bytes of length"), lengths)
        + table(("opcode", "name", "kind"), opcodes)
        + f"</div><div>{table(('frame', 'bytes'), rows)}</div></div>"
        f"<p>Only clients mask: byte <i>i</i> is combined by XOR with byte <i>i</i> mod 4 of a key "
        f"that nobody can guess: {code(masked)}. A control frame has up to 125 bytes and is never "
        "fragmented. It may stand between the fragments of a message.</p>"
    )


def close_codes() -> str:
    rows = []
    for one in CloseCode:
        ending = of_code(one)
        name = one.name.replace("_", " ").lower().replace("tls", "TLS")
        text = ending.text.partition(": ")[2].removeprefix(f"{name}: ")
        what = name if "no known meaning" in text else f"{name}: {text}"
        sent = "yes" if CloseCode.is_sendable(one) else "no"
        rows.append((str(int(one)), escape(what), sent, "yes" if ending.retry else "no"))
    rows.append(("3000 to 3999", "registered by libraries and frameworks", "yes", "3000, 3003: no"))
    rows.append(("4000 to 4999", "an application's own", "yes", "it depends"))
    noted = ", ".join(str(int(one)) for one in CloseCode if not CloseCode.is_sendable(one))
    return (
        "<h2>Close codes <small>RFC 6455 §7.4</small></h2>"
        f"{table(('code', 'meaning', 'sent?', 'connect again?'), rows)}"
        f"<p>A side notes these codes for itself and never sends them: {noted}.</p>"
    )


def states() -> str:
    rows = [
        (one.name, escape(one.value), "<br>".join(
            f"{escape(str(step.value))} → {target.name}"
            for (state, step), target in TRANSITIONS.items() if state is one
        ) or "the end")
        for one in State
    ]  # fmt: skip
    return (
        "<h2>States of a connection <small>RFC 6455 §7.1; a page shows them as "
        f"{', '.join(page_states())}</small></h2>{table(('state', 'meaning', 'next'), rows)}"
    )


def page_states() -> list[str]:
    names = ("CONNECTING", "OPEN", "CLOSING", "CLOSED")
    return [f"{getattr(WebSocket, name):d} {name}" for name in names]


def plain(default: object) -> object:
    """Return a default as a learner would type it."""
    return int(default) if isinstance(default, int) and not isinstance(default, bool) else default


def signature(owner: Any, name: str) -> str:
    """Return how something is called, without types: those are in its documentation."""
    function: Callable[..., object] = getattr(owner, name)
    given = inspect.signature(function).parameters.values()
    kept = [
        one.replace(annotation=inspect.Parameter.empty, default=plain(one.default))
        for one in given
        if one.name != "self"
    ]
    text = str(inspect.Signature(kept))
    prefix = "lab" if owner is lab else owner.__name__
    wait = "await " if inspect.iscoroutinefunction(function) else ""
    return f"{wait}{prefix}.{name}{text}"


def library() -> str:
    text = (
        "async with connect(url) as ws:          # a client\n"
        '    await ws.send("text")               # or bytes\n'
        "    async with asyncio.timeout(1):\n"
        "        message = await ws.recv()       # str or bytes\n"
        "\n"
        "async def handler(ws):                  # a server: lab.serve(handler), or\n"
        "    async for message in ws:            # async with serve(handler, host, port)\n"
        "        await ws.send(message)          # broadcast(members, message)"
    )
    what = "from websockets import connect, serve, broadcast"
    return f"<h2>The library <small>{code(what)}</small></h2>{pre(text)}"


def api() -> str:
    rows = [(code(signature(*one)), escape(says(*one))) for one in calls()]
    return (
        "<h2>The course <small><code>from wslab import lab</code>; the protocol is in "
        "<code>wslab.protocol</code>, the page's API in <code>wslab.browser</code></small></h2>"
        f"{table(('call', 'what it does'), rows, 'calls')}"
    )


def calls() -> list[tuple[Any, str]]:
    return [(owner, name) for owner, names in CALLS.items() for name in names]


def says(owner: Any, name: str) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(getattr(owner, name)) or "").split("\n")[0]


def page() -> str:
    """Return the cheat sheet as HTML."""
    title = "WebSocket on two pages"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><main>\n"
        f"<section><h1>{title} <small>made from the course's own package, wslab</small></h1>\n"
        f"{handshake()}\n{frame()}\n{states()}\n{library()}</section>\n"
        f"<section>{close_codes()}\n{api()}</section>\n</main></body></html>\n"
    )


def write(path: Path) -> None:
    path.write_text(page(), encoding="utf-8", newline="\n")
    print(f"{path}: open it in a browser, and print it")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "cheatsheet.html"))
