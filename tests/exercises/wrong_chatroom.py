"""The usual wrong answers to exercises 06: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import LATE, RAISED, Wrong

WRONG = {
    "read_message": [
        Wrong(
            "bytes as well",
            'if not isinstance(data, str):\n        raise ValueError("binary")\n    try',
            "try",
            "it is binary, not text",
        ),
        Wrong("brackets crash it", "except RecursionError", "except KeyError", "", None),
        Wrong(
            "any JSON",
            'if not isinstance(value, dict):\n        raise ValueError("no object")\n    kind',
            "kind",
            "AttributeError",
            RAISED,
        ),
        Wrong(
            "any type",
            'kind not in ("chat", "setName")',
            "kind is None",
            "your code accepts a bad message",
        ),
        Wrong(
            "a set of types",
            '("chat", "setName")',
            '{"chat", "setName"}',
            "unhashable type",
            RAISED,
        ),
        Wrong(
            "no setName",
            '("chat", "setName")',
            '("chat",)',
            "unknown type",
            RAISED,
        ),
        Wrong(
            "anything as text",
            "not isinstance(text, str) or not text.strip()",
            "not text or not str(text).strip()",
            "the text is not a string",
        ),
        Wrong("blanks", " or not text.strip()", "", "has only blanks"),
        Wrong("trims", "return kind, text", "return kind, text.strip()", "the message is good"),
        Wrong(
            "trims the end",
            "return kind, text",
            "return kind, text.rstrip()",
            "the message is good",
        ),
        Wrong("cuts", "return kind, text", "return kind, text[:30]", "the message is good"),
        Wrong(
            "blanks as a name",
            "not text.strip()",
            'kind == "chat" and not text.strip()',
            "has only blanks",
        ),
        Wrong("a list", "return kind, text", "return [kind, text]", "the result is list"),
        Wrong(
            "None for what is wrong",
            'raise ValueError("no text")',
            "return None",
            "your code accepts a bad message",
        ),
        *(
            Wrong(f"type: {name}", 'kind not in ("chat", "setName")', new, "the type is unknown")
            for name, new in {
                "part of a string": 'str(kind) not in "chat setName"',
                "in any case": 'str(kind).lower() not in ("chat", "setname")',
                "trimmed": 'str(kind).strip() not in ("chat", "setName")',
                "how it begins": 'not str(kind).startswith(("chat", "setName"))',
                "how it ends": 'not str(kind).endswith(("chat", "Name"))',
            }.items()
        ),
        *(
            Wrong(f"text: {name}", "not isinstance(text, str) or not text.strip()", new, says)
            for name, new, says in (
                ("isspace", "not isinstance(text, str) or text.isspace()", "has only blanks"),
                ("plain blanks", "not isinstance(text, str) or not text.strip(' ')", "only blanks"),
                ("ASCII's", "not isinstance(text, str) or not text.strip(' \\t\\r\\n')", "blanks"),
                ("a list", "not isinstance(text, str | list) or not str(text).strip()", "string"),
                ("True", "not isinstance(text, str | bool) or not str(text).strip()", "string"),
            )
        ),
        *(
            Wrong(
                f"JSON: {name}",
                "json.loads(data)",
                new,
                "your code accepts a bad message: it is not JSON",
            )
            for name, new in {
                "single quotes": "json.loads(data if data[:1] != '{' else "
                "data.replace(\"{'\", '{\"')"
                ".replace(\"': '\", '\": \"').replace(\"', '\", '\", \"').replace(\"'}\", '\"}'))",
                "control characters": "json.loads(data, strict=False)",
                "what stands around it": "json.loads("
                "data[data.find('{') : data.rfind('}') + 1] or '?')",
                "what comes after it": "json.JSONDecoder().raw_decode(data.strip())[0]",
                "a comma more": "json.loads(data.replace(',}', '}'))",
            }.items()
        ),
        *(
            Wrong(name, old, new, "", None)
            for name, old, new in (
                ("Python's literals", "json.loads(data)", "__import__('ast').literal_eval(data)"),
                (
                    "it must begin with a brace",
                    "json.loads(data)",
                    "json.loads(data * (data[:1] == '{'))",
                ),
                ("no brackets", "json.loads(data)", "json.loads(data * (data.count('[') < 100))"),
                ("two fields", "kind not in", "len(value) != 2 or kind not in"),
                (
                    "a limit of its own",
                    "or not text.strip()",
                    "or not 0 < len(text.strip()) < 1000",
                ),
                (
                    "pairs",
                    "if not isinstance(value, dict)",
                    "if isinstance(value, list):\n        value = dict(value)\n"
                    "    if not isinstance(value, dict)",
                ),
                (
                    "only brackets are too deep",
                    "except RecursionError",
                    "except RecursionError:\n        if data[0] == '{':\n            raise\n"
                    "        raise ValueError('deep') from None\n    except KeyError",
                ),
            )
        ),
    ],
    "relay": [
        Wrong("to all", "members - {connection}", "members", "Ada hears Ada's own message"),
        Wrong(
            "nobody is taken out",
            "members.discard(connection)",
            "pass",
            "who has left is still among `members`",
            LATE,
        ),
        Wrong(
            "only who leaves properly is taken out",
            "    try:\n        async for message in connection:\n"
            "            broadcast(members - {connection}, message)\n"
            "    finally:\n        members.discard(connection)",
            "    async for message in connection:\n"
            "        broadcast(members - {connection}, message)\n"
            "    members.discard(connection)",
            "who has left is still among `members`",
            LATE,
        ),
        Wrong(
            "nobody is put in",
            "members.add(connection)",
            "pass",
            "a newcomer, is not among `members`",
            LATE,
        ),
        Wrong(
            "one message only",
            "broadcast(members - {connection}, message)",
            "broadcast(members - {connection}, message)\n            break",
            "",
            None,
        ),
        Wrong(
            "bytes become text",
            "connection}, message)",
            "connection}, message if isinstance(message, str) else message.decode())",
            "can't decode byte",
            RAISED,
        ),
        Wrong(
            "changes it",
            "connection}, message)",
            "connection}, message[:5])",
            "Bob hears a different message",
        ),
        Wrong(
            "text only",
            "connection}, message)",
            'connection}, "" + message)',
            "TypeError",
            RAISED,
        ),
        Wrong(
            "waits while it goes over the set",
            "broadcast(members - {connection}, message)",
            "for other in members:\n"
            "                if other is not connection:\n"
            "                    await other.send(message)",
            "Set changed size during iteration",
            RAISED,
        ),
        Wrong(
            "an answer",
            "broadcast(members - {connection}, message)",
            "await connection.send(message)",
            "Bob, who reads, hears nothing",
            LATE,
        ),
        *(
            Wrong(
                name,
                "broadcast(members - {connection}, message)",
                new,
                "Bob hears a different message",
            )
            for name, new in {
                "trims": "broadcast(members - {connection}, message.strip())",
                "no empty ones": "if message:\n"
                "                broadcast(members - {connection}, message)",
                "no blank ones": "if message.strip():\n"
                "                broadcast(members - {connection}, message)",
                "shorter ones": "broadcast(members - {connection}, message[:20_000])",
                "not twice in a row": "if getattr(relay, 'last', None) != message:\n"
                "                relay.last = message\n"
                "                broadcast(members - {connection}, message)",
            }.items()
        ),
        *(
            Wrong(
                name,
                "broadcast(members - {connection}, message)",
                new,
                "as if he were lost",
                None,
            )
            for name, new in {
                "one by one": "for other in list(members):\n"
                "                if other is not connection:\n"
                "                    await other.send(message)",
                "one by one, of a copy": "for other in members - {connection}:\n"
                "                await other.send(message)",
                "gather": "await asyncio.gather("
                "*(other.send(message) for other in members - {connection}))",
            }.items()
        ),
        *(
            Wrong(name, "    members.add(connection)", new, says)
            for name, new, says in (
                (
                    "a greeting",
                    "    members.add(connection)\n    await connection.send('Welcome')",
                    "hears a different message",
                ),
                (
                    "what was said before",
                    "    members.add(connection)\n"
                    "    for old in getattr(relay, 'said', []):\n"
                    "        await connection.send(old)\n"
                    "    relay.said = ['hello']",
                    "hears a different message",
                ),
            )
        ),
        Wrong(
            "one room for all",
            "    members.add(connection)\n    try:\n        async for message in connection:\n"
            "            broadcast(members - {connection}, message)",
            "    members.add(connection)\n"
            "    relay.all = getattr(relay, 'all', set()) | members\n"
            "    try:\n        async for message in connection:\n"
            "            broadcast(relay.all - {connection}, message)",
            "Zoe hears a different message",
        ),
        Wrong(
            "a farewell",
            "members.discard(connection)",
            "members.discard(connection)\n        broadcast(members, 'Somebody has left.')",
            "a different message",
        ),
        Wrong(
            "only two",
            "broadcast(members - {connection}, message)",
            "broadcast(sorted(members - {connection}, key=id)[:2], message)",
            "",
            None,
        ),
        Wrong(
            "closes somebody as well",
            "members.discard(connection)",
            "members.discard(connection)\n        for other in list(members)[:1]:\n"
            "            other.transport.abort()",
            "",
            None,
        ),
    ],
    "say": [
        Wrong(
            "a loop that waits",
            "    for member in list(members):",
            "    for member in list(members):\n        await member.send(message)\n    return\n"
            "    for member in list(members):",
            "say() waits",
            LATE,
        ),
        Wrong(
            "gather",
            "    for member in list(members):",
            "    await asyncio.gather(*(member.send(message) for member in members))\n    return\n"
            "    for member in list(members):",
            "say() waits",
            LATE,
        ),
        Wrong(
            "keeps for ever",
            "get_write_buffer_size() > 65_536",
            "get_write_buffer_size() > 65_536_000",
            "bytes wait for the slow member, so it has to go",
        ),
        Wrong(
            "in tasks, which keep it as well",
            "    for member in list(members):",
            "    for member in list(members):\n"
            "        say.tasks = [*getattr(say, 'tasks', []),\n"
            "                     asyncio.create_task(member.send(message))]\n    return\n"
            "    for member in list(members):",
            "it has to go",
        ),
        Wrong(
            "skips it, and keeps it",
            "            members.discard(member)\n            member.transport.abort()\n"
            "    broadcast(members, message)",
            "            pass\n    few = [m for m in members "
            "if m.transport.get_write_buffer_size() <= 65_536]\n    broadcast(few, message)",
            "the slow one is still a member",
        ),
        Wrong("no patience", "> 65_536", "> 0", "is out, although only"),
        Wrong("a little too early", "> 65_536", "> 60_000", "is out, although only"),
        Wrong("a little too late", "> 65_536", "> 66_600", "it has to go"),
        Wrong("half the patience", "> 65_536", "> 32_768", "is out, although only"),
        Wrong(
            "out, and still connected",
            "            member.transport.abort()\n",
            "",
            "its connection is not cut off",
        ),
        Wrong(
            "cut off, and still in",
            "            members.discard(member)\n",
            "",
            "the slow one is cut off, but still in `members`",
        ),
        Wrong(
            "waits until it has read",
            "member.transport.abort()",
            "member.transport.close()",
            "transport.close() waits for them",
        ),
        Wrong(
            "asks the dead to agree",
            "member.transport.abort()",
            "await member.close()",
            "say() waits",
            LATE,
        ),
        Wrong(
            "changes the set that it goes over",
            "in list(members)",
            "in members",
            "Set changed size during iteration",
            RAISED,
        ),
        Wrong(
            "puts out everybody",
            "> 65_536",
            "> -1",
            "Ada, who reads, was put out",
        ),
        Wrong("says nothing", "    broadcast(members, message)\n", "", "hears nothing", LATE),
        *(
            Wrong(f"about {limit}", "> 65_536", limit, says)
            for limit, says in {
                ">= 65_536": "65536 bytes wait is put out",
                "> 65_535": "65536 bytes wait is put out",
                "> 64_000": "is out, although only",
                "> 65_537": "65537 bytes wait is still among",
                "+ len(message) > 65_536": "is out, although only",
            }.items()
        ),
        *(
            Wrong(f"waits: {name}", "    broadcast(members, message)", new, "", None)
            for name, new in {
                "a time-out for each": "    for member in members:\n        try:\n"
                "            async with asyncio.timeout(0.05):\n"
                "                await member.send(message)\n"
                "        except Exception:\n            pass",
                "a time-out for all": "    try:\n        async with asyncio.timeout(0.05):\n"
                "            await asyncio.gather(\n"
                "                *(m.send(message) for m in members), return_exceptions=True\n"
                "            )\n    except TimeoutError:\n        pass",
                "a moment": "    await asyncio.sleep(0.1)\n    broadcast(members, message)",
                "a moment, afterwards": "    broadcast(members, message)\n"
                "    await asyncio.sleep(0.1)",
            }.items()
        ),
        Wrong(
            "one at a time goes",
            "            member.transport.abort()",
            "            member.transport.abort()\n            break",
            "is still among `members`",
        ),
        Wrong(
            "one chance more",
            "() > 65_536:",
            "() > 65_536 and (setattr(say, 'n', getattr(say, 'n', 0) + 1) or say.n > 3):",
            "it has to go",
        ),
        Wrong(
            "an empty room",
            "    for member in list(members):",
            "    max(member.id for member in members)\n    for member in list(members):",
            "ValueError: max()",
            RAISED,
        ),
        Wrong(
            "somebody is gone",
            "    broadcast(members, message)",
            "    for member in members:\n        await member.send(message)",
            "say() waits",
            LATE,
        ),
        Wrong(
            "puts out who is gone, and nobody else hears it",
            "    broadcast(members, message)",
            "    try:\n        for member in members:\n            await member.send(message)\n"
            "    except Exception:\n        pass",
            "",
            None,
        ),
        Wrong(
            "closes in a task",
            "member.transport.abort()",
            "asyncio.ensure_future(member.close())",
            "its connection is not cut off",
        ),
    ],
}
