"""The cost of all checks of an exercise set, against the start of two kernels.

    python benchmarks/exercises.py [--rounds N]

A learner waits for a check, and a grader runs the checks of thirty students in a fresh kernel each.
So checks must be small beside a kernel. Each set is a process of its own, which imports wslab and
runs every check of the set once on the reference solutions. Its CPU time is what the operating
system counts, with the start of the interpreter. "Checks alone" is the time that the process itself
measures, from the end of the imports. A round runs every set and starts two kernels. Only ratios of
one round count, and the table has their median and quartiles.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from _interleave import Ratio

from wslab.exercises.engine.overview import all_sets

SOURCES = Path(__file__).resolve().parents[1] / "notebooks" / "exercises" / "source"
GOAL = 1.0

CHECKS = """
import json, sys, time
from wslab.exercises import check

space = {}
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code" and not cell["metadata"].get("nbgrader", {}).get("grade"):
        exec("".join(cell["source"]), space)
tasks = getattr(check, sys.argv[2]).tasks.values()
begin = time.process_time()
for task in tasks:
    verdict = task.judge(space[task.name.title() if task.form == "class" else task.name])
    assert verdict.solved, verdict
print(time.process_time() - begin)
"""


def children_cpu() -> float:
    """Return user and system time of all children that have ended, in seconds."""
    import resource  # not on Windows

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def kernels() -> float:
    """Start two kernels, one after the other, and return their CPU time."""
    from jupyter_client.manager import start_new_kernel

    begin = children_cpu()
    for _ in range(2):
        manager, client = start_new_kernel(kernel_name="python3", stderr=subprocess.DEVNULL)
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return children_cpu() - begin


def checks(lesson: str, name: str) -> tuple[float, float]:
    """Run all checks of a set; return CPU time of the process, and of the checks alone."""
    begin = children_cpu()
    path = SOURCES / lesson / f"{lesson}.ipynb"
    command = [sys.executable, "-c", CHECKS, str(path), name]
    environment = {**os.environ, "WSLAB_PROGRESS": "off"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return children_cpu() - begin, float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10, help="default %(default)s")
    rounds = max(2, parser.parse_args().rounds)
    if sys.platform == "win32":
        sys.exit("Windows does not count a child's CPU time this way")
    found: dict[str, list[tuple[float, float]]] = {one.lesson: [] for one in all_sets()}
    for _ in range(rounds):
        base = kernels()
        for one in all_sets():
            whole, alone = checks(one.lesson, one.name)
            found[one.lesson].append((whole / base, alone / base))
    print(f"Python {platform.python_version()}, {rounds} rounds. Ratios set : two kernels.\n")
    print("| set | ratio | quartiles | checks alone | goal | met |\n|---|---:|---:|---:|---|---|")
    for name, ratios in found.items():
        median, low, high = Ratio.of([r for r, _ in ratios])
        alone = statistics.median(r for _, r in ratios)
        met = "yes" if median <= GOAL else "**no**"
        spread = f"{low:.2f} to {high:.2f}"
        print(f"| {name} | {median:.2f} | {spread} | {alone:.3f} | at most {GOAL:.2f} | {met} |")


if __name__ == "__main__":
    main()
