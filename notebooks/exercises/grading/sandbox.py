"""Run a submission where it sees the Python of the course, its own files, and nothing else.

Three rooms, the best first: bubblewrap (Linux), another user (if we are root), a plain folder. A
room is used only if a probe in it finds Python and does not find the course folder.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from grading import inside

SECONDS = 60.0  # for one cell; a check takes some 6
PATIENCE = 600.0  # seconds for a whole submission
SYSTEM = (
    *("/usr", "/bin", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/alternatives"),
    *("/etc/passwd", "/etc/localtime", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl"),
)
PROBE = """
import importlib.util, os, sys
assert importlib.util.find_spec("wslab") and importlib.util.find_spec("nbclient")
try: seen = os.listdir(sys.argv[1])
except OSError: seen = []
sys.exit(3 if seen else 0)
"""


@dataclass(frozen=True)
class Room:
    """One way to run a submission. remains: what its code can still do."""

    name: str
    remains: str


BUBBLEWRAP = Room(
    "bubblewrap",
    "A submission sees its own files, Python and the system's programs, and has no network. It can "
    "still deceive the check that runs beside it in its process, and keep the machine busy.",
)
OTHER_USER = Room(
    "another user",
    "A submission runs as a user without a name, who cannot open the course folder. It can still "
    "read what this machine shows to every user, use the network, and deceive the check beside it. "
    "`apt install bubblewrap` closes the first two.",
)
PLAIN = Room(
    "none",
    "NOT ISOLATED: a submission can read and change whatever you can, solutions and grades "
    "included. Grade on Linux with bubblewrap, or in a container or an account that holds nothing "
    "else.",
)


def wslab_folder() -> Path:
    """Return where the course's package is."""
    spec = importlib.util.find_spec("wslab")
    if spec is None or spec.origin is None:
        raise SystemExit("This Python does not have wslab: use the one of the course's .venv.")
    return Path(spec.origin).resolve().parent


def _wrapped(folder: Path) -> list[str]:
    """Return bubblewrap's command line: what is mounted, read-only but for the folder."""
    package = wslab_folder()
    seen = dict.fromkeys(
        [*SYSTEM, sys.base_prefix, str(Path(sys.base_prefix).resolve()), sys.prefix, str(package)]
    )
    mounts = [word for path in seen for word in ("--ro-bind-try", path, path)]
    return [
        "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
        "--hostname", "grading", "--proc", "/proc", "--dev", "/dev",
        "--size", "200000000", "--tmpfs", "/tmp", *mounts,
        "--bind", str(folder), str(folder), "--chdir", str(folder), "--",
    ]  # fmt: skip


def _environment(folder: Path) -> dict[str, str]:
    kept = ("SYSTEMROOT", "PATHEXT", "COMSPEC")  # what Windows cannot do without
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.defpath)),
        "USER": "student",
        "HOME": str(folder / ".home"),
        "USERPROFILE": str(folder / ".home"),
        "PYTHONPATH": str(wslab_folder().parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "WSLAB_PROGRESS": str(folder / ".home" / "progress.jsonl"),
        "NBGRADER_EXECUTION": "autograde",
        "LANG": "C.UTF-8",
    }


def _start(room: Room, folder: Path, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start Python in a room; its folder becomes the working directory."""
    if room is BUBBLEWRAP:
        command = [*_wrapped(folder), *command]
    elif room is OTHER_USER:
        user = _stranger(folder)
        options |= {"user": user, "group": user, "extra_groups": []}
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user)
    return subprocess.Popen(
        command, cwd=folder, env=_environment(folder), start_new_session=True, **options
    )


def _stranger(folder: Path) -> int:
    """Return a user id for one folder: nobody else has it, so all its processes are ours."""
    import pwd

    user = 40_000 + zlib.crc32(folder.name.encode()) % 20_000
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(number for number in range(user, 65_000) if number not in taken)


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder for one submission, and remove it with whatever is in it."""
    path = Path(tempfile.mkdtemp(prefix="grading-")).resolve()
    (path / ".home").mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _end(process: subprocess.Popen[bytes], room: Room, folder: Path) -> None:
    """End a process with all that it has started; bubblewrap's children end with it."""
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()
    process.wait()
    if room is OTHER_USER:  # also those that left the group
        user = _stranger(folder)
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if entry.stat().st_uid == user:
                    os.kill(int(entry.name), signal.SIGKILL)


@cache
def room(course: Path) -> Room:
    """Return the best room that works here, and from which the course is not seen."""
    rooms = [BUBBLEWRAP] if shutil.which("bwrap") else []
    rooms += [OTHER_USER] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    for one in rooms:
        with _folder() as folder, suppress(OSError, KeyError):
            process = _start(
                one, folder, [sys.executable, "-c", PROBE, str(course.resolve())],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            if process.poll() == 0:
                return one
            _end(process, one, folder)
    return PLAIN


def run(
    course: Path, sources: list[str], files: list[Path], seconds: float = SECONDS
) -> dict[str, Any]:
    """Run code cells in the best room; `inside.run` says what is returned.

    files: what the student handed in besides the notebook; copied into the working directory.
    """
    job = json.dumps({"cells": sources, "seconds": seconds}).encode()
    with _folder() as folder, tempfile.TemporaryFile() as report, tempfile.TemporaryFile() as given:
        for path in files:
            if (
                path.is_file()
                and not path.is_symlink()
                and path.stat().st_size <= inside.LARGEST_FILE
            ):
                shutil.copy(path, folder)
        shutil.copy(inside.__file__, folder / ".home" / "inside.py")
        given.write(job)
        given.seek(0)
        command = [sys.executable, str(folder / ".home" / "inside.py")]
        here = room(course)
        process = _start(
            here, folder, command, stdin=given, stdout=report, stderr=subprocess.DEVNULL
        )
        ended = "grading it broke down"
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            ended = f"it was not finished after {PATIENCE / 60:g} minutes"
        finally:
            _end(process, here, folder)
        report.seek(0)
        with suppress(ValueError, KeyError, RecursionError):
            result = json.loads(report.read())
            if len(result["cells"]) == len(sources) and isinstance(result["ended"], str):
                return dict(result)
    return {"cells": [None] * len(sources), "ended": ended}


def fresh_seed() -> int:
    """Return a seed for hidden tests: one that no feedback page of earlier days has shown."""
    return secrets.randbelow(10**9)
