"""A task has a title, hints, and a check that tries an answer.

    SET = TaskSet.beside(__file__)          the texts of the tasks are in a file beside the checks

    @SET.task()
    def accept_key(trial, answer):
        trial.same(trial.call(answer, key), expected, "the accept value is wrong")

The function returns if the answer is right, and calls `trial.wrong` if not. It runs on its own
thread for a limited time, so an answer can do anything.
"""

from __future__ import annotations

import random
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from wslab.exercises.engine import journal
from wslab.exercises.engine.bounded import RunEnd, own_frames, run_bounded
from wslab.exercises.engine.in_place import run_in_place
from wslab.exercises.engine.networks import Networks
from wslab.exercises.engine.readymade import made_of, watching
from wslab.exercises.engine.trial import Late, Trial
from wslab.exercises.engine.verdict import NotAttempted, NotSolved, Outcome, Verdict, Wrong
from wslab.lab.record import HandlerError
from wslab.lab.tables import shortened
from wslab.net.simulation import Run

__all__ = ["Hint", "Task", "TaskSet"]

T = TypeVar("T")
CheckFunction = Callable[[Trial, Any], None]

HAS_THREADS = sys.platform != "emscripten"  # a page has none
SENTENCE, DETAIL = 300, 1000  # characters of a verdict's message, and of each detail


class Hint(str):
    """A hint; shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the text as it is."""
        return str(self)


@dataclass(frozen=True)
class Task:
    """One task of a set. Call it with an answer to check that.

    set, name: its identity, as in "framing.parse". level: 1 to 3 stars.
    section: the source of most of its rules. hints: each says more than the one before.
    takes: the parameters of the answer. form: "def", "async def" or "class".
    returns: names of types that its result may have; () for any. values: what a tuple has in it.
    pure: whether it must not change its arguments.
    may_call: names that an answer may call from packages that speak WebSocket, as in `watching`.
    seconds: the time that the check may take. networks: what else a right answer withstands.
    """

    set: str
    name: str
    title: str
    level: int
    section: str
    hints: tuple[str, ...]
    check: CheckFunction = field(repr=False)
    takes: tuple[str, ...] = ()
    form: str = "def"
    returns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    pure: bool = False
    may_call: tuple[Any, ...] = field(default=(), repr=False)
    seconds: float = 3.0
    networks: Networks | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """Its name among all tasks."""
        return f"{self.set}.{self.name}"

    def __call__(self, answer: object, *, seed: int | None = None) -> Verdict:
        """Check an answer; return the verdict, or raise it as NotSolved if the answer is wrong.

        A missing answer is not wrong, so its verdict is returned.
        seed: draws different cases of the same kind, as grading does. Then a missing answer raises
        NotAttempted.
        """
        verdict = self.judge(answer, seed=seed or 0)
        journal.note(self.id, verdict.outcome)
        if verdict.solved or (seed is None and verdict.outcome is Outcome.NOT_ATTEMPTED):
            return verdict
        self._refuse(verdict)

    def judge(self, answer: object, *, seed: int = 0, seconds: float | None = None) -> Verdict:
        """Return the verdict, right or wrong, and keep nothing.

        seconds: the time limit; None for the task's own.
        """
        return self._try(
            answer,
            self.check,
            seed,
            self.seconds if seconds is None else seconds,
            networks=self.networks,
        )

    def replay(self, answer: object, seed: int) -> Run | Verdict:
        """Return the run on the network of a seed, as a verdict names it; its `diagram` draws it.

        If the run fails, it is the smallest one that does. Raises TypeError if this task is not
        about networks.
        """
        if (networks := self.networks) is None:
            raise TypeError(f"{self.id} is not tried on networks")
        return self.show(answer, lambda trial, it: networks.replay(trial, it, seed))

    def show(self, answer: object, check: Callable[[Trial, Any], T]) -> T | Verdict:
        """Return the result of a different check, or the verdict that the answer is missing.

        Raises NotSolved if that check cannot be run to its end.
        """
        made: list[T] = []
        verdict = self._try(
            answer, lambda trial, it: made.append(check(trial, it)), 0, self.seconds
        )
        if made:
            return made[0]
        if verdict.outcome is Outcome.NOT_ATTEMPTED:
            return verdict
        self._refuse(verdict)

    def _try(
        self,
        answer: object,
        check: CheckFunction,
        seed: int,
        limit: float,
        networks: Networks | None = None,
    ) -> Verdict:
        trial = Trial(self.name, random.Random(seed))
        trial.returns, trial.values, trial.pure = self.returns, self.values, self.pure

        def run() -> None:
            trial.must_take(answer, self.takes, form=self.form)
            with watching(*self.may_call) as found:
                check(trial, answer)
            if name := made_of(answer, *self.may_call) or next(iter(found), ""):
                trial.doing = ""
                trial.wrong(f"your code calls the ready-made `{name}`; write that part yourself")
            if networks is not None:
                again = f"check.{self.id}.replay({self.name}, {{seed}}).diagram"
                networks.explore(trial, answer, again)

        if HAS_THREADS:
            ending = run_bounded(run, seconds=limit, wake=trial.stop)
        else:
            ending = run_in_place(run, seconds=limit)
        verdict = self._verdict(trial, ending, limit)
        if ending.printed.strip():
            verdict = verdict.with_details(("it printed", ending.printed))
        return verdict

    def _refuse(self, verdict: Verdict) -> NoReturn:
        unattempted = verdict.outcome is Outcome.NOT_ATTEMPTED
        raise (NotAttempted if unattempted else NotSolved)(verdict) from None

    def hint(self, number: int = 1) -> Hint:
        """Return a hint; the first says least. Raises IndexError for an unknown number."""
        if not 1 <= number <= len(self.hints):
            raise IndexError(f"{self.id} has hints 1 to {len(self.hints)}, not {number}")
        more = f" (next: hint({number + 1}))" if number < len(self.hints) else " (the last hint)"
        return Hint(self.hints[number - 1] + more)

    def reset(self) -> None:
        """Forget your progress on this task; the notebook keeps your code."""
        journal.forget(self.id)

    # From what happened to a verdict

    def _verdict(self, trial: Trial, ending: RunEnd, limit: float) -> Verdict:
        error = ending.error
        if ending.late:
            return self._late(trial, ending, f"not finished after {limit:g} s")
        if error is None:
            return Verdict(self.id, self.level, Outcome.SOLVED, section=self.section)
        if isinstance(error, NotImplementedError):
            message = "Write your code in the place of `raise NotImplementedError`."
            return self._failed(Outcome.NOT_ATTEMPTED, message)
        if isinstance(error, Wrong):
            return self._failed(Outcome.WRONG, error.message, error.section, *error.details)
        if isinstance(error, Late):
            return self._late(trial, ending, str(error))
        if own_frames(error.__traceback__):
            return self._raised(trial, error)
        message = f"the check cannot use this answer: {type(error).__name__}: {error}"
        return self._failed(Outcome.WRONG, message, "", ("tried", trial.doing))

    def _failed(
        self, outcome: Outcome, message: str, section: str = "", *details: tuple[str, str]
    ) -> Verdict:
        hint = f"check.{self.id}.hint(1)" if self.hints else ""
        where = section or self.section
        message = shortened(message, SENTENCE, "not shown")
        shown = tuple((label, shortened(text, DETAIL, "not shown")) for label, text in details)
        return Verdict(self.id, self.level, outcome, message, where, shown, hint)

    def _late(self, trial: Trial, ending: RunEnd, message: str) -> Verdict:
        details = [("tried", trial.doing), ("your code was at", ending.at)]
        if ending.abandoned:
            note = "It cannot be interrupted, because it blocks, or a bare `except:` catches the\n"
            note += "interrupt. Its thread is still running. If that disturbs, restart the kernel."
            details.append(("note", note))
        kept = [pair for pair in details if pair[1]]
        return self._failed(Outcome.TIMED_OUT, message, "", *kept)

    def _raised(self, trial: Trial, error: BaseException) -> Verdict:
        lines = HandlerError.of(self.id, 0, error).traceback
        details = [("tried", trial.doing)] if trial.doing else []
        message = f"{type(error).__name__}: {error}".removesuffix(": ")
        return self._failed(Outcome.RAISED, message, "", *details, ("traceback", lines))


@dataclass(frozen=True)
class TaskSet:
    """The tasks of one lesson, as attributes.

    name: its own, and its module's. lesson: the notebook's name, such as "03_framing".
    texts: by the name of a task, what is to be read about it, such as its title and its hints.
    """

    name: str
    lesson: str
    texts: Mapping[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    tasks: dict[str, Task] = field(default_factory=dict, repr=False)

    @classmethod
    def beside(cls, module: str) -> TaskSet:
        """Make the set of a module by its `__file__`; the texts are in a .toml file beside it."""
        path = Path(module).with_suffix(".toml")
        texts = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(path.stem, texts.pop("lesson"), texts)

    def task(self, **options: Any) -> Callable[[CheckFunction], Task]:
        """Make a task from the check that follows. options: fields of `Task` beside the texts."""

        def make(check: CheckFunction) -> Task:
            name = check.__name__
            if name in object.__dir__(self):  # Python finds that first, and not the task
                raise ValueError(f"every set has {name!r} already; give the task a different name")
            fields = {**self.texts.get(name, {}), **options}
            for several in ("hints", "takes", "returns", "values"):
                fields[several] = tuple(fields.get(several, ()))
            self.tasks[name] = Task(set=self.name, name=name, check=check, **fields)
            return self.tasks[name]

        return make

    def __getattr__(self, name: str) -> Task:
        """Return a task by its name."""
        try:
            return self.tasks[name]
        except KeyError:
            known = ", ".join(self.tasks)
            raise AttributeError(
                f"there is no task {self.name}.{name}; there are {known}"
            ) from None

    def __dir__(self) -> list[str]:
        return list(self.tasks)
