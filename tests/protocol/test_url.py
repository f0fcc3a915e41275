"""URLs: as browsers and the library read them; what they refuse is the caller's mistake."""

from __future__ import annotations

from typing import Any, cast

import pytest
from websockets.uri import parse_uri

from wslab.protocol import PeerError, upgrade_request
from wslab.protocol.http import split_target
from wslab.protocol.url import parse_url

# What people write, and what `new URL(…).href` of Chromium and Node makes of it.
NORMAL = {
    "ws://h": "ws://h/",
    " ws://h/\n": "ws://h/",
    "WS://EXAMPLE.com/A": "ws://example.com/A",
    "ws://h:80/": "ws://h/",
    "wss://h:443/": "wss://h/",
    "ws://h:443/": "ws://h:443/",
    "ws://h:/": "ws://h/",
    "ws://h?x=1": "ws://h/?x=1",
    "ws://h/?": "ws://h/?",
    "ws://h/房间": "ws://h/%E6%88%BF%E9%97%B4",
    "ws://h/a%20b/房间": "ws://h/a%20b/%E6%88%BF%E9%97%B4",
    "ws://h/a b?c d": "ws://h/a%20b?c%20d",
    "ws://h/100%": "ws://h/100%",
    "ws://h/a/../b": "ws://h/b",
    "ws://h/a/./": "ws://h/a/",
    "ws://h/a/..": "ws://h/",
    "ws://h/..//a": "ws://h//a",
    "ws://h/%2e%2E/b": "ws://h/b",
    "ws://h/a//b": "ws://h/a//b",
    "ws://h/a\\b": "ws://h/a/b",
    'ws://h/`{}|[]"<>': "ws://h/%60%7B%7D|[]%22%3C%3E",
    "ws://h/?a='b'&c=^`{}|": "ws://h/?a=%27b%27&c=^`{}|",
    "ws://bücher.example/": "ws://xn--bcher-kva.example/",
    "ws://[::0:1]:9/x": "ws://[::1]:9/x",
}


@pytest.mark.parametrize(("url", "href"), NORMAL.items())
def test_normal_form(url: str, href: str) -> None:
    assert str(parse_url(url)) == href
    assert str(parse_url(href)) == href


@pytest.mark.parametrize("url", [url for url in NORMAL.values() if "^" not in url])
def test_like_the_library(url: str) -> None:
    ours, theirs = parse_url(url), parse_uri(url)
    assert (ours.secure, ours.host, ours.port) == (theirs.secure, theirs.host, theirs.port)
    assert ours.target.removesuffix("?") == theirs.resource_name
    assert ours.authorization is None


@pytest.mark.parametrize(
    ("user", "credentials"),
    [
        ("ada:secret", "YWRhOnNlY3JldA=="),
        ("ada", "YWRhOg=="),
        ("a%40b:c%3Ad", "YUBiOmM6ZA=="),
        ("%E4%BD%A0:x", "5L2gOng="),
    ],
)
def test_a_user_becomes_a_header(user: str, credentials: str) -> None:
    address = parse_url(f"ws://{user}@h/")
    assert address.authorization == f"Basic {credentials}"
    assert (str(address), address.authority) == ("ws://h/", "h")


@pytest.mark.parametrize(
    "url",
    [
        *("", "h", "h:80", "http://h/", "ws:///x", "ws://", "ws://h/#", "ws://h/#a"),
        *("ws://h:99999/", "ws://h:x/", "ws://[::1", "ws://[::g]/", "ws://a b/", "ws://a<b/"),
        "ws://ada:secret@/",
    ],
)
def test_what_is_none_is_the_callers_mistake(url: str) -> None:
    with pytest.raises(ValueError, match=r"^'") as caught:
        parse_url(url)
    assert not isinstance(caught.value, PeerError)
    assert "secret" not in str(caught.value)


def test_a_server_is_no_url() -> None:
    class Server:
        url = "ws://h/"

    with pytest.raises(TypeError, match=r"write server\.url$"):
        parse_url(cast(Any, Server()))
    with pytest.raises(TypeError, match=r"^a URL is text, but this is b'ws://h/'$"):
        parse_url(cast(Any, b"ws://h/"))


@pytest.mark.parametrize(
    "options",
    [
        {"headers": [("Host", "b")]},
        {"headers": [("HOST", "a")]},
        {"headers": [("Sec-WebSocket-Key", "x")]},
        {"headers": [("sec-websocket-protocol", "x")]},
        {"headers": [("Connection", "close")]},
        {"headers": [("Origin", "b")], "origin": "a"},
        {"headers": [("Content-Length", "1")]},
        {"subprotocols": ["a b"]},
        {"subprotocols": ["a", "a"]},
        {"target": "/房间"},
        {"target": "no slash"},
        {"host": "a b"},
        {"host": ""},
    ],
)
def test_a_request_that_cannot_be_is_the_callers_mistake(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        upgrade_request(**{"host": "a", "nonce": bytes(16), **options})
    assert not isinstance(caught.value, PeerError)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("/", ("/", "")),
        ("//[", ("//[", "")),
        ("//a/b?c", ("//a/b", "c")),
        ("/shop?discount=100%", ("/shop", "discount=100%")),
        ("http://h:1/x?y=/", ("/x", "y=/")),
        ("ws://h", ("/", "")),
        ("*", ("*", "")),
    ],
)
def test_a_request_target_has_a_path_and_a_query(target: str, parts: tuple[str, str]) -> None:
    assert split_target(target) == parts
