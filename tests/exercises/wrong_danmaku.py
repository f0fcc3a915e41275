"""The usual wrong answers to exercises 10: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import RAISED, Wrong

WRONG = {
    "free_lane": [
        Wrong(
            "the tail alone", "max(last[1], width)", "last[1]", "reaches the left edge too early"
        ),
        Wrong("the later one alone", "max(last[1], width)", "width", "has not passed"),
        Wrong("the narrower one", "max(", "min(", "has not passed"),
        Wrong("one speed for all", "/ (stage + wider)", "/ stage", "at the very moment"),
        Wrong("later, not at the moment", "start >= last", "start > last", "at the very moment"),
        Wrong("when it has left", "* wider / (stage + wider)", "", "at the very moment"),
        Wrong("the last free lane", "enumerate(lanes)", "[*enumerate(lanes)][::-1]", "the first"),
        Wrong("lanes from one", "enumerate(lanes)", "enumerate(lanes, 1)", "has been in this lane"),
        Wrong("minus one for none", "    return None", "    return -1", "has not passed"),
        Wrong("no empty lanes", "if last is None:", "if False:", "", RAISED),
        Wrong(
            "it takes the lane",
            "            return number\n        wider",
            "            lanes[number] = (start, width)\n            return number\n        wider",
            "has changed",
        ),
    ],
    "fair": [
        Wrong(
            "the first ones", "sorted(ranked)[:most]", "ranked[:most]", "before somebody's first"
        ),
        Wrong("the last rounds", "sorted(ranked)[:most]", "sorted(ranked)[::-1][:most]", ""),
        Wrong(
            "one of each",
            "sorted(ranked)[:most]",
            "[r for r in sorted(ranked) if r[0] < 2][:most]",
            "expected",
        ),
        Wrong("all", "[:most]", "", "expected 0 of 1"),
        Wrong("one too many", "[:most]", "[: most + 1]", "expected 0 of 1"),
        Wrong(
            "in the order of rounds", "sorted(place for", "list(place for", "the order has changed"
        ),
        Wrong("texts alone", "[comments[place] for", "[comments[place][1] for", ""),
        Wrong("the latest of each", "(said[person], place)", "(said[person], -place)", ""),
        Wrong("by text", "(person, _)", "(_, person)", "before somebody's first"),
        Wrong(
            "the list itself",
            "    said = Counter()",
            "    comments.sort()\n    said = Counter()",
            "",
        ),
        Wrong(
            "a tuple",
            "return [comments[place] for place in chosen]",
            "return tuple(chosen)",
            "tuple",
        ),
    ],
    "packets": [
        Wrong("zlib stays", "if version == 2:", "if False:", "a run in a zlib body"),
        Wrong("one level only", "found += run(inner)", "found += [(5, inner)]", "zlib body"),
        Wrong("little-endian", '">I2H2I"', '"<I2H2I"', "", RAISED),
        Wrong("only one packet", "while at < len(data):", "if data:", "the packets are wrong"),
        Wrong("with its header", "data[at + 16 :", "data[at:", "the packets are wrong"),
        Wrong(
            "version for operation", "(operation, body)", "(version, body)", "the packets are wrong"
        ),
        Wrong(
            "a list of lists", "(operation, body))", "[operation, body])", "the packets are wrong"
        ),
        Wrong("cut headers pass", 'raise ValueError("a header is cut off")', "break", "is cut off"),
        Wrong(
            "no check of the header's length", "head != 16 or ", "", "the header length is not 16"
        ),
        Wrong("no check of small lengths", "size < 16 or ", "size < 1 or ", "a packet length of 8"),
        Wrong("no check of large lengths", "size > len(data) - at or ", "", "beyond the end"),
        Wrong("no check of the version", " or version > 2", "", "the version is 3"),
        Wrong(
            "any amount",
            "decompress(body, room + 1)\n                room -= len(inner)",
            "decompress(body)",
            "together",
        ),
        Wrong(
            "each body by itself",
            "room -= len(inner)\n                if room < 0:",
            "if len(inner) > room:",
            "together",
        ),
        Wrong(
            "unbounded",
            "zlib.decompressobj().decompress(body, room + 1)",
            "zlib.decompress(body)",
            "to its end",
        ),
        Wrong(
            "another exception",
            'ValueError("too many bytes")',
            'RuntimeError("too many bytes")',
            "",
            RAISED,
        ),
        Wrong("None", "    return run(data)", "    run(data)", "NoneType"),
    ],
}
