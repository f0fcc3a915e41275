"""Who is called what: names are unique, whatever their width, case and invisible letters."""

from __future__ import annotations

from itertools import count
from typing import Generic, TypeVar

from wslab.apps.chat.rules import Disallowed, Rules, check_name, name_key

__all__ = ["Names"]

Holder = TypeVar("Holder")


class Names(Generic[Holder]):
    """The names that are in use, each with its holder, in the order in which they came.

    suffixes: whether a name that is taken gets a number, as "Ada (2)", instead of being refused.
    """

    def __init__(self, rules: Rules, *, suffixes: bool = False) -> None:
        self.rules = rules
        self.suffixes = suffixes
        self._held: dict[str, tuple[str, Holder]] = {}  # by key

    @property
    def all(self) -> list[str]:
        """The names as they are shown."""
        return [name for name, _ in list(self._held.values())]

    def take(self, text: str, holder: Holder, *, old: str | None) -> str:
        """Give a holder a name instead of its old one; return the name as it is shown.

        Raises Disallowed for what is no name, or is somebody else's.
        """
        name = check_name(text, self.rules)
        if self._is_taken(name, holder):
            if not self.suffixes:
                raise Disallowed("taken_name")
            name = self._numbered(name, holder)
        if old is not None and name_key(old) != name_key(name):
            self.drop(old)
        self._held[name_key(name)] = (name, holder)
        return name

    def hand_over(self, name: str, holder: Holder) -> None:
        """Give a name that is in use to another holder; it keeps its place."""
        self._held[name_key(name)] = (name, holder)

    def drop(self, name: str) -> None:
        """Let a name be used by others."""
        del self._held[name_key(name)]

    def _is_taken(self, name: str, holder: Holder) -> bool:
        held = self._held.get(name_key(name))
        return held is not None and held[1] is not holder

    def _numbered(self, name: str, holder: Holder) -> str:
        suffixes = (f" ({number})" for number in count(2))
        names = (name[: self.rules.name_length - len(suffix)] + suffix for suffix in suffixes)
        return next(free for free in names if not self._is_taken(free, holder))
