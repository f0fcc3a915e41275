"""The usual wrong answers to exercises 03: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import RAISED, Wrong

WRONG = {
    "first_two": [
        Wrong("FIN is the lowest bit", "first & 0x80", "first & 0x01", "FIN is wrong"),
        Wrong("RSV and FIN in the opcode", "first & 0x0F", "first & 0x8F", "the opcode is wrong"),
        Wrong("MASK in the length", "second & 0x7F", "second", "the length code is wrong"),
        Wrong(
            "MASK of the first byte", "bool(second & 0x80)", "bool(first & 0x80)", "MASK is wrong"
        ),
        Wrong("numbers, not truth", "bool(first & 0x80)", "first & 0x80", "int, not bool"),
    ],
    "mask": [
        Wrong(
            "only the first byte of the key", "key[i % 4]", "key[0]", "the masked payload differs"
        ),
        Wrong("three bytes of the key", "i % 4", "i % 3", "the masked payload differs"),
        Wrong(
            "added, not XORed",
            "byte ^ key[i % 4]",
            "(byte + key[i % 4]) % 256",
            "the masked payload differs",
        ),
        Wrong(
            "stops with the key",
            "enumerate(payload)",
            "enumerate(payload[:4])",
            "got: nothing at byte 4",
        ),
        Wrong(
            "a list",
            "bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))",
            "[byte ^ key[i % 4] for i, byte in enumerate(payload)]",
            "list, not bytes",
        ),
        Wrong("runs over the key", "key[i % 4]", "key[i]", "IndexError", RAISED),
    ],
    "write": [
        Wrong(
            "126 in seven bits",
            "length < 126",
            "length < 127",
            "payload of 126 bytes: length is wrong",
        ),
        Wrong(
            "125 in sixteen",
            "length < 126",
            "length < 125",
            "payload of 125 bytes: MASK bit or length code is wrong",
        ),
        Wrong(
            "65535 in sixty-four",
            "length < 65536",
            "length < 65535",
            "payload of 65535 bytes: MASK bit or length code is wrong",
        ),
        Wrong(
            "the little end first",
            "length.to_bytes(2)",
            'length.to_bytes(2, "little")',
            "payload of 126 bytes: length is wrong",
        ),
        Wrong(
            "four length bytes",
            "length.to_bytes(8)",
            "length.to_bytes(4)",
            "payload of 65536 bytes: length is wrong",
        ),
        Wrong("no MASK bit", "bit = 0 if key is None else 0x80", "bit = 0", "MASK bit"),
        Wrong(
            "the key is not sent", "header + key + mask", "header + mask", "masking key is wrong"
        ),
        Wrong("not masked", "mask(payload, key)", "payload", "payload is wrong"),
        Wrong(
            "no FIN",
            "bytes([0x80 | opcode, bit | length])",
            "bytes([opcode, bit | length])",
            "FIN or opcode is wrong",
        ),
    ],
    "fragment": [
        Wrong(
            "characters are cut, not bytes",
            "[data[i : i + size] for i in range(0, len(data), size)]",
            "[text[i : i + size].encode() for i in range(0, len(text), size)]",
            "another number of fragments",
        ),
        Wrong("every fragment is text", "0 if i else 1", "1", "fragment 1: the opcode is wrong"),
        Wrong("FIN on all", "i == last)", "True)", "FIN is wrong"),
        Wrong("FIN on the first", "i == last)", "i == 0)", "FIN is wrong"),
        Wrong("an empty text is nothing", ' or [b""]', "", "another number of fragments"),
        Wrong(
            "text in the payload",
            "(0 if i else 1, piece",
            "(0 if i else 1, str(piece)",
            "str, not bytes",
        ),
    ],
    "parse": [
        Wrong(
            "does not wait for the payload",
            "if len(data) < begin + length:",
            "if False:",
            "no frame yet",
        ),
        Wrong("does not wait for the header", "if len(data) < begin:", "if False:", "", None),
        Wrong(
            "start is forgotten",
            "first_two(data[start : start + 2])",
            "first_two(data[:2])",
            "",
            None,
        ),
        Wrong(
            "the end is a length",
            "begin + length\n    ### END",
            "length\n    ### END",
            "the next frame begins elsewhere",
        ),
        Wrong(
            "masked all the same",
            "apply_mask(payload, key) if key else payload",
            "payload",
            "the payload differs",
        ),
        Wrong("any opcode", "opcode not in list(Opcode) or ", "", "", None),
        Wrong("RSV bits are let through", " or data[start] & 0x70", "", "it takes RSV bits"),
        Wrong(
            "long pings", "(not fin or length > 125)", "not fin", "it takes the header of a ping"
        ),
        Wrong(
            "fragmented Close",
            "(not fin or length > 125)",
            "length > 125",
            "it takes a Close without FIN",
        ),
        Wrong(
            "lengths of any size",
            "length < (126 if size == 2 else 65536) or ",
            "",
            "it takes a length in more bytes",
        ),
        Wrong("the top bit", " or length >= 1 << 63", "", "another close code"),
        Wrong(
            "clients need not mask",
            "has_mask != masked",
            "has_mask and not masked",
            "it takes a client's frame without a mask",
        ),
        Wrong(
            "servers may mask",
            "has_mask != masked",
            "masked and not has_mask",
            "it takes a server's frame with a mask",
        ),
        Wrong("no limit", "length > limit", "False", "it takes a header that announces 2**62"),
        Wrong("1002 over the limit", ", 1009)", ")", "another close code"),
        Wrong(
            "judged when the payload is there",
            "if opcode >= 8 and (not fin",
            "if len(data) < begin + length:\n        return None\n    if opcode >= 8 and (not fin",
            "it takes the header of a ping",
        ),
    ],
}
