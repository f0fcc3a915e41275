"""The usual wrong answers to exercises 07: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import LATE, RAISED, Wrong

WRONG = {
    "noticed": [
        Wrong(
            "interval and time-out",
            "least = ping_timeout + close_timeout",
            "least = ping_timeout",
            "both numbers lack the closing handshake",
        ),
        Wrong(
            "the longer of the two",
            "return least, ping_interval",
            "return least, max(ping_interval, ping_timeout)",
            "not the earliest and the latest",
        ),
        Wrong(
            "the latest twice",
            "return least, ",
            "return ping_interval + least, ",
            "not the earliest and the latest",
        ),
        Wrong(
            "the wrong way round",
            "return least, ping_interval + least",
            "return ping_interval + least, least",
            "the earliest has to come first",
        ),
        Wrong(
            "no closing for the unlucky",
            "ping_interval + least",
            "ping_interval + ping_timeout",
            "the latest lacks the closing handshake",
        ),
        Wrong(
            "no closing for the lucky",
            "return least,",
            "return ping_timeout,",
            "the earliest lacks the closing handshake",
        ),
        Wrong("one number", "return least, ", "return ", "the result is int, not tuple"),
        Wrong(
            "a list",
            "return least, ping_interval + least",
            "return [least, ping_interval + least]",
            "the result is list, not tuple",
        ),
    ],
    "half_open": [
        Wrong(
            "looks before it asks",
            "        except ConnectionClosed:\n            pass\n        return False",
            "        return False",
            "ConnectionClosed",
            RAISED,
        ),
        Wrong(
            "looks only before it asks",
            "        try:\n            async with asyncio.timeout(0.5):\n"
            "                await (await ws.ping())\n        except TimeoutError:\n"
            "            return True\n        except ConnectionClosed:\n            pass\n",
            "        if ws.close_code is not None:\n            return False\n"
            "        try:\n            async with asyncio.timeout(0.5):\n"
            "                await (await ws.ping())\n        except TimeoutError:\n"
            "            return True\n",
            "ConnectionClosed",
            RAISED,
        ),
        Wrong(
            "one after the other",
            "await asyncio.gather(*(is_dead(ws) for ws in connections))",
            "[await is_dead(ws) for ws in connections]",
            "your code has not returned within",
            LATE,
        ),
        Wrong(
            "waits for ever",
            "asyncio.timeout(0.5)",
            "asyncio.timeout(None)",
            "your code has not returned",
            LATE,
        ),
        Wrong(
            "too impatient",
            "timeout(0.5)",
            "timeout(0.05)",
            "answers after 0.2 s was taken for dead",
        ),
        Wrong(
            "receives",
            "await (await ws.ping())",
            "await ws.recv()",
            "silent peers were taken for dead",
        ),
        Wrong(
            "receives what is somebody else's",
            "await (await ws.ping())",
            "await (await ws.ping())\n"
            "                try:\n"
            "                    await asyncio.wait_for(ws.recv(), 0.05)\n"
            "                except TimeoutError:\n"
            "                    pass",
            "which your code must not receive",
            LATE,
        ),
        Wrong(
            "does not wait for the pong",
            "await (await ws.ping())",
            "await ws.ping()",
            "0 of 3 dead connections were found",
        ),
        Wrong(
            "closed ones as well",
            "except ConnectionClosed:\n            pass",
            "except ConnectionClosed:\n            return True",
            "a closed connection is not half-open",
        ),
        Wrong(
            "closed ones crash it",
            "except ConnectionClosed:",
            "except KeyError:",
            "ConnectionClosed",
            RAISED,
        ),
        Wrong("the others", "if dead]", "if not dead]", "", None),
        Wrong("verdicts", "return [ws for", "return [dead for", "not one of the connections"),
        Wrong("the first", "if dead]", "if dead][:1]", "1 of 3 dead connections were found"),
        Wrong(
            "closes what lives",
            "        return False",
            "        await ws.close()\n        return False",
            "a living connection was closed",
        ),
    ],
    "watch": [
        Wrong(
            "the timer runs once",
            "        timer = timers.set_timeout(look, 3)\n        send()",
            "        send()",
            "is not sent at the right time",
        ),
        Wrong(
            "a new counter each time",
            "        missed += 1\n",
            "        missed = 1\n",
            "a dead peer is never given up",
        ),
        Wrong(
            "old timers go on",
            "            timers.clear_timeout(timer)\n",
            "",
            "a living peer was given up",
        ),
        Wrong(
            "the counter is not reset",
            "missed, timer = 0, timers",
            "missed, timer = missed, timers",
            "a living peer was given up",
        ),
        Wrong("two beats", "missed == 3", "missed == 2", "beat 3 is not sent"),
        Wrong("four beats", "missed == 3", "missed == 4", "not given up at the right time"),
        Wrong(
            "gives up again and again",
            "            give_up()\n            return",
            "            give_up()\n            timers.set_timeout(look, 3)\n            return",
            "given up more than once",
        ),
        Wrong(
            "comes back from the dead",
            "            dead = True\n",
            "",
            "given up more than once",
        ),
        Wrong(
            "milliseconds",
            "timers.set_timeout(look, 3)\n        send()",
            "timers.set_timeout(look, 3000)\n        send()",
            "is not sent at the right time",
        ),
        Wrong(
            "begins with the first message",
            "    sign()\n    return sign",
            "    return sign",
            "is not sent at the right time",
        ),
        Wrong("returns nothing", "return sign", "return sign()", "the result is not a function"),
        Wrong(
            "a beat at once",
            "    sign()\n    return sign",
            "    send()\n    sign()\n    return sign",
            "is not sent at the right time",
        ),
        Wrong(
            "a message does not set the timer again",
            "            timers.clear_timeout(timer)\n"
            "            missed, timer = 0, timers.set_timeout(look, 3)",
            "            missed, timer = 0, timer or timers.set_timeout(look, 3)",
            "is not sent at the right time",
        ),
        Wrong(
            "looks at half seconds only",
            "missed, timer = 0, timers.set_timeout(look, 3)",
            "missed, timer = 0, timers.set_timeout(look, 3 - timers.now % 0.5)",
            "is not sent at the right time",
        ),
        Wrong(
            "two beats at once, later",
            "        send()\n",
            "        send()\n        if missed == 2 and timers.now > 1000:\n            send()\n",
            "is not sent at the right time",
        ),
        Wrong(
            "only answers count",
            "    def sign():",
            "    def sign(answer=None):\n        answer['beat']",
            "TypeError",
            RAISED,
        ),
    ],
}
