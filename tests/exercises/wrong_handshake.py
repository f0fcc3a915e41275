"""The usual wrong answers to exercises 02: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import LATE, RAISED, Wrong

WRONG = {
    "accept_key": [
        Wrong(
            "hex, not Base64",
            "return base64.b64encode(digest).decode()",
            "return digest.hex()",
            "in hex, but it has to be in Base64",
        ),
        Wrong("no GUID", "key + GUID", "key", "the GUID is missing"),
        Wrong("GUID first", "key + GUID", "GUID + key", "the GUID stands before the key"),
        Wrong(
            "the key decoded",
            "(key + GUID).encode()",
            "base64.b64decode(key) + GUID.encode()",
            "your code decodes the key first",
        ),
        Wrong(
            "hex digits encoded",
            "b64encode(digest)",
            "b64encode(digest.hex().encode())",
            "your code encodes the hex digits",
        ),
        Wrong(
            "bytes, not text",
            "b64encode(digest).decode()",
            "b64encode(digest)",
            "the result is bytes, not str",
        ),
        Wrong("another hash", "sha1", "sha256", "not the one that the client expects"),
        Wrong(
            "a ready-made one",
            "    digest =",
            "    from wslab.protocol import accept_key as it; return it(key)\n    digest =",
            "your code calls the ready-made `accept_key`",
        ),
        Wrong(
            "the library's",
            "    digest =",
            "    import websockets.utils as it; return it.accept_key(key)\n    digest =",
            "your code calls the ready-made `accept_key`",
        ),
        Wrong(
            "in a whole handshake",
            "    digest =",
            "    from wslab.protocol import upgrade_request as ask\n"
            "    made = answer(ask('a', nonce=base64.b64decode(key)))\n"
            "    return made.headers.get('Sec-WebSocket-Accept')\n    digest =",
            "your code calls the ready-made `upgrade_request`",
        ),
    ],
    "choose": [
        Wrong(
            "the server's order",
            "in offered if name in spoken",
            "in spoken if name in offered",
            "not the client's first choice",
        ),
        Wrong("whatever is offered", " if name in spoken", "", "not the client's first choice"),
        Wrong("no None", "None)", "'')", "no name is in both lists"),
        Wrong("one is required", ", None)", ")", "StopIteration", RAISED),
        Wrong(
            "case ignored",
            "if name in spoken",
            "if name.lower() in spoken",
            "names are case-sensitive",
        ),
        Wrong("part of a name", "in spoken", 'in " ".join(spoken)', "no name is in both lists"),
        Wrong("the last choice", "in offered", "in offered[::-1]", "not the client's first choice"),
        Wrong("in order of the alphabet", "in offered", "in sorted(offered)", "first choice"),
    ],
    "status": [
        Wrong(
            "the method is not looked at",
            'request.method != "GET"',
            "False",
            "the status is 101, and should be 405",
        ),
        Wrong(
            "Host is not needed",
            'headers.get("Host") is None',
            "False",
            "a request without Host",
        ),
        Wrong(
            "Connection compared whole",
            '"upgrade" not in connection',
            '(headers.get("Connection") or "").lower() != "upgrade"',
            "and should be 101",
        ),
        Wrong(
            "part of Connection",
            '"upgrade" not in connection',
            '"pgrade" not in (headers.get("Connection") or "")',
            "tried: status(request), Connection: ",
        ),
        Wrong(
            "Connection is not looked at",
            '"upgrade" not in connection',
            "False",
            "Connection",
        ),
        Wrong(
            "case counts",
            '(headers.get("Upgrade") or "").lower()',
            'headers.get("Upgrade")',
            "tried: status(request), Upgrade: WebSocket",
        ),
        Wrong(
            "part of Upgrade",
            'upgrade != "websocket"',
            '"websocket" not in upgrade',
            "tried: status(request), Upgrade: ",
        ),
        Wrong("400 for everything", "return 426", "return 400", "should be 426"),
        Wrong(
            "any key will do",
            "len(key) == 16",
            "key",
            "tried: status(request), Sec-WebSocket-Key: ",
        ),
        Wrong(
            "24 characters",
            "len(key) == 16",
            'len(headers.get("Sec-WebSocket-Key") or "") == 24',
            "tried: status(request), Sec-WebSocket-Key: ",
        ),
        Wrong("Base64 with holes", ", validate=True", "", "?"),
        Wrong(
            "any version",
            'headers.get("Sec-WebSocket-Version") != "13"',
            "False",
            "Sec-WebSocket-Version",
        ),
        Wrong(
            "older versions only",
            'headers.get("Sec-WebSocket-Version") != "13"',
            'int(headers.get("Sec-WebSocket-Version") or 0) < 13',
            "tried: status(request), Sec-WebSocket-Version: ",
            None,
        ),
        Wrong(
            "part of the version",
            'headers.get("Sec-WebSocket-Version") != "13"',
            '"13" not in (headers.get("Sec-WebSocket-Version") or "")',
            "tried: status(request), Sec-WebSocket-Version: ",
        ),
        Wrong(
            "a header is taken for granted",
            'headers.get("Sec-WebSocket-Version") != "13"',
            'int(headers.get("Sec-WebSocket-Version")) != 13',
            "in status",
            RAISED,
        ),
        Wrong(
            "a ready-made one",
            "    headers = request.headers",
            "    return answer(request).status",
            "your code calls the ready-made `answer`",
        ),
        *(
            Wrong(f"{name} in part", old, new, "the status is 101, and should be")
            for name, old, new in (
                ("upgrade", 'upgrade != "websocket"', 'not upgrade.endswith("websocket")'),
                ("upgrade's letters", 'upgrade != "websocket"', "len(set(upgrade)) != 8"),
                (
                    "connection's end",
                    '"upgrade" not in connection',
                    'not (headers.get("Connection") or "").lower().endswith(("upgrade", "alive"))',
                ),
                (
                    "connection, by words",
                    '"upgrade" not in connection',
                    '"upgrade" not in '
                    '(headers.get("Connection") or "").lower().replace(",", " ").split()',
                ),
                (
                    "version's end",
                    'headers.get("Sec-WebSocket-Version") != "13"',
                    'not (headers.get("Sec-WebSocket-Version") or "").endswith("13")',
                ),
                (
                    "version, as a number",
                    'headers.get("Sec-WebSocket-Version") != "13"',
                    'headers.get("Sec-WebSocket-Version") in (None, "1 3") '
                    'or float(headers.get("Sec-WebSocket-Version")) != 13',
                ),
                ("method", 'request.method != "GET"', 'request.method.upper() != "GET"'),
                ("one method", 'request.method != "GET"', 'request.method == "POST"'),
            )
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
            "the handler still reads",
        ),
        Wrong(
            "200 OK",
            "response.serialize()",
            "b'HTTP/1.1 200 OK\\r\\n\\r\\n'",
            "the response has a wrong status",
        ),
        Wrong(
            "a header is left out",
            "writer.write(response.serialize())",
            "writer.write(response.serialize().replace(b'Sec-WebSocket-Accept', b'X-Accept'))",
            "header Sec-WebSocket-Accept is missing",
        ),
        Wrong(
            "101 for everybody",
            "response.serialize()",
            "response.serialize().replace(b' 400 ', b' 101 ')",
            "serve ★★★ (RFC 6455 §4.2.1)",
        ),
        Wrong(
            "the empty line is waited for",
            "await reader.read(1024)",
            "await reader.readuntil(b'\\r\\n\\r\\n')",
            "tried: a client that is gone in the middle",
            RAISED,
        ),
        Wrong(
            "a key is taken for granted",
            "response = answer(parsed[0])",
            "parsed[0].headers.get('Sec-WebSocket-Key').lower()\n"
            "        response = answer(parsed[0])",
            "tried: a request without a key",
            RAISED,
        ),
        Wrong(
            "it does not return",
            "writer.write(response.serialize())",
            "writer.write(response.serialize())\n    await reader.read()",
            "tried: a request in one piece",
            LATE,
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
