"""The door of the chat checks a page's `Origin` and a room's token, and serves the page's files."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, unquote

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from wslab.apps.chat.texts import PAGES, Language
from wslab.lab.servers.origin import PAGE_HEADERS, Origins
from wslab.protocol.http import split_target

__all__ = ["Admission", "is_room", "room_of", "token_of"]

PAGE = Path(__file__).parent / "page"
# The folders that /static/ looks into, in this order
MODULES = (PAGE, *(Path(__file__).parents[2] / room for room in ("browser", "kit/js")))
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
}


def is_room(name: str) -> bool:
    """Tell whether a room other than the main one can have this name."""
    return re.fullmatch(r"[\w-]{1,40}", name) is not None


def room_of(path: str) -> str | None:
    """Return the name of the room in a request's path, "" for the main one.

    Returns None for other paths. A name is one segment of 1 to 40 letters, digits, - or _.

    >>> room_of("/"), room_of("/green?token=x"), room_of("/a/b")
    ('', 'green', None)
    """
    name = unquote(split_target(path)[0]).removeprefix("/")
    return name if name == "" or is_room(name) else None


def token_of(path: str) -> str:
    """Return the `token` in the query of a request's path, or "".

    >>> token_of("/green?token=Q7")
    'Q7'
    """
    return parse_qs(split_target(path)[1]).get("token", [""])[0]


class Admission:
    """The rules for requests before they become connections.

    origins: pages that are welcome besides this machine's, as "https://hub.example".
    token: the value that the query must have as `token`; None admits everybody.
    language: the page's.
    """

    def __init__(
        self,
        origins: Iterable[str] = (),
        *,
        token: str | None = None,
        language: Language = "en",
    ) -> None:
        self._language, self._texts = language, PAGES[language]
        self.origins = Origins(origins)
        self.token = token

    def refusal(self, request: Request) -> tuple[str, str] | None:
        """Return the reason to refuse a WebSocket, as a code and a text; None if it may come."""
        host = "".join(request.headers.get_all("Host"))
        for origin in request.headers.get_all("Origin"):
            if not self.origins.welcomes(origin, host):
                return "origin", self.origins.explain(origin)
        if not self._has_token(request.path):
            return "token", self._texts["token"]
        return None

    def answer(self, request: Request) -> Response | None:
        """Answer a plain HTTP request with a file; None if it asks for a WebSocket."""
        if "websocket" in ",".join(request.headers.get_all("Upgrade")).lower():
            return None
        path = unquote(split_target(request.path)[0])
        if path.startswith("/static/"):
            return _file(path.removeprefix("/static/"))
        if room_of(request.path) is None:
            return _text(HTTPStatus.NOT_FOUND, self._texts["not_found"])
        if not self._has_token(request.path):
            return _text(HTTPStatus.FORBIDDEN, self._texts["token"])
        return self._page()

    def _page(self) -> Response:
        page = Template((PAGE / "index.html").read_text(encoding="utf-8"))
        text = page.substitute(self._texts, language=self._language)
        return _response(HTTPStatus.OK, "text/html; charset=utf-8", text.encode())

    def _has_token(self, path: str) -> bool:
        return self.token is None or hmac.compare_digest(
            token_of(path).encode(errors="replace"), self.token.encode()
        )


def _file(name: str) -> Response:
    suffix = Path(name).suffix
    if re.fullmatch(r"[\w-]+(\.[\w-]+)+", name) and suffix in TYPES:  # without a way to folders
        for folder in MODULES:
            if (path := folder / name).is_file():
                return _response(HTTPStatus.OK, TYPES[suffix], path.read_bytes())
    return _text(HTTPStatus.NOT_FOUND, f"There is no file {name!a:.100} here.\n")


def _text(status: HTTPStatus, text: str) -> Response:
    return _response(status, "text/plain; charset=utf-8", text.encode())


def _response(status: HTTPStatus, kind: str, body: bytes) -> Response:
    headers = Headers(
        {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Connection": "close",  # the library serves only one HTTP request on a connection
            "Cache-Control": "no-cache",
            **PAGE_HEADERS,
        }
    )
    return Response(status.value, status.phrase, headers, body)
