"""A figure: legible on white and on black, and described."""

from __future__ import annotations

import io
import re

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

from wslab.display.figure import INK, describe, png


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of a colour such as "#797979"."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def figure() -> Figure:
    made = Figure(figsize=(2, 2), layout="tight")
    axes = made.add_subplot(xlabel="seconds", title="Delay")
    axes.plot([0, 1], [0, 1], label="a")
    axes.legend()
    return made


def test_the_ink_is_readable_in_both_themes():
    assert min(contrast(INK, "#ffffff"), contrast(INK, "#111111")) > 4.2


def test_nothing_is_drawn_in_black_or_on_white():
    data, _ = png(figure())
    pixels = imread(io.BytesIO(data))
    assert pixels[0, 0, 3] == 0  # the background lets the page's own through
    seen = pixels[pixels[..., 3] > 0.9][:, :3]
    assert seen.size
    assert np.all(seen.max(axis=1) > 0.3)  # no black
    assert np.all(seen.min(axis=1) < 0.9)  # no white


def test_its_label_describes_it():
    made = figure()
    assert png(made)[1] == {}
    made.set_label("Delay grows with time.")
    assert png(made)[1] == {"alt": "Delay grows with time."}


def test_its_text():
    class Printer:
        said = ""

        def text(self, text):
            self.said += text

    printer, made = Printer(), figure()
    made.set_label("Delay grows.")
    describe(made, printer, False)
    assert printer.said == "Figure: Delay grows."
    assert not re.search(r"\d+x\d+", printer.said)
