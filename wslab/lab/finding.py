"""The findings of the doctor's checks, and a check that cannot raise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["Check", "Finding"]


class Finding(NamedTuple):
    """One thing that was looked at.

    what: its name. seen: the result of the look. ok: False if it needs attention.
    advice: a thing to do, or to know if ok is True.
    """

    what: str
    seen: str
    ok: bool = True
    advice: str = ""


class Check(NamedTuple):
    """A way to look at something.

    look: yields a Finding for each thing that it looks at; it may raise.
    what, advice: the row's name and a thing to do, used if it raises.
    """

    look: Callable[[], Iterator[Finding]]
    what: str
    advice: str

    def findings(self) -> Iterator[Finding]:
        """Look; an exception becomes the last finding."""
        try:
            yield from self.look()
        except Exception as error:
            message = str(error).partition("\n")[0]
            seen = f"{type(error).__name__}: {message}".removesuffix(": ")
            yield Finding(self.what, seen, False, self.advice)
