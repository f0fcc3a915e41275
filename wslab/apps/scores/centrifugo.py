"""Centrifugo's JSON protocol, as far as a viewer of one channel needs it; values without sockets.

A client sends commands, and a server sends replies with the same id, and pushes. They are JSON
objects, several of them in a message are separated by newlines. `{}` is a ping of the server, and
the same from a client is the pong. A publication has an offset. Within an epoch offsets have no
gaps. So a client that comes back tells both, and gets what it has missed:

    {"id": 1, "connect": {}}
        {"id": 1, "connect": {"client": c, "version": v, "ping": 25, "pong": true}}
    {"id": 2, "subscribe": {"channel": "match"}}
        {"id": 2, "subscribe": {"recoverable": true, "epoch": E, "offset": n, "data": {…}}}
    {"id": 2, "subscribe": {"channel": "match", "recover": true, "epoch": E, "offset": n}}
        {"id": 2, "subscribe": {…, "was_recovering": true, "recovered": true, "publications": […]}}
        {"push": {"channel": "match", "pub": {"data": {…}, "offset": n}}}

Source: centrifugal.dev/docs/transports/client_protocol.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from wslab.kit.keepalive import Heartbeat
from wslab.kit.log import Log, is_number
from wslab.kit.messages import Message, ResumeError, decoded, encoded
from wslab.kit.resume import Session
from wslab.lab.wire.dissectors import Dissector
from wslab.net.clock import unguessable
from wslab.protocol.quoting import decoded_so_far, printable

__all__ = ["CHANNEL", "PATH", "Centrifugo", "CentrifugoRows", "commands", "publication"]

PATH = "/connection/websocket"  # Centrifugo's default
CHANNEL = "match"
PING = Heartbeat(25, timeout=8)  # Centrifugo's defaults
REJECT_UNRECOVERED = 2  # in the `flag` of a subscribe: it wants an error instead

# Errors in replies, and the code of a close
UNKNOWN_CHANNEL, ALREADY_SUBSCRIBED, NOT_AVAILABLE, UNRECOVERABLE = 102, 105, 108, 112
TEXTS = {
    UNKNOWN_CHANNEL: "unknown channel",
    ALREADY_SUBSCRIBED: "already subscribed",
    NOT_AVAILABLE: "not available",
    UNRECOVERABLE: "unrecoverable position",
}
BAD_REQUEST = 3501
MOST = 100  # commands in one message


def commands(data: str | bytes) -> list[Message]:
    """Read a message of a client; ResumeError if it is not made of at most `MOST` JSON objects."""
    text = data if isinstance(data, str) else data.decode(errors="replace")
    lines = text.strip().split("\n")
    if len(lines) > MOST:
        seen = f"{len(lines)} commands in a message, expected {MOST} at most"
        raise ResumeError("bad request", seen, BAD_REQUEST)
    return [decoded(line) for line in lines]


def publication(message: Message) -> Message:
    """Return a message of the log as a publication: its number becomes the offset.

    >>> publication({"patch": {"period": "over"}, "now": 200.0, "seq": 8})
    {'data': {'patch': {'period': 'over'}, 'now': 200.0}, 'offset': 8}
    """
    data = {name: value for name, value in message.items() if name != "seq"}
    return {"data": data, "offset": message["seq"]}


class Centrifugo:
    """The server's side of one connection.

    log: its numbers are the offsets. snapshot: returns the state with its number.
    is_subscribed: whether this client gets the publications.
    """

    def __init__(self, log: Log, snapshot: Callable[[], Message]) -> None:
        self.log, self.snapshot = log, snapshot
        self.is_connected = self.is_subscribed = False

    def answer(self, command: Message) -> Message | None:
        """Answer a command; None for a pong. Raises ResumeError for an impossible command."""
        if not command:
            return None
        id, (kind, asked) = command.get("id"), self._split(command)
        if not is_number(id, 1) or not isinstance(asked, dict):
            raise self._bad(f"{encoded(command):.60} has no id or no object")
        if (kind == "connect") is self.is_connected:
            raise self._bad(f"{kind}: connect must be the first command, and the only one")
        result: Message | int = NOT_AVAILABLE
        if kind == "connect":
            self.is_connected, result = True, {"client": unguessable(12), "version": "wslab"}
            result |= {"ping": int(PING.interval), "pong": True}
        elif kind == "subscribe":
            result = self._subscribe(asked)
        elif kind == "unsubscribe":
            self.is_subscribed, result = False, {}
        if isinstance(result, int):
            return {"id": id, "error": {"code": result, "message": TEXTS[result]}}
        return {"id": id, kind: result}

    @staticmethod
    def _split(command: Message) -> tuple[str, Any]:
        return next(((name, it) for name, it in command.items() if name != "id"), ("nothing", None))

    @staticmethod
    def _bad(seen: str) -> ResumeError:
        return ResumeError("bad request", seen, BAD_REQUEST)

    def _subscribe(self, asked: Message) -> Message | int:
        if asked.get("channel") != CHANNEL:
            return UNKNOWN_CHANNEL
        if self.is_subscribed:
            return ALREADY_SUBSCRIBED
        flag, recovers = asked.get("flag", 0), bool(asked.get("recover") and asked.get("epoch"))
        position = {"epoch": asked.get("epoch"), "after": asked.get("offset", 0)}
        resumed, *missed = Session(self.log).resume(position if recovers else {}, self.snapshot)
        result: Message = {"recoverable": True, "positioned": True}
        result |= {"epoch": self.log.epoch, "offset": self.log.last}
        if asked.get("recover"):
            result |= {"was_recovering": True, "recovered": "state" not in resumed}
        if "state" not in resumed:
            result["publications"] = [publication(message) for message in missed]
        elif asked.get("recover") and is_number(flag) and flag & REJECT_UNRECOVERED:
            return UNRECOVERABLE
        else:
            result["data"] = self.snapshot()
        self.is_subscribed = True
        return result


class CentrifugoRows(Dissector):
    """The dissector of this protocol."""

    def recognises(self, request: bytes) -> bool:
        """Tell whether a request is Centrifugo's, by its path."""
        return re.match(rb"GET [^ ?]*" + PATH.encode() + rb"[ ?]", request) is not None

    def message(self, payload: bytes, *, is_text: bool, is_complete: bool) -> str:
        """Describe the commands, replies and pushes of a message."""
        if not is_text:
            return ""
        lines = decoded_so_far(payload, is_complete=is_complete)[0].strip().split("\n")
        return "\n".join(_described(line) for line in lines)


def _described(line: str) -> str:
    try:
        said = json.loads(line)
        if said == {}:
            return "{} · ping or pong"
        if push := said.get("push"):
            kind = next(name for name in push if name != "channel")
            return f"push to {printable(push['channel'])}: {kind}{_position(push[kind])}"
        if error := said.get("error"):
            return f"{said['id']}: error {error['code']}, {printable(error['message'])[1:-1]}"
        kind = next(name for name in said if name != "id")
        return f"{said['id']}: {kind}{_position(said[kind])}"
    except (ValueError, TypeError, AttributeError, KeyError, StopIteration):
        return _described_head(line)  # not of this protocol, or not complete


def _described_head(line: str) -> str:
    if (reply := re.match(r'\{"id":(\d+),"(\w+)":\{', line)) is None:
        return printable(line, 80)
    offset = re.search(r'"offset":(\d+)[,}]', line.partition('"data"')[0])
    return f"{reply[1]}: {reply[2]}" + (f" offset {offset[1]}, …" if offset else " …")


def _position(fields: Message) -> str:
    said = ["recover"] if fields.get("recover") else []
    if "recovered" in fields:
        said.append("recovered" if fields["recovered"] else "not recovered")
    said += [f"offset {fields['offset']}"] if "offset" in fields else []
    if "publications" in fields:
        said.append(f"{len(fields['publications'])} publications")
    said += ["state"] if "state" in fields.get("data", {}) else []
    return f" {', '.join(said)}" if said else ""
