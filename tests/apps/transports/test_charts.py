"""The pictures of costs: what is in them, and the words for those who cannot see them."""

from __future__ import annotations

import pytest

from wslab.apps.transports import charts
from wslab.apps.transports.comparison import Delivery, TransportCost


def cost(transport: str, *, size: int, delay: float = 0.5, requests: int = 0, setup: int = 0):
    return TransportCost(
        transport=transport,
        events=1,
        clients=1,
        period=1.0,
        setup=setup,
        to_server=0,
        to_client=size,
        requests=requests,
        empty=0,
        cpu=0.0,
        deliveries=(Delivery(1, 0.0, delay),),
    )


CURVE = [cost("polling", size=2400, delay=0.05), cost("polling", size=270, delay=0.5)]


def test_a_curve_and_its_description():
    figure = charts.delay_and_bytes(CURVE)
    polling, least = figure.axes[0].lines
    assert list(polling.get_xdata()) == [0.05, 0.5]
    assert list(polling.get_ydata()) == [2400, 270]
    assert set(least.get_ydata()) == {35}
    assert figure.get_label() == "polling is a falling line: less delay costs more bytes"


def test_marks_are_described_in_the_order_of_their_cost():
    others = [cost("WebSocket", size=35), cost("long polling", size=270), cost("SSE", size=53)]
    figure = charts.delay_and_bytes(CURVE, others)
    assert figure.get_label().endswith("the cheaper the lower: long polling, SSE, WebSocket")
    drawn = {line.get_label(): line.get_marker() for line in figure.axes[0].lines}
    assert len({drawn[run.transport] for run in others} - {"o"}) == 3  # not by colour alone


def test_columns_side_by_side():
    bare = {"polling": cost("polling", size=272), "SSE": cost("SSE", size=53)}
    real = {"SSE": cost("SSE", size=53), "polling": cost("polling", size=710)}
    figure = charts.bytes_per_event({"bare": bare, "browser": real}, label="polling grows")
    first, second = figure.axes[0].containers
    assert [bar.get_height() for bar in first] == [272, 53]
    assert [bar.get_height() for bar in second] == [710, 53]
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["polling", "SSE"]
    assert first[0].get_hatch() != second[0].get_hatch()
    assert first[0].get_x() + first[0].get_width() == pytest.approx(second[0].get_x())
    assert figure.get_label() == "polling grows"


def test_bars_from_top_to_bottom():
    figure = charts.bars({"polling": 56.83, "SSE": 4.3}, unit="Mbit/s", label="SSE needs less")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["56.8", "4.3"]
    assert axes.yaxis_inverted()
    assert (axes.get_xlabel(), figure.get_label()) == ("Mbit/s", "SSE needs less")


def test_the_table_compares_with_the_last():
    runs = {
        "polling": cost("polling", size=272, requests=1),
        "WebSocket": cost("WebSocket", size=35, setup=357),
    }
    assert repr(charts.table(runs)).splitlines()[1:] == [
        "polling    8 ×              1                   0",
        "WebSocket  1 ×              0                   357",
    ]
