"""The usual wrong answers to exercises 12: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import RAISED, Wrong

WRONG = {
    "read": [
        Wrong(
            "the highest first",
            "number |= (byte & 127) << (7 * size)",
            "number = number << 7 | byte & 127",
            "is wrong",
        ),
        Wrong("eight bits", "7 * size", "8 * size", "is wrong"),
        Wrong("the top bit stays", "byte & 127", "byte", "is wrong"),
        Wrong("one byte", "if not byte & 128:", "if True:", "is wrong"),
        Wrong("the last byte is in the rest", "data[size:]", "data[size - 1 :]", "behind the"),
        Wrong("the number alone", "number, data[size:]", "number", "is int, not tuple"),
        Wrong("a list", "return number, data[size:]", "return [number, data[size:]]", "not tuple"),
        Wrong("32 bits", "return number,", "return number & 0xFFFFFFFF,", "is wrong"),
        Wrong("a text", "in data:", "in data.decode():", "", RAISED),
    ],
    "present": [
        Wrong("the last one wins", "clock > last or", "True or", "not the ones"),
        Wrong("an equal clock wins", "clock > last", "clock >= last", "not the ones"),
        Wrong(
            "a farewell needs more", "(clock == last and state is None)", "False", "not the ones"
        ),
        Wrong(
            "a farewell always counts",
            "(clock == last and state is None)",
            "state is None",
            "not the ones",
        ),
        Wrong("nobody expires", "and now - seconds < 30", "", "not the ones"),
        Wrong("a moment too late", "< 30", "<= 30", "not the ones"),
        Wrong("milliseconds", "< 30", "< 30_000", "not the ones"),
        Wrong("the dead stay", "state is not None and", "", "not the ones"),
        Wrong(
            "what is refused renews",
            "            known[client] = (clock, state, seconds)\n",
            "            known[client] = (clock, state, seconds)\n"
            "        known[client] = (*known[client][:2], seconds)\n",
            "not the ones",
        ),
        Wrong(
            "a list",
            "    return {\n        client: state\n",
            "    return {\n        client\n",
            "is set, not dict",
        ),
        Wrong("the first clock is 0", "else -1", "else 10**9", "not the ones"),
    ],
    "text": [
        Wrong("as they come", "sorted(after.get(id, []))", "after.get(id, [])", "diverge"),
        Wrong(
            "the beginning as it comes",
            "sorted(after.get(None, []))",
            "after.get(None, [])",
            "diverge",
        ),
        Wrong(
            "the smaller id first",
            "sorted(after.get(id, []))",
            "sorted(after.get(id, []), reverse=True)",
            "a different text",
        ),
        Wrong("layer by layer", "waiting.pop()", "waiting.pop(0)", "a different text"),
        Wrong("deleted ones are shown", "if id not in deleted:", "if True:", "a different text"),
        Wrong(
            "what follows a deleted one is lost",
            "            shown.append(letter)\n        waiting +=",
            "            shown.append(letter)\n            waiting +=",
            "a different text",
        ),
        Wrong(
            "the client decides",
            "sorted(after.get(id, []))",
            "sorted(after.get(id, []), key=lambda one: one[0][::-1])",
            "a different text",
        ),
        Wrong("a list", 'return "".join(shown)', "return shown", "the result is list, not str"),
        Wrong(
            "positions",
            "after = {}",
            "after = {}\n    items = [(id, None, letter) for id, place, letter in items]",
            "a different text",
        ),
    ],
}
