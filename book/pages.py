"""The pages that are not notebooks: start, guide, cheat sheet, rooms of the package, changelog."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import lessons
import sources
from lessons import NOTEBOOKS, put

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
sys.path.append(str(NOTEBOOKS / "exercises"))

import cheatsheet  # noqa: E402  # a script beside the exercises, not a package

# Where a topic begins, by the number of its first lesson.
TOPICS = {
    0: "Begin here",
    2: "The protocol",
    5: "A page, a room, and connections that last",
    10: "Applications",
    90: "Appendix",
}
ROOMS = ("protocol", "net", "lab", "scratch", "kit", "browser", "apps", "exercises", "display")
COPIED = {
    "notebooks/exercises/TEACHING.md": "Teacher's guide",
    "notebooks/exercises/README.md": "About the exercises",
    "notebooks/exercises/grading/README.md": "Grading",
    "CONTRIBUTING.md": "Contributing",
    "CHANGELOG.md": "Changelog",
}


def write_all(pages: Path) -> None:
    """Write all pages below a folder. The lessons must be there already."""
    for name in COPIED:
        put(pages / name, "")  # so that links find them
    for name in COPIED:
        text = (ROOT / name).read_text(encoding="utf-8")
        put(pages / name, sources.relink(text, ROOT / name, pages))
    put(pages / "cheat_sheet.md", cheat_sheet())
    cheatsheet.write(pages / "extra" / "cheatsheet.html")
    for room in ROOMS:
        put(pages / "package" / f"{room}.md", room_page(room, pages))
    put(pages / "index.md", start_page())


def start_page() -> str:
    """Return the start page, with the contents by topic."""
    text = (HERE / "index.md").read_text(encoding="utf-8")
    found = lessons.names()
    numbers = [int(name[:2]) for name in found if name[:2].isdigit()]
    trees = []
    for first, topic in TOPICS.items():
        after = min((one for one in TOPICS if one > first), default=100)
        chosen = [f"{number:02}" for number in numbers if first <= number < after]
        entries = [f"{heading(name)} <notebooks/{name}>" for name in found if name[:2] in chosen]
        if topic == "Appendix":
            entries.append("Glossary <notebooks/glossary>")
        trees.append(tree(topic, entries, hidden=False))
    exercises = [name for name in found if name.startswith("exercises/")]
    entries = ["notebooks/exercises/README"]
    entries += [f"{heading(name)} <notebooks/{name}>" for name in exercises]
    trees.append(tree("Exercises", entries))
    guides = [f"{title} <{name.removesuffix('.md')}>" for name, title in COPIED.items()]
    rooms = [f"wslab.{room} <package/{room}>" for room in ROOMS]
    trees.append(tree("To teach and to look up", [guides[0], "cheat_sheet", *guides[2:3]]))
    trees.append(tree("The package", [*rooms, *guides[3:]]))
    return text + "\n" + "\n".join(trees)


def tree(caption: str, entries: list[str], *, hidden: bool = True) -> str:
    lines = "\n".join(entries)
    options = f":caption: {caption}\n:maxdepth: 1\n" + ":hidden:\n" * hidden
    return f"```{{toctree}}\n{options}\n{lines}\n```\n"


def heading(name: str) -> str:
    """Return a notebook's title, with its minutes where it states them."""
    notebook = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))
    first = "".join(notebook["cells"][0]["source"])
    title = first.partition("\n")[0].removeprefix("# ")
    minutes = re.search(r"(\d+) minutes", first)
    return f"{title} ({minutes[1]} min)" if minutes and "/" not in name else title


def cheat_sheet() -> str:
    """Return the cheat sheet as a page; its tables are HTML."""
    body = re.search(r"(?s)<main>(.*)</main>", cheatsheet.page())
    assert body is not None
    html = re.sub(r"(?s)<h1>.*?</h1>", "", body[1])
    html = re.sub(r"</?section>", "", html)
    parts = [part.strip() for part in re.split(r"(?s)(<h2>.*?</h2>)", html)]
    lines = [title(part) if part.startswith("<h2>") else raw(part) for part in parts if part]
    first = 'All of it fits on two pages: <a href="cheatsheet.html">the version to print</a>.'
    return "# Cheat sheet\n\n" + "\n\n".join([first, *lines]) + "\n"


def title(html: str) -> str:
    """Return a heading of the sheet; its small print stands behind a dot."""
    return "## " + re.sub(r"<[^>]*>", "", html.replace("<small>", "· "))


def raw(html: str) -> str:
    box = f'<div class="wslab-scroll" tabindex="0">{html}</div>'
    return f"```{{raw}} html\n{box}\n```"


def room_page(room: str, pages: Path) -> str:
    """Return the page of a room: what its docstrings say, module by module."""
    folder = ROOT / "wslab" / room
    parts = []
    for path in sorted(folder.rglob("*.py"), key=lambda path: (path.parent, path.name)):
        place = path.relative_to(ROOT)
        module = ".".join(place.with_suffix("").parts).removesuffix(".__init__")
        if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None:
            continue
        page = "../" + sources.page_of(place, pages).as_posix()
        head = "" if module == f"wslab.{room}" else f"## {module}\n\n"
        parts.append(
            f'{head}<a href="{page}">{place.as_posix().replace("_", "&#95;")}</a>\n\n'
            f"```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n"
            f"   :ignore-module-all:\n   :member-order: bysource\n```\n"
        )
    return f"# wslab.{room}\n\n" + "\n".join(parts)
