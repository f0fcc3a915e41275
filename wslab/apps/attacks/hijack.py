"""A shop with accounts, and a page of somebody else: cross-site WebSocket hijacking, for real.

A browser adds the cookies that it has for a host to every handshake with it, whichever page of the
same site asked. For a page of another site it adds those that allow it (`SameSite=None`), if it
has such cookies there: Firefox and Safari do not, by default. Unlike `fetch`, WebSocket knows no
CORS: nothing keeps the page from reading what comes. Only the server can: it looks at the Origin.
Source: RFC 6455 §10.2.

The two pages are on one host and differ in their ports. That makes them two origins, but one site:
cookies ignore ports, and `SameSite` ignores them too. So it is with sub-domains.
"""

from __future__ import annotations

import json

from aiohttp import web
from websockets.asyncio.server import ServerConnection

from wslab.lab.peers import page_url

__all__ = ["ACCOUNTS", "COOKIE", "account", "evil_page", "session_of", "shop_page"]

COOKIE = "wslab_shop"  # cookies ignore ports: no other program's on this machine has this name
LIFETIME = 600  # seconds until the browser forgets it

ACCOUNTS = {"s3cr3t-of-ana": "Ana has 1,234.50"}  # by session, what the shop knows

PAGE = """<!doctype html>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>:root {{ color-scheme: light dark; font: 1.2rem sans-serif; margin: 2rem }}</style>
<h1>{title}</h1>
<p>{text}
<p><output></output>
<script>
  const socket = new WebSocket(new URL({url}, location.href.replace("http", "ws")));
  const show = (text) => document.querySelector("output").textContent += text + " ";
  socket.onmessage = (event) => show(event.data);
  socket.onclose = (event) => show("[closed: " + event.code + "]");
</script>
"""


def session_of(connection: ServerConnection) -> str | None:
    """Return the shop's cookie that the browser sent, None if there is none."""
    header = connection.request.headers.get("Cookie", "") if connection.request else ""
    # Other programs' cookies come along, in whatever form: only ours is read (RFC 6265 §5.4).
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return next((value for name, _, value in pairs if name == COOKIE and value), None)


async def account(connection: ServerConnection) -> None:
    """Tell who has the cookie what is in the account: a handler, and a careless one."""
    known = ACCOUNTS.get(session_of(connection) or "")
    if known is None:
        await connection.close(3000, "no session")  # 3000 is registered as "Unauthorized"
        return
    await connection.send(known)
    await connection.wait_closed()


def _page(title: str, text: str, socket_url: str, cookie: str | None) -> web.Application:
    url = json.dumps(page_url(socket_url)).replace("<", "\\u003c")  # it stands within a script
    page = PAGE.format(title=title, text=text, url=url)

    async def get(_request: web.Request) -> web.Response:
        response = web.Response(text=page, content_type="text/html")
        if cookie is not None:
            response.set_cookie(COOKIE, cookie, max_age=LIFETIME, httponly=True, samesite="Lax")
        return response

    app = web.Application()
    app.router.add_get("/", get)
    return app


def shop_page(socket_url: str) -> web.Application:
    """Make the shop: its page logs Ana in by a cookie, and shows her account; for `serve_app`."""
    session = next(iter(ACCOUNTS))
    return _page("The shop", "Welcome back, Ana. Your account:", socket_url, session)


def evil_page(socket_url: str) -> web.Application:
    """Make a page of another origin, whose script opens the shop's WebSocket; for `serve_app`."""
    return _page("You have won!", "And this page has learned:", socket_url, None)
