"""A shop with accounts, and a stranger's page that does cross-site WebSocket hijacking, for real.

A browser adds its cookies for a host to every handshake with that host, for any page of the same
site. For a page of a different site it adds only cookies that allow it (`SameSite=None`), and
Firefox and Safari do not even do that, by default. Unlike `fetch`, WebSocket has no CORS, so
nothing keeps the page from reading the messages. Only the server can, by a look at the Origin.
Source: RFC 6455 §10.2.

The two pages are on one host and differ in their ports. So they are two origins, but one site,
because cookies ignore ports, and so does `SameSite`. Sub-domains of a site behave in the same way.
"""

from __future__ import annotations

import json

from aiohttp import web
from websockets.asyncio.server import ServerConnection

from wslab.lab.peers import page_url

__all__ = ["ACCOUNTS", "COOKIE", "account", "evil_page", "session_of", "shop_page"]

COOKIE = "wslab_shop"  # cookies ignore ports, so the name must differ from all other programs'
LIFETIME = 600  # seconds until the browser forgets it

ACCOUNTS = {"s3cr3t-of-ana": "Ana has 1,234.50"}  # the shop's accounts, by session

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
    # Other programs' cookies come along, in any form. Only ours is read (RFC 6265 §5.4).
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return next((value for name, _, value in pairs if name == COOKIE and value), None)


async def account(connection: ServerConnection) -> None:
    """Send the account to any client with the cookie. This handler is careless."""
    known = ACCOUNTS.get(session_of(connection) or "")
    if known is None:
        await connection.close(3000, "no session")  # 3000 is registered as "Unauthorized"
        return
    await connection.send(known)
    await connection.wait_closed()


def _page(title: str, text: str, socket_url: str, cookie: str | None) -> web.Application:
    url = json.dumps(page_url(socket_url)).replace("<", "\\u003c")  # because it is in a script
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
    """Make the shop, for `serve_app`. Its page logs Ana in by a cookie, and shows her account."""
    session = next(iter(ACCOUNTS))
    return _page("The shop", "Welcome back, Ana. Your account:", socket_url, session)


def evil_page(socket_url: str) -> web.Application:
    """Make a page of a different origin, for `serve_app`. Its script opens the shop's WebSocket."""
    return _page("You have won!", "And this page has learned:", socket_url, None)
