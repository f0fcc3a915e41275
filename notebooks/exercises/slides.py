"""Make slides of a lesson: one HTML file that needs no network.

    python notebooks/exercises/slides.py 03_framing [FILE]     FILE is 03_framing.slides.html

Right and left go forward and back, Home and End to the first and last slide. What a cell prints
appears with one more step, so that the class predicts it first. The lesson itself is not changed.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

NOTEBOOKS = Path(__file__).resolve().parents[1]
SHORT = 350  # characters of prose that stay on the slide with the code that they introduce
NAVIGATION = re.compile(r"\*\*(Further reading|Previous|Next|Back to)[:*]")
LINK = re.compile(r"\[((?:[^\]`]|`[^`]*`)*)\]\((?!https?:)[^)\s]*\)")

STYLE = """
:root { --jp-content-font-size1: 21px; --jp-code-font-size: 18px; --jp-content-line-height: 1.45; }
html, body.jp-Notebook { height: 100%; margin: 0; padding: 0; overflow: hidden; }
main { height: 100%; }
main section { display: none; height: 100%; overflow: auto; box-sizing: border-box; }
main section { padding: 2.5vh 4vw; outline: none; }
main section.now { display: flex; }
main section > div { margin: auto; width: 100%; }
.jp-InputPrompt, .jp-OutputPrompt, .jp-Cell .jp-Collapser { display: none; }
.jp-OutputArea-output table { font-size: 18px !important; }
.later { visibility: hidden; }
#place { position: fixed; right: 1vw; bottom: 1vh; font: 14px sans-serif; color: #595959; }
@media print { main section { display: block; break-after: page; height: auto; }
  .later { visibility: visible; } #place { display: none; } html, body { overflow: visible; } }
"""

SCRIPT = """
const SMALLEST = 0.5, main = document.querySelector("main"), place = document.createElement("div");
place.id = "place";
document.body.append(place);
for (const [index, cell] of [...main.querySelectorAll(".jp-Cell")].entries()) {
  if (BEGINS[index]) {
    const section = document.createElement("section");
    section.tabIndex = 0;
    section.append(document.createElement("div"));
    main.append(section);
  }
  main.querySelector("section:last-of-type > div").append(cell);
  cell.querySelector(".jp-Cell-outputWrapper")?.classList.add("later");
}
const slides = [...main.querySelectorAll("section")];
let at = 0;
function fit(slide) {  // what is too high is shown smaller, and scrolls if it would be too small
  const content = slide.firstChild, wide = Math.min(innerWidth / 1280, innerHeight / 720);
  for (let scale = 1; scale >= SMALLEST; scale -= 0.05) {
    content.style.zoom = wide * scale;
    if (slide.scrollHeight <= slide.clientHeight && slide.scrollWidth <= slide.clientWidth) return;
  }
}
function show(number, whole) {
  at = Math.max(0, Math.min(number, slides.length - 1));
  slides.forEach((slide, index) => slide.classList.toggle("now", index === at));
  const outputs = slides[at].querySelectorAll(".jp-Cell-outputWrapper");
  outputs.forEach((output) => output.classList.toggle("later", !whole));
  place.textContent = `${at + 1} / ${slides.length}`;
  fit(slides[at]);
  slides[at].scrollTop = 0;
  history.replaceState(null, "", `#${at + 1}`);
}
function forward() {
  const hidden = slides[at].querySelector(".later");
  if (hidden) hidden.classList.remove("later");
  else if (at < slides.length - 1) show(at + 1, false);
}
const KEYS = {
  ArrowRight: forward, PageDown: forward, " ": forward,
  ArrowLeft: () => show(at - 1, true), PageUp: () => show(at - 1, true),
  Home: () => show(0, false), End: () => show(slides.length - 1, true),
};
addEventListener("keydown", (event) => {
  if (event.target.closest("summary, a, button") || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
addEventListener("resize", () => fit(slides[at]));
addEventListener("toggle", () => fit(slides[at]), true);
show(Number(location.hash.slice(1) || 1) - 1, false);
"""


def divided(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Return the cells to show: a heading begins a cell; imports and navigation are left out."""
    found = []
    for cell in cells:
        if cell.cell_type == "code":
            found += [cell] * (not only_imports(cell.source))
            continue
        pieces = re.split(r"(?m)^(?=#{1,3} )", LINK.sub(r"\1", cell.source))
        found += [
            new_markdown_cell(piece.strip())
            for piece in pieces
            if piece.strip() and not NAVIGATION.match(piece.strip())
        ]
    return found


def only_imports(source: str) -> bool:
    """Tell whether a cell does nothing but import; one with `%` or `!` does more."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return False
    return all(isinstance(one, ast.Import | ast.ImportFrom) for one in body)


def begins_slide(cells: list[NotebookNode]) -> list[bool]:
    """Tell for each cell whether a slide begins with it: code stays with a short introduction."""
    found, is_short = [], False
    for cell in cells:
        if cell.cell_type == "code":
            found.append(not is_short)
            is_short = False
        else:
            found.append(True)
            is_short = len(cell.source) <= SHORT
    return found


def deck(notebook: NotebookNode) -> str:
    """Return a lesson as slides."""
    cells = divided(notebook.cells)
    begins = json.dumps(begins_slide(cells))
    exporter = HTMLExporter(
        template_name="lab", exclude_anchor_links=True, require_js_url="", mathjax_url=""
    )
    html, _ = exporter.from_notebook_node(nbformat.from_dict({**notebook, "cells": cells}))
    html = re.sub(r"(?s)<script\b.*?</script>", "", html)  # they would be fetched
    html = html.replace("</head>", f"<style>{STYLE}</style></head>")
    return html.replace("</body>", f"<script>const BEGINS = {begins};{SCRIPT}</script></body>")


def main(name: str, target: str = "") -> None:
    path = Path(target or f"{name}.slides.html")
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    path.write_text(deck(notebook), encoding="utf-8", newline="\n")
    print(f"{path}: open it in a browser; the arrow keys go on and back")


if __name__ == "__main__":
    main(*sys.argv[1:])
