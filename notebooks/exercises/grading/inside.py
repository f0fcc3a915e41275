"""Run a notebook's cells; the part of grading that shares its room with a student's code.

Reads {"cells": [source, …], "seconds": …} from standard input; writes {"cells": [outputs or null,
…], "ended": why it ended early, or ""} to standard output. It needs nothing of the course folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

KEPT = 20_000  # characters of what one cell shows
KEPT_IMAGE = 300_000
KEPT_LINES = 200  # of a traceback
LARGEST_FILE = 50_000_000  # bytes
MEMORY = 4_000_000_000
LATE = "TimeoutError"


class Shortened:
    """Cuts what one cell shows, however many messages bring it."""

    def __init__(self) -> None:
        self.room, self.said = KEPT, False

    def text(self, text: str) -> str:
        """Return as much of a text as there is room for; say once that something is missing."""
        kept, self.room = text[: self.room], max(0, self.room - len(text))
        if len(kept) < len(text) and not self.said:
            self.said = True
            return f"{kept}\n… (more than {KEPT:,} characters: the rest is left out)\n"
        return kept

    def content(self, content: dict[str, Any]) -> dict[str, Any]:
        """Return an output's content, cut."""
        made = dict(content)
        if "text" in made:
            made["text"] = self.text(str(made["text"]))
        if "traceback" in made:
            lines = list(made["traceback"])[:KEPT_LINES]
            made["traceback"] = [self.text(str(line)) for line in lines]
            made["evalue"] = str(made.get("evalue", ""))[:KEPT]
        if "data" in made:
            made["data"] = {
                kind: kept
                for kind, value in made["data"].items()
                if (kept := self.datum(kind, value))
            }
        return made

    def datum(self, kind: str, value: Any) -> str:
        """Return one form of what a cell displays, "" for none; a part of an image is worthless."""
        if kind.startswith("image/"):
            return value if isinstance(value, str) and len(value) <= KEPT_IMAGE else ""
        if kind not in ("text/plain", "text/html", "text/markdown"):
            return ""
        fits = isinstance(value, str) and (kind == "text/plain" or len(value) <= self.room)
        return self.text(value) if fits else ""


class Client(NotebookClient):
    """A notebook client that keeps little of what a cell shows, and every failure."""

    late = 0  # cells that did not finish in time

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: str, cell_index: int) -> Any:
        """Keep an output if there is room for it."""
        short = self.nb.cells[cell_index].setdefault("shortened", Shortened())
        if short.said and msg["msg_type"] != "error":
            return None
        msg = {**msg, "content": short.content(msg["content"])}
        return super().output(outs, msg, display_id, cell_index)


def keep_failure(client: Client, cell: NotebookNode, reply: dict[str, Any]) -> None:
    """Give a cell that failed an error to show, also one that was interrupted."""
    content = reply["content"]
    if content["status"] == "ok":
        return
    client.late += content.get("ename") == LATE
    if not any(output["output_type"] == "error" for output in cell.outputs):
        name, value = content.get("ename", content["status"]), content.get("evalue", "")
        cell.outputs.append(
            new_output("error", ename=name, evalue=value, traceback=[f"{name}: {value}"])
        )


async def run(sources: list[str], seconds: float) -> dict[str, Any]:
    """Run cells in a fresh kernel; what did not run to its end has None for its outputs."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    notebook.metadata["kernelspec"] = {"name": "python3"}
    client = Client(
        notebook, timeout=seconds, allow_errors=True, interrupt_on_timeout=True, iopub_timeout=30,
        error_on_timeout={"ename": LATE, "evalue": f"not finished after {seconds:g} s"},
        store_widget_state=False, record_timing=False,
        extra_arguments=["--HistoryManager.enabled=False"],
    )  # fmt: skip
    client.on_cell_executed = lambda cell, cell_index, execute_reply: keep_failure(
        client, cell, execute_reply
    )
    done: list[Any] = [None] * len(sources)
    ended = ""
    try:
        async with client.async_setup_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            for index, cell in enumerate(notebook.cells):
                await client.async_execute_cell(cell, index)
                done[index] = cell.outputs
                if client.late > 1:
                    ended = f"two cells did not finish within {seconds:g} s"
                    break
    except DeadKernelError:
        ended = "the kernel ended (`os._exit`, `exit()`, or too much memory)"
    except Exception as error:
        ended = f"the kernel did not answer ({type(error).__name__}: {error})"[:500]
    return {"cells": done, "ended": ended}


def limit() -> None:
    """Bound what this process and its children may use, where the system can."""
    try:
        import resource
    except ImportError:
        return
    for what, most in ((resource.RLIMIT_FSIZE, LARGEST_FILE), (resource.RLIMIT_DATA, MEMORY)):
        resource.setrlimit(what, (most, most))


def main() -> None:
    """Keep standard output to ourselves, run, and report."""
    limit()
    report = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    job = json.load(sys.stdin)
    result = asyncio.run(run(job["cells"], job["seconds"]))
    with os.fdopen(report, "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
