"""What a check finds out: one value, and one exception that carries it.

There are five outcomes, and "not attempted" is none of the wrong ones. What is wrong says where:
the first byte, event or header that differs, and the section that has the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

__all__ = ["NotAttempted", "NotSolved", "Outcome", "Verdict", "Wrong", "stars"]


class Outcome(Enum):
    """How a check ends; the value is what a learner reads."""

    SOLVED = "solved"
    WRONG = "wrong"
    NOT_ATTEMPTED = "not attempted yet"
    RAISED = "your code raised"
    TIMED_OUT = "timed out"

    @property
    def mark(self) -> str:
        """A sign that does not need colour."""
        return {"SOLVED": "✓", "NOT_ATTEMPTED": "○"}.get(self.name, "✗")


def stars(count: int) -> str:
    """Write how hard a task is: ★, ★★ or ★★★."""
    return "★" * count


@dataclass(frozen=True)
class Verdict:
    """What became of one answer.

    task: such as "framing.parse". level: 1 to 3. message: what was seen, as one sentence.
    section: where the rule is written. details: pairs of a label and a text, which may have
    several lines. hint: the call that gives a first hint, "" if there is none to give.
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
        """The first line: the outcome, the task, and where the rule is."""
        where = f" ({self.section})" if self.section else ""
        return f"{self.outcome.mark} {self.outcome.value}: {self.task} {stars(self.level)}{where}"

    def __repr__(self) -> str:
        """Render as text, a line for each thing to know."""
        lines = [self.title, *filter(None, [self.message])]
        for label, text in self.details:
            first, *rest = text.rstrip("\n").split("\n")
            lines.append(f"  {label}: {first}" if not rest else f"  {label}:")
            lines += [f"    {line}" for line in (text.rstrip("\n").split("\n") if rest else [])]
        if self.hint:
            lines.append(f"  stuck? {self.hint}")
        return "\n".join(lines)

    def with_details(self, *more: tuple[str, str]) -> Verdict:
        """Return the same with further details after its own."""
        return replace(self, details=(*self.details, *more))


class Wrong(Exception):
    """The answer is wrong: raised by a check, made a verdict by the engine.

    section: where the rule is written, if it is not the task's own section.
    details: pairs of a label and a text. grid: the conformance grid, if there is one to show.
    """

    def __init__(
        self, message: str, section: str = "", *details: tuple[str, str], grid: Any = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.section = section
        self.details = details
        self.grid = grid


class NotSolved(Exception):
    """A check did not find the answer right; shows its verdict and no traceback.

    verdict: what was found.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(repr(verdict))
        self.verdict = verdict

    def _render_traceback_(self) -> list[str]:
        """Tell IPython what to show in the place of a traceback."""
        return str(self).split("\n")


class NotAttempted(NotSolved):
    """Grading finds that nobody has written an answer."""
