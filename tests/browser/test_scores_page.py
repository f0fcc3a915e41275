"""The page of the scores in Chromium: it shows only true scores, and runs the clock by itself."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Page, expect

from wslab import lab
from wslab.apps import scores
from wslab.apps.scores import Match, Scoreboard
from wslab.kit.messages import merge_diff

from ..kit.test_messages import APPENDIX

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"


@pytest.fixture
def board() -> Scoreboard:
    return Scoreboard(Match(Random(14)))


@pytest.fixture
def server(board: Scoreboard) -> Iterator[lab.Server]:
    server = scores.serve(board, name="scores page")
    yield server
    assert server.errors == []
    server.stop_now()


def open_page(page: Page, server: lab.Server, query: str = "") -> list[str]:
    """Open the page; return its complaints."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(server.url.replace("ws", "http", 1) + query)
    expect(page.get_by_role("status")).to_have_text("online")
    return complaints


def test_a_merge_patch_in_a_page_is_the_same(page, server, board):
    open_page(page, server)
    cases = [[json.loads(part) for part in row] for row in APPENDIX]
    states = [board.match.state, *(board.match.step() for _ in range(60))]
    for old, new in itertools.pairwise(states):
        cases.append([old, merge_diff(old, new), new])
    hostile = '{"__proto__": {"a": 1}}'
    apply = """async (cases) => {
        const { mergePatch } = await import("/static/scores.js");
        return cases.map(([target, patch]) => mergePatch(target, patch));
    }"""
    assert page.evaluate(apply, cases) == [result for *_, result in cases]
    own = f"""async () => {{
        const {{ mergePatch }} = await import("/static/scores.js");
        const merged = mergePatch({{}}, JSON.parse('{hostile}'));
        return [Object.keys(merged), merged.a === undefined];
    }}"""
    assert page.evaluate(own) == [["__proto__"], True]


def test_a_match_with_goals_that_are_taken_back(page, server, board):
    complaints = open_page(page, server)
    for steps, score, review in ((63, "2 : 1", ""), (1, "2 : 1", "Kong"), (1, "1 : 1", "")):
        board.step(steps)
        expect(page.locator(".scores-score")).to_have_text(score)
        said = f"VAR: a goal of {review} is checked" if review else ""
        expect(page.locator(".scores-review")).to_have_text(said)
    expect(page.locator(".scores-goals li")).to_have_text(["2' Gao (Dragons)", "34' Mori (Herons)"])
    expect(page.locator(".scores-version")).to_have_text("version 65")
    assert complaints == []


def test_a_tunnel(page, server, board):
    complaints = open_page(page, server)
    for missed in (5, 150):
        page.get_by_role("button", name="enter a tunnel").click()
        expect(page.get_by_role("status")).to_have_text("in a tunnel")
        board.step(missed)
        page.get_by_role("button", name="leave the tunnel").click()
        expect(page.locator(".scores-version")).to_have_text(f"version {board.log.last}")
    home, away = (board.match.state[side]["goals"] for side in ("home", "away"))
    expect(page.locator(".scores-score")).to_have_text(f"{home} : {away}")
    assert complaints == []


def test_the_clock_runs_without_messages(page, server):
    page.add_init_script("""
        window.heard = 0;
        window.WebSocket = class extends WebSocket {
          constructor(url) {
            super(url);
            this.addEventListener("message", () => (heard += 1));
          }
        };
    """)
    open_page(page, server)
    clock = page.locator(".scores-time")
    seen = set()
    while len(seen) < 4:
        seen.add(clock.inner_text())
        page.wait_for_timeout(100)
    assert page.evaluate("heard") == 1


def test_viewers_on_trains_in_both_themes(page, server, board):
    page.set_viewport_size({"width": 700, "height": 700})
    complaints = open_page(page, server, "?trains=6")
    board.step(70)
    expect(page.locator(".scores-trains li")).to_have_count(6)
    expect(page.locator(".scores-trains li", has_text="version 70").first).to_be_visible()
    ARTIFACTS.mkdir(exist_ok=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=ARTIFACTS / f"scores_page_{scheme}.png")
    assert complaints == []


def test_the_widget_in_jupyterlab(page, driver):
    driver.lab.write_notebook(
        "scores.ipynb", "from wslab.apps import scores\nscores.ScoresWidget(scores.serve())"
    )
    driver.open_notebook(page, "scores.ipynb")
    driver.run_all(page)
    panel = page.get_by_role("group", name="Live score")
    expect(panel.get_by_role("status")).to_have_text("online")
    expect(panel.locator(".scores-score")).to_contain_text(":")
    expect(panel.locator(".scores-version")).to_contain_text("version")
    for theme in ("light", "dark"):
        driver.set_theme(page, theme)
        driver.screenshot(page, f"scores_widget_{theme}")
