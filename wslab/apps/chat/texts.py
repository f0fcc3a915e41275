"""The room's own words in English and Chinese (texts.toml), by language and code."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

__all__ = ["ERRORS", "NOTICES", "PAGES", "REASONS", "SERVER", "Language"]

Language = Literal["en", "zh"]

SERVER = "Server"  # the name under which the room speaks, on the wire in every language


def _read(purpose: str) -> dict[Language, dict[str, str]]:
    return {language: texts[purpose] for language, texts in _TEXTS.items()}


_TEXTS: Any = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
NOTICES, REASONS, PAGES, ERRORS = map(_read, ("notices", "reasons", "page", "errors"))
