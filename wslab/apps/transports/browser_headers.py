"""What a real browser sends with each kind of request, recorded (browser_headers.json).

The file says which browser, when and how; tests/browser/test_browser_headers.py records it again
and compares.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["browser_headers", "recorded"]

# What every client sends by itself, whatever it is.
OWN = {"host", "upgrade", "sec-websocket-key", "sec-websocket-version"}


@cache
def recorded() -> dict[str, Any]:
    """Return the file: "provenance", and by kind of request its (name, value) pairs."""
    file = resources.files("wslab.apps.transports").joinpath("browser_headers.json")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def browser_headers(kind: str, address: str) -> dict[str, str]:
    """Return what Chromium sends with a request beyond what any client must.

    kind: "fetch", "EventSource" or "WebSocket". address: "host:port" that its page came from.
    The cookies of a site would come on top.
    """
    own = OWN | {"connection"} if kind == "WebSocket" else OWN
    pairs = recorded()["requests"][kind]
    found = {name: value for name, value in pairs if name.lower() not in own}
    return {name: value.replace("{address}", address) for name, value in found.items()}
