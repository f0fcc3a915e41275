"""Put back what a submission has changed in the course's package, before each check.

The text of this module runs in the submission's kernel. It notes before the first cell what the
package is like, and puts that back before each check. It stops a patch, but not a person who looks
for a way round it, because an answer runs in one process with its check.
"""

import builtins
import importlib
import pkgutil
import re
import sys
from pathlib import Path
from types import FunctionType

PACKAGE = "wslab"
CHECKS = "wslab.exercises"  # loaded anew for each check


class Kept:
    """The names in the package's modules and classes, and the code of its functions."""

    def __init__(self, sets):
        """Note everything that a check uses; sets: the names of sets of exercises."""
        known = [one.name for one in pkgutil.iter_modules(self.load("sets").__path__)]
        for name in set(sets) & set(known):
            self.load(f"sets.{name}")
        self.modules = {
            name: module for name, module in sys.modules.items() if f"{name}.".startswith("wslab.")
        }
        spaces = [*self.modules.values(), builtins]
        found = [thing for module in self.modules.values() for thing in vars(module).values()]
        spaces += [one for one in found if isinstance(one, type) and self.is_ours(one)]
        self.spaces = [(space, dict(vars(space))) for space in dict.fromkeys(spaces)]
        things = [thing for _, names in self.spaces for thing in names.values()]
        things = [getattr(thing, "__func__", thing) for thing in things]
        self.codes = [
            (one, one.__code__, one.__defaults__, one.__kwdefaults__)
            for one in things
            if isinstance(one, FunctionType) and self.is_ours(one)
        ]

    def load(self, name):
        """Import a module of the checks."""
        return importlib.import_module(f"{CHECKS}.{name}")

    def is_ours(self, thing):
        """Tell whether a class or a function is the package's."""
        return str(thing.__module__).partition(".")[0] == PACKAGE

    def put_back(self):
        """Undo what was changed; the checks themselves are loaded anew."""
        for space, names in self.spaces:
            now = vars(space)
            for name, thing in names.items():
                if now.get(name, self) is not thing:
                    setter = type.__setattr__ if isinstance(space, type) else setattr
                    setter(space, name, thing)
            for name in set(now) - set(names) if isinstance(space, type) else ():
                type.__delattr__(space, name)
        for function, *parts in self.codes:
            function.__code__, function.__defaults__, function.__kwdefaults__ = parts
        sys.modules.update(self.modules)
        for name in [one for one in sys.modules if f"{one}.".startswith(f"{CHECKS}.")]:
            del sys.modules[name]


def guarded(sources, is_check):
    """Return the code cells to run: one more in front, and each check after a `put_back`.

    sources: the notebook's code. is_check: which of them are checks.
    """
    sets = sorted(set(re.findall(r"\bcheck\.(\w+)\.", "\n".join(sources))))
    text = Path(__file__).read_text(encoding="utf-8")
    first = (
        "_guard = __import__('sys').modules['_guard'] = __import__('types').ModuleType('_guard')\n"
        f"exec({text!r}, vars(_guard))\n"
        f"_guard.kept = _guard.Kept({sets!r})\n"
        "del _guard"
    )
    back = "__import__('sys').modules['_guard'].kept.put_back()\n"
    return [first, *(back * check + one for one, check in zip(sources, is_check, strict=True))]
