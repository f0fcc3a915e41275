"""A question with two to four choices, as a lesson's file has it.

[bytes]                              the name; the question's id is "00.bytes"
question = "How many bytes …?"

[[bytes.choices]]
text = "about 5"
why = "That is the payload alone. …"

[[bytes.choices]]
text = "about 300"
shows = "'client': 2\\d\\d"            the output of the next cell; only the right choice has it
why = "…"
"""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

__all__ = ["Choice", "Question", "questions"]


@dataclass(frozen=True)
class Choice:
    """One answer. why: the reason why it is right, or why it is tempting and wrong.

    shows: a pattern that the output of the next cell contains; "" for a wrong choice.
    """

    text: str
    why: str
    shows: str = ""

    @property
    def is_right(self) -> bool:
        """Whether this choice is the right one."""
        return bool(self.shows)


@dataclass(frozen=True)
class Question:
    """A question to predict. id: lesson and name, such as "00.bytes".

    Raises ValueError unless there are two to four choices, exactly one of them right.
    """

    id: str
    text: str
    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        right = sum(choice.is_right for choice in self.choices)
        if not 2 <= len(self.choices) <= 4 or right != 1:
            raise ValueError(
                f"question {self.id} has {len(self.choices)} choices, {right} of them with `shows`;"
                " it needs two to four choices, and exactly one with `shows`"
            )

    @property
    def lesson(self) -> str:
        """The number of the lesson, "00" to "99"."""
        return self.id.partition(".")[0]

    @property
    def right(self) -> int:
        """The place of the right choice."""
        return next(i for i, choice in enumerate(self.choices) if choice.is_right)

    def __str__(self) -> str:
        """Write the question and its choices, without the answer."""
        return "\n".join([f"Predict: {self.text}", *(f"  ○ {one.text}" for one in self.choices)])


def _read(lesson: str, table: dict[str, Any]) -> list[Question]:
    return [
        Question(
            f"{lesson}.{name}",
            " ".join(entry["question"].split()),
            tuple(
                Choice(**{key: " ".join(text.split()) for key, text in choice.items()})
                for choice in entry["choices"]
            ),
        )
        for name, entry in table.items()
    ]


@functools.cache
def questions() -> dict[str, Question]:
    """Return every question of the course by its id, in the order of the lessons."""
    folder = resources.files(__package__)
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".toml"))
    found = [
        question
        for name in files
        for question in _read(name[:2], tomllib.loads(folder.joinpath(name).read_text("utf-8")))
    ]
    return {question.id: question for question in found}
