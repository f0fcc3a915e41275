"""Make wslab/apps/chat/confusables.json, the data of UTS #39, out of an ICU library.

ICU carries Unicode's confusables.txt. The package `icu4py` brings a current ICU; nothing else of it
is used, and the course does not depend on it:

    python -m venv /tmp/icu && /tmp/icu/bin/pip install icu4py
    /tmp/icu/bin/python tests/apps/chat/make_confusables.py

Each character that is a prototype of others is listed with them. A character stands here as it is
after decomposition (NFD), which comes first when a skeleton is made.
"""

from __future__ import annotations

import ctypes
import json
import unicodedata
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[3] / "wslab" / "apps" / "chat" / "confusables.json"
SIZE = 400  # bytes, more than any prototype has


class Spoof:
    """ICU's own `uspoof_getSkeleton`, by its C interface."""

    def __init__(self) -> None:
        spec = find_spec("icu4py")
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parents[1] / "icu4py.libs"
        for name in ("data", "uc", "i18n"):  # each needs the one before
            (path,) = folder.glob(f"libicu{name}*")
            self.library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        self.icu = path.name.partition(".so.")[2]
        self.suffix = self.icu.partition(".")[0]
        open_one = self.function("uspoof_open")
        open_one.restype = ctypes.c_void_p
        self.checker = ctypes.c_void_p(open_one(ctypes.byref(ctypes.c_int(0))))

    def function(self, name: str) -> Any:
        return getattr(self.library, f"{name}_{self.suffix}")  # type: ignore[no-any-return]

    @property
    def unicode(self) -> str:
        version = (ctypes.c_uint8 * 4)()
        self.function("u_getUnicodeVersion")(version)
        return ".".join(map(str, version[:2]))

    def skeleton(self, text: str) -> str:
        data, out, error = text.encode(), ctypes.create_string_buffer(SIZE), ctypes.c_int(0)
        size = self.function("uspoof_getSkeletonUTF8")(
            self.checker, 0, data, len(data), out, SIZE, ctypes.byref(error)
        )
        assert error.value <= 0
        return out.raw[:size].decode()


def main() -> None:
    spoof = Spoof()
    similar: dict[str, str] = defaultdict(str)
    for point in (*range(0xD800), *range(0xE000, 0x110000)):
        letter = chr(point)
        prototype = spoof.skeleton(letter)
        if prototype not in ("", letter) and unicodedata.normalize("NFD", letter) == letter:
            similar[prototype] += letter
    about = f"UTS #39 confusables of Unicode {spoof.unicode}, out of ICU {spoof.icu}"
    table = {
        "about": f"{about}, by tests/apps/chat/make_confusables.py",
        "license": "Unicode License v3, © 1991 Unicode, Inc.",
        "unicode": spoof.unicode,
        "similar": dict(sorted(similar.items())),
    }
    TARGET.write_text(json.dumps(table, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
