"""Hosts and ports: families, wildcards, brackets, and what means the same."""

from __future__ import annotations

import socket

import pytest
from websockets.asyncio.client import connect

from wslab import lab
from wslab.browser.widget import listener_of
from wslab.net.address import authority, is_loopback, plain, reachable, reaches
from wslab.scratch import connect_from_scratch, serve_from_scratch

HAS_IPV6 = socket.has_ipv6
with socket.socket(socket.AF_INET6 if HAS_IPV6 else socket.AF_INET) as probe:
    try:
        probe.bind(("::1", 0))
    except OSError:
        HAS_IPV6 = False
NEEDS_IPV6 = pytest.mark.skipif(not HAS_IPV6, reason="this machine has no ::1: enable IPv6")
HOSTS = [
    ("127.0.0.1", "127.0.0.1"),
    ("localhost", "localhost"),
    ("", "127.0.0.1"),
    ("0.0.0.0", "127.0.0.1"),
    pytest.param("::1", "[::1]", marks=NEEDS_IPV6),
    pytest.param("[::1]", "[::1]", marks=NEEDS_IPV6),
    pytest.param("::", "[::1]", marks=NEEDS_IPV6),
]


@pytest.mark.parametrize("serve", [lab.serve, serve_from_scratch])
@pytest.mark.parametrize(("host", "shown"), HOSTS)
async def test_every_host_gives_a_url_that_works(serve, host, shown):
    server = serve(lab.echo, host=host)
    assert server.url == f"ws://{shown}:{server.port}/"
    cable = lab.cable(server)
    for url, owner in ((server.url, server), (server.url[:-1], server), (cable.url, cable)):
        for opener in (connect, connect_from_scratch):
            async with opener(url) as ws:
                await ws.send("Hello")
                assert await ws.recv() == "Hello"
        assert listener_of(url) is owner
    again = serve(lab.echo, host=host)
    assert (again.replaced, again.is_running) == (True, True)


def test_plain_forms():
    for host in ("::1", "[::1]", "0:0::1", "[0:0:0:0:0:0:0:1]"):
        assert plain(host) == "::1"
    assert plain("::ffff:127.0.0.1") == "127.0.0.1"
    assert (plain(" LocalHost. "), plain("")) == ("localhost", "0.0.0.0")
    assert (authority("::1", 80), authority("[::1]", 80), authority("h", 80)) == (
        *("[::1]:80", "[::1]:80", "h:80"),
    )
    assert [reachable(host) for host in ("", "0.0.0.0", "::", "192.0.2.1")] == [
        *("127.0.0.1", "127.0.0.1", "::1", "192.0.2.1"),
    ]
    assert all(map(is_loopback, ("localhost", "127.9.9.9", "[::1]", "a.localhost")))
    assert not any(map(is_loopback, ("example.com", "192.0.2.1", "localhost.example")))


@pytest.mark.parametrize(
    ("asked", "listening", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("LOCALHOST", "::1", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.2", "127.0.0.1", False),
        ("127.0.0.1", "0.0.0.0", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("localhost", "", True),
        ("::1", "0.0.0.0", False),
        pytest.param("::1", "::", True, marks=NEEDS_IPV6),
        ("example.com", "0.0.0.0", False),
        ("example.com", "127.0.0.1", False),
        ("192.0.2.1", "0.0.0.0", False),
        ("127.0.0.1.example.com", "127.0.0.1", False),
    ],
)
def test_who_reaches_whom(asked, listening, expected):
    assert reaches(asked, listening) is expected


def test_a_foreign_host_with_our_port_is_not_ours():
    server = lab.serve(lab.echo)
    for url in ("ws://example.com:{}/", "ws://127.0.0.1:{}0", "ws://h/:{}/", "ws://[", "x"):
        assert listener_of(url.format(server.port)) is None
    for url in ("ws://127.0.0.1:{}", "ws://localhost:{}/chat?x=:1/", "wss://127.0.0.1:{}/"):
        assert listener_of(url.format(server.port)) is server
    server.stop_now()
    assert listener_of("ws://127.0.0.1:0/") is None
