"""The usual wrong answers to exercises 13: each is the right one with a piece replaced."""

from __future__ import annotations

from .tools import RAISED, Wrong

WRONG = {
    "is_due": [
        Wrong(
            "the first is not sent", "        return True\n", "        return False\n", "the first"
        ),
        Wrong("no heartbeat", " or seconds >= heartbeat", "", "the heartbeat is due"),
        Wrong(
            "the heartbeat late", "seconds >= heartbeat", "seconds > heartbeat", "at this second"
        ),
        Wrong("no threshold", "error > threshold or ", "", "this must be sent"),
        Wrong("at the threshold too", "error > threshold", "error >= threshold", "nothing must be"),
        Wrong("both at once", "threshold or seconds", "threshold and seconds", "this must be sent"),
        Wrong("no model", "x + vx * seconds - fix[1]", "x - fix[1]", ""),
        Wrong("the model backwards", "x + vx * seconds", "x - vx * seconds", ""),
        Wrong("only x", "y + vy * seconds - fix[2])", "0)", ""),
        Wrong("round the corner", "math.hypot(", "(lambda a, b: abs(a) + abs(b))(", "nothing must"),
        Wrong("old ones too", "    if seconds <= 0:\n        return False\n", "", ""),
        Wrong("the same time too", "seconds <= 0", "seconds < 0", "the same time again"),
        Wrong("a number", "return error > threshold or", "return 1 if error > threshold else", ""),
    ],
    "packets": [
        Wrong("only the first message", 'b"".join(messages)', "messages[0]", "", RAISED),
        Wrong("one byte of length", "data[size - 1] < 128", "True", "packets"),
        Wrong("eight bits a byte", "<< 7 *", "<< 8 *", ""),
        Wrong(
            "the highest first",
            "<< 7 * (size - 1)",
            "<< 7 * (2 - size if size < 3 else 0)",
            "",
        ),
        Wrong("the bit stays", "data[size] & 127", "data[size]", ""),
        Wrong(
            "half a packet too",
            "        if len(data) < size + length:\n            break\n",
            "",
            "",
        ),
        Wrong("half a length too", "        else:\n            break\n", "", ""),
        Wrong(
            "with the length", "data[size : size + length]))", "data[1 : size + length]))", "differ"
        ),
        Wrong("the type alone", "(data[0],", "(data[0] >> 4,", "the packets differ"),
        Wrong("bytes of one", "(data[0],", "(data[:1],", "the packets differ"),
        Wrong("a tuple", "return found", "return tuple(found)", "the result is tuple, not list"),
    ],
    "spend": [
        Wrong("the most urgent only", "priority.get(name, 0) + weight", "weight", "turn"),
        Wrong("only what is new", "waiting |= new", "waiting = dict(new)", "turn"),
        Wrong(
            "the priority begins again",
            "waiting |= new",
            "priority |= dict.fromkeys(new, 0)\n        waiting |= new",
            "turn",
        ),
        Wrong("no weights", "+ weight", "+ 1", "turn"),
        Wrong("the lowest first", "-priority[name]", "priority[name]", "turn"),
        Wrong(
            "the smaller ones behind",
            "                break\n",
            "                continue\n",
            "turn",
        ),
        Wrong("it must be less", "size > left", "size >= left", "turn"),
        Wrong(
            "the budget is saved",
            "        left, now = budget, []",
            "        left, now = budget + (locals().get('left') or 0), []",
            "turn",
        ),
        Wrong(
            "sent and still there",
            "            del waiting[name], priority[name]",
            "            del priority[name]",
            "turn",
        ),
        Wrong(
            "the priority stays",
            "            del waiting[name], priority[name]",
            "            del waiting[name]",
            "turn",
        ),
        Wrong("one list", "sent.append(now)", "sent += now", "expected a list for each turn"),
        Wrong("ties by name backwards", "sorted(waiting,", "sorted(reversed(waiting),", "turn"),
    ],
}
