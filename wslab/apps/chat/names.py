"""The names of a room's members, of which no two look alike."""

from __future__ import annotations

from itertools import count
from typing import Generic, TypeVar

from wslab.apps.chat.characters import looks
from wslab.apps.chat.rules import Disallowed, Rules, check_name

__all__ = ["Names"]

Holder = TypeVar("Holder")


class Names(Generic[Holder]):
    """The names in use, each with its holder, in the order in which they came."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._held: dict[str, Holder] = {}  # by name
        self._names: dict[str, str] = {}  # by each of their looks

    @property
    def all(self) -> list[str]:
        """The names in the form that is shown."""
        return list(self._held)

    def take(self, text: str, holder: Holder, *, old: str | None, numbered: bool = False) -> str:
        """Give a holder a name in place of its old one; return it in the form that is shown.

        numbered: True to give a taken name a number, as "Ada (2)", and not to refuse it.
        Raises Disallowed for a text that cannot be a name, or looks like somebody else's.
        """
        name = check_name(text, self.rules)
        if self._is_taken(name, holder):
            if not numbered:
                raise Disallowed("taken_name")
            name = self._numbered(name, holder)
        if old is not None and old != name:
            self.drop(old)
        self._held[name] = holder
        self._names.update(dict.fromkeys(looks(name), name))
        return name

    def hand_over(self, name: str, holder: Holder) -> None:
        """Give a name in use to a new holder; it keeps its place."""
        self._held[name] = holder

    def drop(self, name: str) -> None:
        """Free a name for others."""
        del self._held[name]
        for look in looks(name):
            del self._names[look]

    def _is_taken(self, name: str, holder: Holder) -> bool:
        found = {self._names[look] for look in looks(name) if look in self._names}
        return any(self._held[each] is not holder for each in found)

    def _numbered(self, name: str, holder: Holder) -> str:
        suffixes = (f" ({number})" for number in count(2))
        names = (name[: self.rules.name_length - len(suffix)] + suffix for suffix in suffixes)
        return next(free for free in names if not self._is_taken(free, holder))
