"""Run every notebook again and again, to find what goes wrong only sometimes.

    python tests/notebooks/soak.py [ROUNDS] [--seed N]

Each round holds every notebook to its recorded outputs (strict nbval), once in a process of its
own and once together with all others, in shuffled order. Then each is run in one kernel with
every cell twice, and from top to bottom twice, with all cells queued at once.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from record import ROOT, exercises, notebooks, read
from run_all import each_cell_twice, problems, twice


def name(path: Path) -> str:
    """Return a notebook's name; a lesson and its exercises have the same file name."""
    return "exercises of " * (path.parent.name == path.stem) + path.stem


def nbval(paths: list[Path]) -> list[str]:
    """Hold notebooks to their outputs, in this order; returns what pytest said about failures."""
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [done.stdout + done.stderr] if done.returncode else []


def queued(paths: list[Path]) -> list[str]:
    """Run each notebook's cells twice, in both orders."""
    found = []
    for path in paths:
        nb = read(path)
        for plan in (each_cell_twice, twice):
            found += [f"{plan.__name__}: {text}" for text in problems(path, plan(nb))]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Run every notebook again and again.")
    parser.add_argument("rounds", nargs="?", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10_000))
    args = parser.parse_args()
    os.environ["WSLAB_PROGRESS"] = "off"  # what is solved here is nobody's progress
    print(f"seed {args.seed}")
    rng, paths, failed = random.Random(args.seed), notebooks() + exercises(), 0

    def report(title: str, found: list[str], start: float) -> None:
        nonlocal failed
        failed += bool(found)
        verdict = "FAILED" if found else "ok"
        print(f"{title:<70} {verdict} {time.monotonic() - start:.0f} s", flush=True)
        print(*found, sep="\n", end="\n" if found else "", flush=True)

    for number in range(1, args.rounds + 1):
        rng.shuffle(paths)
        for path in paths:
            start = time.monotonic()
            report(f"round {number}: {name(path)} alone", nbval([path]), start)
        start = time.monotonic()
        report(f"round {number}: all, shuffled", nbval(paths), start)
    for path in paths:
        start = time.monotonic()
        report(f"every cell twice, all twice: {name(path)}", queued([path]), start)
    print(f"{failed} failed" if failed else "nothing failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
