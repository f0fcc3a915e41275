"""The usual wrong answers to exercises 08: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import LATE, RAISED, Wrong

WRONG = {
    "again": [
        Wrong("1008 as well", "1008, ", "", "the server does not want this client"),
        Wrong("1009 as well", "1009, ", "", "a message was too big"),
        Wrong("never after an error", "(1002,", "(1011, 1002,", "the server has an error"),
        Wrong("never after a restart", "(1002,", "(1012, 1002,", "the server restarts"),
        Wrong("never after a good end", "(1002,", "(1000, 1002,", "the server is done"),
        Wrong("whoever is forbidden", ", 3000, 3003)", ")", ""),
        Wrong(
            "nothing of an application",
            "return code not in (",
            "return code < 3000 and code not in (",
            "a code of the application",
        ),
        Wrong("always", "code not in (1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003)", "True", ""),
        Wrong(
            "in words",
            "return code not in (1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003)",
            'return "yes" if code < 1002 else "no"',
            ": str, not bool",
        ),
    ],
    "delay": [
        Wrong("fixed", "return lot * longest", "return 3.0", "too many attempts in one second"),
        Wrong(
            "no jitter", "return lot * longest", "return longest", "too many attempts in one second"
        ),
        Wrong(
            "a little jitter",
            "return lot * longest",
            "return longest * (0.95 + lot / 10)",
            "too many attempts in one second",
        ),
        Wrong("a low limit", "min(30.0", "min(5.0", "too many attempts in one second"),
        Wrong(
            "a high limit",
            "min(30.0",
            "min(90.0",
            "it takes too long until 99 % of the clients are back",
        ),
        Wrong(
            "slow from the beginning",
            "2.0 ** min(max(0, attempt - 3), 10)",
            "30.0",
            "it takes too long until 99 % of the clients are back",
        ),
        Wrong(
            "milliseconds",
            "return lot * longest",
            "return lot * longest / 1000",
            "it tries too often",
        ),
        Wrong("months are too much", "min(max(0, attempt - 3), 10)", "attempt", "", RAISED),
        Wrong("no wait at all", "return lot * longest", "return 0", "it tries too often"),
        Wrong(
            "back in time", "return lot * longest", "return -longest", "a finite number of seconds"
        ),
        Wrong(
            "gives up in the end",
            "return lot * longest",
            "return lot * longest if attempt < 90 else 1e6",
            "the client waits too long",
        ),
        Wrong(
            "for ever", "return lot * longest", 'return float("inf")', "a finite number of seconds"
        ),
    ],
    "follow": [
        Wrong(
            "doubles stay",
            'if message["seq"] == len(texts) + 1:',
            "if True:",
            "",
            None,
        ),
        Wrong(
            "all of it, each time",
            '"epoch": epoch, "after": len(texts)',
            '"epoch": None, "after": 0',
            "asks for everything again",
        ),
        Wrong(
            "a number without its epoch",
            '"epoch": epoch, "after"',
            '"epoch": None, "after"',
            "a number without its epoch says nothing",
        ),
        Wrong(
            "waits behind a hole",
            '                    if message["seq"] > len(texts) + 1:\n'
            "                        break\n",
            "",
            "connection 3 is open, but message 6 did not come on it",
            LATE,
        ),
        Wrong(
            "takes what it does not know",
            '                    if message["seq"] > len(texts) + 1:\n'
            "                        break\n"
            '                    if message["seq"] == len(texts) + 1:',
            '                    if message["text"] not in texts:',
            "",
            None,
        ),
        Wrong(
            "compares texts",
            'if message["seq"] == len(texts) + 1:',
            'if message["text"] not in texts:',
            "two texts come twice on purpose",
            LATE,
        ),
        Wrong(
            "no text twice in a row",
            'if message["seq"] == len(texts) + 1:',
            'if message["text"] not in texts[-1:]:',
            "two texts come twice on purpose",
            LATE,
        ),
        Wrong(
            "no text twice in the end",
            "return texts",
            "return list(dict.fromkeys(texts))",
            "a message is missing",
        ),
        Wrong(
            "only the first connection",
            "    return texts",
            "        break\n    return texts",
            "a message is missing",
        ),
        Wrong(
            "gives up at a reset",
            "with suppress(WebSocketException, OSError):",
            "with suppress(OSError):",
            "ConnectionClosed",
            RAISED,
        ),
        Wrong("sorts", "return texts", "return sorted(texts)", "the messages are not in order"),
        Wrong(
            "whole messages",
            'texts.append(message["text"])',
            "texts.append(message)",
            "a message is missing",
        ),
        Wrong("counts", "return texts", "return len(texts)", "the result is int, not list"),
        Wrong(
            "starts from the end",
            '"after": len(texts)}',
            '"after": len(texts) or None}',
            "`after` is null",
        ),
    ],
    "deliver": [
        Wrong(
            "new numbers on each connection",
            "                for number in range(done + 1, len(texts) + 1):",
            "                texts, done = texts[done:], 0\n"
            "                for number in range(1, len(texts) + 1):",
            "orders had taken effect",
        ),
        Wrong("no numbers", ', "id": number}', "}", "waits for messages", LATE),
        Wrong(
            "all again, without numbers",
            '"text": texts[number - 1], "id": number}\n'
            "                    await ws.send(json.dumps(say))\n"
            "                while done < len(texts):\n"
            "                    message = json.loads(await ws.recv())\n"
            '                    if message.get("type") == "ack":\n'
            '                        done = message["id"]',
            '"text": texts[number - 1]}\n'
            "                    await ws.send(json.dumps(say))\n"
            "                await (await ws.ping())\n"
            "                done = len(texts)",
            "orders had",
        ),
        Wrong(
            "sent is delivered",
            "                while done < len(texts):\n"
            "                    message = json.loads(await ws.recv())\n"
            '                    if message.get("type") == "ack":\n'
            '                        done = message["id"]',
            "                return",
            "orders had taken effect",
        ),
        Wrong(
            "what was sent is not sent again",
            'done = json.loads(await ws.recv())["seen"]\n',
            "await ws.recv()\n                done = getattr(deliver, 'sent', 0)\n"
            "                deliver.sent = len(texts)\n",
            "",
            None,
        ),
        Wrong(
            "somebody else each time",
            "await ws.send(json.dumps(hello))",
            'hello["client"] = f"a secret of {id(ws):20}"\n'
            "                await ws.send(json.dumps(hello))",
            "orders have had",
        ),
        Wrong("nobody", '"client": client}', '"client": None}', "an id needs a resume"),
        Wrong("counts from 0", '"id": number}', '"id": number - 1}', "bad id"),
        Wrong("skips one", '"id": number}', '"id": number + 1}', "out of order"),
        Wrong(
            "gives up",
            "with suppress(WebSocketException, OSError):",
            "with suppress(OSError):",
            "ConnectionClosed",
            RAISED,
        ),
        Wrong(
            "an answer that breaks off",
            "with suppress(WebSocketException, OSError):",
            "with suppress(__import__('websockets').ConnectionClosed, OSError):",
            "InvalidMessage",
            RAISED,
        ),
        Wrong("backwards", "texts[number - 1]", "texts[-number]", "are not those that were given"),
    ],
    "remember": [
        Wrong(
            "no deduplication",
            " == seen[client] + 1:",
            " <= seen[client] + 1:",
            "an order has taken effect too often",
        ),
        Wrong(
            "deduplicates texts",
            'if order["id"] == seen[client] + 1:',
            'done = getattr(remember, "done", [])\n'
            "        remember.done = done\n"
            '        if order["text"] not in done:\n'
            '            done.append(order["text"])',
            "",
            None,
        ),
        Wrong(
            "no take-over",
            "        if online[client] is not connection:\n            continue\n",
            "",
            "order",
        ),
        Wrong(
            "the old one stays",
            "        old.closing = asyncio.create_task(old.close(4001))\n",
            "        pass\n",
            "but its connection did not end",
            LATE,
        ),
        Wrong(
            "as if all were well", "old.close(4001)", "old.close(1000)", "the close code is wrong"
        ),
        Wrong(
            "forgets the newer one",
            "    async for data in connection:\n",
            "    ended = asyncio.create_task(connection.wait_closed())\n"
            "    ended.add_done_callback(lambda _: online.pop(client, None))\n"
            "    async for data in connection:\n",
            "",
            None,
        ),
        Wrong(
            "nobody is remembered",
            "seen.setdefault(client, 0)",
            "seen[client] = 0",
            "the client hears a different message",
        ),
        Wrong(
            "one memory for all",
            '["client"]\n',
            '["client"]\n    client = "everybody"\n',
            "the client hears a different message",
        ),
        Wrong(
            "remembers who is online alone",
            "last = seen.setdefault(client, 0)",
            "last = seen.setdefault(client, 0) if old else seen.update({client: 0}) or 0",
            "the client hears a different message",
        ),
        Wrong(
            "does not mind a gap",
            'if order["id"] > seen[client] + 1:',
            "if False:",
            "",
            None,
        ),
        Wrong(
            "no second answer",
            'await connection.send(json.dumps({"type": "ack", "id": order["id"]}))',
            "else:\n            continue\n"
            '        await connection.send(json.dumps({"type": "ack", "id": order["id"]}))',
            "the client hears a different message",
        ),
        Wrong(
            "does not act",
            'act(order["text"])',
            "pass",
            "order",
        ),
    ],
}
