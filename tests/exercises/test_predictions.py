"""Predictions: a question reveals its answer when a choice was made and the next cell has run."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbformat import NotebookNode
from record import notebooks, read

from wslab import predict, progress
from wslab.browser import widget
from wslab.exercises.engine import journal
from wslab.exercises.predictions import Choice, Prediction, Question, questions

ASKED = re.compile(r"""predict\(["']([^"']+)["']\)""")


class Widget:
    def __init__(self, state):
        self.state, self.sent, self.model_id = state, [], "0"

    def send(self, message):
        self.sent.append(json.loads(json.dumps(message)))


@pytest.fixture(autouse=True)
def _page(monkeypatch):
    monkeypatch.setattr(widget, "make_widget", lambda *_, state, on_message: Widget(state))


def question() -> Question:
    wrong = Choice("about 5", "It forgets the header.")
    return Question("02.size", "How many bytes?", (wrong, Choice("7", "2 and 5.", r"\b7 B")))


def last(one: Prediction) -> dict[str, object]:
    widget = one._repr_mimebundle_()  # displaying it is not needed for it to know
    assert widget["text/plain"] == repr(one)
    return one.view()


def test_a_choice_is_noted_and_answered_by_the_next_cell():
    one = Prediction(question())
    one.cell_has_run()  # its own cell
    one.choose(0)
    assert "right" not in last(one)
    assert last(one)["choice"] == 0
    one.cell_has_run()
    assert last(one)["right"] == 1
    assert last(one)["reasons"] == ["It forgets the header.", "2 and 5."]


def test_without_a_choice_nothing_is_revealed():
    one = Prediction(question())
    for _ in range(3):
        one.cell_has_run()
    assert not one.is_revealed
    assert "7 B" not in json.dumps(last(one))
    assert "reasons" not in last(one)
    one.choose(1)  # after all: the cell has run
    assert one.is_revealed


def test_a_mind_may_be_changed_until_then():
    one = Prediction(question())
    one.cell_has_run()
    one.choose(0)
    one.choose(1)
    one.cell_has_run()
    one.choose(0)  # too late
    assert one.choice == 1


@pytest.mark.parametrize("choice", [-1, 2])
def test_there_is_no_such_choice(choice):
    with pytest.raises(IndexError, match=f"no choice {choice}; there are 0 to 1"):
        Prediction(question()).choose(choice)


def test_its_text_is_the_question():
    assert repr(Prediction(question())) == "Predict: How many bytes?\n  ○ about 5\n  ○ 7"


@pytest.mark.parametrize(
    "choices",
    [
        (),
        (Choice("a", "x", "a"),),
        (Choice("a", "x"), Choice("b", "y")),
        (Choice("a", "x", "a"), Choice("b", "y", "b")),
        tuple(Choice(str(i), "x", "a" * (i == 0)) for i in range(5)),
    ],
)
def test_a_question_has_one_answer_among_a_few(choices):
    with pytest.raises(ValueError, match=r"02\.size has \d choices, \d of them with `shows`"):
        Question("02.size", "How many?", choices)


def test_an_unknown_question():
    with pytest.raises(ValueError, match=r"no question '00\.nothing'; lesson 00 has 00\.bytes"):
        predict("00.nothing")


def test_in_a_shell(progress_file: Path):
    shell = InteractiveShell.instance()
    try:
        shell.run_cell("from wslab import predict\none = predict('00.bytes')")
        one = shell.user_ns["one"]
        one.choose(0)
        assert not one.is_revealed
        shell.run_cell("1 / 0", silent=False)
        assert one.is_revealed
        assert journal.predictions() == {"00.bytes": False}
    finally:
        shell.run_cell("")
        InteractiveShell.clear_instance()


def test_progress_counts_what_was_predicted_not_only_what_was_right(progress_file: Path):
    journal.note_prediction("00.bytes", False)
    journal.note_prediction("00.bytes", True)  # again, with the answer known
    journal.note_prediction("00.cut", True)
    with progress_file.open("a") as file:
        file.write('{"prediction": 5}\nnonsense\n[1]\n')
    assert journal.predictions() == {"00.bytes": False, "00.cut": True}
    assert f"Predicted: 2 of {len(questions())}, 1 right" in repr(progress())
    assert journal.standings() == {}


# The lessons ask every question, and the right choice is what the cell showed


def shown(cell: NotebookNode) -> str:
    texts = []
    for output in cell.outputs:
        texts += [output.get("text", ""), *output.get("traceback", []), output.get("evalue", "")]
        texts.append(output.get("data", {}).get("text/plain", ""))
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(texts))


def asked(path: Path) -> dict[str, str]:
    """Return for each question of a notebook what the cell after it shows."""
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    return {
        found[1]: shown(after)
        for cell, after in itertools.pairwise(cells)
        if (found := ASKED.search(cell.source))
    }


@pytest.mark.parametrize("path", notebooks(), ids=lambda path: path.stem)
def test_the_right_choice_is_what_the_cell_showed(path):
    for id, output in asked(path).items():
        shows = questions()[id].choices[questions()[id].right].shows
        assert re.search(shows, output), f"{id}: not in {output!r}"


def test_every_question_is_asked_in_its_lesson():
    found = [(path.stem[:2], id) for path in notebooks() for id in asked(path)]
    assert sorted(id for _, id in found) == sorted(questions())
    assert all(lesson == questions()[id].lesson for lesson, id in found)


def test_reasons_are_given():
    for one in questions().values():
        assert all(choice.why.endswith((".", "`")) for choice in one.choices), one.id
        assert len({choice.text for choice in one.choices}) == len(one.choices), one.id
