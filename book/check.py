"""Do the links of a built site lead anywhere? Files, and places inside a page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

OWN = ("lite", "_static")  # an application with tests of its own; the theme's templates


class Page(HTMLParser):
    """What a page links to, and the ids it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.links.append(value)
            elif name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value or "")


def broken_links(site: Path) -> list[str]:
    """Return the links that lead to no file of the site, or to no id of a page."""
    files = [path for path in site.rglob("*.html") if path.relative_to(site).parts[0] not in OWN]
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in files}
    wrong = []
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            fragment = unquote(parts.fragment)
            if not target.exists():
                wrong.append(f"{path.relative_to(site.resolve())}: {link}: no such file")
            elif fragment and target in pages and fragment not in pages[target].ids:
                wrong.append(f"{path.relative_to(site.resolve())}: {link}: no such place")
    return wrong
