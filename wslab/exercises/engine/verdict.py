"""The result of a check, as one value, and one exception that carries it.

There are five outcomes, and "not attempted" does not count as wrong. A wrong answer gets the first
byte, event or header that differs, and the section that has the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

__all__ = ["NotAttempted", "NotSolved", "Outcome", "Verdict", "Wrong", "stars"]


class Outcome(Enum):
    """The end of a check; a learner reads the value."""

    SOLVED = "solved"
    WRONG = "wrong"
    NOT_ATTEMPTED = "not attempted yet"
    RAISED = "your code raised"
    TIMED_OUT = "timed out"

    @property
    def mark(self) -> str:
        """A sign that can be told without colour."""
        return {"SOLVED": "✓", "NOT_ATTEMPTED": "○"}.get(self.name, "✗")


def stars(count: int) -> str:
    """Write a task's level as ★, ★★ or ★★★."""
    return "★" * count


@dataclass(frozen=True)
class Verdict:
    """The verdict on one answer.

    task: such as "framing.parse". level: 1 to 3. message: one sentence about the answer.
    section: the source of the rule. details: pairs of a label and a text of one or more lines.
    hint: the call that gives a first hint, or "".
    """

    task: str
    level: int
    outcome: Outcome
    message: str = ""
    section: str = ""
    details: tuple[tuple[str, str], ...] = ()
    hint: str = ""

    @property
    def solved(self) -> bool:
        """Tell whether the answer is right."""
        return self.outcome is Outcome.SOLVED

    @property
    def title(self) -> str:
        """The first line, with the outcome, the task, and the source of the rule."""
        where = f" ({self.section})" if self.section else ""
        return f"{self.outcome.mark} {self.outcome.value}: {self.task} {stars(self.level)}{where}"

    def __repr__(self) -> str:
        """Render as text, with a line for each detail."""
        lines = [self.title, *filter(None, [self.message])]
        for label, text in self.details:
            first, *rest = text.rstrip("\n").split("\n")
            lines.append(f"  {label}: {first}" if not rest else f"  {label}:")
            lines += [f"    {line}" for line in (text.rstrip("\n").split("\n") if rest else [])]
        if self.hint:
            lines.append(f"  stuck? {self.hint}")
        return "\n".join(lines)

    def with_details(self, *more: tuple[str, str]) -> Verdict:
        """Return the same verdict with further details after its own."""
        return replace(self, details=(*self.details, *more))


class Wrong(Exception):
    """The answer is wrong. A check raises this, and the engine makes it a verdict.

    section: the source of the rule, if it is not the task's own section.
    details: pairs of a label and a text.
    """

    def __init__(self, message: str, section: str = "", *details: tuple[str, str]) -> None:
        super().__init__(message)
        self.message = message
        self.section = section
        self.details = details


class NotSolved(Exception):
    """The answer is not right. Shows the verdict, and no traceback."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(repr(verdict))
        self.verdict = verdict

    def _render_traceback_(self) -> list[str]:
        """Tell IPython what to show in the place of a traceback."""
        return str(self).split("\n")


class NotAttempted(NotSolved):
    """Grading finds that nobody has written an answer."""
