"""Find out who handed in what: the file names of Moodle, Canvas, and people.

Moodle   Ana López_123456_assignsubmission_file_anything.ipynb, or a folder of that name
Canvas   lopezana_12345_67890_anything.ipynb, with LATE after the name or at the end
others   ana_02_handshake.ipynb
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

LARGEST = 20_000_000  # bytes of a notebook
COLUMNS = ("student", "name", "platform", "number", "file", "late")

MOODLE = re.compile(
    r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_(?:file|onlinetext)(?:_(?P<file>.*))?$"
)
CANVAS = re.compile(
    r"(?P<name>[^_]+?)(?P<late>_LATE)?_(?P<number>\d{3,})_\d{3,}_(?P<file>.+)$", re.I
)
COPY = re.compile(r"(?:[ _-]*\((\d+)\)|-(\d{1,3}))$")
LATE = re.compile(r"[ _-]LATE$", re.I)


@dataclass(frozen=True)
class Owner:
    """Whose a file is. student: the name of a folder. number: the platform's own, "" for none.

    file: what the student called it. late: whether the platform says so.
    """

    student: str
    name: str
    platform: str = ""
    number: str = ""
    file: str = ""
    late: bool = False


def owner(path: str, wanted: str) -> Owner | None:
    """Return whose a file is, by its name or its folder's; None if that cannot be told.

    >>> owner("Ana López_123456_assignsubmission_file_mine (1).ipynb", "02_handshake").student
    'Ana-López-123456'
    >>> owner("lopezana_LATE_12345_67890_02_handshake-1.ipynb", "02_handshake").late
    True
    >>> owner("ana_maria_02_handshake (1).ipynb", "02_handshake").student
    'ana_maria'
    """
    *folders, last = PurePosixPath(path.replace("\\", "/")).parts
    stem = re.sub(r"(\.ipynb|\.zip)+$", "", last, flags=re.I)
    late = bool(LATE.search(stem))
    stem = LATE.sub("", stem)
    for part in (stem, *reversed(folders)):
        if match := MOODLE.match(part):
            file = match["file"] or stem
            return _owner(match["name"], "moodle", match["number"], file, late)
        if match := CANVAS.match(part):
            late = late or bool(match["late"])
            return _owner(match["name"], "canvas", match["number"], match["file"], late)
    own = re.match(
        rf"(?P<name>.+?)[_ -]+{re.escape(wanted)}(?P<rest>.*)$", COPY.sub("", stem), re.I
    )
    if own and not own["rest"].strip("_- "):
        return _owner(own["name"], "", "", wanted, late)
    if folders and COPY.sub("", stem).lower() == wanted.lower():  # ana/02_handshake.ipynb
        name = folders[-1] if folders[-1] != wanted else folders[-2] if folders[1:] else ""
        return _owner(name, "", "", wanted, late) if name else None
    return None


def _owner(name: str, platform: str, number: str, file: str, late: bool) -> Owner | None:
    name = unicodedata.normalize("NFC", name).strip()
    slug = re.sub(r"[^\w.-]+", "-", f"{name}-{number}" if number else name).strip("-.")
    return Owner(slug, name, platform, number, file, late) if slug else None


def files(where: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the notebooks of a folder, of an archive, of archives in it, as name and content."""
    if where.is_dir():
        for path in sorted(where.rglob("*")):
            if path.is_file() and ".ipynb_checkpoints" not in path.parts:
                yield from _open(str(path.relative_to(where)), path.read_bytes())
    else:
        yield from _open("" if where.suffix == ".zip" else where.name, where.read_bytes())


def _open(name: str, data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    if not data.startswith(b"PK\x03\x04") or depth > 2:
        if not name.startswith("__MACOSX") and not PurePosixPath(name).name.startswith("."):
            yield name, data
        return
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        for entry in archive.infolist():
            if not entry.is_dir() and ".ipynb_checkpoints" not in entry.filename:
                with archive.open(entry) as file:
                    inner = file.read(LARGEST + 1)
                yield from _open(
                    f"{name}/{entry.filename}" if name else entry.filename, inner, depth + 1
                )
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError):
        yield name, data  # damaged or with a password: the report will say that it is no notebook


def _rank(item: tuple[Owner, str, bytes], wanted: str) -> tuple[object, ...]:
    """Order several files of one student: the best last."""
    found, name, _ = item
    copy = COPY.search(re.sub(r"(?i)\.ipynb$", "", found.file))
    number = int(copy[1] or copy[2]) if copy else 0
    return (name.lower().endswith(".ipynb"), wanted in found.file, number, name)


def collect(course: Path, wanted: str, sources: list[Path]) -> list[str]:
    """Copy what was handed in to `submitted/STUDENT/SET/SET.ipynb`; return what to report.

    A file that replaces an older one makes the next `grade` grade it again. What cannot be
    assigned to a student is named and left alone.
    """
    said: list[str] = []
    found: dict[str, list[tuple[Owner, str, bytes]]] = {}
    for source in sources:
        for name, data in files(source):
            whose = owner(name, wanted)
            if whose is None:
                said.append(f"! {name}: whose is it? Rename it to STUDENT_{wanted}.ipynb")
            elif len(data) > LARGEST:
                said.append(f"! {name}: more than {LARGEST // 1_000_000} MB, left out")
            else:
                found.setdefault(whose.student, []).append((whose, name, data))
    people = roster(course)
    for student, items in sorted(found.items()):
        items.sort(key=lambda item: _rank(item, wanted))
        whose, name, data = items[-1]
        target = course / "submitted" / student / wanted / f"{wanted}.ipynb"
        old = target.read_bytes() if target.is_file() else None
        what = (
            "new"
            if old is None
            else "the same as before"
            if old == data
            else "replaces the older one"
        )
        others = f"; chosen among {len(items)} files" if len(items) > 1 else ""
        said.append(f"  {student}: {name}: {what}{others}{', late' if whose.late else ''}")
        if old != data:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        late = "late" if whose.late else ""
        people[student] = dict(
            zip(
                COLUMNS,
                (student, whose.name, whose.platform, whose.number, name, late),
                strict=True,
            )
        )
    with (course / "roster.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(people[student] for student in sorted(people))
    return said


def roster(course: Path) -> dict[str, dict[str, str]]:
    """Return what is known of the students, by their folders' names."""
    path = course / "roster.csv"
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}
