"""Pictures of the measurements, with one message each, and a table.

label: describes the picture for readers who cannot see it, without numbers that vary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from wslab.apps.transports.comparison import LEAST_TO_CLIENT, TransportCost
from wslab.lab.tables import Table

__all__ = ["bars", "bytes_per_event", "delay_and_bytes", "table"]

MARKS = {"long polling": "s", "SSE": "^", "WebSocket": "*"}
HATCHES = ("", "//", "..")  # colour is never the only mark
PAYLOAD = 33  # bytes that `measure` sends by default


def delay_and_bytes(curve: Sequence[TransportCost], others: Sequence[TransportCost] = ()) -> Figure:
    """Draw polling at several intervals as a curve, and each of the others as a mark.

    Left means prompt, and low means cheap. Both scales are logarithmic. The dotted line is an event
    with the smallest header of a frame.
    """
    cheap = sorted(others, key=lambda run: -run.bytes_per_event)
    marks = f"; left of it, the cheaper the lower: {', '.join(run.transport for run in cheap)}"
    label = "polling is a falling line: less delay costs more bytes" + marks * bool(others)
    figure = Figure(figsize=(7.5, 3.6), layout="tight", label=label)
    axes = figure.add_subplot(
        xlabel="median delay, in periods (left: prompt)", ylabel="bytes per event (low: cheap)"
    )
    axes.loglog(*_points(curve), "o-", label="polling")
    for run in others:
        axes.loglog(*_points([run]), MARKS[run.transport], ms=9, label=run.transport)
    axes.axhline(PAYLOAD + LEAST_TO_CLIENT, ls=":", color="gray", label="event + smallest frame")
    axes.legend(loc="upper right")
    return figure


def _points(runs: Sequence[TransportCost]) -> tuple[list[float], list[float]]:
    return [run.delay for run in runs], [run.bytes_per_event for run in runs]


def bytes_per_event(groups: Mapping[str, Mapping[str, TransportCost]], *, label: str) -> Figure:
    """Draw columns side by side, from {"bare client": {"polling": …, …}, …}, with equal names."""
    figure = Figure(figsize=(7.5, 3), layout="tight", label=label)
    axes = figure.add_subplot(ylabel="bytes per event")
    width, names = 0.8 / len(groups), list(next(iter(groups.values())))
    for place, (group, runs) in enumerate(groups.items()):
        heights = [round(runs[name].bytes_per_event) for name in names]
        left = [at + width * (place - (len(groups) - 1) / 2) for at in range(len(names))]
        drawn = axes.bar(left, heights, width, label=group, hatch=HATCHES[place % len(HATCHES)])
        axes.bar_label(drawn)
    axes.set_xticks(range(len(names)), names)
    axes.margins(y=0.12)
    axes.legend()
    return figure


def bars(values: Mapping[str, float], *, unit: str, label: str) -> Figure:
    """Draw a bar for each name, from top to bottom, with its value behind it."""
    figure = Figure(figsize=(7.5, 0.6 + 0.4 * len(values)), layout="tight", label=label)
    axes = figure.add_subplot(xlabel=unit)
    axes.bar_label(
        axes.barh(list(values), [round(value, 1) for value in values.values()]), padding=3
    )
    axes.invert_yaxis()
    axes.margins(x=0.1)
    return figure


def table(runs: Mapping[str, TransportCost]) -> Table:
    """List costs by name, with bytes as a multiple of the last one's, rounded so as not to vary."""
    *_, least = [run.bytes_per_event for run in runs.values()]
    head = ["transport", "bytes per event", "requests per event", "bytes to set up"]
    return Table(
        head,
        [
            [name, f"{run.bytes_per_event / least:.0f} ×", round(run.requests_per_event), run.setup]
            for name, run in runs.items()
        ],
    )
