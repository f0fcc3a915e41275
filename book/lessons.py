"""Turn recorded notebooks into pages: questions before answers, widgets as pictures, buttons."""

from __future__ import annotations

import base64
import json
import re
import secrets
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sources

from wslab.exercises.copies import blank
from wslab.exercises.predictions.question import Question, questions

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
PICTURES = Path(__file__).resolve().parent / "pictures"
PREDICT = re.compile(r'^predict\("([\w.]+)"\)$')
WIDGET = "run this cell in JupyterLab"  # what a widget says of itself as text
NOTE = "This is a picture of it. Run the lesson to use it."

Cell = dict[str, Any]


@dataclass(frozen=True)
class Buttons:
    """What a reader can do with a lesson. repository: "owner/name" at GitHub, or ""."""

    has_lite: bool
    repository: str

    def row(self, name: str) -> str:
        """Return the buttons of a notebook, such as "exercises/03_framing", as HTML."""
        up, file = "../" * (name.count("/") + 1), f"{name}.ipynb"
        found = []
        if self.has_lite:
            found.append((f"{up}lite/lab/index.html?path={quote(file)}", "Run it in the page", ""))
        if self.repository:
            path = quote(f"lab/tree/notebooks/{file}", safe="")
            binder = f"https://mybinder.org/v2/gh/{self.repository}/main?urlpath={path}"
            found.append((binder, "Open it in Binder", ""))
        found.append((f"{up}downloads/{file}", "Download it", " download"))
        links = [f'<a href="{escape(url)}"{more}>{text}</a>' for url, text, more in found]
        return f'<p class="wslab-buttons">{" ".join(links)}</p>'


def names() -> list[str]:
    """The lessons in reading order, the glossary, and the student copies of the exercises."""
    found = [*sorted(NOTEBOOKS.glob("*.ipynb")), *sorted(NOTEBOOKS.glob("exercises/*.ipynb"))]
    return [path.relative_to(NOTEBOOKS).with_suffix("").as_posix() for path in found]


def write_all(pages: Path, buttons: Buttons) -> None:
    """Write every notebook as a page, and a copy without outputs to download."""
    for name in names():
        source = NOTEBOOKS / f"{name}.ipynb"
        page = pages / "notebooks" / f"{name}.ipynb"
        notebook = json.loads(source.read_text(encoding="utf-8"))
        notebook["cells"] = page_cells(notebook["cells"], name)
        first = notebook["cells"][0]
        title, _, rest = "".join(first["source"]).partition("\n")
        first["source"] = f"{title}\n\n{buttons.row(name)}\n{rest}"
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = sources.relink("".join(cell["source"]), source, pages)
        put(page, json.dumps(notebook, ensure_ascii=False))
        put(pages / "extra" / "downloads" / f"{name}.ipynb", blank(source))


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def page_cells(cells: list[Cell], name: str) -> list[Cell]:
    """Return a notebook's cells as the book shows them."""
    found: list[Cell] = []
    answers = explains = False  # whether this cell answers a question; whether it explains it
    for cell in cells:
        source = "".join(cell["source"])
        asked = PREDICT.match(source.strip())
        if cell["cell_type"] == "markdown":
            found += folded_prose(source) if explains else [markdown(source)]
            explains = False
        elif asked:
            found.append(markdown(question_text(questions()[asked[1]])))
            answers = True
        else:
            found.append(code(cell, name, folded=answers))
            explains, answers = answers, False
    return found


def markdown(source: str) -> Cell:
    return {"cell_type": "markdown", "id": secrets.token_hex(4), "metadata": {}, "source": source}


def question_text(question: Question) -> str:
    """Return a question with its choices; each opens to say why it is right or wrong."""
    choices = [
        f"<details><summary>\n\n{choice.text}\n\n</summary>\n\n"
        f"**{'Right' if choice.is_right else 'No'}.** {choice.why}\n\n</details>\n"
        for choice in question.choices
    ]
    text = f"**Predict:** {question.text}\n\n{''.join(choices)}"
    return f'<div class="wslab-question">\n\n{text}\n</div>'


def folded_prose(source: str) -> list[Cell]:
    """Fold the prose that explains an answer, up to the next heading."""
    parts = re.split(r"(?m)^(?=#{1,6} )", source, maxsplit=1)
    found = []
    if parts[0].strip():
        summary = "<summary>What this shows</summary>"
        found.append(markdown(f"<details>{summary}\n\n{parts[0].strip()}\n\n</details>"))
    return found + [markdown(part) for part in parts[1:]]


def code(cell: Cell, name: str, *, folded: bool) -> Cell:
    """Return a code cell: figures have their text, and widgets are pictures."""
    cell = {**cell, "metadata": dict(cell["metadata"])}
    texts = ["".join(one.get("data", {}).get("text/plain", "")) for one in cell["outputs"]]
    cell["outputs"] = [
        part
        for output, text in zip(cell["outputs"], texts, strict=True)
        for part in (picture(text, f"{name}-{cell['id']}") if WIDGET in text else [output])
    ]
    if any("image/png" in one.get("data", {}) for one in cell["outputs"]):
        alt = " ".join(text.partition("\n")[0].partition(WIDGET)[0] for text in texts)
        cell["metadata"]["mystnb"] = {"image": {"alt": alt.removeprefix("Figure: ").strip(" <:/")}}
    if folded:
        cell["metadata"]["tags"] = [*cell["metadata"].get("tags", []), "hide-output"]
    return cell


def picture(text: str, name: str) -> list[Cell]:
    """Return the outputs that stand for a widget: a screenshot of it, and how to use it."""
    path = PICTURES / f"{name}.png"
    if not path.exists():
        raise FileNotFoundError(
            f"there is no picture {path.name} of a widget; `python book/pictures.py` makes it"
        )
    image = base64.b64encode(path.read_bytes()).decode()
    note = {"text/html": f'<p class="wslab-note">{NOTE}</p>', "text/plain": NOTE}
    return [
        {"output_type": "display_data", "metadata": {}, "data": data}
        for data in ({"image/png": image, "text/plain": text}, note)
    ]
