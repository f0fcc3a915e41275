"""Who runs what: files with a browser on two workers at most, and every test once."""

from __future__ import annotations

from types import SimpleNamespace

from .scheduler import HEAVY, TOGETHER, OneByOne

WORKERS = 4
FILES = dict.fromkeys("abcde", 6) | {"single": 1}
SINGLE = [f"tests/apps/test_x.py::test_{number}" for number in range(60)]
BROWSER = [
    f"tests/browser/test_{name}.py::test_{number}"
    for name, tests in FILES.items()
    for number in range(tests)
]
COLLECTED = [*SINGLE, *BROWSER]


class Worker:
    shutting_down = False
    gateway = SimpleNamespace(id="any")

    def __init__(self):
        self.waiting, self.done = [], []

    def send_runtest_some(self, indices):
        self.waiting += indices

    def shutdown(self):
        self.shutting_down = True


def scheduled():
    """Let all workers run a test at a time; yield what each of them runs."""
    config = SimpleNamespace(
        getvalue=lambda name: ["popen"] * WORKERS, option=SimpleNamespace(loadscopereorder=True)
    )
    scheduler, workers = OneByOne(config), [Worker() for _ in range(WORKERS)]
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, COLLECTED)
    scheduler.schedule()
    while any(worker.waiting for worker in workers):
        yield [COLLECTED[worker.waiting[0]] if worker.waiting else "" for worker in workers]
        for worker in workers:
            if worker.waiting:
                scheduler.mark_test_complete(worker, worker.waiting.pop(0))
    assert scheduler.tests_finished


def test_every_test_runs_once():
    assert sorted(test for step in scheduled() for test in step if test) == sorted(COLLECTED)


def test_one_worker_runs_a_whole_file():
    runs = {
        (test.partition("::")[0], place) for step in scheduled() for place, test in enumerate(step)
    }
    assert len([file for file, _ in runs if TOGETHER.match(file)]) == len(FILES)


def test_few_browsers_run_at_a_time_from_the_first_step_on():
    browsers = [sum(bool(TOGETHER.match(test)) for test in step) for step in scheduled()]
    steps = -(-len(BROWSER) // HEAVY)
    assert set(browsers[: steps - 4]) == {HEAVY}
    assert max(browsers) == HEAVY
