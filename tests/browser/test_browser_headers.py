"""What Chromium sends with a poll, an event stream and a WebSocket, against what is on file.

    WSLAB_RECORD=1 python -m pytest tests/browser/test_browser_headers.py

writes wslab/apps/transports/browser_headers.json anew. Versions differ in what they call
themselves, and now and then in a header, so the comparison allows a little.
"""

from __future__ import annotations

import datetime
import json
import os
import re
from pathlib import Path

import pytest
from aiohttp import web

from wslab import lab as bench  # `lab` is a JupyterLab here
from wslab.apps.transports import browser_headers
from wslab.apps.transports.polling import NewsFeed, application, websocket_handler
from wslab.lab.servers.http import serve_app
from wslab.protocol.http import Request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FILE = Path(browser_headers.__file__).with_suffix(".json")
HOW = (
    "tests/browser/test_browser_headers.py: a page from a lab server on 127.0.0.1 calls fetch(), "
    "new EventSource() and new WebSocket(), each through a lab.cable, in a fresh profile, so "
    "without cookies. {address} stands for 127.0.0.1:PORT. HeadlessChrome is written Chrome, as a "
    "browser with a window calls itself."
)

# How far another version may be from the file, for each kind of request:
SIZE = 0.25  # of the bytes of all header fields
NAMES = 2  # fields that only one of the two sends

PAGE = """<!doctype html><link rel="icon" href="data:,"><script>
const first = source => new Promise(done => {
  source.onmessage = event => { source.close(); done(event.data); };
});
const run = async url => [
  await (await fetch("/poll?after=0")).text(),
  await first(new EventSource("/stream")),
  await first(new WebSocket(url)),
];
</script>"""
KINDS = {"/poll?after=0": "fetch", "/stream": "EventSource", "/?after=0": "WebSocket"}


async def index(request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


def record(page) -> dict[str, list[list[str]]]:
    """Let a page use all three; return the fields of each request as [name, value]."""
    feed = NewsFeed()
    event = feed.publish("Hello").json
    app = application(feed)
    app.router.add_get("/", index)
    servers = [
        serve_app(app, name="http"),
        bench.serve(websocket_handler(feed), name="ws", compression="deflate"),
    ]
    cables = [bench.cable(server) for server in servers]
    try:
        page.goto(cables[0].url)
        assert page.evaluate(f'run("{cables[1].url}?after=0")') == [f"[{event}]", event, event]
        rows = [row for cable in cables for row in cable.transcript.client.http]
    finally:
        for each in (*cables, *servers):
            each.stop_now()
    requests = [Request.parse(row.wire)[0] for row in rows]
    return {
        KINDS[request.target]: [[name, plain(value)] for name, value in request.headers]
        for request in requests
        if request.target in KINDS
    }


def plain(value: str) -> str:
    address = re.sub(r"127\.0\.0\.1:\d+", "{address}", value)
    return address.replace("HeadlessChrome", "Chrome")


def write(version: str, requests: dict[str, list[list[str]]]) -> None:
    provenance = {"browser": version, "date": f"{datetime.date.today()}", "how": HOW}
    text = json.dumps({"provenance": provenance, "requests": requests}, indent=1)
    # One field a line.
    text = re.sub(r'\[\s+("(?:[^"\\]|\\.)*"),\s+("(?:[^"\\]|\\.)*")\s+\]', r"[\1, \2]", text)
    FILE.write_text(f"{text}\n", encoding="utf-8")


def size(fields: list[list[str]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in fields)


def test_the_file_is_what_a_browser_sends(page):
    seen = record(page)
    if os.environ.get("WSLAB_RECORD") == "1":
        write(f"Chromium {page.context.browser.version}", seen)
        browser_headers.recorded.cache_clear()
    filed = browser_headers.recorded()["requests"]
    assert filed.keys() == seen.keys() == set(KINDS.values())
    for kind, fields in filed.items():
        names, others = ({name.lower() for name, _ in each} for each in (fields, seen[kind]))
        assert len(names ^ others) <= NAMES, (kind, names ^ others)
        assert abs(size(fields) - size(seen[kind])) <= SIZE * size(fields), kind
