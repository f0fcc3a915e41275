"""The usual wrong answers to exercises 11: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import RAISED, Wrong

WRONG = {
    "cut": [
        Wrong("little-endian", '">IQB"', '"<IQB"', "a chunk is wrong"),
        Wrong("the system's own layout", '">IQB"', '"IQB"', "a chunk is wrong"),
        Wrong("short offset", '">IQB"', '">IIB"', "a chunk is wrong"),
        Wrong("offset first", "number, offset, kind", "offset, number, kind", "", None),
        Wrong("no header", 'struct.pack(">IQB", number, offset, kind) + ', "", "a chunk is wrong"),
        Wrong("from the beginning", "range(start,", "range(0,", "not the number of chunks"),
        Wrong(
            "offsets from start", "number, offset, kind", "number, offset - start, kind", "wrong"
        ),
        Wrong("larger chunks", "offset + 1000]", "offset + 1001]", "a chunk is wrong"),
        Wrong("an empty chunk", "len(data), 1000)", "len(data) + 1, 1000)", "number of chunks"),
        Wrong("no last chunk", "len(data), 1000)", "len(data) - 999, 1000)", "number of chunks"),
        Wrong("header alone", " + data[offset : offset + 1000]", "", "a chunk is wrong"),
    ],
    "receive": [
        Wrong("no look at the header", "len(message) < 13", "not message", "", RAISED),
        Wrong("one byte too many", "len(message) < 13", "len(message) < 14", "without data"),
        Wrong("a KeyError", "number not in uploads", "False", "", RAISED),
        Wrong("any offset", 'offset != len(upload["data"])', "False", "overlapping chunk"),
        Wrong("overlaps", '!= len(upload["data"]):', '> len(upload["data"]):', "overlapping"),
        Wrong("holes", '!= len(upload["data"]):', '< len(upload["data"]):', "after a hole"),
        Wrong(
            "the sender's offset",
            'return "have", number, len(upload["data"])\n    if',
            'return "have", number, offset\n    if',
            "overlapping chunk",
        ),
        Wrong("any type", 'kind != upload["type"] or ', "", "wrong type"),
        Wrong("empty chunks", "not data or ", "", "without data"),
        Wrong("any size", ' or offset + len(data) > upload["size"]', "", "beyond the end"),
        Wrong("not to the end", '> upload["size"]', '>= upload["size"]', "to the end"),
        Wrong("half state", "        del uploads[number]\n", "", "not as it should be"),
        Wrong("forgets all", "del uploads[number]", "uploads.clear()", "not as it should be"),
        Wrong("takes nothing", '    upload["data"] += data\n', "", "the answer is wrong"),
        Wrong(
            "type before offset",
            '    if offset != len(upload["data"]):',
            '    if kind != upload["type"]:\n        del uploads[number]\n'
            '        return "refused", number\n    if offset != len(upload["data"]):',
            "overlapping chunk of a wrong type",
        ),
        Wrong(
            "a copy",
            'upload["data"] += data\n',
            'upload = {**upload, "data": upload["data"] + data}\n',
            "not as it should be",
        ),
        Wrong("a list", 'return "refused", None', 'return ["refused", None]', "the answer is"),
    ],
    "look": [
        Wrong("any signature", 'data[:8] != b"\\x89PNG\\r\\n\\x1a\\n"', "False", "the answer is"),
        Wrong("only the name", "data[:8] != b", "data[1:4] != b'PNG' and b", "", None),
        Wrong("checksum is forgotten", "place += 12 + length", "place += 8 + length", ""),
        Wrong("any first chunk", 'name != b"IHDR" or ', "", "no IHDR"),
        Wrong("any length of IHDR", " or length != 13", "", ""),
        Wrong("believes lengths", "len(data) < place + 12 + length", "False", "", None),
        Wrong("the end is near", "< place + 12 + length", "<= place + 12 + length", ""),
        Wrong("at the limit", "width * height > limit", "width * height >= limit", "good picture"),
        Wrong("a sum", "width * height", "width + height", "one pixel more"),
        Wrong("signed", '">II"', '">ii"', "four billion"),
        Wrong("little-endian", '">II"', '"<II"', ""),
        Wrong("no pixels", "if width * height > limit:", "if False:", "one pixel more"),
        Wrong("polyglots", 'if place == len(data) else "something follows"', "", "one byte"),
        Wrong("searches", 'if name == b"IEND"', 'if b"IEND" in data[:place]', ""),
        Wrong("good at the end", '    return "ends early"', '    return "good"', ""),
        Wrong("None at the end", '    return "ends early"', "    return None", ""),
        Wrong("an exception", "while len(data) >= place + 12:", "while True:", ""),
        Wrong(
            "pixels at the end",
            'return "too many pixels"',
            "pass",
            "",
        ),
    ],
}
