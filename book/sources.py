"""Links from the book into the repository: every file that is linked becomes a page."""

from __future__ import annotations

import os
import re
from html import escape
from pathlib import Path

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\[((?:[^\]`]|`[^`]*`)*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
STYLE = (
    ":root { color-scheme: light dark; } body { font: 16px sans-serif; margin: 1rem; }\n"
    "pre { font-size: 14px; overflow-x: auto; }\n"
    "h1 { font-size: 1.3rem; overflow-wrap: anywhere; }\n"
    + HtmlFormatter(style="a11y-high-contrast-light").get_style_defs()
    + "\n@media (prefers-color-scheme: dark) {\n"
    + HtmlFormatter(style="a11y-high-contrast-dark").get_style_defs()
    + "\n}\n"
)


def relink(text: str, file: Path, pages: Path) -> str:
    """Let the links of a Markdown text lead to pages of the book.

    file: where the text stands in the repository; the page has the same place below `pages`.
    Raises FileNotFoundError for a link to a file that does not exist.
    """
    page = (pages / file.relative_to(ROOT)).parent

    def found(match: re.Match[str]) -> str:
        target = (file.parent / match[2]).resolve()
        if target.is_dir():
            target = target / "README.md"
        if not target.exists():
            raise FileNotFoundError(f"{file.relative_to(ROOT)} links to {match[2]}: no such file")
        place = target.relative_to(ROOT)
        if target.suffix == ".ipynb" or (pages / place).exists():
            return f"[{match[1]}]({os.path.relpath(pages / place, page)}{match[3] or ''})"
        url = os.path.relpath(pages / page_of(place, pages), page)
        return f'<a href="{url}{match[3] or ""}">{match[1]}</a>'

    return LINK.sub(found, text)


def page_of(place: Path, pages: Path) -> Path:
    """Write the page of a source file; return its path below `pages`.

    place: the file's path in the repository. Line 7 has the id "L-7".
    """
    page = Path("source") / f"{place.as_posix()}.html"
    text = (ROOT / place).read_text(encoding="utf-8")
    try:
        lexer = get_lexer_for_filename(place.name)
    except ClassNotFound:
        lexer = TextLexer()
    name = escape(place.as_posix())
    html = highlight(text, lexer, HtmlFormatter(linenos="inline", lineanchors="L", wrapcode=True))
    to = pages / "extra" / page
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{name}</title><style>{STYLE}</style></head>\n"
        f'<body><main><p><a href="{"../" * len(place.parts)}index.html">WebSocket, byte by byte</a>'
        f"</p><h1>{name}</h1>\n{html}</main></body></html>\n",
        encoding="utf-8",
        newline="\n",
    )
    return page
