"""How fast frames are read and written: wslab's codec against wsproto's and websockets'.

    python benchmarks/codec.py [--rounds N] [--quick]

One operation is one binary frame. To parse is to take a frame's bytes as they come from a socket,
put them behind what is left of earlier ones, and get the payload out, unmasked. To serialise is to
make a frame's bytes from a payload, with a fresh random masking key where it is masked (a client's
frames are, a server's are not). Each peer does it in the way of its own connections:

    wslab         Frame.parse on what is left + data    Frame(opcode, payload, mask=…).serialize()
    websockets    Frame.parse on its StreamReader       Frame(opcode, payload).serialize(mask=...)
    wsproto       receive_bytes and received_frames     FrameProtocol.send_data

`websockets` and wslab mask with the C extension that comes with websockets; both are also measured
without it. Every frame arrives whole; from TCP a large one would come in pieces. Before anything is
measured, all peers have to read and write the same payload.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType
from typing import NamedTuple

import websockets.frames
import websockets.utils
from _interleave import Ratio, Run, ratios
from websockets.streams import StreamReader
from wsproto.frame_protocol import FrameProtocol

from wslab.protocol import Frame, Opcode, frames
from wslab.protocol.frames import BINARY

SIZES = {16: "16 B", 125: "125 B", 1024: "1 KiB", 65536: "64 KiB", 1 << 20: "1 MiB"}
LIMIT = 1 << 21  # every peer also checks a limit; this one is never reached

C_EXTENSION = find_spec("websockets.speedups") is not None

LIBRARY_BINARY = websockets.frames.Opcode.BINARY  # slow to find in Python 3.11

WSLAB, WSPROTO = "wslab", "wsproto"
WEBSOCKETS, WEBSOCKETS_PURE, WSLAB_PURE = "websockets, C", "websockets, no C", "wslab, no C"
PEERS = (WSPROTO, WEBSOCKETS, WEBSOCKETS_PURE, WSLAB_PURE)

Operation = Callable[[], bytes | bytearray]


class Case(NamedTuple):
    """What is done: parse or serialise a payload of this many bytes, masked or not."""

    work: str
    size: int
    masked: bool

    def __str__(self) -> str:
        return f"{self.work}, {SIZES[self.size]}, {'masked' if self.masked else 'not masked'}"


class Goal(NamedTuple):
    """A ratio to reach against a peer in all the cases that `where` picks."""

    text: str
    peer: str
    least: float
    where: Callable[[Case], bool]


GOALS = (
    Goal("frames up to 1 KiB, both directions", WSPROTO, 2.5, lambda case: case.size <= 1024),
    Goal(
        "frames up to 1 KiB, both directions", WEBSOCKETS_PURE, 1.0, lambda case: case.size <= 1024
    ),
    Goal("1 MiB masked", WSPROTO, 1.0, lambda case: case.size == 1 << 20 and case.masked),
)


def parsers(data: bytes, masked: bool) -> dict[str, Operation]:
    """Return the peers' ways to turn the bytes of one frame into its payload."""
    rest, reader = b"", StreamReader()
    protocol = FrameProtocol(client=not masked, extensions=[])

    def wslab() -> bytes:
        nonlocal rest
        stream = rest + data
        result = Frame.parse(stream, masked=masked, limit=LIMIT)
        assert result is not None
        frame, end = result
        rest = stream[end:]
        return frame.payload

    def library() -> bytes:
        reader.feed_data(data)
        parser = websockets.frames.Frame.parse(reader.read_exact, mask=masked, max_size=LIMIT)
        try:
            next(parser)
        except StopIteration as stop:
            payload: bytes = stop.value.data
            return payload
        raise AssertionError("the frame is all there")

    def wsproto() -> bytes:
        protocol.receive_bytes(data)
        [frame] = protocol.received_frames()
        assert isinstance(frame.payload, bytes)
        return frame.payload

    return {WSLAB: wslab, WEBSOCKETS: library, WSPROTO: wsproto}


def serializers(payload: bytes, masked: bool) -> dict[str, Operation]:
    """Return the peers' ways to turn a payload into the bytes of one frame."""
    protocol = FrameProtocol(client=masked, extensions=[])

    def wslab() -> bytes:
        return Frame(BINARY, payload).serialize()

    def wslab_masked() -> bytes:
        return Frame(BINARY, payload, mask=os.urandom(4)).serialize()

    def library() -> bytes:
        frame = websockets.frames.Frame(LIBRARY_BINARY, payload)
        return frame.serialize(mask=masked)

    def wsproto() -> bytearray:
        return protocol.send_data(payload)

    return {WSLAB: wslab_masked if masked else wslab, WEBSOCKETS: library, WSPROTO: wsproto}


@contextmanager
def replaced(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Run with another value for a module's name."""
    original = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, original)


def repeat(operation: Operation, without_c: tuple[ModuleType, str, object] | None = None) -> Run:
    """Make a candidate for `ratios`: the operation in a loop, without the C extension if asked."""

    def run(n: int) -> None:
        with replaced(*without_c) if without_c else nullcontext():
            for _ in range(n):
                operation()

    return run


def candidates(operations: dict[str, Operation], masked: bool) -> dict[str, Run]:
    """Return what is measured in a case; without masks, C or no C is the same code."""
    runs = {name: repeat(operation) for name, operation in operations.items()}
    if masked and C_EXTENSION:
        pure = (websockets.frames, "apply_mask", websockets.utils.apply_mask)
        runs[WEBSOCKETS_PURE] = repeat(operations[WEBSOCKETS], pure)
        runs[WSLAB_PURE] = repeat(operations[WSLAB], (frames, "xor", frames.xor_in_python))
    elif not C_EXTENSION:
        runs[WEBSOCKETS_PURE] = runs.pop(WEBSOCKETS)
    return runs


def validate(payload: bytes, data: bytes, masked: bool) -> None:
    """Check that every peer reads the same payload, and that every peer reads what each writes."""
    written = [data, *(bytes(write()) for write in serializers(payload, masked).values())]
    for each in written:
        for name, parse in parsers(each, masked).items():
            if parse() != payload:
                raise SystemExit(f"{name} does not read the payload")


def measure(case: Case, rounds: int, seconds: float) -> dict[str, Ratio]:
    """Return the ratios of one case: each peer's CPU time by wslab's."""
    payload = os.urandom(case.size)
    data = Frame(Opcode.BINARY, payload, mask=os.urandom(4) if case.masked else None).serialize()
    validate(payload, data, case.masked)
    if case.work == "parse":
        operations = parsers(data, case.masked)
    else:
        operations = serializers(payload, case.masked)
    return ratios(candidates(operations, case.masked), WSLAB, rounds=rounds, seconds=seconds)


def print_head(rounds: int, seconds: float) -> None:
    """Say what is measured, with which versions, and how."""
    versions = [f"{name} {version(name)}" for name in ("wslab", "websockets", "wsproto")]
    found = "with" if C_EXTENSION else "without"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"{', '.join(versions)} ({found} websockets' C extension)")
    print(f"{python} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores")
    print("CPU time of the peer divided by that of wslab: higher means that wslab is faster.")
    print(f"Median of {rounds} rounds; in each, the peers run in turn, {seconds * 1000:g} ms each.")
    print()


def print_table(cases: Iterable[Case], rounds: int, seconds: float) -> dict[Case, dict[str, Ratio]]:
    """Measure case by case and print a row for each, as a Markdown table."""
    print("| work | payload | masked |", " | ".join(PEERS), "|")
    print("|---|---:|---|" + "---:|" * len(PEERS))
    found = {}
    for case in cases:
        found[case] = row = measure(case, rounds, seconds)
        cells = [str(row[peer]) if peer in row else "–" for peer in PEERS]
        mask = "yes" if case.masked else "no"
        print(f"| {case.work} | {SIZES[case.size]} | {mask} |", " | ".join(cells), "|", flush=True)
    return found


def print_goals(found: dict[Case, dict[str, Ratio]]) -> None:
    """Print for each goal whether its worst case reaches it."""
    print()
    for goal in GOALS:
        rows = [(row[goal.peer], case) for case, row in found.items()
                if goal.where(case) and goal.peer in row]  # fmt: skip
        text = f"goal: at least {goal.least} × {goal.peer}, {goal.text}"
        if not rows:
            print(f"{text}: not measured")
            continue
        worst, case = min(rows)
        verdict = "met" if worst.median >= goal.least else "NOT MET"
        print(f"{text}: {verdict}, worst {worst} ({worst.low:.2f} to {worst.high:.2f}; {case})")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=25, help="default 25")
    parser.add_argument("--quick", action="store_true", help="5 short rounds, to see that it works")
    options = parser.parse_args()
    rounds, seconds = (5, 0.002) if options.quick else (max(2, options.rounds), 0.02)
    print_head(rounds, seconds)
    works, masks = ("parse", "serialise"), (False, True)
    cases = [Case(work, size, masked) for work in works for size in SIZES for masked in masks]
    print_goals(print_table(cases, rounds, seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
