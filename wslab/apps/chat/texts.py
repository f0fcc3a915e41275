"""The room's own words in English and Chinese, for notices, refusals, and its page's frame."""

from __future__ import annotations

from typing import Literal

__all__ = ["ERRORS", "NOTICES", "PAGES", "REASONS", "SERVER", "Language"]

Language = Literal["en", "zh"]

SERVER = "Server"  # the name under which the room speaks, on the wire in every language

NOTICES: dict[Language, dict[str, str]] = {
    "en": {
        "join": "{name} joined the room",
        "leave": "{name} left the room",
        "rename": "{old} is now called {name}",
    },
    "zh": {
        "join": "{name}加入了房间",
        "leave": "{name}离开了房间",
        "rename": "{old}改名为{name}",
    },
}

# Why a connection is closed, in a Close frame: at most 123 bytes in UTF-8 (RFC 6455 §5.5).
REASONS: dict[Language, dict[str, str]] = {
    "en": {
        "too_fast": "too many messages",
        "nameless": "no name within {seconds:g} s: choose a name to come in",
        "crowded": "the room fills: choose a name to come in",
        "full": "the room is full",
    },
    "zh": {
        "too_fast": "消息太多",
        "nameless": "{seconds:g} 秒内没有名字：请取名后再进来",
        "crowded": "房间快满了：请取名后再进来",
        "full": "房间已满",
    },
}

# What the page says before its script runs; the rest is in page/words.js.
PAGES: dict[Language, dict[str, str]] = {
    "en": {
        "title": "wslab chat",
        "noscript": "This page needs JavaScript, because it opens a WebSocket.",
        "not_found": "There is no such page here. The chat is at /.\n",
        "token": "This room needs the token of its invitation: open the whole link.\n",
    },
    "zh": {
        "title": "wslab 聊天室",
        "noscript": "本页需要 JavaScript，因为它要打开一个 WebSocket。",
        "not_found": "这里没有这个页面。聊天室在 /。\n",
        "token": "进入这个房间需要邀请链接中的 token：请打开完整的链接。\n",
    },
}

# By code: what was wrong, what is allowed, what to do.
ERRORS: dict[Language, dict[str, str]] = {
    "en": {
        "binary": "Binary messages are not understood here: send JSON as a text message.",
        "not_json": "This is not a valid JSON text. Send an object such as {example}.",
        "not_object": "This is valid JSON, but not an object. Send one such as {example}.",
        "bad_type": '"type" must be one of {types}.',
        "no_text": '"text" is missing. Send an object such as {example}.',
        "bad_text": '"text" must be a string.',
        "empty_text": "The message is empty: write something first.",
        "long_text": "The message has {size} characters, {limit} are allowed: split it.",
        "control_text": "The message has a control character (U+{point:04X}): leave it out.",
        "surrogate_text": "The message has half of a surrogate pair (U+{point:04X}): leave it out.",
        "empty_name": "The name is empty: choose one that can be seen.",
        "long_name": "The name has {size} characters, {limit} are allowed: choose a shorter one.",
        "control_name": "The name has a control character (U+{point:04X}): choose another one.",
        "format_name": "The name has a format character (U+{point:04X}): choose another one.",
        "surrogate_name": "The name has half of a surrogate pair (U+{point:04X}): "
        "choose another one.",
        "unassigned_name": "The name has a code point that is never seen (U+{point:04X}): "
        "choose another one.",
        "reserved_name": "This name is, or looks like, the room's own: choose another one.",
        "taken_name": "Somebody here has this name, or one that looks like it: choose another one.",
        "no_name": "Nobody knows who you are yet: choose a name first.",
        "too_fast": "Too many messages: {rate:g} a second are allowed. This one was not delivered.",
        "full": "The room is full: {limit} members are allowed. Try again later.",
    },
    "zh": {
        "binary": "这里不接受二进制消息：请发送 JSON 文本消息。",
        "not_json": "这不是 JSON。请发送这样的对象：{example}。",
        "not_object": "这是 JSON，但不是对象。请发送这样的对象：{example}。",
        "bad_type": '"type" 必须是其中之一：{types}。',
        "no_text": '缺少 "text"。请发送这样的对象：{example}。',
        "bad_text": '"text" 必须是字符串。',
        "empty_text": "消息是空的：请先写点什么。",
        "long_text": "消息有 {size} 个字符，最多 {limit} 个：请分开发送。",
        "control_text": "消息中有控制字符（U+{point:04X}）：请去掉。",
        "surrogate_text": "消息中有半个代理对（U+{point:04X}）：请去掉。",
        "empty_name": "名字是空的：请取一个看得见的名字。",
        "long_name": "名字有 {size} 个字符，最多 {limit} 个：请取短一点的名字。",
        "control_name": "名字中有控制字符（U+{point:04X}）：请换一个名字。",
        "format_name": "名字中有格式字符（U+{point:04X}）：请换一个名字。",
        "surrogate_name": "名字中有半个代理对（U+{point:04X}）：请换一个名字。",
        "unassigned_name": "名字中有永远看不见的码位（U+{point:04X}）：请换一个名字。",
        "reserved_name": "这个名字属于房间本身，或者看起来一样：请换一个名字。",
        "taken_name": "这里已经有人用这个名字，或看起来一样的名字：请换一个名字。",
        "no_name": "还没有人知道你是谁：请先取一个名字。",
        "too_fast": "消息太多：每秒最多 {rate:g} 条。这一条没有送出。",
        "full": "房间已满：最多 {limit} 人。请稍后再试。",
    },
}
