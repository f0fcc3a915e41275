"""The usual wrong answers to exercises 03: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import RAISED, Wrong

MASK = "bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))"
PARSE_BEGINS = "if len(data) - start < 2:"

WRONG = {
    "first_two": [
        Wrong("FIN is the lowest bit", "first & 0x80", "first & 0x01", "FIN is wrong"),
        Wrong("RSV and FIN in the opcode", "first & 0x0F", "first & 0x8F", "the opcode is wrong"),
        Wrong("MASK in the length", "second & 0x7F", "second", "the length code is wrong"),
        Wrong(
            "MASK of the first byte", "bool(second & 0x80)", "bool(first & 0x80)", "MASK is wrong"
        ),
        Wrong("a number for FIN", "bool(first & 0x80)", "first & 0x80", "FIN is int, not bool"),
        Wrong("1 for MASK", "bool(second & 0x80)", "second >> 7", "MASK is int, not bool"),
        Wrong(
            "leaves it to Header.parse",
            "return bool(first & 0x80), first & 0x0F, bool(second & 0x80), second & 0x7F",
            "from wslab.protocol.frames import Header\n"
            "    one = Header.parse(data[:1] + bytes([second & 0x80]) + bytes(4))\n"
            "    return one.fin, one.opcode, one.mask is not None, second & 0x7F",
            "the ready-made `Header.parse`",
        ),
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
            MASK,
            "[byte ^ key[i % 4] for i, byte in enumerate(payload)]",
            "list, not bytes",
        ),
        Wrong("runs over the key", "key[i % 4]", "key[i]", "IndexError", RAISED),
        Wrong("leaves it to apply_mask", MASK, "apply_mask(payload, key)", "`apply_mask`"),
        Wrong(
            "masks by writing a frame",
            MASK,
            "Frame(1, payload, mask=key).serialize()[6:]",
            "the ready-made `Frame.serialize`",
        ),
        Wrong(
            "apply_mask on the quiet",
            MASK,
            '(lambda twin: twin(payload, key))(globals()["apply_" + "mask"])',
            "the ready-made `apply_mask`",
        ),
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
        Wrong("no mask", "mask(payload, key)", "payload", "write ★★ (RFC 6455 §5.3)"),
        Wrong(
            "no FIN",
            "bytes([0x80 | opcode, bit | length])",
            "bytes([opcode, bit | length])",
            "FIN or opcode is wrong",
        ),
        Wrong(
            "leaves it to Frame",
            "length = len(payload)",
            "return Frame(opcode, payload, mask=key).serialize()",
            "the ready-made `Frame.serialize`",
        ),
        Wrong(
            "leaves the unmasked half to Frame",
            "length = len(payload)",
            "if key is None:\n        return Frame(opcode, payload).serialize()\n"
            "    length = len(payload)",
            "the ready-made `Frame.serialize`",
        ),
        Wrong(
            "leaves it to the library",
            "length = len(payload)",
            "import websockets.frames as f\n"
            "    if key is None:\n"
            "        return f.Frame(f.Opcode(opcode), payload).serialize(mask=False)\n"
            "    length = len(payload)",
            "the ready-made `Frame",
        ),
    ],
    "fragment": [
        Wrong("texts", "return [(0", "return ['x' or (0", "fragment 0 is str, not tuple or list"),
        Wrong("pairs", "piece, i == last)", "piece)", "fragment 0 is not (opcode, payload, fin)"),
        Wrong(
            "characters are cut, not bytes",
            "[data[i : i + size] for i in range(0, len(data), size)]",
            "[text[i : i + size].encode() for i in range(0, len(text), size)]",
            "fragment 0 has 6 bytes of payload, limit 4",
        ),
        Wrong("every fragment is text", "0 if i else 1", "1", "fragment 1: the opcode is wrong"),
        Wrong("FIN on all", "i == last)", "True)", "fragment 0 of 3: FIN is wrong"),
        Wrong("FIN on the first", "i == last)", "i == 0)", "FIN is wrong"),
        Wrong("1 for FIN", "i == last)", "int(i == last))", "FIN is int, not bool"),
        Wrong("an empty text is nothing", ' or [b""]', "", "an empty text is a message too"),
        Wrong(
            "an empty text twice", ' or [b""]', ' or [b"", b""]', "an empty text is one empty frame"
        ),
        Wrong("all in one frame", "pieces = ", "pieces = [data] or ", "bytes of payload, limit"),
        Wrong(
            "the end is lost",
            "range(0, len(data), size)",
            "range(0, len(data) - 1, size)",
            "the payloads together are not the text",
        ),
        Wrong(
            "letters in disorder",
            "data = text.encode()",
            "data = text.encode()[::-1]",
            "the payloads together are not the text",
        ),
        Wrong(
            "text in the payload",
            "(0 if i else 1, piece",
            "(0 if i else 1, str(piece)",
            "fragment 0: the payload is str, not bytes",
        ),
    ],
    "parse": [
        Wrong(
            "does not wait for the payload",
            "if len(data) < begin + length:",
            "if False:",
            "not a whole frame yet",
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
            "the end, where the next frame begins, is wrong",
        ),
        Wrong(
            "masked all the same",
            "apply_mask(payload, key) if key else payload",
            "payload",
            "the payload differs",
        ),
        Wrong("any opcode", "opcode not in list(Opcode) or ", "", "", None),
        Wrong(
            "RSV bits are let through", " or data[start] & 0x70", "", "your code accepts RSV bits"
        ),
        Wrong(
            "long pings",
            "(not fin or length > 125)",
            "not fin",
            "your code accepts the header of a ping",
        ),
        Wrong(
            "fragmented Close",
            "(not fin or length > 125)",
            "length > 125",
            "your code accepts a Close without FIN",
        ),
        Wrong(
            "lengths of any size",
            "length < (126 if size == 2 else 65536) or ",
            "",
            "your code accepts a length in more bytes",
        ),
        Wrong("the top bit", " or length >= 1 << 63", "", "the close code is wrong"),
        Wrong(
            "clients need not mask",
            "has_mask != masked",
            "has_mask and not masked",
            "your code accepts a client's frame without a mask",
        ),
        Wrong(
            "servers may mask",
            "has_mask != masked",
            "masked and not has_mask",
            "your code accepts a server's frame with a mask",
        ),
        Wrong(
            "no limit", "length > limit", "False", "your code accepts a header that announces 2**62"
        ),
        Wrong("1002 over the limit", ", 1009)", ")", "the close code is wrong"),
        Wrong(
            "judged when the payload is there",
            "if opcode >= 8 and (not fin",
            "if len(data) < begin + length:\n        return None\n    if opcode >= 8 and (not fin",
            "your code accepts the header of a ping",
        ),
        Wrong(
            "leaves it to Frame.parse",
            PARSE_BEGINS,
            "whole = Frame.parse(data, start, masked=masked, limit=limit)\n"
            "    return whole and (whole[0]._replace(mask=None), whole[1])\n"
            f"    {PARSE_BEGINS}",
            "the ready-made `Frame.parse`",
        ),
        Wrong(
            "a subclass of Frame",
            PARSE_BEGINS,
            "class Own(Frame):\n        pass\n"
            "    return Own.parse(data, start, masked=masked, limit=limit)\n"
            f"    {PARSE_BEGINS}",
            "the ready-made `Frame.parse`",
        ),
        Wrong(
            "leaves the header to Header.parse",
            PARSE_BEGINS,
            "from wslab.protocol.frames import Header\n"
            "    if Header.parse(data, start) is None:\n        return None\n"
            f"    {PARSE_BEGINS}",
            "",
            None,
        ),
    ],
}
