"""What wslab costs at the start: `import wslab`, and the first message, against the bare library.

    python benchmarks/start.py [--rounds N]

Every measurement is a process of its own: user and system time, as the operating system counts
them for a child that has ended. In a round each candidate runs once, in turn, and only ratios of
one round count; the table shows their median and quartiles. What Python takes to start and do
nothing is measured the same way, and subtracted where the table says so: an import is then not
made to look small beside the interpreter.

Modules are compiled once before anything is measured, as on a learner's second start.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import NamedTuple

from _interleave import Ratio

NOTHING = "pass"

LIBRARY = (
    "from websockets.asyncio.server import serve; from websockets.asyncio.client import connect"
)

IMPORTS = {"library": LIBRARY, "wslab": f"{LIBRARY}; import wslab"}

# What a script needs for one message to come back. The same options, because the lab's server
# does not compress unless told to; both close what they opened.
LIBRARY_ECHO = """
import asyncio
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

async def echo(connection):
    async for message in connection:
        await connection.send(message)

async def main():
    async with serve(echo, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/", proxy=None) as ws:
            await ws.send("Hello")
            assert await ws.recv() == "Hello"

asyncio.run(main())
"""

WSLAB_ECHO = """
import asyncio
from websockets.asyncio.client import connect
from wslab import lab

async def echo(connection):
    async for message in connection:
        await connection.send(message)

async def main():
    async with lab.serve(echo) as server:
        async with connect(server.url, proxy=None) as ws:
            await ws.send("Hello")
            assert await ws.recv() == "Hello"

asyncio.run(main())
"""

ECHOES = {"library": LIBRARY_ECHO, "wslab": WSLAB_ECHO}


class Cost(NamedTuple):
    """What one process took, in seconds: `cpu` on all processors, `wall` on the clock."""

    cpu: float
    wall: float


class Claim(NamedTuple):
    """A row of the table: ratios of all rounds, and the most that their median may be."""

    what: str
    ratios: list[float]
    goal: float | None = None

    def row(self) -> str:
        """Write the row."""
        median, low, high = Ratio.of(self.ratios)
        goal, met = "", ""
        if self.goal is not None:
            goal = f"at most {self.goal:.2f}"
            met = "yes" if median <= self.goal else "**no**"
        return f"| {self.what} | {median:.2f} | {low:.2f} to {high:.2f} | {goal} | {met} |"


def cost(code: str, environment: Mapping[str, str]) -> Cost:
    """Run a piece of code in a fresh Python and return what it took."""
    begin, cpu = time.perf_counter(), children_cpu()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    return Cost(children_cpu() - cpu, time.perf_counter() - begin)


def children_cpu() -> float:
    """Return user and system time of all children that have ended, in seconds."""
    import resource  # not on Windows

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(codes: Mapping[str, str], rounds: int) -> list[dict[str, Cost]]:
    """Run every piece of code once a round; a different one is the first each time."""
    names = list(codes)
    with tempfile.TemporaryDirectory() as cache:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = cache
        for code in codes.values():
            cost(code, environment)  # compiles
        found = []
        for turn in range(rounds):
            start = turn % len(names)
            order = names[start:] + names[:start]
            found.append({name: cost(codes[name], environment) for name in order})
        return found


def claims(rounds: int) -> list[Claim]:
    """Measure, and return the rows of the table."""
    imports = measure({"nothing": NOTHING, **IMPORTS}, rounds)
    echoes = measure({"nothing": NOTHING, **ECHOES}, rounds)

    def whole(costs: dict[str, Cost], cost_of: Callable[[Cost], float]) -> float:
        return cost_of(costs["wslab"]) / cost_of(costs["library"])

    def net(costs: dict[str, Cost], cost_of: Callable[[Cost], float]) -> float:
        nothing = cost_of(costs["nothing"])
        return (cost_of(costs["wslab"]) - nothing) / (cost_of(costs["library"]) - nothing)

    def cpu(cost: Cost) -> float:
        return cost.cpu

    def wall(cost: Cost) -> float:
        return cost.wall

    return [
        Claim("import, CPU beyond bare Python", [net(costs, cpu) for costs in imports], 1.2),
        Claim("import, CPU of the process", [whole(costs, cpu) for costs in imports]),
        Claim("first echo, CPU of the process", [whole(costs, cpu) for costs in echoes], 1.2),
        Claim("first echo, wall time of the process", [whole(costs, wall) for costs in echoes]),
        Claim("first echo, CPU beyond bare Python", [net(costs, cpu) for costs in echoes]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100, help="of each, default %(default)s")
    rounds = max(2, parser.parse_args().rounds)
    if sys.platform == "win32":
        sys.exit("Windows does not count a child's CPU time this way")
    print(f"Python {platform.python_version()}, websockets {version('websockets')}, ", end="")
    print(f"{rounds} rounds. Ratios wslab : websockets' server and client.\n")
    print("| what | ratio | quartiles | goal | met |\n|---|---:|---:|---|---|")
    for claim in claims(rounds):
        print(claim.row())


if __name__ == "__main__":
    main()
