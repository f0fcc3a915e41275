"""Hypothesis for these tests: the same examples every time, and no time limit on a busy machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("wslab", derandomize=True, deadline=None, max_examples=60)
settings.load_profile("wslab")
