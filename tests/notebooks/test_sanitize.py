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
        ('0{"sid":"bvJ31OcNWwiXeMHIAAAA","upgrades":[]}', '0{"sid":"SID","upgrades":[]}'),
        (
            '{"sid":"rMIS3qPmTsK35WDPAAAA","pid":"9BeYrXr_sVTiX8-pAAAB"}',
            '{"sid":"SID","pid":"SID"}',
        ),
        ("{&quot;sid&quot;: &quot;9BeYrXr_sVTiX8-pAAAB&quot;", "{&quot;sid&quot;: &quot;SID&quot;"),
        ("{'sid': '9BeYrXr_sVTiX8-pAAAB'}", "{'sid': 'SID'}"),
        ("34 30 7b 22 73 69 64 22 3a 22 32 73 70 …", "34 30 7b 22 73 69 64 22 3a 22 SID …"),
        ("?EIO=4&sid=5ZPwff_JUTyZSH7nAAAA HTTP/1.1", "?EIO=4&sid=SID HTTP/1.1"),
        ("?EIO=4&amp;sid=5ZPwff_JUTyZSH7nAAAA HTTP", "?EIO=4&amp;sid=SID HTTP"),
        ("65704 bytes would wait, 65536 are allowed", "N bytes would wait, 65536 are allowed"),
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
        '{"sid":"too-short"}',
        "22 73 69 64 22 3a 7b 7d",  # "sid":{}
    ],
)
def test_what_is_meant_stays(text):
    assert sanitised(text, PATTERNS) == text
