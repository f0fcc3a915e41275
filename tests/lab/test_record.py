"""Events, errors and prints, kept until a cell shows them."""

from __future__ import annotations

import asyncio

from wslab.lab.record import Events, HandlerError, Record


class TestEvents:
    EVENTS = Events(
        [
            Record(0, "start", "hello"),
            Record(1, "open", "/"),
            Record(2, "open", "/chat"),
            Record(1, "print", "one\ntwo"),
        ]
    )

    def test_as_text(self):
        assert repr(self.EVENTS).split("\n") == [
            "connection  event  text",
            "            start  hello",
            "1           open   /",
            "2           open   /chat",
            "1           print  one",
            "                   two",
        ]
        assert repr(Events()) == "no events"

    def test_slices_and_filters_are_events(self):
        assert repr(self.EVENTS[1:2]).endswith("open   /")
        assert self.EVENTS[0].kind == "start"
        assert self.EVENTS.only("open") == [Record(1, "open", "/"), Record(2, "open", "/chat")]
        assert [event.kind for event in self.EVENTS.only(connection=1)] == ["open", "print"]
        assert repr(self.EVENTS.only("open", 2)).endswith("2           open   /chat")

    def test_the_oldest_go_when_there_are_too_many(self, monkeypatch):
        monkeypatch.setattr(Events, "LIMIT", 20)
        events = Events()
        for number in range(21):
            events.add(Record(number, "print", ""))
        assert [event.connection for event in events] == list(range(2, 21))

    def test_a_very_long_text_is_cut_and_says_so(self):
        """A peer chooses the path of its request: 8 KB of it were kept ten thousand times."""
        events = Events()
        for size in (1000, 8000):
            events.add(Record(1, "open", "/" * size))
        assert events[0].text == "/" * 1000
        assert events[1].text == "/" * 1000 + (
            " … 7,000 more characters, not kept: an event has 1,000, "
            "a cable's transcript has all bytes"
        )

    def test_very_many_are_shown_in_part(self):
        shown = repr(Events(Record(1, "open", str(number)) for number in range(5000))).split("\n")
        assert len(shown) == 202
        assert shown[101].split() == [
            *("…", "4,800", "rows", "are", "left", "out:"),
            *("look", "at", "a", "slice,", "such", "as", "[100:300]"),
        ]
        assert shown[-1].endswith("4999")

    def test_hostile_text_is_harmless(self):
        shown = repr(Events([Record(1, "print", "\x1b[2J\r\x00\u202e")]))
        assert shown.endswith("\\x1b[2J\\r\\x00\\u202e")


def test_a_very_long_traceback_is_cut_and_says_so():
    error = HandlerError.of("x", 1, ValueError("x" * 1_000_000))
    assert len(error.traceback) < 21_000
    assert error.traceback.endswith("more characters, see .exception")


def failed(function):
    try:
        function()
    except Exception as error:
        return HandlerError.of("demo", 3, error)
    raise AssertionError("it did not fail")


class TestHandlerError:
    def test_has_the_handlers_own_lines_only(self):
        def handler():
            asyncio.run(1)  # asyncio's frames are not the learner's

        error = failed(handler)
        text = repr(error).split("\n")
        assert text[0] == "The handler of server 'demo' raised on connection 3:"
        assert text[1] == "Traceback (most recent call last):"
        assert [line for line in text if line.startswith("  File")] == [
            f'  File "{__file__}", line {failed.__code__.co_firstlineno + 2}, in failed',
            f'  File "{__file__}", line {handler.__code__.co_firstlineno + 1}, in handler',
        ]
        assert text[-1] == "ValueError: a coroutine was expected, got 1"
        assert isinstance(error.exception, ValueError)

    def test_the_errors_behind_it_are_shortened_too(self):
        def handler():
            try:
                asyncio.run(1)
            except ValueError as error:
                raise ExceptionGroup("several", [error, KeyError("x")]) from error

        text = repr(failed(handler))
        assert "asyncio/runners.py" not in text
        assert "KeyError: 'x'" in text
        assert text.count("a coroutine was expected") == 2

    def test_a_cell_is_called_a_cell(self):
        code = compile("1 / 0", "/tmp/ipykernel_123/456.py", "exec")
        text = repr(failed(lambda: exec(code)))
        assert 'File "a cell of this notebook", line 1, in <module>' in text
        assert "456" not in text

    def test_a_hostile_message_is_harmless(self):
        def handler():
            raise ValueError("\x1b[31m")

        assert repr(failed(handler)).endswith("ValueError: \\x1b[31m")
