"""The usual wrong answers to exercises 04: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import RAISED, Wrong

WRONG = {
    "close_code": [
        Wrong(
            "bad UTF-8 breaks the protocol",
            'arrives": 1007',
            'arrives": 1002',
            "a text that is not UTF-8 arrives: the code is not 1002",
        ),
        Wrong(
            "1005 and 1006 confused",
            'empty": 1005',
            'empty": 1006',
            "the peer's Close frame is empty: the code is not 1006",
        ),
        Wrong(
            "an end is an end",
            'without a Close frame": 1006',
            'without a Close frame": 1000',
            "TCP ends without a Close frame: the code is not 1000",
        ),
        Wrong(
            "binary is against the rules",
            'gets binary": 1003',
            'gets binary": 1008',
            "gets binary: the code is not 1008",
        ),
        Wrong(
            "too big is against the rules",
            'limit": 1009',
            'limit": 1008',
            "limit: the code is not 1008",
        ),
        Wrong(
            "a crash goes away",
            'exception": 1011',
            'exception": 1001',
            "exception: the code is not 1001",
        ),
        Wrong("texts", 'shuts down": 1001', 'shuts down": "1001"', "str, not int"),
    ],
    "answer_ping": [
        Wrong(
            "an empty pong", "frame.payload)", 'b"")', "not a PONG frame with the ping's payload"
        ),
        Wrong("ping for ping", "Opcode.PONG, frame", "Opcode.PING, frame", "not a PONG frame"),
        Wrong("no payload", "frame.payload)", 'b"")', "answer_ping ★ (RFC 6455 §5.5.3)"),
        Wrong(
            "everything is answered", "frame.opcode != Opcode.PING", "False", "a PONG is not a PING"
        ),
        Wrong(
            "masked",
            "frame.payload).serialize()",
            "frame.payload, mask=b'abcd').serialize()",
            "a server does not mask",
        ),
        Wrong(
            "never answered",
            "return Frame(Opcode.PONG, frame.payload).serialize()",
            'return b""',
            "a ping must be answered",
        ),
        Wrong("a frame, not bytes", ".serialize()", "", "not bytes"),
    ],
    "read_close": [
        Wrong("an empty one is 1000", 'return 1005, ""', 'return 1000, ""', "the code is wrong"),
        Wrong("an empty one is an error", "if not payload:", "if False:", "", RAISED),
        Wrong(
            "any code",
            "not CloseCode.is_sendable(code)",
            "False",
            "your code accepts a broken Close",
        ),
        Wrong(
            "from 1000 to 4999",
            "not CloseCode.is_sendable(code)",
            "not 1000 <= code <= 4999",
            "your code accepts a broken Close",
        ),
        Wrong("1002 for bad UTF-8", ", 1007)", ")", "the error has a wrong code"),
        Wrong(
            "bad UTF-8 is patched",
            "payload[2:].decode()",
            'payload[2:].decode(errors="replace")',
            "your code accepts a broken Close",
        ),
        Wrong(
            "the little end",
            "from_bytes(payload[:2])",
            'from_bytes(payload[:2], "little")',
            "",
            None,
        ),
        Wrong(
            "the reason as bytes",
            "payload[2:].decode()",
            "payload[2:]",
            "the reason is wrong: bytes, not str",
        ),
        Wrong(
            "the course's",
            "    if not payload:",
            "    from wslab.protocol import Close\n    return tuple(Close.parse(payload))\n"
            "    if not payload:",
            "your code calls the ready-made `Close.parse`",
        ),
        Wrong(
            "the library's",
            "    code = int",
            "    import websockets.frames as it\n"
            "    if CloseCode.is_sendable(int.from_bytes(payload[:2])):\n"
            "        try:\n            parsed = it.Close.parse(payload)\n"
            "            return parsed.code, parsed.reason\n"
            "        except UnicodeDecodeError:\n            pass\n    code = int",
            "your code calls the ready-made `Close.parse`",
        ),
        Wrong(
            "in a whole connection",
            "    code = int",
            "    from wslab.protocol.connection import Connection, Role\n"
            "    end = Connection(Role.CLIENT, masks=lambda: bytes(4))\n"
            "    (it,) = end.receive(Frame(Opcode.CLOSE, payload).serialize(check=False))\n"
            "    if not hasattr(it, 'section'):\n        return it.code, it.reason\n    code = int",
            "your code calls the ready-made `Connection`",
        ),
    ],
    "assemble": [
        Wrong(
            "pieces are decoded",
            "data + frame.payload",
            "data + frame.payload.decode().encode()",
            "UnicodeDecodeError",
            RAISED,
        ),
        Wrong("control frames are messages", "if frame.opcode >= 8:", "if False:", "", None),
        Wrong(
            "a new message amid another",
            "(frame.opcode == Opcode.CONTINUATION) != (kind is not None)",
            "frame.opcode == Opcode.CONTINUATION and kind is None",
            "your code accepts a new message inside a fragmented one",
        ),
        Wrong(
            "continues nothing",
            "(frame.opcode == Opcode.CONTINUATION) != (kind is not None)",
            "frame.opcode != Opcode.CONTINUATION and kind is not None",
            "",
            None,
        ),
        Wrong("the last frame's kind", "kind or frame.opcode", "frame.opcode", "", None),
        Wrong(
            "nothing is forgotten",
            '        kind, data = None, b""\n    return',
            "        kind = None\n    return",
            "the messages are wrong",
        ),
        Wrong(
            "all is text",
            "data.decode() if kind == Opcode.TEXT else data",
            "data.decode()",
            "ProtocolError: text is not UTF-8",
            RAISED,
        ),
        Wrong(
            "all is bytes",
            "data.decode() if kind == Opcode.TEXT else data",
            "data",
            "the messages are wrong",
        ),
        Wrong("1002 for bad UTF-8", ", 1007)", ")", "the close code is wrong"),
        Wrong("half a message", "if not frame.fin:", "if False:", "", None),
        Wrong(
            "the course's",
            "    messages, kind",
            "    from wslab.protocol.connection import Connection, Role\n"
            "    end = Connection(Role.CLIENT, masks=lambda: bytes(4))\n"
            "    wires = [frame._replace(mask=None).serialize() for frame in frames]\n"
            "    events = [event for wire in wires for event in end.receive(wire)]\n"
            "    if not any(hasattr(e, 'section') for e in events):\n"
            "        return [e.data for e in events if isinstance(e, Text | Binary)]\n"
            "    messages, kind",
            "your code calls the ready-made `Connection`",
        ),
    ],
    "endpoint": [
        Wrong("no pong", "self.write(Opcode.PONG, frame.payload)", "pass", "PING with"),
        Wrong(
            "the Close is not answered",
            "self.write(Opcode.CLOSE, frame.payload)",
            "pass",
            "CLOSE with",
        ),
        Wrong(
            "a Close is answered twice",
            "            if not self.close_sent:\n                self.write(Opcode.CLOSE, frame",
            "            if True:\n                self.write(Opcode.CLOSE, frame",
            "CLOSE in reply to ours",
        ),
        Wrong(
            "reads on after a Close",
            "self.reading, self.close_sent = False, True",
            "self.close_sent = True",
            "after the end it still",
        ),
        Wrong(
            "reads on after a violation",
            "            self.reading = False\n            if not",
            "            if not",
            "after the end it still",
        ),
        Wrong(
            "violations are silent",
            "            if not self.close_sent:\n"
            "                self.write(Opcode.CLOSE, Close(error",
            "            if False:\n                self.write(Opcode.CLOSE, Close(error",
            "wrote",
        ),
        Wrong(
            "the client does not mask",
            "None if self.is_server else secrets.token_bytes(4)",
            "None",
            "with mask None",
        ),
        Wrong("the rest is dropped", "self.received += data", "self.received = data", "in pieces"),
        Wrong(
            "only one frame a call",
            "events += self.handle(frame)",
            "events += self.handle(frame)\n                break",
            "delivered",
        ),
        Wrong(
            "sends after Close",
            "self.close_sent or (self.sending or opcode) != opcode",
            "(self.sending or opcode) != opcode",
            "was not refused",
        ),
        Wrong("no limit", "> 70_000:\n", "> 1 << 60:\n", "a message over the limit"),
        Wrong(
            "data is written twice",
            'data, self.output = self.output, b""',
            "data = self.output",
            "after the end it still",
        ),
        Wrong(
            "receive returns nothing",
            "        return events\n",
            "        return None\n",
            "TypeError",
        ),
        *(
            Wrong(name, "secrets.token_bytes(4)", key, says)
            for name, key, says in (
                ("a mask that hides nothing", "bytes(4)", "have the same masking key"),
                (
                    "a key for each connection",
                    "self.__dict__.setdefault('key', secrets.token_bytes(4))",
                    "have the same masking key",
                ),
                (
                    "a key for each kind of frame",
                    "bytes([opcode]) * 4",
                    "have the same masking key",
                ),
                (
                    "a counter",
                    "self.__dict__.setdefault('c', __import__('itertools').count())"
                    ".__next__().to_bytes(4)",
                    "can be guessed",
                ),
                (
                    "a byte four times",
                    "bytes([self.__dict__.setdefault('c', iter(range(secrets.randbelow(99), 256)))"
                    ".__next__()]) * 4",
                    "can be guessed",
                ),
                ("a known generator", "__import__('random').randbytes(4)", "can be predicted"),
                (
                    "a generator for each connection",
                    "self.__dict__.setdefault('r', __import__('random').Random(7)).randbytes(4)",
                    "can be predicted",
                ),
            )
        ),
        Wrong(
            "the course's",
            "class Endpoint:",
            "from wslab.exercises.conformance.row import LIMITS\n"
            "from wslab.protocol.connection import Connection, Role\n"
            "def Endpoint(role):\n"
            "    masks = (lambda: secrets.token_bytes(4)) if role == 'client' else None\n"
            "    return Connection(Role(role), masks=masks, limits=LIMITS)\n"
            "class Mine:",
            "your code calls the ready-made `Connection`",
        ),
        *(
            Wrong(name, "secrets.token_bytes(4)", new, "a part of the masking key can be guessed")
            for name, new in {
                # Not four of them, because two of a few dozen such keys are often the same.
                "a hex digit first": "b'%x' % secrets.randbelow(16) + secrets.token_bytes(3)",
                "keys of letters": "secrets.token_urlsafe(3).encode()",
                "keys of even numbers": "bytes(b & 0xFE for b in secrets.token_bytes(4))",
            }.items()
        ),
    ],
}
