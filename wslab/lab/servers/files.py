"""The files of a page, from the port of the WebSocket server that the page talks to.

The library calls `process_request` with every request. A request that asks for no upgrade gets one
of these answers, and then the connection ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from string import Template

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from wslab.lab.servers.origin import PAGE_HEADERS, POLICY
from wslab.protocol.http import split_target

__all__ = ["HTML", "PageFiles", "body_response", "file_response", "folders_of", "is_upgrade"]
__all__ += ["text_response"]

HTML = "text/html; charset=utf-8"
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
}


def folders_of(page: Path) -> tuple[Path, ...]:
    """Return where a page's modules are: its own folder, then those that all pages share."""
    return (page, *(Path(__file__).parents[2] / room for room in ("browser", "kit/js")))


def is_upgrade(request: Request) -> bool:
    """Tell whether a request asks for a WebSocket (RFC 6455 §4.1)."""
    return "websocket" in ",".join(request.headers.get_all("Upgrade")).lower()


def file_response(name: str, folders: Sequence[Path]) -> Response:
    """Answer with the first file of this name; 404 for a name with a folder, or of another type."""
    suffix = Path(name).suffix
    if re.fullmatch(r"[\w-]+(\.[\w-]+)+", name) and suffix in TYPES:  # no folders: no way out
        for folder in folders:
            if (path := folder / name).is_file():
                return body_response(TYPES[suffix], path.read_bytes())
    return text_response(HTTPStatus.NOT_FOUND, f"There is no file {name!a:.100} here.\n")


def text_response(status: HTTPStatus, text: str) -> Response:
    """Answer with a line of text."""
    return body_response("text/plain; charset=utf-8", text.encode(), status)


def body_response(kind: str, body: bytes, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answer with these bytes. kind: their `Content-Type`."""
    headers = Headers(
        {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Connection": "close",  # the library speaks WebSocket, not HTTP: one file at a time
            "Cache-Control": "no-cache",
            **PAGE_HEADERS,
        }
    )
    return Response(status.value, status.phrase, headers, body)


class PageFiles:
    """A page and its modules, from the port of the server that the page talks to.

    folder: has the page's own modules. If it has no `index.html`, the page is the one that all
    applications share (`wslab/browser/index.html`), which shows `app.js` in the style of `app.css`.
    texts: stand in the page in place of their names, such as `$title`.
    policy: a text in our Content-Security-Policy, and what this page has in its place.
    """

    def __init__(
        self,
        folder: Path,
        texts: Mapping[str, str] | None = None,
        *,
        policy: tuple[str, str] | None = None,
    ) -> None:
        self.folders, self.texts, self.policy = (
            folders_of(folder),
            texts or {},
            PAGE_HEADERS[POLICY],
        )
        if policy is not None:
            self.policy = self.policy.replace(*policy)

    def answer(self, _connection: object, request: Request) -> Response | None:
        """Answer a request that asks for no WebSocket; for the option `process_request`."""
        if is_upgrade(request):
            return None
        path = split_target(request.path)[0]
        return self.page() if path == "/" else self.file(path)

    def file(self, path: str) -> Response:
        """Answer with a module, or another file beside the page; its path begins with /static/."""
        return file_response(path.removeprefix("/static/"), self.folders)

    def page(self) -> Response:
        """Answer with the page."""
        files = (folder / "index.html" for folder in self.folders)
        text = next(file for file in files if file.is_file()).read_text(encoding="utf-8")
        page = body_response(HTML, Template(text).safe_substitute(self.texts).encode())
        del page.headers[POLICY]
        page.headers[POLICY] = self.policy
        return page
