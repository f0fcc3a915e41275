"""From what happens in a check to a verdict, to what a learner sees, to what is kept."""

from __future__ import annotations

import asyncio
import atexit
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from run_all import as_a_learner
from traitlets.config import Config

import wslab
from wslab.display import exercises as html
from wslab.display import install
from wslab.exercises import NotAttempted, NotSolved, check, grid, progress
from wslab.exercises.conformance.grid import run_grid
from wslab.exercises.engine import journal
from wslab.exercises.engine.task import TaskSet
from wslab.exercises.engine.trial import Late, Trial, shown
from wslab.exercises.engine.verdict import Outcome, Verdict, Wrong
from wslab.exercises.predictions import questions
from wslab.lab.loop import process_global

from .tools import SETS, solutions, student_copy

DEMO = TaskSet("demo", "99_demo")
HINTS = ("a nudge", "nearly all")


def demo(body: Any, **options: Any) -> Any:
    """Return a task whose check is this function."""
    about = {"title": "Try", "level": 2, "section": "RFC 6455 §5", "hints": HINTS, "takes": ("x",)}
    return DEMO.task(**{**about, **options})(body)


def echoes(trial: Trial, answer: Any) -> None:
    trial.same(trial.call(answer, b"abc"), b"abc", "not what went in")


echo = demo(echoes)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A real shell; what the whole process keeps is put back afterwards."""
    for name in ("hooks", "wakeup"):
        process_global(name, dict[str, Any])
        monkeypatch.setitem(vars(sys.modules["_wslab_kept"]), name, {})
    made = InteractiveShell(config=Config(HistoryManager={"enabled": False}))
    yield made
    made.atexit_operations()
    atexit.unregister(made.atexit_operations)


# Verdicts


def test_solved_is_a_value() -> None:
    assert repr(echo(lambda x: x)) == "✓ solved: demo.echoes ★★ (RFC 6455 §5)"


def test_wrong_bytes_show_the_first_that_differs() -> None:
    with pytest.raises(NotSolved) as caught:
        echo(lambda x: b"aXc")
    assert str(caught.value).splitlines() == [
        "✗ wrong: demo.echoes ★★ (RFC 6455 §5)",
        "not what went in",
        '  tried: <lambda>(bytes.fromhex("61 62 63"))',
        "  expected: 62 at byte 1 (… 61 62 63 …), 3 bytes in all",
        "  got: 58 at byte 1 (… 61 58 63 …), 3 bytes in all",
        "  stuck? check.demo.echoes.hint(1)",
    ]


@pytest.mark.parametrize(("got", "says"), [(b"ab", "nothing at byte 2"), (b"abcd", "64 at byte 3")])
def test_bytes_that_are_missing_or_too_many(got: bytes, says: str) -> None:
    assert says in repr(echo.judge(lambda x: got))


def test_its_own_exceptions_are_shown_as_its_own() -> None:
    def own(x: bytes) -> bytes:
        raise LookupError("mine")

    text = repr(echo.judge(own))
    assert text.startswith("✗ your code raised: demo.echoes")
    assert "LookupError: mine" in text
    assert 'raise LookupError("mine")' in text
    assert "wslab/" not in text


def test_an_exception_of_ours_is_not_called_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wslab.exercises.engine.task.own_frames", lambda traceback: [])
    verdict = echo.judge(lambda x: 1 / 0)
    assert verdict.outcome is Outcome.WRONG
    assert "the check cannot use this answer: ZeroDivisionError" in verdict.message


def test_a_context_that_is_ours_is_not_shown() -> None:
    def scenario(trial: Trial, answer: Any) -> None:
        async def run() -> None:
            trial.raised.append(ValueError("theirs"))
            raise Wrong("follows from that")

        trial.run(run())

    assert "theirs" in repr(demo(scenario).judge(lambda x: x))


def test_late_is_timed_out() -> None:
    def late(trial: Trial, answer: Any) -> None:
        raise Late("no answer within 1 s")

    verdict = demo(late).judge(lambda x: x)
    assert (verdict.outcome, verdict.message) == (Outcome.TIMED_OUT, "no answer within 1 s")


def test_a_loop_that_waits_is_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wslab.exercises.engine.bounded.is_own", lambda filename: False)

    def waits(trial: Trial, answer: Any) -> None:
        async def forever() -> None:
            await asyncio.Event().wait()

        trial.run(forever())

    verdict = demo(waits).judge(lambda x: x, seconds=0.2)
    assert verdict.outcome is Outcome.TIMED_OUT
    assert "still running" not in repr(verdict)


def test_what_it_printed_is_in_the_verdict() -> None:
    def prints(x: bytes) -> bytes:
        print("hello\nthere")
        return x

    assert "it printed:\n    hello\n    there" in repr(echo.judge(prints))


def test_the_seed_draws_the_cases() -> None:
    seen: list[float] = []
    task = demo(lambda trial, answer: seen.append(trial.rng.random()))
    for seed in (0, 0, 1):
        task.judge(lambda x: x, seed=seed)
    assert seen[0] == seen[1] != seen[2]


def test_the_exception_is_compact_in_ipython(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run_cell(
        "from wslab.exercises import check\ncheck.framing.mask(lambda payload, key: payload)"
    )
    shown_lines = capsys.readouterr().out.splitlines()
    assert shown_lines[0] == "✗ wrong: framing.mask ★ (RFC 6455 §5.3)"
    assert not [line for line in shown_lines if "Traceback" in line or ".py" in line]


# Comparisons


@pytest.mark.parametrize("name", ["name", "lesson", "task", "tasks"])
def test_a_task_hides_behind_nothing(name: str) -> None:
    def body(trial: Trial, answer: Any) -> None:
        raise AssertionError

    body.__name__ = name
    with pytest.raises(ValueError, match="give the task a different name"):
        demo(body)
    assert name not in DEMO.tasks


@pytest.mark.parametrize(
    ("got", "expected", "says"),
    [
        (1, 2, "expected: 2"),
        ("1", 1, "it differs: str, not int"),
        (True, 1.5, "it differs: bool, not float"),
        ("", None, "expected: None"),
        ([1], b"", "it differs: list, not bytes"),
    ],
)
def test_same(got: object, expected: object, says: str) -> None:
    task = demo(lambda trial, answer: trial.same(got, expected, "it differs"))
    assert says in repr(task.judge(lambda x: x))


def test_must_raise_lets_others_pass() -> None:
    def body(trial: Trial, answer: Any) -> None:
        with trial.must_raise(ValueError, "it takes it", "RFC 6455 §1"):
            answer(1)

    assert demo(body).judge(lambda x: int("x")).solved
    assert "it takes it" in repr(demo(body).judge(lambda x: x))
    assert demo(body).judge(lambda x: x[0]).outcome is Outcome.RAISED


def test_values_can_be_pasted() -> None:
    assert shown(b"") == 'b""'
    assert shown(bytes(20)).startswith("20 bytes (00 00")
    assert shown("x" * 99).endswith(" …")


def long_message(trial: Trial, answer: Any) -> None:
    trial.want(False, "x" * 20_000)


def long_details(trial: Trial, answer: Any) -> None:
    trial.wrong("wrong", got=[0.5] * 20_000, expected="x" * 20_000)


@pytest.mark.parametrize("body", [long_message, long_details, lambda trial, answer: answer(1)])
def test_a_verdict_is_short_whatever_it_shows(body: Any) -> None:
    def noisy(x: object) -> object:
        print("x" * 20_000)
        raise ValueError("x" * 20_000)

    verdict = demo(body).judge(noisy)
    assert verdict.outcome in (Outcome.WRONG, Outcome.RAISED)
    assert len(repr(verdict)) < 3000
    assert "more characters, not shown" in repr(verdict)


@pytest.mark.parametrize("answer", [len, print])
def test_built_in_functions_may_be_answers(answer: Any) -> None:
    demo(lambda trial, it: None).judge(answer)


def test_one_without_a_signature_may_be_one() -> None:
    assert demo(lambda trial, it: None, takes=("x", "y")).judge(max).solved


# A time limit within a scenario


async def test_their_own_timeout_is_not_ours() -> None:
    trial = Trial("x", __import__("random").Random(0))
    with pytest.raises(TimeoutError):
        async with trial.within(5, "nothing"):
            raise TimeoutError
    with pytest.raises(Late, match=r"no sign within 0.01 s"):
        async with trial.within(0.01, "no sign"):
            await asyncio.Event().wait()


# Names


def test_tasks_are_found_by_name() -> None:
    assert {"handshake", "framing", "connection", "browser_api"} <= set(dir(check))
    assert "parse" in dir(check.framing)
    assert "check.framing" in repr(check)
    with pytest.raises(AttributeError, match=r"no set of exercises 'nothing'; there are"):
        check.nothing  # noqa: B018
    with pytest.raises(AttributeError, match=r"no task framing.nothing; there are first_two"):
        check.framing.nothing  # noqa: B018


def test_the_face_has_them_and_is_not_slower() -> None:
    assert wslab.check is check
    assert wslab.progress is progress
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        wslab.nothing  # noqa: B018
    code = "import sys, wslab; print([name for name in sys.modules if 'exercises' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Progress


def test_progress_is_kept(progress_file: Path) -> None:
    assert progress("framing").solved == 0
    with pytest.raises(NotSolved):
        check.framing.mask(lambda payload, key: payload)
    assert "… tried" in repr(progress("framing"))
    check.framing.mask(solutions("03_framing")["mask"])
    shown_ = progress("framing")
    assert (shown_.solved, shown_.caption) == (
        1,
        f"Predicted: 0 of {len(questions())}, 0 right. Solved: 1 of 5",
    )
    assert "✓ solved" in repr(shown_)
    assert len(progress_file.read_text().splitlines()) == 2
    check.framing.mask(solutions("03_framing")["mask"])  # says nothing new
    with pytest.raises(NotSolved):
        check.framing.mask(lambda payload, key: payload)  # what is solved stays solved
    assert len(progress_file.read_text().splitlines()) == 2
    check.framing.mask.reset()
    assert progress("framing").solved == 0
    check.framing.mask.reset()  # nothing to forget
    assert len(progress_file.read_text().splitlines()) == 3


def test_not_attempted_is_not_tried(progress_file: Path) -> None:
    def stub(payload: bytes, key: bytes) -> bytes:
        raise NotImplementedError

    verdict = check.framing.mask(stub)
    assert repr(verdict).startswith("○ not attempted yet: framing.mask ★")
    with pytest.raises(NotAttempted):  # grading: without an answer there are no points
        check.framing.mask(stub, seed=0)
    assert not progress_file.exists()


def test_lines_that_cannot_be_read_cost_only_themselves(progress_file: Path) -> None:
    progress_file.parent.mkdir()
    entry = json.dumps({"task": "framing.mask", "outcome": "SOLVED", "day": "2026-01-01"})
    strange = '{"task": "framing.parse", "outcome": "GREAT", "day": "x"}'
    progress_file.write_bytes(
        f"{entry}\nnonsense\n[1]\n{{}}\n{strange}\n\xff\n{{".encode("latin-1")
    )
    assert progress("framing").solved == 1
    check.framing.write(solutions("03_framing")["write"])  # after a line that was cut off
    assert progress("framing").solved == 2


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, progress_file: Path) -> None:
    monkeypatch.setenv("WSLAB_PROGRESS", "OFF")
    check.framing.mask(solutions("03_framing")["mask"])
    check.framing.mask.reset()
    assert not progress_file.exists()
    assert "nothing is kept" in progress().caption


def test_without_the_variable_it_is_in_the_users_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WSLAB_PROGRESS")
    path = journal.location()
    assert path is not None
    assert path.parts[-2:] == ("wslab", "progress.jsonl")


def test_a_file_that_cannot_be_written_fails_no_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("WSLAB_PROGRESS", str(tmp_path / "file" / "progress.jsonl"))
    assert check.framing.mask(solutions("03_framing")["mask"]).solved


# The grid


def test_the_grid_shows_what_is_broken() -> None:
    class Silent:
        def __init__(self, role: str) -> None: ...

        def receive(self, data: bytes) -> list[object]:
            return []

        def data_to_send(self) -> bytes:
            return b""

    found = grid(Silent)
    assert not found.passed
    assert "✗" in repr(found)
    assert "more" in repr(found)
    shown_ = html.grid_html(found)
    assert shown_.count("✗") > 100
    assert "Not kept" in shown_
    assert "background: #c0392b" in shown_


def test_the_grid_of_a_right_one_has_no_cross() -> None:
    found = grid(solutions("04_connection")["Endpoint"])
    assert found.passed
    assert "✗" not in repr(found).split("\n", 1)[1]
    assert "Not kept" not in html.grid_html(found)
    assert "not required" in found.caption


def test_the_grid_of_a_stub_is_not_attempted() -> None:
    class Stub:
        def __init__(self, role: str) -> None:
            raise NotImplementedError

    assert "○ not attempted yet" in repr(grid(Stub))
    with pytest.raises(NotSolved, match=r"the answer is 42; .*: class endpoint"):
        grid(42)


def test_the_grid_notes_where_it_is() -> None:
    seen: list[str] = []
    endpoint = solutions("04_connection")["Endpoint"]
    run_grid(lambda role, row: endpoint(role.value), seen.append)
    assert seen[0].endswith("as server")


# What a notebook shows


def test_html_is_escaped_and_has_signs() -> None:
    verdict = Verdict("demo.x", 1, Outcome.WRONG, "<script>", details=(("got", "a\nb"),))
    shown_ = html.verdict(verdict)
    assert "✗ wrong: demo.x ★" in shown_
    assert "&lt;script&gt;" in shown_
    assert "<pre>" not in html.verdict(Verdict("demo.x", 1, Outcome.SOLVED))
    assert "<caption" in html.progress_html(progress("framing"))


def test_they_are_registered_by_name(shell: InteractiveShell) -> None:
    install(shell)
    formatter = shell.display_formatter.formatters["text/html"]  # type: ignore[union-attr]
    assert "✓ solved" in formatter(Verdict("demo.x", 1, Outcome.SOLVED))


# Student copies


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", SETS)
def test_a_fresh_copy_shows_that_it_is_not_attempted_and_nothing_red(name: str) -> None:
    import nbformat

    copy = nbformat.read(student_copy(name), as_version=4)
    client = NotebookClient(copy, timeout=60, kernel_name="python3", allow_errors=True)
    client.execute(env=as_a_learner())
    found = {}
    for cell in copy.cells:
        for output in cell.get("outputs", []):
            assert output.output_type == "execute_result", output
            found[cell.source] = output.data["text/plain"].split(":")[0]
    shown_ = {source for source, text in found.items() if text == "○ not attempted yet"}
    checks = {c.source for c in copy.cells if c.metadata.get("nbgrader", {}).get("grade")}
    assert checks <= shown_
    assert shown_ - checks <= {"grid(Endpoint)"}
