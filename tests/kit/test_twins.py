"""The client's side of resume in Python and in JavaScript: both do what one table says.

`twins.json` has for each case steps of the form [what is called, with what, what comes of it].
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from wslab.kit.backoff import Backoff
from wslab.kit.messages import ResumeError
from wslab.kit.outbox import Inbox, Outbox, OutboxFull, SequenceGap

HERE = Path(__file__).parent
MODULES = HERE.parents[1] / "wslab" / "kit" / "js"
TABLE = json.loads((HERE / "twins.json").read_text(encoding="utf-8"))
CASES = [(kind, name) for kind, cases in TABLE.items() for name in cases]

MAKERS = {
    "outbox": Outbox,
    "inbox": lambda history=True: Inbox(history=history),
    "backoff": lambda: None,
}


def spoil(value: Any) -> None:
    """Empty an object and all that is in it: what was taken from it must not change."""
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, (dict, list)):
            spoil(each)
    value.clear()


def step(box: Any, name: str, args: list[Any]) -> Any:
    def one(**options: bool) -> Any:
        text = box.take(**options)
        return None if text is None else json.loads(text)

    match name:
        case "take_one":
            return one()
        case "plain":
            return one(numbered=False)
        case "take":
            return list(iter(one, None))
        case "nested":
            message: Any = {}
            for _ in range(args[0] - 1):
                message = {"message": message}
            return box.add(message)
        case "limit":
            (box.limit,) = args
            return None
        case "delay":
            return Backoff().delay(*args, 0)
        case "resumed" if isinstance(box, Outbox):
            arrived, refused, doubtful = box.resumed(args[0], new_epoch=args[1])
            reasons = [[key, *why] for key, why in refused.items()]
            return {"arrived": arrived, "refused": reasons, "doubtful": doubtful}
    found = getattr(box, name)
    result = found(*args) if callable(found) else found
    if name == "add":
        spoil(args[0])
    return result


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_python(kind: str, name: str) -> None:
    box = MAKERS[kind]()
    for call, args, expected in json.loads(json.dumps(TABLE[kind][name])):
        try:
            if call == "new":
                box = MAKERS[kind](*args)
                continue
            result = step(box, call, args)
        except SequenceGap:
            result = "gap"
        except (OutboxFull, ResumeError, TypeError, ValueError):
            result = "error"
        assert result == expected, (call, args)


@pytest.fixture(scope="module")
def played(node: Path) -> Any:
    command = [node, HERE / "twins.mjs", MODULES, HERE / "twins.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_javascript(played: Any, kind: str, name: str) -> None:
    assert played[kind][name] == [expected for _, _, expected in TABLE[kind][name]]
