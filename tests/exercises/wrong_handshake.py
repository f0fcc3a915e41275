"""The usual wrong answers to exercises 02: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import LATE, RAISED, Wrong

WRONG = {
    "accept_key": [
        Wrong(
            "hex, not Base64",
            "return base64.b64encode(digest).decode()",
            "return digest.hex()",
            "in hex; Base64 is wanted",
        ),
        Wrong("no GUID", "key + GUID", "key", "the GUID is missing"),
        Wrong("GUID first", "key + GUID", "GUID + key", "the GUID stands before the key"),
        Wrong(
            "the key decoded",
            "(key + GUID).encode()",
            "base64.b64decode(key) + GUID.encode()",
            "the key was decoded first",
        ),
        Wrong(
            "hex digits encoded",
            "b64encode(digest)",
            "b64encode(digest.hex().encode())",
            "the hex digits were encoded",
        ),
        Wrong(
            "bytes, not text",
            "b64encode(digest).decode()",
            "b64encode(digest)",
            "the result is bytes, not str",
        ),
        Wrong("another hash", "sha1", "sha256", "not the one that the client expects"),
    ],
    "choose": [
        Wrong(
            "the server's order",
            "in offered if name in spoken",
            "in spoken if name in offered",
            "not the client's first choice",
        ),
        Wrong("whatever is offered", " if name in spoken", "", "not the client's first choice"),
        Wrong("no None", "None)", "'')", "nothing fits"),
        Wrong("one is required", ", None)", ")", "StopIteration", RAISED),
        Wrong(
            "case ignored",
            "if name in spoken",
            "if name.lower() in spoken",
            "names are case-sensitive",
        ),
    ],
    "status": [
        Wrong(
            "the method is not looked at",
            'request.method != "GET"',
            "False",
            "method POST gets another status",
        ),
        Wrong(
            "Host is not needed",
            'headers.get("Host") is None',
            "False",
            "no Host gets another status",
        ),
        Wrong(
            "Connection compared whole",
            '"upgrade" not in connection',
            '(headers.get("Connection") or "").lower() != "upgrade"',
            "keep-alive, Upgrade gets",
        ),
        Wrong(
            "case counts",
            '(headers.get("Upgrade") or "").lower()',
            'headers.get("Upgrade")',
            "Upgrade: WebSocket gets another status",
        ),
        Wrong("400 for everything", "return 426", "return 400", "expected: 426"),
        Wrong("any key will do", "len(key) == 16", "key", "a key of another length gets"),
        Wrong(
            "any version",
            'headers.get("Sec-WebSocket-Version") != "13"',
            "False",
            "version 8 gets another status",
        ),
    ],
    "serve": [
        Wrong(
            "one read is enough",
            "while (parsed := Request.parse(received)) is None:",
            "while (parsed := Request.parse(received)) is None and not received:",
            "a request in pieces",
            RAISED,
        ),
        Wrong(
            "the end is not noticed",
            "if not chunk:",
            "if False:",
            "a client that is gone in the middle",
            LATE,
        ),
        Wrong(
            "the errors of a flood are not caught",
            "except HandshakeError as error",
            "except KeyError as error",
            "header is over",
            RAISED,
        ),
        Wrong(
            "nothing limits the header",
            "received += chunk",
            "received = (received + chunk)[:9000]",
            "it goes on reading",
        ),
        Wrong(
            "200 OK",
            "response.serialize()",
            "b'HTTP/1.1 200 OK\\r\\n\\r\\n'",
            "the answer has another status",
        ),
        Wrong(
            "one answer for all",
            "answer(parsed[0])",
            "answer(Request('/', [*parsed[0].headers][:0] or parsed[0].headers))."
            "__class__(101, parsed[0].headers)",
            "header",
        ),
        Wrong(
            "no answer at all",
            "writer.write(response.serialize())",
            "pass",
            "got: the end of the connection",
        ),
    ],
}
