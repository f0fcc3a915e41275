"""The usual wrong answers to exercises 05: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import LATE, RAISED, Wrong

WRONG = {
    "may_close": [
        Wrong("1001 as well", "code == 1000", "code in (1000, 1001)", "1000 and 3000 to 4999"),
        Wrong("from 4000 on only", "3000 <= code", "4000 <= code", "1000 and 3000 to 4999"),
        Wrong("5000 is in", "code <= 4999", "code <= 5000", "1000 and 3000 to 4999"),
        Wrong("no 1000", "code == 1000 or ", "", "1000 and 3000 to 4999"),
        Wrong(
            "characters, not bytes", "len(reason.encode())", "len(reason)", "126 bytes, limit 123"
        ),
        Wrong("125 bytes", "<= 123", "<= 125", "124 bytes, limit 123"),
        Wrong("any reason", " and len(reason.encode()) <= 123", "", "bytes, limit 123"),
    ],
    "may_connect": [
        Wrong(
            "begins with",
            "origin in accepted",
            "(origin in accepted or any(origin and origin.startswith(o) for o in accepted if o))",
            "is different",
        ),
        Wrong(
            "the host only",
            "origin in accepted",
            "(origin.split('/')[-1].split(':')[0] in [(o or '//').split('/')[2].split(':')[0] "
            "for o in accepted] if origin else origin in accepted)",
            "is different",
        ),
        Wrong(
            "ends with",
            "origin in accepted",
            "(origin in accepted or any(origin.endswith(o.split('//')[1]) for o in accepted if o)"
            " if origin else origin in accepted)",
            "",
            None,
        ),
        Wrong(
            "programs are always welcome",
            "origin in accepted",
            "(origin is None or origin in accepted)",
            "no Origin, and None is not accepted",
        ),
        Wrong("null like any other", 'origin != "null" and ', "", "never may connect"),
        Wrong(
            "null is None",
            'origin != "null" and origin in accepted',
            '(None if origin == "null" else origin) in accepted',
            '"null" is not None',
        ),
        Wrong("everybody", 'origin != "null" and origin in accepted', "True", ""),
    ],
    "ask": [
        Wrong(
            "sends too early",
            "socket.onopen = lambda event: socket.send(question)",
            "socket.send(question)",
            "InvalidStateError",
            RAISED,
        ),
        Wrong(
            "never closes",
            '    socket.close(1000)\n    await socket.settle("close")\n',
            "",
            "the socket was not closed",
            LATE,
        ),
        Wrong("closes without a code", "socket.close(1000)", "socket.close()", "close code 1000"),
        Wrong(
            "does not notice that it failed",
            "socket.onclose = lambda event: settle(None)",
            "pass",
            "no result although the connection is over",
            LATE,
        ),
        Wrong("the event, not the data", "settle(event.data)", "settle(event)", "the result is"),
        Wrong(
            "the last message",
            "if not answer.done():\n            answer.set_result(value)",
            "if value is None and not answer.done():\n            answer.set_result(value)",
            "the result is",
        ),
        Wrong(
            "an empty text", "settle(None)", "settle('')", "without an answer the result is None"
        ),
        Wrong(
            "no time-out",
            "asyncio.timeout(1)",
            "asyncio.timeout(None)",
            "no result (the limit is 1 s)",
            LATE,
        ),
        Wrong(
            "a time-out only once it is open",
            "            result = await answer",
            "            pass\n        await socket.settle('open', within=9)\n"
            "        async with asyncio.timeout(1):\n            result = await answer",
            "no result",
            None,
        ),
        Wrong(
            "five seconds",
            "asyncio.timeout(1)",
            "asyncio.timeout(5)",
            "no result (the limit is 1 s)",
            LATE,
        ),
        Wrong(
            "silence crashes it",
            "    except TimeoutError:\n        result = None",
            "    except KeyError:\n        result = None",
            "TimeoutError",
            RAISED,
        ),
        Wrong(
            "silence leaves it open",
            "    except TimeoutError:\n        result = None",
            "    except TimeoutError:\n        return None",
            "the socket was not closed",
            LATE,
        ),
        Wrong(
            "asks something else",
            "socket.send(question)",
            "socket.send('Hello?')",
            "the server got a different question",
        ),
        Wrong("a third of a second", "timeout(1)", "timeout(0.3)", "message: NoneType, not str"),
        Wrong("a tenth of a second", "timeout(1)", "timeout(0.1)", "", None),
        Wrong("no patience", "timeout(1)", "timeout(0)", "", None),
    ],
    "login": [
        Wrong(
            "waits for ever",
            "asyncio.timeout(0.3)",
            "asyncio.timeout(None)",
            "the connection was not closed",
            LATE,
        ),
        Wrong(
            "the time is not looked at", "expires < now", "False", "a token that has expired gets"
        ),
        Wrong("the wrong way round", "expires < now", "expires > now", "close code 4001"),
        Wrong(
            "a polite refusal",
            'await connection.close(3000, "unknown token")',
            'await connection.send("unknown token")',
            "it should get only a close code",
        ),
        Wrong(
            "1000 for strangers",
            "connection.close(3000",
            "connection.close(1000",
            "gets a wrong close code",
        ),
        Wrong(
            "1008 for old tokens",
            "connection.close(4001",
            "connection.close(1008",
            "a token that has expired gets a wrong close code",
        ),
        Wrong(
            "no echo",
            "        async for message in connection:\n"
            "            await connection.send(message)\n",
            "",
            "the connection was closed",
        ),
        Wrong(
            "one echo",
            "            await connection.send(message)\n",
            "            await connection.send(message)\n            return\n",
            "the connection was closed",
        ),
        Wrong(
            "one echo, then silence",
            "            await connection.send(message)\n",
            "            await connection.send(message)\n"
            "            await connection.wait_closed()\n",
            "a message gets no echo",
            LATE,
        ),
        Wrong(
            "text in place of bytes",
            "connection.send(message)",
            "connection.send(message if isinstance(message, str) else message.decode('latin-1'))",
            "the echo differs from the message",
        ),
        Wrong(
            "bytes in place of text",
            "connection.send(message)",
            "connection.send(message.encode() if isinstance(message, str) else message)",
            "the echo differs from the message",
        ),
        Wrong(
            "text only",
            "            await connection.send(message)\n",
            "            if isinstance(message, str):\n"
            "                await connection.send(message)\n",
            "a message gets no echo",
            LATE,
        ),
        Wrong(
            "no empty messages",
            "            await connection.send(message)\n",
            "            if message:\n                await connection.send(message)\n",
            "a message gets no echo",
            LATE,
        ),
        Wrong(
            "strangers crash it",
            'tokens.get(token, ("", now))',
            "tokens[token]",
            "KeyError",
            RAISED,
        ),
        Wrong(
            "silence crashes it",
            "    except TimeoutError:\n        token = None",
            "    except KeyError:\n        token = None",
            "TimeoutError",
            RAISED,
        ),
    ],
}
