"""The sanitiser blanks what varies, and nothing that carries meaning."""

import pytest
from nbval.plugin import get_sanitize_patterns
from record import SANITIZE, sanitised

PATTERNS = get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("seen", "blanked"),
    [
        ("ws://127.0.0.1:40123/chat", "ws://127.0.0.1:PORT/chat"),
        ("ws://localhost:8765", "ws://localhost:PORT"),
        ("81 85 [37 fa 21 3d] {7f 9f 4d 51 58}", "81 85 [mask] {masked}"),
        ("{7f 9f 4d …} 64 KiB", "{masked} 64 KiB"),
        ("Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n", "Sec-WebSocket-Key: VALUE\r\n"),
        (r"b'Date: Sun, 1 Nov 2026\r\nUpgrade: x'", r"b'Date: VALUE\r\nUpgrade: x'"),
        ("<td>Server: Python/3.11</td>", "<td>Server: VALUE</td>"),
        ('"user-agent: Python/3.11"', '"user-agent: VALUE"'),
        ("+12.3 ms", "+T ms"),
        ("<object at 0x7f3a5c0d1e80>", "<object at 0xID>"),
    ],
)
def test_what_varies_is_blanked(seen, blanked):
    assert sanitised(seen, PATTERNS) == blanked


@pytest.mark.parametrize(
    "text",
    [
        "81 05 48 65 6c 6c 6f",  # an unmasked frame
        "[37 fa 21]",  # three bytes are no mask
        "opcode 0x8, the largest length 0x7fffffff",
        "closed after 12 ms",
        "Sec-WebSocket-Version: 13",
        "10.0.0.1:80",
    ],
)
def test_what_is_meant_stays(text):
    assert sanitised(text, PATTERNS) == text
