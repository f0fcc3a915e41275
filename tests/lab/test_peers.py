"""Whom a server accepts on a machine of many users, and the address of its page there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from websockets.asyncio.client import connect

from wslab import lab
from wslab.lab.peers import CAN_TELL, on_hub, owner_of, page_url
from wslab.lab.registry import LOOPBACK, listen

OTHER = 65534  # a user id that is nobody's here
SECONDS = 10

linux = pytest.mark.skipif(not CAN_TELL, reason="only Linux tells whose a socket is")
root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root can be two users: run the tests as root, in a container",
)

# Connects as another user, and says what came of it; starts as root, since it has to be found.
VISIT = """
import os, socket, sys
os.setuid(int(sys.argv[1]))
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
with socket.socket(family, socket.SOCK_STREAM) as visitor:
    visitor.settimeout(10)
    visitor.connect((sys.argv[2], int(sys.argv[3])))
    try:
        visitor.sendall(b"GET / HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n")
        print(len(visitor.recv(100)))
    except ConnectionError:
        print(0)
"""
# Listens as another user, on a Hub; says its port, and greets those it accepts.
SERVE = """
import os, sys
from wslab.lab.registry import listen
os.setuid(int(sys.argv[1]))
os.environ["JUPYTERHUB_USER"] = "second"
listener = listen("127.0.0.1", 0)
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    connection.recv(100)
    connection.sendall(b"welcome")
    connection.close()
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")


def visit(port: int, *, user: int, host: str = LOOPBACK) -> int:
    """Return how many bytes of an answer a user gets."""
    command = [sys.executable, "-c", VISIT, str(user), host, str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    return int(done.stdout)


@linux
def test_the_kernel_tells_whose_a_socket_is() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        connection, peer = listener.accept()
        with connection:
            assert owner_of(peer, connection.getsockname()) == os.geteuid()
            assert owner_of(peer, ("127.0.0.2", connection.getsockname()[1])) is None
            client.close()  # from now on nobody holds it
            assert owner_of(peer, connection.getsockname()) is None


@linux
def test_a_socket_of_the_other_family() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener, socket.socket(socket.AF_INET6) as client:
        client.connect((f"::ffff:{LOOPBACK}", listener.getsockname()[1]))
        connection, peer = listener.accept()
        with connection:
            assert owner_of(peer, connection.getsockname()) == os.geteuid()


@linux
@root
@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("host", [LOOPBACK, f"::ffff:{LOOPBACK}"])
@pytest.mark.parametrize("kind", ["library", "scratch", "http", "tcp", "cable", "chat", "socketio"])
def test_another_user_of_the_machine_is_refused(kind: str, host: str) -> None:
    server = start(kind)
    try:
        assert visit(server.port, user=OTHER, host=host) == 0
        assert visit(server.port, user=0, host=host) > 0
    finally:
        server.stop_now()


def start(kind: str):
    """Start a server of the lab that answers a plain HTTP request, if only with an error."""
    from aiohttp import web

    from wslab.apps import chat
    from wslab.apps.socketio.chat import serve_chat
    from wslab.lab.servers.http import serve_app
    from wslab.scratch.server import serve_from_scratch

    async def answer(reader, writer) -> None:
        writer.write(await reader.readline())

    if kind == "cable":
        return lab.cable(lab.serve(lab.echo))
    starts = {
        "library": lambda: lab.serve(lab.echo),
        "scratch": lambda: serve_from_scratch(lab.echo),
        "http": lambda: serve_app(web.Application()),
        "tcp": lambda: lab.serve_tcp(answer),
        "chat": chat.serve,
        "socketio": serve_chat,
    }
    return starts[kind]()


@linux
@root
def test_root_is_another_user_too() -> None:
    command = [sys.executable, "-c", SERVE, str(OTHER)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline())
            assert visit(port, user=0) == 0
            assert visit(port, user=OTHER - 1) == 0
            assert visit(port, user=OTHER) == len("welcome")
        finally:
            server.kill()


@linux
@pytest.mark.usefixtures("hub")
async def test_ones_own_connections_work_as_ever() -> None:
    async with (
        lab.serve(lab.echo) as server,
        lab.cable(server) as cable,
        connect(cable.url, proxy=None) as ws,
    ):
        await ws.send("Hello")
        assert await ws.recv() == "Hello"


@linux
@root
def test_without_a_hub_everybody_may_come() -> None:
    assert not on_hub()
    with listen(LOOPBACK, 0) as listener:
        command = [sys.executable, "-c", VISIT, str(OTHER), LOOPBACK]
        with subprocess.Popen(
            [*command, str(listener.getsockname()[1])], stdout=subprocess.PIPE, text=True
        ) as visitor:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"welcome")
            assert visitor.communicate(timeout=SECONDS)[0] == "7\n"


@pytest.mark.parametrize(
    ("variables", "url", "expected"),
    [
        ({}, "http://127.0.0.1:8765/?token=x", "http://127.0.0.1:8765/?token=x"),
        (
            {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"},
            "http://127.0.0.1:8765/green?token=x",
            "/user/ada/proxy/8765/green?token=x",
        ),
        (
            {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada@school/lab"},
            "ws://127.0.0.1:8765",
            "/user/ada@school/lab/proxy/8765/",
        ),
        (
            {
                "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/",
                "JUPYTERHUB_PUBLIC_URL": "https://hub.example/user/ada/",
            },
            "http://127.0.0.1:8765/",
            "https://hub.example/user/ada/proxy/8765/",
        ),
        (
            {"JUPYTERHUB_PUBLIC_URL": "https://hub.example/user/ada/"},
            "ws://127.0.0.1:8765/",
            "wss://hub.example/user/ada/proxy/8765/",
        ),
    ],
)
def test_the_address_of_a_page(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, expected: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert page_url(url) == expected
