"""Build the book: every lesson as a page to read, from the outputs that the tests have proven.

    python book/build.py [FOLDER]       FOLDER is build/site if it is not named

Nothing runs and nothing is downloaded. If `make lite` has been run before, the edition that runs in
a page is copied into the folder `lite`, and every lesson gets a button that opens it there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import check
import lessons
import pages

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LITE = ROOT / "build" / "lite"
WORK = ROOT / "build" / "book"


def build(target: Path, *, lite: Path = LITE, repository: str = "", work: Path = WORK) -> None:
    """Make the book in a folder, which is replaced.

    lite: the edition that runs in a page, if it has been built.
    repository: "owner/name" at GitHub, for the buttons that open Binder.
    work: a folder for what Sphinx reads and remembers; it is replaced, too.
    Ends the program if Sphinx warns, or if a link leads nowhere.
    """
    for folder in (work, target):
        shutil.rmtree(folder, ignore_errors=True)
    source = work / "pages"
    buttons = lessons.Buttons(has_lite=lite.is_dir(), repository=repository)
    lessons.write_all(source, buttons)
    pages.write_all(source)
    sphinx = [sys.executable, "-m", "sphinx", "-b", "html", "-c", str(HERE), "-q", "-W"]
    sphinx += ["--keep-going", "-j", "auto", "-d", str(work / "trees")]
    sphinx += ["-D", f"html_extra_path={source / 'extra'}"]
    if subprocess.run([*sphinx, str(source), str(target)]).returncode:
        sys.exit("the book has warnings; they are above")
    if lite.is_dir():
        shutil.copytree(lite, target / "lite")
    wrong = check.broken_links(target)
    if wrong:
        sys.exit("links of the book lead nowhere:\n" + "\n".join(wrong))


def main(folder: str = str(ROOT / "build" / "site")) -> None:
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    build(Path(folder), repository=repository)
    print(f"{folder}: open index.html in a browser, or put the folder on any web server")
    if not LITE.is_dir():
        print("Without the buttons that run a lesson in the page: `make lite` builds that edition.")
    if not repository:
        print("Without the buttons for Binder: set GITHUB_REPOSITORY=owner/name.")


if __name__ == "__main__":
    main(*sys.argv[1:])
