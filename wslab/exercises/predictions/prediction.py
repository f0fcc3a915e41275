"""The widget of a question. You choose, run the next cell, and read the reason for each choice."""

from __future__ import annotations

from typing import Any

from IPython import get_ipython

from wslab.browser.widget import CellWidget
from wslab.exercises.engine import journal
from wslab.exercises.predictions.question import Question, questions
from wslab.lab.loop import process_global

__all__ = ["Prediction", "predict"]


class Prediction(CellWidget):
    """A question in the page. It needs a choice and a run of the next cell to reveal the answer.

    choice: the place of the choice made last; None before.
    """

    FILES = (
        "browser/dom.js",
        *(f"exercises/predictions/{name}" for name in ("predict.js", "predict.css")),
    )

    def __init__(self, question: Question) -> None:
        self.question = question
        self.choice: int | None = None
        self._cells = -1  # cells that have run since; the first to end is the one that made this
        super().__init__(**self.view())

    @property
    def is_revealed(self) -> bool:
        """Whether the choice was made and the next cell has run."""
        return self.choice is not None and self._cells > 0

    def choose(self, choice: int) -> None:
        """Note a choice, by its place; IndexError if the question has fewer."""
        if self.is_revealed:
            return
        if not 0 <= choice < len(self.question.choices):
            last = len(self.question.choices) - 1
            raise IndexError(f"there is no choice {choice}; there are 0 to {last}")
        self.choice = choice
        self._show()

    def cell_has_run(self, _result: object = None) -> None:
        """Note that a cell has ended (IPython's `post_run_cell`)."""
        self._cells += 1
        if self._cells == 1:
            self._show()

    def view(self) -> dict[str, Any]:
        """Return the page's view as JSON, without the answer before it is revealed."""
        question = self.question
        view: dict[str, Any] = {
            "id": question.id,
            "question": question.text,
            "choices": [choice.text for choice in question.choices],
            "choice": self.choice,
        }
        if self.is_revealed:
            view["right"] = question.right
            view["reasons"] = [choice.why for choice in question.choices]
        return view

    def _show(self) -> None:
        if self.is_revealed:
            journal.note_prediction(self.question.id, self.choice == self.question.right)
        self._widget.send(self.view())
        self._widget.state = self.view()  # for a page that is loaded later

    def _on_message(self, message: dict[str, Any]) -> None:
        self.choose(int(message["choice"]))

    def __repr__(self) -> str:
        """Write the question, for places that cannot show the widget."""
        return str(self.question)


def predict(id: str) -> Prediction:
    """Ask one of the lesson's questions; the next cell that runs answers it.

    id: the lesson's number and the question's name, such as "00.bytes". Raises ValueError for an
    unknown question.
    """
    if id not in questions():
        same = [known for known in questions() if known[:2] == id[:2]]
        raise ValueError(f"there is no question {id!r}; lesson {id[:2]} has {', '.join(same)}")
    asked = process_global("predictions", dict[str, Prediction])
    shell = get_ipython()
    if id in asked and shell is not None:
        shell.events.unregister("post_run_cell", asked[id].cell_has_run)
    asked[id] = Prediction(questions()[id])
    if shell is not None:
        shell.events.register("post_run_cell", asked[id].cell_has_run)
    return asked[id]
