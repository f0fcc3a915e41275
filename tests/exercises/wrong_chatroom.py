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
            "the text is",
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
            "the name has only blanks",
        ),
        Wrong("a list", "return kind, text", "return [kind, text]", "the result is list"),
        Wrong(
            "None for what is wrong",
            'raise ValueError("no text")',
            "return None",
            "your code accepts a bad message",
        ),
    ],
    "relay": [
        Wrong("to all", "members - {connection}", "members", "Ada hears Ada's own message"),
        Wrong(
            "nobody is taken out",
            "members.discard(connection)",
            "pass",
            "a member who has left is still among `members`",
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
            "a member who has left is still among `members`",
            LATE,
        ),
        Wrong(
            "nobody is put in",
            "members.add(connection)",
            "pass",
            "a newcomer is not among `members`",
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
            "a different message: str, not bytes",
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
    ],
}
