"""The usual wrong answers to exercises 14: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import RAISED, Wrong

WRONG = {
    "merge": [
        Wrong("null is kept", "if value is None:", "if False:", "not the patched value"),
        Wrong(
            "objects are replaced whole",
            "merge(result.get(name), value)",
            "value",
            "not the patched value",
        ),
        Wrong(
            "deletes what is not there",
            "result.pop(name, None)",
            "del result[name]",
            "",
            RAISED,
        ),
        Wrong("in place", "dict(target)", "target", "the value that was given has changed"),
        Wrong(
            "only objects",
            "    if not isinstance(patch, dict):\n        return patch\n",
            "",
            "",
            RAISED,
        ),
        Wrong(
            "the target is an object",
            "dict(target) if isinstance(target, dict) else {}",
            "dict(target)",
            "",
            None,
        ),
        Wrong(
            "what is no object stays",
            "if isinstance(target, dict) else {}",
            "if isinstance(target, dict) else target",
            "",
            None,
        ),
        Wrong(
            "arrays grow",
            "            result[name] = merge",
            "            result[name] = result[name] + value if isinstance(value, list) and "
            "isinstance(result.get(name), list) else merge",
            "not the patched value",
        ),
        Wrong(
            "null inside a new object",
            "merge(result.get(name), value)",
            "merge(result[name], value) if name in result else value",
            "not the patched value",
        ),
        Wrong("all that is false is deleted", "value is None", "not value", "not the patched"),
        Wrong("nothing is returned", "    return result", "    result", "not the patched value"),
    ],
    "diff": [
        Wrong("nothing is deleted", "{name: None for name in old if name not in new}", "{}", "not"),
        Wrong("the whole", "    return patch", "    return new", ""),
        Wrong(
            "all that is there",
            "elif name not in old or old[name] != value:",
            "else:",
            "have not changed",
        ),
        Wrong(
            "objects as a whole",
            "if isinstance(value, dict) and isinstance(old.get(name), dict):",
            "if False:",
            "",
        ),
        Wrong(
            "empty diffs stay",
            "if change := diff(old[name], value):\n                patch[name] = change",
            "patch[name] = diff(old[name], value)",
            "have not changed",
        ),
        Wrong("nothing new", "name not in old or old[name]", "old.get(name, value)", "not the new"),
        Wrong(
            "an old value that is no object",
            " and isinstance(old.get(name), dict)",
            "",
            "",
            None,
        ),
        Wrong("empty values are deleted", "if name not in new}", "if not new.get(name)}", ""),
        Wrong("in place", "    return patch", "    old.update(new)\n    return patch", ""),
        Wrong("None for nothing", "    return patch", "    return patch or None", "not dict"),
        Wrong(
            "arrays by their length",
            "old[name] != value",
            "(len(old[name]) != len(value) if isinstance(value, list) and "
            "isinstance(old[name], list) else old[name] != value)",
            "is not the new one",
        ),
    ],
    "follow": [
        Wrong("any number", ' and message["seq"] == version + 1', "", ""),
        Wrong("any epoch", 'message["epoch"] == epoch and ', "", "a different epoch"),
        Wrong("gaps", 'message["seq"] == version + 1', 'message["seq"] > version', "a gap"),
        Wrong("twice", 'message["seq"] == version + 1', 'message["seq"] <= version + 1', "twice"),
        Wrong("the same", 'message["seq"] == version + 1', 'message["seq"] == version', ""),
        Wrong(
            "the old epoch",
            'shown = message["epoch"], message["version"]',
            'shown = (shown or [message["epoch"]])[0], message["version"]',
            "new epoch",
        ),
        Wrong(
            "only newer states",
            'if "state" in message:',
            'if "state" in message and (shown is None or message["version"] > shown[1]):',
            "",
            None,
        ),
        Wrong("changes before a state", "elif shown is not None:", "else:", "", RAISED),
        Wrong("the number stays", "epoch, version + 1, merge", "epoch, version, merge", "version"),
        Wrong("patches replace", 'merge(state, message["patch"])', 'message["patch"]', "fals"),
        Wrong(
            "in place",
            'merge(state, message["patch"])',
            'state.update(message["patch"]) or state',
            "has changed",
        ),
        Wrong("an empty state", "shown = None", "shown = (None, 0, {})", "nothing to show"),
        Wrong(
            "stops at a gap",
            '                shown = epoch, version + 1, merge(state, message["patch"])\n',
            "                shown = epoch, version + 1, merge(state, message"
            '["patch"])\n            elif message["seq"] > version + 1:\n                break\n',
            "",
        ),
        Wrong("only the state", "return shown", "return shown and shown[2]", "not tuple"),
        Wrong("a list", "return shown", "return shown and list(shown)", "is list, not tuple"),
    ],
}
