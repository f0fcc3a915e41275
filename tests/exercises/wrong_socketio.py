"""The usual wrong answers to exercises 09: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import LATE, RAISED, Wrong

WRONG = {
    "layers": [
        Wrong(
            "always two layers",
            "if engine is not EngineType.MESSAGE:",
            "if len(text) < 2:",
            "",
            None,
        ),
        Wrong(
            "numbers",
            "return engine.name, None",
            "return int(engine), None",
            "type is wrong: int, not str",
        ),
        Wrong(
            "the wrong table",
            "SocketType(int(text[1]))",
            "EngineType(int(text[1]))",
            "Socket.IO's type is wrong",
        ),
        Wrong(
            "the first digit twice",
            "SocketType(int(text[1]))",
            "SocketType(int(text[0]))",
            "Socket.IO's type is wrong",
        ),
        Wrong(
            "an empty name",
            "return engine.name, None",
            'return engine.name, ""',
            "so the second value is None",
        ),
        Wrong("one name", "return engine.name, None", "return engine.name", "not tuple"),
        Wrong(
            "small letters",
            "return engine.name, None",
            "return engine.name.lower(), None",
            "Engine.IO's type is wrong",
        ),
    ],
    "event": [
        Wrong("no namespaces", 'rest.startswith("/")', "False", "", None),
        Wrong("any slash", 'rest.startswith("/")', '"/" in text', "", None),
        Wrong(
            "a slash before the comma",
            'rest.startswith("/")',
            '"/" in rest.partition(",")[0]',
            "",
            None,
        ),
        Wrong(
            "a slash in the first half",
            'rest.startswith("/")',
            '"/" in rest[: len(rest) // 2]',
            "",
            None,
        ),
        Wrong(
            "any digits",
            "digits = rest[:start]",
            'digits = "".join(c for c in rest.partition(",")[0] if c.isdigit())',
            "the id is wrong",
        ),
        Wrong("42 somewhere", 'not text.startswith("42")', '"42" not in text', "", None),
        Wrong(
            "the last comma",
            'rest.partition(",")',
            'rest.rpartition(",")',
            "",
            None,
        ),
        Wrong("no ids", "int(digits) if digits else None", "None", "the id is wrong"),
        Wrong("the id as text", "int(digits) if", "digits if", "the id is wrong"),
        Wrong(
            "0 is no id",
            "int(digits) if digits else None",
            "(int(digits) or None) if digits else None",
            "id 0, which is an id: the id is wrong",
        ),
        Wrong(
            "every id is a number",
            "int(digits) if digits else None",
            "int(digits)",
            "invalid literal for int()",
            RAISED,
        ),
        Wrong("one digit", "int(digits)", "int(digits[0])", "the id is wrong"),
        Wrong(
            "without the name", "json.loads(rest[start:])", "json.loads(rest[start:])[1:]", "data"
        ),
        Wrong("text", "json.loads(rest[start:])", "rest[start:]", "the data is wrong"),
        Wrong(
            "every message",
            'text.startswith("42")',
            'text.startswith("4")',
            "",
            None,
        ),
        Wrong(
            "one layer",
            'not text.startswith("42")',
            'text[:1] != "2" and text[:2] != "42"',
            "",
            None,
        ),
        Wrong(
            "the slash is left out",
            "return namespace,",
            'return namespace.strip("/") or "/",',
            "the namespace is wrong",
        ),
    ],
    "reply": [
        Wrong("no connect", 'return "40"', "return None", "Engine.IO is open, so connect"),
        Wrong(
            "a ping for a ping",
            'return "3" + text[1:]',
            "return text",
            "pong",
        ),
        Wrong(
            "a bare pong",
            'return "3" + text[1:]',
            'return "3"',
            "a pong repeats what the ping carries",
        ),
        Wrong(
            "a bare ping only",
            'if text.startswith("2"):',
            'if text == "2":',
            "a pong repeats what the ping carries",
        ),
        Wrong("pings everywhere", 'text.startswith("2")', '"2" in text', "", None),
        Wrong(
            "an upgrade for any pong",
            'text == "3probe"',
            'text.startswith("3")',
            "only the pong to the client's own probe",
        ),
        Wrong(
            "an upgrade for anything that ends so",
            'text == "3probe"',
            'text.rstrip("]\\"").endswith("probe")',
            "expected: None",
        ),
        Wrong(
            "an upgrade for any probe",
            '    if text.startswith("2"):',
            '    if "probe" in text:\n        return "5"\n    if text.startswith("2"):',
            "",
            None,
        ),
        Wrong(
            "an upgrade for a longer word",
            'text == "3probe"',
            'text.startswith("3probe")',
            "only the pong to the client's own probe",
        ),
        Wrong("no upgrade", '"5" if text', "None if text", "the probe has succeeded, so upgrade"),
        Wrong(
            "always an answer",
            'return "5" if text == "3probe" else None',
            'return "5" if text == "3probe" else ""',
            "",
            None,
        ),
        Wrong("bytes", 'return "40"', 'return b"40"', "the result is bytes, not str or None"),
        *(
            Wrong(f"a probe {name}", '"5" if text == "3probe"', new, "the client's own probe")
            for name, new in {
                "at the end": '"5" if text[0] == "3" and text.endswith("probe")',
                "by its length": '"5" if text[0] == "3" and len(text) == 6',
                "at the beginning": '"5" if text.startswith("3probe")',
                "in any case": '"5" if text.lower() == "3probe"',
                "without blanks": '"5" if text.replace(" ", "") == "3probe"',
            }.items()
        ),
    ],
    "join": [
        Wrong(
            "no pong",
            "elif answer is not None:",
            'elif answer == "40":',
            "did every ping get its pong?",
        ),
        Wrong(
            "no connect",
            "elif answer is not None:",
            'elif answer == "3":',
            "the server has not heard any event",
        ),
        Wrong(
            "another path",
            '"socket.io/?EIO=4&transport=websocket"',
            '"?EIO=4&transport=websocket"',
            "HTTP 404",
            RAISED,
        ),
        Wrong(
            "version 3",
            "EIO=4",
            "EIO=3",
            "HTTP 400",
            RAISED,
        ),
        Wrong(
            "bare text",
            '"42" + json.dumps(["chat message", text])',
            "text",
            "ConnectionClosedError",
            RAISED,
        ),
        Wrong(
            "JSON by hand",
            '"42" + json.dumps(["chat message", text])',
            'f\'42["chat message","{text}"]\'',
            "the server has not heard any event",
        ),
        Wrong(
            "another event",
            'dumps(["chat message"',
            'dumps(["message"',
            "the server has not heard any event",
        ),
        Wrong(
            "a list in a list",
            '["chat message", text]',
            '["chat message", [text]]',
            "the server has heard a different event",
        ),
        Wrong(
            "the first event",
            'heard[2][0] == "chat message"',
            "True",
            "",
            None,
        ),
        Wrong(
            "the whole event",
            "return heard[2][1]",
            "return heard[2]",
            "list, not str",
        ),
        Wrong(
            "speaks too early",
            '            if packet.startswith("40"):',
            '            if packet.startswith("0"):',
            "the server has not heard any event",
        ),
        Wrong(
            "never closes",
            '    async with connect(url + "socket.io/?EIO=4&transport=websocket") as ws:',
            '    ws = join.ws = await connect(url + "socket.io/?EIO=4&transport=websocket")\n'
            "    if True:",
            "the connection was not closed",
            LATE,
        ),
        Wrong(
            "listens on",
            "return heard[2][1]",
            "pass",
            "no result",
            LATE,
        ),
    ],
}
