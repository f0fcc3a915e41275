"""The rules of a notebook that can be checked without running it.

A rule is a function that yields what breaks it, so that each can be shown to fail: below the rules
stands, for every one of them, a notebook that breaks only that one.
"""

from __future__ import annotations

import ast
import copy
import re
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from record import ROOT, WIDGET_VIEW, is_fresh, normalise, notebooks, read, source_hash

MAX_PROSE_WORDS = 120
MAX_CODE_LINES = 20
LONG_CODE_LINES = 12
MAX_LONG_SHARE = 0.25
MAX_MEDIAN_LINES = 5
MAX_IGNORED_SHARE = 0.05
MIN_PREDICTIONS = 3

APPENDIX = 90  # numbers from here on are not part of the reading order
UNCHECKED_TAGS = {"nbval-ignore-output", "nbval-skip", "skip-execution"}
BLOCKING_CALLS = {"asyncio.run", "time.sleep"}
CODE_LINK = re.compile(r"\[[^\]\n]*`[^\]\n]*\]\(")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|<(?:img|a)\b[^>]*?\b(?:src|href)=[\"']([^\"']+)")
FIXED_PORT = re.compile(r"(?:127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1?\]):[1-9]\d*")
LOCAL_PATH = re.compile(r"(?:/home|/root|/Users|/tmp|/private|[A-Z]:\\+Users)[/\\]\S+")
CJK = re.compile(r"[\u3400-\u9fff]")

Problems = Iterator[str]


# Reading a notebook


def number(path: Path) -> int | None:
    """The NN in NN_topic.ipynb; the glossary has none."""
    return int(path.name[:2]) if re.match(r"\d\d_", path.name) else None


def is_lesson(path: Path) -> bool:
    return (nn := number(path)) is not None and nn < APPENDIX


def code_cells(nb: NotebookNode) -> list[tuple[int, NotebookNode]]:
    return [(i, cell) for i, cell in enumerate(nb.cells) if cell.cell_type == "code"]


def markdown_cells(nb: NotebookNode) -> list[tuple[int, NotebookNode]]:
    return [(i, cell) for i, cell in enumerate(nb.cells) if cell.cell_type == "markdown"]


def tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def prose(markdown: str) -> str:
    """What a reader reads as sentences: no code blocks, tables, images or link targets."""
    text = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^\s*\|.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"<table.*?</table>|<[^>]+>|!\[[^\]]*\]\([^)]*\)", "", text, flags=re.DOTALL)
    return re.sub(r"\]\([^)]*\)", "]", text)


def words(markdown: str) -> int:
    """Count words; two Chinese characters are about one."""
    text = prose(markdown)
    chinese = len(CJK.findall(text))
    return len(re.findall(r"\w[\w'’.-]*", CJK.sub(" ", text))) + (chinese + 1) // 2


def lines(source: str) -> int:
    return sum(1 for line in source.splitlines() if line.strip())


def parse(source: str) -> ast.Module:
    """The syntax tree of a cell, which may have magics and top-level await."""
    plain = TransformerManager().transform_cell(source)
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(plain, "<cell>", "exec", flags)
    assert isinstance(tree, ast.Module)
    return tree


def links(markdown: str) -> list[str]:
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", markdown, flags=re.DOTALL | re.MULTILINE)
    return [inline or attribute for inline, attribute in LINK.findall(text)]


def outputs_text(cell: NotebookNode) -> Iterator[str]:
    """Every text that a cell shows; tracebacks too."""
    for output in cell.outputs:
        yield from output.get("traceback", [])
        yield output.get("text", "")
        for mime, data in output.get("data", {}).items():
            if not mime.startswith("image/") and isinstance(data, str):
                yield data


# The rules: each takes a notebook and its path, and yields what breaks it


def has_a_title(nb: NotebookNode, path: Path) -> Problems:
    first = nb.cells[0] if nb.cells else None
    line = first.source.split("\n")[0] if first and first.cell_type == "markdown" else ""
    nn = path.name[:2]
    wanted = "# Topic" if number(path) is None else f"# {nn} · Topic"
    if not re.match(r"# \S" if number(path) is None else rf"# {nn} · \S", line):
        yield f"cell 0: starts with {line!r}, must be a markdown cell that starts with {wanted!r}"


def every_code_cell_was_run(nb: NotebookNode, path: Path) -> Problems:
    for count, (i, cell) in enumerate(code_cells(nb), start=1):
        if not cell.source.strip():
            yield f"cell {i}: is empty"
        elif cell.execution_count != count:
            yield f"cell {i}: execution count is {cell.execution_count}, must be {count}; record it"


def outputs_are_fresh(nb: NotebookNode, path: Path) -> Problems:
    if not is_fresh(nb):
        yield f"its code changed after its outputs were recorded: make record ARGS={path.stem}"


def metadata_is_minimal(nb: NotebookNode, path: Path) -> Problems:
    if "widgets" in nb.metadata:
        yield "saved widget state in the notebook's metadata; record it again"
        return
    plain = copy.deepcopy(nb)
    normalise(plain)
    if plain.metadata != nb.metadata:
        yield f"metadata has {sorted(nb.metadata)} or other values than record.py writes"
    for i, (cell, other) in enumerate(zip(nb.cells, plain.cells, strict=True)):
        if cell != other:
            yield f"cell {i}: metadata or outputs that record.py would drop: {dict(cell.metadata)}"


def no_path_of_this_machine_is_shown(nb: NotebookNode, path: Path) -> Problems:
    for i, cell in code_cells(nb):
        for text in outputs_text(cell):
            for found in [str(ROOT)] * (str(ROOT) in text) or LOCAL_PATH.findall(text):
                yield f"cell {i}: its output names a local path, {found}"


def setup_only_imports(nb: NotebookNode, path: Path) -> Problems:
    if not (cells := code_cells(nb)):
        return
    i, cell = cells[0]
    for node in parse(cell.source).body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            yield f"cell {i}: {ast.unparse(node)!r} in the setup cell, which only imports"


def prose_stands_before_code(nb: NotebookNode, path: Path) -> Problems:
    for i, cell in code_cells(nb):
        before = nb.cells[i - 1] if i else None
        if before is not None and before.source.startswith("predict("):
            continue  # a question is words enough
        if before is None or before.cell_type != "markdown" or not before.source.strip():
            yield f"cell {i}: code without a word before it, {cell.source[:40]!r}"


def prose_is_short(nb: NotebookNode, path: Path) -> Problems:
    for i, cell in markdown_cells(nb)[1:]:  # the opening may be longer
        if (count := words(cell.source)) > MAX_PROSE_WORDS:
            yield f"cell {i}: {count} words, limit {MAX_PROSE_WORDS}"


def code_is_short(nb: NotebookNode, path: Path) -> Problems:
    counts = {i: lines(cell.source) for i, cell in code_cells(nb)}
    for i, count in counts.items():
        if count > MAX_CODE_LINES:
            yield f"cell {i}: {count} lines of code, limit {MAX_CODE_LINES}"
    if not counts:
        return
    if (median := statistics.median(counts.values())) > MAX_MEDIAN_LINES:
        yield f"the median cell has {median:g} lines of code, limit {MAX_MEDIAN_LINES}"
    long = [i for i, count in counts.items() if count > LONG_CODE_LINES]
    if len(long) > MAX_LONG_SHARE * len(counts):
        yield (
            f"{len(long)} of {len(counts)} code cells have more than {LONG_CODE_LINES} lines "
            f"(cells {long}), limit {MAX_LONG_SHARE:.0%}"
        )


def nothing_blocks(nb: NotebookNode, path: Path) -> Problems:
    for i, cell in code_cells(nb):
        if "shows-bad-practice" in tags(cell):
            continue
        try:
            calls = [node for node in ast.walk(parse(cell.source)) if isinstance(node, ast.Call)]
        except SyntaxError as error:
            if "raises-exception" not in tags(cell):
                yield f"cell {i}: is no Python: {error}"
            continue
        for name in (ast.unparse(call.func) for call in calls):
            if name in BLOCKING_CALLS or name.endswith(".serve_forever"):
                yield f"cell {i}: {name}() in a cell that is not tagged shows-bad-practice"


def no_port_is_fixed(nb: NotebookNode, path: Path) -> Problems:
    for i, cell in code_cells(nb):
        if "shows-bad-practice" not in tags(cell):
            for found in FIXED_PORT.findall(cell.source):
                yield f"cell {i}: fixed port in {found!r}; serve on port 0 and use server.url"


def failures_are_deliberate(nb: NotebookNode, path: Path) -> Problems:
    for i, cell in code_cells(nb):
        fails = any(output.output_type == "error" for output in cell.outputs)
        said = "raises-exception" in tags(cell)
        if fails and not said:
            yield f"cell {i}: ends in an error without the tag raises-exception"
        if said and not fails:
            yield f"cell {i}: is tagged raises-exception and does not end in an error"
        if said and "nbval-check-output" not in tags(cell):
            yield f"cell {i}: is tagged raises-exception and must be tagged nbval-check-output too"


def links_lead_somewhere(nb: NotebookNode, path: Path) -> Problems:
    for i, cell in markdown_cells(nb):
        for link in links(cell.source):
            target = link.split("#")[0]
            if not target or re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue  # a heading of this page, or a web address
            if not (path.parent / target).exists():
                yield f"cell {i}: link to {link!r}, which does not exist"


def links_look_like_links(nb: NotebookNode, path: Path) -> Problems:
    """JupyterLab shows code in the colour of code, also where it is the text of a link."""
    for i, cell in markdown_cells(nb):
        for found in CODE_LINK.findall(cell.source):
            yield f"cell {i}: the text of the link {found!r} is code, write it without `"


def ends_with_navigation(nb: NotebookNode, path: Path) -> Problems:
    last = nb.cells[-1] if nb.cells else None
    found = links(last.source) if last and last.cell_type == "markdown" else []
    targets = {link.split("#")[0] for link in found}
    if not is_lesson(path):
        if not any(target.endswith(".ipynb") for target in targets):
            yield "the last cell must be prose with a link back to a lesson"
        return
    course = sorted(
        other.name for other in {path, *path.parent.glob("*.ipynb")} if is_lesson(other)
    )
    here = course.index(path.name)
    for neighbour in course[max(here - 1, 0) : here] + course[here + 1 : here + 2]:
        if neighbour not in targets:
            yield f"the last cell must be prose that links to {neighbour}, it has {sorted(targets)}"


def learners_predict(nb: NotebookNode, path: Path) -> Problems:
    if not is_lesson(path) or number(path) == 0:
        return
    count = sum(len(re.findall(r"\bPredict\b|\bpredict\(", cell.source)) for cell in nb.cells)
    if count < MIN_PREDICTIONS:
        yield f"{count} times 'Predict' or `predict(…)`, at least {MIN_PREDICTIONS} are needed"


def few_outputs_are_ignored(course: list[NotebookNode]) -> Problems:
    """Unlike the others, a rule for the whole course."""
    cells = [cell for nb in course for _, cell in code_cells(nb)]
    ignored = [cell for cell in cells if tags(cell) & UNCHECKED_TAGS or "NBVAL_" in cell.source]
    if len(ignored) > MAX_IGNORED_SHARE * len(cells):
        yield (
            f"the outputs of {len(ignored)} of {len(cells)} code cells are not compared, "
            f"limit {MAX_IGNORED_SHARE:.0%}: {[cell.source[:40] for cell in ignored]}"
        )


RULES = [
    has_a_title,
    every_code_cell_was_run,
    outputs_are_fresh,
    metadata_is_minimal,
    no_path_of_this_machine_is_shown,
    setup_only_imports,
    prose_stands_before_code,
    prose_is_short,
    code_is_short,
    nothing_blocks,
    no_port_is_fixed,
    failures_are_deliberate,
    links_lead_somewhere,
    links_look_like_links,
    ends_with_navigation,
    learners_predict,
]


# The notebooks keep the rules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_notebook(path, rule):
    found = list(rule(read(path), path))
    assert not found, "\n".join(f"{path.name}, {problem}" for problem in found)


def test_few_outputs_are_ignored_in_the_course():
    assert not list(few_outputs_are_ignored([read(path) for path in notebooks()]))


# Every rule can be broken


def lesson() -> NotebookNode:
    """A small lesson 02 that keeps every rule."""
    predictions = "**Predict** one. **Predict** two. **Predict** three."
    nb = new_notebook(
        cells=[
            new_markdown_cell("# 02 · Handshake"),
            new_code_cell("import asyncio", execution_count=1),
            new_markdown_cell(predictions),
            new_code_cell("1 / 0", execution_count=2, outputs=[error_output()]),
            new_markdown_cell("← [Start](00_start_here.ipynb) · [Framing](03_framing.ipynb) →"),
        ]
    )
    nb.cells[3].metadata["tags"] = ["raises-exception", "nbval-check-output"]
    return recorded(nb)


def recorded(nb: NotebookNode) -> NotebookNode:
    normalise(nb)
    nb.metadata.wslab["recorded"] = source_hash(nb)
    return nb


def error_output() -> NotebookNode:
    return new_output("error", ename="ZeroDivisionError", evalue="division by zero", traceback=[])


def shows(text: str) -> NotebookNode:
    return new_output("stream", name="stdout", text=text)


def add(nb: NotebookNode, *sources: str, **metadata: list[str]) -> None:
    """Insert code cells, each under a word of prose, before the last cell."""
    for source in sources:
        count = len(code_cells(nb)) + 1
        code = new_code_cell(source, execution_count=count, metadata=metadata)
        nb.cells[-1:-1] = [new_markdown_cell("Look."), code]


BREAKS: list[tuple[Callable[..., Problems], Callable[[NotebookNode], object]]] = [
    (has_a_title, lambda nb: nb.cells[0].update(source="# 03 · Handshake")),
    (has_a_title, lambda nb: nb.cells[0].update(source="Handshake")),
    (every_code_cell_was_run, lambda nb: nb.cells[3].update(execution_count=None)),
    (every_code_cell_was_run, lambda nb: nb.cells[3].update(execution_count=7)),
    (outputs_are_fresh, lambda nb: nb.metadata.update(wslab={"recorded": "of old"})),
    (metadata_is_minimal, lambda nb: nb.metadata.update(widgets={})),
    (metadata_is_minimal, lambda nb: nb.metadata.language_info.update(version="3.11.7")),
    (metadata_is_minimal, lambda nb: nb.cells[1].metadata.update(execution={})),
    (
        metadata_is_minimal,
        lambda nb: nb.cells[1].outputs.append(new_output("display_data", {WIDGET_VIEW: {}})),
    ),
    (
        no_path_of_this_machine_is_shown,
        lambda nb: nb.cells[1].outputs.append(shows("in /home/ada/x.py")),
    ),
    (
        no_path_of_this_machine_is_shown,
        lambda nb: nb.cells[1].outputs.append(shows(f"in {ROOT}")),
    ),
    (setup_only_imports, lambda nb: nb.cells[1].update(source="import asyncio\nx = 1")),
    (prose_stands_before_code, lambda nb: nb.cells.pop(0)),
    (prose_stands_before_code, lambda nb: nb.cells.insert(1, new_code_cell("import re"))),
    (prose_is_short, lambda nb: nb.cells[2].update(source=nb.cells[2].source + " word" * 120)),
    (prose_is_short, lambda nb: nb.cells[2].update(source=nb.cells[2].source + "字" * 240)),
    (code_is_short, lambda nb: add(nb, "x = 1\n" * 21)),
    (code_is_short, lambda nb: add(nb, *["x = 1\n" * 6] * 3)),
    (code_is_short, lambda nb: add(nb, "x = 1\n" * 13)),
    (nothing_blocks, lambda nb: add(nb, "asyncio.run(main())")),
    (nothing_blocks, lambda nb: add(nb, "async def f():\n    time.sleep(1)")),
    (nothing_blocks, lambda nb: add(nb, "await server.serve_forever()")),
    (nothing_blocks, lambda nb: add(nb, "await = 1")),
    (no_port_is_fixed, lambda nb: add(nb, "await connect('ws://localhost:8765')")),
    (failures_are_deliberate, lambda nb: nb.cells[3].metadata.update(tags=[])),
    (failures_are_deliberate, lambda nb: nb.cells[3].metadata.update(tags=["raises-exception"])),
    (failures_are_deliberate, lambda nb: nb.cells[3].update(outputs=[])),
    (links_lead_somewhere, lambda nb: nb.cells[2].update(source="[Predict](nowhere.ipynb)")),
    (links_lead_somewhere, lambda nb: nb.cells[2].update(source='<img src="nothing.png">')),
    (links_look_like_links, lambda nb: nb.cells[2].update(source="[the `x`](glossary.ipynb)")),
    (ends_with_navigation, lambda nb: nb.cells[4].update(source="The end.")),
    (ends_with_navigation, lambda nb: nb.cells[4].update(source="[Back](00_start_here.ipynb)")),
    (learners_predict, lambda nb: nb.cells[2].update(source="Predict once.")),
]


@pytest.fixture
def path(tmp_path) -> Path:
    """Where lesson 02 would be, among its neighbours."""
    for name in ("00_start_here", "02_handshake", "03_framing", "90_async_in_jupyter", "glossary"):
        (tmp_path / f"{name}.ipynb").touch()
    return tmp_path / "02_handshake.ipynb"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_notebook_keeps(path, rule):
    assert list(rule(lesson(), path)) == []


@pytest.mark.parametrize(
    ("rule", "spoil"), BREAKS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_bad_notebook_breaks(path, rule, spoil):
    nb = lesson()
    spoil(nb)
    assert list(rule(nb, path))


def test_every_rule_is_broken_somewhere():
    assert {rule for rule, _ in BREAKS} == set(RULES)


@pytest.mark.parametrize("tag", sorted(UNCHECKED_TAGS))
def test_too_many_ignored_outputs_are_found(tag):
    nb = lesson()
    add(nb, "now()", tags=[tag])
    assert list(few_outputs_are_ignored([nb]))
    add(nb, *["1"] * 17)
    assert not list(few_outputs_are_ignored([nb]))


def test_bad_practice_may_be_shown(path):
    nb = lesson()
    add(nb, "time.sleep(1); connect('ws://localhost:8765')", tags=["shows-bad-practice"])
    assert not [*nothing_blocks(nb, path), *no_port_is_fixed(nb, path)]


@pytest.mark.parametrize(
    ("markdown", "count"),
    [
        ("Two words.", 2),
        ("Don't count [the target](https://example.org/a/b) of links", 6),
        ("Before\n\n```\nignored code\n```\n\nafter", 2),
        ("| a | table |\n| - | - |\n\nis free", 2),
        ("握手 is handshake", 3),
    ],
)
def test_words(markdown, count):
    assert words(markdown) == count


@pytest.mark.parametrize("name", ["glossary", "90_async_in_jupyter"])
def test_an_appendix_needs_neither_neighbours_nor_predictions(path, name):
    nb = lesson()
    nb.cells[2].source = "No guess."
    there = path.with_name(f"{name}.ipynb")
    assert not [*ends_with_navigation(nb, there), *learners_predict(nb, there)]
