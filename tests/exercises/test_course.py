"""The map of the course: every lesson, in order, with what was done of it."""

from __future__ import annotations

from pathlib import Path

from wslab import check, course_map
from wslab.exercises.course import CourseMap, Lesson
from wslab.exercises.engine import journal

from .tools import solutions


def test_it_has_every_lesson_in_order(progress_file: Path) -> None:
    lessons = course_map().lessons
    assert [one.title[:5] for one in lessons[:3]] == ["00 · ", "01 · ", "02 · "]
    assert all(5 <= one.minutes <= 120 for one in lessons)
    assert lessons[2].solved == (0, len(check.handshake.tasks))


def test_it_shows_what_was_done(progress_file: Path) -> None:
    journal.note_prediction("00.bytes", False)
    check.framing.mask(solutions("03_framing")["mask"])
    lessons = course_map().lessons
    assert lessons[0].predicted[0] == 1
    assert lessons[3].solved[0] == 1


def test_its_text() -> None:
    shown = CourseMap((Lesson("00 · A", 10, (1, 5), (0, 0)), Lesson("02 · B", 50, (0, 0), (2, 4))))
    assert [line.split() for line in repr(shown).split("\n")] == [
        ["lesson", "minutes", "predicted", "exercises", "solved"],
        ["00", "·", "A", "10", "1", "of", "5"],
        ["02", "·", "B", "50", "2", "of", "4"],
        ["2", "lessons,", "1", "hours", "without", "the", "exercises"],
    ]
