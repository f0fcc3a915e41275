"""Lesson 12: a writer types into a long text, and another copy follows.

    naive      the whole text after each keystroke
    state      `get_update(state)`, with the state before the keystroke
    event      the update that the change event carries
    batched    the events of twenty keystrokes, merged into one message

There are 2,000 keystrokes in a text of 20,000 characters, one in ten of them a deletion. Bytes and
messages are what the writer sends. CPU is the time of this process for both ends: making the
messages, and applying them to the other copy.
"""

from __future__ import annotations

import time
from random import Random

from _shared import Cost


def measure() -> dict[str, Cost]:
    """Let somebody type into a long text, and tell it to another copy in four ways."""
    import pycrdt

    def typed(version: str, together: int = 1) -> Cost:
        rng, doc, other = Random(12), pycrdt.Doc(client_id=1), pycrdt.Doc(client_id=2)
        doc["text"] = text = pycrdt.Text("word " * 4000)
        other.apply_update(doc.get_update())
        waiting: list[bytes] = []
        subscription = doc.observe(lambda event: waiting.append(event.update))
        sizes, copy = list[int](), ""
        begin = time.process_time()
        for number in range(1, 2001):
            state = doc.get_state() if version == "state" else b""
            if number % 10 == 0:
                at = rng.randrange(len(text))
                del text[at : at + 1]
            else:
                text.insert(10_000 + number, "x")
            if number % together:
                continue
            if version == "naive":
                message = str(text).encode()
                copy = message.decode()
            else:
                update = doc.get_update(state) if version == "state" else waiting[-1]
                message = pycrdt.merge_updates(*waiting) if together > 1 else update
                other.apply_update(message)
            waiting.clear()
            sizes.append(len(message))
        cpu = time.process_time() - begin
        assert (copy or str(other.get("text", type=pycrdt.Text))) == str(text)
        del subscription
        return Cost(sum(sizes), len(sizes), cpu)

    versions = {name: typed(name) for name in ("naive", "state", "event")}
    return versions | {"batched": typed("batched", 20)}
