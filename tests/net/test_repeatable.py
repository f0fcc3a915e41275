"""The same seed gives the same run in every process, whatever its hash seed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from run_all import as_a_learner

SEEDS = 50
SCRIPT = Path(__file__).with_name("many_clients.py")


def test_fifty_seeds_in_four_processes():
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(SEEDS)],
            env=as_a_learner(PYTHONHASHSEED=hash_seed),
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("0", "1", "2", "random")
    ]
    stories = [process.communicate(timeout=50)[0].splitlines() for process in processes]
    assert {process.returncode for process in processes} == {0}
    assert len(stories[0]) == SEEDS
    assert len(set(stories[0])) == SEEDS
    for other in stories[1:]:
        assert other == stories[0]
    ended_well = [line for line in stories[0] if ", 'None', " in line]
    assert len(ended_well) == SEEDS  # nothing is lost, whatever the dice did
