"""The headers of a real browser for each kind of request, recorded (browser_headers.json).

The file also has the browser, the time and the way. tests/browser/test_browser_headers.py records
it again and compares.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["browser_headers", "recorded"]

# Every client sends these by itself.
OWN = {"host", "upgrade", "sec-websocket-key", "sec-websocket-version"}


@cache
def recorded() -> dict[str, Any]:
    """Return the file: "provenance", and by kind of request its (name, value) pairs."""
    file = resources.files("wslab.apps.transports").joinpath("browser_headers.json")
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


def browser_headers(kind: str, address: str) -> dict[str, str]:
    """Return the headers that Chromium adds to those of any client, without a site's cookies.

    kind: "fetch", "EventSource" or "WebSocket". address: the "host:port" of its page.
    """
    own = OWN | {"connection"} if kind == "WebSocket" else OWN
    pairs = recorded()["requests"][kind]
    found = {name: value for name, value in pairs if name.lower() not in own}
    return {name: value.replace("{address}", address) for name, value in found.items()}
