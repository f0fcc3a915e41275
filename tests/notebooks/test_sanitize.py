"""The sanitiser blanks what varies, and nothing that carries meaning."""

import configparser
import re

import pytest
from nbval.plugin import get_sanitize_patterns
from record import SANITIZE, sanitised

PATTERNS = get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8"))
CONFIG = configparser.RawConfigParser()
CONFIG.read(SANITIZE, encoding="utf-8")

# For each pattern: what stands before the value, two values, and what stands after them.
EXAMPLES = [
    ("port", "<Server 'echo' ws://127.0.0.1:", "40123", "61000", "/chat>"),
    ("port", "Host: localhost:", "45901", "32768", "<br>Upgrade: websocket"),
    ("port", "ws://[::1]:", "45901", "32768", "/"),
    ("mask", "TEXT 11 B 81 85 [", "37 fa 21 3d", "00 00 00 01", '] "Hello"'),
    ("masked", "81 85 [mask] {", "7f 9f 4d 51 58", "00 11 22 33 44", '} "Hello"'),
    ("masked", "<code>{", "7f 9f 4d", "00 11 22", " …}</code> 64 KiB"),
    (
        "key",
        "Upgrade: websocket\r\nSec-WebSocket-Key: ",
        *("x3JJHMbDL1EzLkh9GBhXDw==", "dGhlIHNhbXBsZSBub25jZQ=="),
        "\r\nSec-WebSocket-Version: 13",
    ),
    ("key", "b'sec-websocket-key:", "x3JJHMbDL1EzLkh9GBhXDw==", "A" * 22 + "==", r"\r\nHost: x'"),
    (
        "accept",
        "<br>Sec-WebSocket-Accept: ",
        *("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "XtQdDs/gPWo0h/BbTQxMr8KR3pk="),
        "</code>",
    ),
    (
        "date",
        r"b'Date: ",
        *("Sun, 01 Nov 2026 19:50:09 GMT", "Mon, 30 Nov 2026 04:46:21 GMT"),
        r"\r\nUpgrade: websocket'",
    ),
    ("software", "Server: Python/", "3.11", "3.14", " aiohttp/3.14.5"),
    ("software", "User-Agent: Python/3.11 websockets/", "17.4", "18.0.1", "</code>"),
    (
        "object",
        "<coroutine object main at ",
        "0x7f77a44c6800",
        "0x1111a44c6fff",
        "> was never awaited",
    ),
    ("session", '0{"sid":"', "bvJ31OcNWwiXeMHIAAAA", "rMIS3qPmTsK35WDPAAAB", '","upgrades":[]}'),
    ("session", '"pid":"', "9BeYrXr_sVTiX8-pAAAB", "rMIS3qPmTsK35WDPAAAB", '"}'),
    (
        "session",
        "{&quot;sid&quot;: &quot;",
        *("9BeYrXr_sVTiX8-pAAAB", "rMIS3qPmTsK35WDPAAAB"),
        "&quot;}",
    ),
    ("session", "{'sid': '", "9BeYrXr_sVTiX8-pAAAB", "rMIS3qPmTsK35WDPAAAB", "'}"),
    ("backlog", "dropped  ", "65704", "70001", " bytes would wait, 65536 are allowed"),
    ("elapsed", '<td style="text-align: right; white-space: nowrap">+', "7", "112", " ms</td>"),
    ("ten", "{'polling, 10 a second': ", "10", "9", ",\n 'polling, 1 a second': 1"),
    ("ten", "'polling, 1 a second': 1,\n 'long polling': ", "10", "11", ",\n 'SSE': 0"),
]


def test_every_pattern_has_an_example():
    assert list(CONFIG) == ["DEFAULT", *dict.fromkeys(name for name, *_ in EXAMPLES)]


@pytest.mark.parametrize(("name", "before", "one", "other", "after"), EXAMPLES)
class TestPattern:
    def test_blanks_the_value(self, name, before, one, other, after):
        own = {CONFIG[name]["regex"]: CONFIG[name]["replace"]}
        assert sanitised(before + one + after, PATTERNS) == sanitised(
            before + other + after, PATTERNS
        )
        assert re.sub(*next(iter(own.items())), before + one + after) != before + one + after

    def test_sees_any_other_difference(self, name, before, one, other, after):
        whole = sanitised(before + one + after, PATTERNS)
        for index in range(len(before)):
            changed = before[:index] + "~" + before[index + 1 :]
            assert sanitised(changed + other + after, PATTERNS) != whole
        for index in range(len(after)):
            changed = after[:index] + "~" + after[index + 1 :]
            assert sanitised(before + other + changed, PATTERNS) != whole

    def test_does_not_reach_from_one_value_to_the_next(self, name, before, one, other, after):
        text = f"{before}{one}{after} between {before}{one}{after}"
        half = sanitised(before + other + after, PATTERNS)
        assert sanitised(text, PATTERNS) == f"{half} between {half}"

    def test_takes_no_value_of_another_form(self, name, before, one, other, after):
        if name in ("masked", "backlog", "elapsed", "port", "software", "object"):  # of any length
            return
        for wrong in (one[:-1], one + one[-1], "~" + one[1:], "Ada joined the room"):
            assert sanitised(before + wrong + after, PATTERNS) != sanitised(
                before + one + after, PATTERNS
            )


@pytest.mark.parametrize(
    "text",
    [
        "Server: Ada joined the room",  # a name of the chat's
        "Server: Python/3.11 is a snake",
        "Date: tomorrow",
        "Sec-WebSocket-Key: too-short",
        "81 05 48 65 6c 6c 6f",  # an unmasked frame
        "[37 fa 21]",  # three bytes are no mask
        "{not hex}",
        "opcode 0x8, the largest length 0x7fffffff",
        "0x7fffffffffffffff",
        "closed after 12 ms",
        "Sec-WebSocket-Version: 13",
        "10.0.0.1:80",
        "127.0.0.1:8765",  # one that the text has chosen
        '{"sid":"too-short"}',
        "12 bytes wait",
    ],
)
def test_what_is_meant_stays(text):
    assert sanitised(text, PATTERNS) == text


def test_the_number_of_masked_bytes_is_compared():
    assert sanitised("{7f 9f 4d}", PATTERNS) == "{XX XX XX}"
