"""The usual wrong answers to exercises 15: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import RAISED, Wrong

WRONG = {
    "conflate": [
        Wrong("None is a key too", "key is None or ", "", "without a key must arrive"),
        Wrong("the first of each", "enumerate(waiting)}", "reversed([*enumerate(waiting)])}", ""),
        Wrong("nothing is left out", "if key is None or last[key] == place", "", "not the latest"),
        Wrong(
            "each in the place of the first",
            "    last = {",
            "    return list(dict(w if w[0] else (i, w) for i, w in enumerate(waiting)).items())\n"
            "    last = {",
            "",
        ),
        Wrong("backwards", "== place\n    ]", "== place\n    ][::-1]", "the order has changed"),
        Wrong("texts alone", "        (key, text)\n", "        text\n", "not the latest"),
        Wrong("an int", "== place\n    ]", "== place\n    ] and 0", "the result is int, not list"),
        Wrong(
            "the list itself",
            "    last = {",
            "    waiting.sort(key=str)\n    last = {",
            "",
        ),
    ],
    "checksum": [
        Wrong("bids first", "sorted(asks, key=price)[:10] + ", "[] + ", "not the checksum"),
        Wrong("bids ascending", ", reverse=True", "", "not the checksum"),
        Wrong("order of texts", "Decimal(entry[0])", "entry[0]", "not the checksum"),
        Wrong("all levels", "[:10]", "[:99]", "not the checksum"),
        Wrong("five levels", "[:10]", "[:5]", "not the checksum"),
        Wrong("points stay", '.replace(".", "")', "", "not the checksum"),
        Wrong("zeros stay", '.lstrip("0")', "", "not the checksum"),
        Wrong("zeros at both ends", "lstrip", "strip", "not the checksum"),
        Wrong(
            "zeros before the point",
            '.replace(".", "").lstrip("0")',
            '.lstrip("0").replace(".", "")',
            "not",
        ),
        Wrong("Decimal's text", "in entry[:2]]", "in (str(Decimal(x)) for x in entry[:2])]", "not"),
        Wrong("float's text", "in entry[:2]]", "in (str(float(x)) for x in entry[:2])]", "not"),
        Wrong("times too", "entry[:2]", "entry[:3]", "not the checksum"),
        Wrong("quantities first", "entry[:2]", "entry[1::-1]", "not the checksum"),
        Wrong(
            "as text", "return crc32(text.encode())", "return str(crc32(text.encode()))", "is str"
        ),
        Wrong("no bytes", "text.encode()", "text", "", RAISED),
    ],
    "rebuild": [
        Wrong("old events too", "            continue", "            pass", ""),
        Wrong("no gap is seen", 'event["U"] > last + 1 or', "False or", "too old"),
        Wrong(
            "no gap at the beginning",
            'event["U"] > last + 1',
            'has_begun and event["U"] > last + 1',
            "too old",
        ),
        Wrong(
            "no gap later",
            'event["U"] > last + 1',
            'not has_begun and event["U"] > last + 1',
            "is missing",
        ),
        Wrong(
            "later ones may overlap",
            '(has_begun and event["U"] <= last)',
            "False",
            "before the last one ends",
        ),
        Wrong("strict from the beginning", "(has_begun and", "(True and", "this is no gap"),
        Wrong("off by one", "last + 1", "last", "this is no gap"),
        Wrong("one more is dropped", "<= last:", "<= last + 1:", ""),
        Wrong("zero stays", "if Decimal(quantity) == 0:", "if False:", "are wrong"),
        Wrong(
            "zero by its text",
            "Decimal(quantity) == 0",
            'quantity == "0.00000000"',
            "becomes empty",
        ),
        Wrong(
            "removes what is not there",
            "                side[price] = quantity\n",
            "                if Decimal(quantity):\n                    side[price] = quantity\n",
            "",
            None,
        ),
        Wrong(
            "sides mixed up",
            '((bids, event["b"]), (asks, event["a"]))',
            '((asks, event["b"]), (bids, event["a"]))',
            "are wrong",
        ),
        Wrong(
            "sums",
            "side[price] = quantity\n",
            'side[price] = str(Decimal(quantity) + Decimal(side.get(price, "0")))\n',
            "are wrong",
        ),
        Wrong(
            "numbers", "side[price] = quantity\n", "side[price] = Decimal(quantity)\n", "are wrong"
        ),
        Wrong("only bids", "return bids, asks", "return bids", "the result is dict, not tuple"),
        Wrong("an exception", "return None", 'raise ValueError("gap")', "", RAISED),
    ],
}
