"""The door of the chat checks a page's `Origin` and a room's token, and serves the page's files."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, unquote

from websockets.http11 import Request, Response

from wslab.apps.chat.texts import PAGES, Language
from wslab.lab.servers.files import PageFiles, is_upgrade, text_response
from wslab.lab.servers.origin import Origins
from wslab.protocol.http import split_target

__all__ = ["Admission", "is_room", "room_of", "token_of"]

PAGE = Path(__file__).parent / "page"


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
        self._texts = PAGES[language]
        self._files = PageFiles(PAGE, {**self._texts, "language": language})
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
        if is_upgrade(request):
            return None
        path = unquote(split_target(request.path)[0])
        if path.startswith("/static/"):
            return self._files.file(path)
        if room_of(request.path) is None:
            return text_response(HTTPStatus.NOT_FOUND, self._texts["not_found"])
        if not self._has_token(request.path):
            return text_response(HTTPStatus.FORBIDDEN, self._texts["token"])
        return self._files.page()

    def _has_token(self, path: str) -> bool:
        return self.token is None or hmac.compare_digest(
            token_of(path).encode(errors="replace"), self.token.encode()
        )
