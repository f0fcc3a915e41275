"""Make matplotlib's figures legible in both themes, and describe them for screen readers.

A figure's label is its description, as in `figure.set_label("WebSocket needs the fewest bytes")`.
"""

from __future__ import annotations

import io
from typing import Any

__all__ = ["describe", "png"]

INK = "#797979"  # as far from white as from JupyterLab's dark background
BLACK = "#000000"


def png(figure: Any) -> tuple[bytes, dict[str, str]]:
    """Draw a figure on a transparent background, with grey ink for black; needs no pyplot.

    Returns the picture, and its label as the alternative text. nbconvert's classic template writes
    it; its default one (7.17) knows no alternative texts, whatever the metadata say.
    """
    from matplotlib.colors import to_hex
    from matplotlib.text import Text

    for axes in figure.axes:
        axes.patch.set_alpha(0)
        axes.tick_params(colors=INK, which="both")
        for spine in axes.spines.values():
            spine.set_color(INK)
        if (legend := axes.get_legend()) is not None:
            legend.get_frame().set_alpha(0)
    for text in figure.findobj(Text):
        if to_hex(text.get_color()) == BLACK:
            text.set_color(INK)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=96, transparent=True)
    return file.getvalue(), {"alt": figure.get_label()} if figure.get_label() else {}


def describe(figure: Any, printer: Any, _cycle: bool) -> None:
    """Write a figure's label as its text (IPython's pretty printer)."""
    printer.text(f"Figure: {figure.get_label() or 'without a description'}")
