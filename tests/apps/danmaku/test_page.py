"""The page keeps a limited number of comments, however many come between two pictures."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

WSLAB = Path(__file__).parents[3] / "wslab"
FILES = ("apps/danmaku/page/danmaku.js", "apps/danmaku/page/stage.js")
FILES += ("kit/js/policies.js", "kit/js/repeated.js")

SCRIPT = """
import { Danmaku } from "./danmaku.js";

globalThis.WebSocket ??= { OPEN: 1 };  // older versions of Node have none
const danmaku = new Danmaku("ws://room/");
danmaku.path = "every";
danmaku.receive('{"person": 1}');
danmaku.say("my own");
let most = 0;
for (let n = 0; n < 10_000; n++) {
  danmaku.receive(JSON.stringify({ person: 2, text: `${n}` }));
  most = Math.max(most, danmaku.waiting.length);
}
const texts = danmaku.take().map(({ text }) => text);
console.log(JSON.stringify([most, texts[0], texts.at(-1), texts.length, danmaku.waiting.length]));
"""


def test_a_page_that_draws_nothing_keeps_its_own_and_the_newest_comments(
    node: Path, tmp_path: Path
) -> None:
    for name in FILES:
        shutil.copy(WSLAB / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    script = tmp_path / "play.mjs"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [node, script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    most, first, last, count, left = json.loads(done.stdout)
    assert (first, last, left) == ("my own", "9999", 0)
    assert 1000 < count <= most <= 2001
