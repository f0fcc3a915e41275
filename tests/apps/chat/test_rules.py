"""What a member may send: each rule broken once, and what must pass."""

from __future__ import annotations

import json

import pytest

from wslab.apps.chat.characters import KINDS, looks
from wslab.apps.chat.names import Names
from wslab.apps.chat.rules import (
    Disallowed,
    Rules,
    check_name,
    check_text,
    parse_message,
)
from wslab.apps.chat.texts import ERRORS, NOTICES
from wslab.kit.ratelimit import TokenBucket

RULES = Rules()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "not_json"),
        ("not json", "not_json"),
        ('{"type":"chat","text":"a"', "not_json"),
        ("\ufeff{}", "not_json"),
        ('{"type":"chat","text":NaN}', "not_json"),
        ("[" * 30_000, "not_json"),
        ('{"a":' * 5_000, "not_json"),
        ("9" * 5_000, "not_json"),  # Python refuses to read so many digits
        ("null", "not_object"),
        ("5", "not_object"),
        ('"chat"', "not_object"),
        ('[{"type":"chat"}]', "not_object"),
        ("{}", "bad_type"),
        ('{"text":"a"}', "bad_type"),
        ('{"type":"shout","text":"a"}', "bad_type"),
        ('{"type":["chat"],"text":"a"}', "bad_type"),
        ('{"type":{},"text":"a"}', "bad_type"),
        ('{"type":"chat"}', "no_text"),
        ('{"type":"setName"}', "no_text"),
        ('{"type":"chat","text":null}', "bad_text"),
        ('{"type":"chat","text":5}', "bad_text"),
        ('{"type":"chat","text":{"a":1}}', "bad_text"),
        ('{"type":"setName","text":["Ada"]}', "bad_text"),
        (b'{"type":"chat","text":"a"}', "binary"),
    ],
)
def test_messages_of_another_form(data: str | bytes, code: str) -> None:
    with pytest.raises(Disallowed) as refused:
        parse_message(data)
    assert refused.value.code == code


@pytest.mark.parametrize("kind", ["chat", "setName"])
def test_a_message_of_the_right_form(kind: str) -> None:
    message = parse_message(json.dumps({"type": kind, "text": "你好", "more": [1]}))
    assert (message.type, message.text, message.fields["more"]) == (kind, "你好", [1])


def test_resume_needs_no_text() -> None:
    assert parse_message('{"type":"resume","after":3}').fields["after"] == 3


@pytest.mark.parametrize(
    "text",
    [
        "a",
        " a ",
        "小明",
        "two\nlines\tand a tab",
        "👩‍🔬",
        "مرحبا",
        "\ue000",
        "a" * 2000,
        "\U0001faf8",
    ],
)
def test_texts_that_pass_unchanged(text: str) -> None:
    assert check_text(text, RULES) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty_text"),
        ("  \n\t ", "empty_text"),
        ("\u3000\u00a0", "empty_text"),
        ("\u200b\u200d\ufeff", "empty_text"),  # wide, but with nothing in it
        ("\u3164", "empty_text"),
        ("a" * 2001, "long_text"),
        ("a\x00b", "control_text"),
        ("a\x1b[31m", "control_text"),
        ("a\rb", "control_text"),
        ("a\x7f", "control_text"),
        ("\x9b31m", "control_text"),
        ("\ud83d", "surrogate_text"),  # half an emoji: no UTF-8 for it
        ("\U000e0fff\u2065", "empty_text"),  # never to be seen, though not assigned yet
        ("\u2800\U0001d159", "empty_text"),
    ],
)
def test_texts_that_do_not(text: str, code: str) -> None:
    with pytest.raises(Disallowed) as refused:
        check_text(text, RULES)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ada", "Ada"),
        ("  小明 ", "小明"),
        ("Ada \u00a0  Lovelace", "Ada Lovelace"),
        ("Jose\u0301", "José"),
        ("👩‍🔬", "👩‍🔬"),
        ("Servers", "Servers"),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",) * 2,  # England
        ("🏴‍☠️", "🏴‍☠️"),
        ("🇫🇷 1️⃣ ✌🏽", "🇫🇷 1️⃣ ✌🏽"),
        ("می‌خواهم", "می‌خواهم"),  # Persian, with a non-joiner
        ("葛\U000e0100", "葛\U000e0100"),  # a variant that a Japanese name may need
        ("Иван", "Иван"),
        ("x" * 30, "x" * 30),
    ],
)
def test_names_as_they_are_shown(text: str, name: str) -> None:
    assert check_name(text, RULES) == name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty_name"),
        (" \t "[:1], "empty_name"),
        ("\u3000", "empty_name"),
        ("\u200d", "empty_name"),
        ("\u2800\u3164", "empty_name"),
        ("x" * 31, "long_name"),
        ("a\tb", "control_name"),
        ("a\nb", "control_name"),
        ("a\x85b", "control_name"),
        ("a\u202eb", "format_name"),  # would turn round what stands after it
        ("a\u200bb", "format_name"),
        ("a\u00adb", "format_name"),
        ("a\ufeffb", "format_name"),
        ("a\U000e0041b", "format_name"),  # a letter for flags, without a flag
        ("🏴\U000e0067\U000e0062", "format_name"),  # a flag that does not end
        ("a\ud800", "surrogate_name"),
        ("Server\U000e0fff", "unassigned_name"),
        ("Ser\u2065ver", "unassigned_name"),
        ("Server\ufff0", "unassigned_name"),
        ("Server", "reserved_name"),
        (" server ", "reserved_name"),
        ("ＳＥＲＶＥＲ", "reserved_name"),
        ("Ser\u200dver", "reserved_name"),
        ("Server\u3164", "reserved_name"),
        ("Server\u2800", "reserved_name"),
        ("Server\U0001d159", "reserved_name"),
        ("Server\ufe0f", "reserved_name"),
        ("Server\u034f", "reserved_name"),
        ("Ser\u17b4ver", "reserved_name"),
        ("Server\u180f", "reserved_name"),
        ("Server\U000e0100", "reserved_name"),
        ("Ѕerver", "reserved_name"),  # the first letter is Cyrillic
        ("Sеrvеr", "reserved_name"),
        ("ЅЕRVЕR", "reserved_name"),
        ("𝕊𝕖𝕣𝕧𝕖𝕣", "reserved_name"),
        ("SᎬRVER", "reserved_name"),  # Cherokee
        ("ꓢERVER", "reserved_name"),  # Lisu
        ("Ѕеrver\u200d", "reserved_name"),
    ],
)
def test_names_that_are_refused(text: str, code: str) -> None:
    with pytest.raises(Disallowed) as refused:
        check_name(text, RULES)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada", "ADA", True),
        ("Ada", "Ａｄａ", True),
        ("Straße", "STRASSE", True),
        ("José", "Jose\u0301", True),
        ("Ada", "A\u200cda", True),
        ("Ada", "\u0410da", True),  # Cyrillic
        ("ADA", "\u0391D\u0391", True),  # Greek
        ("Bob", "\u0412ob", True),  # a capital that has no small letter like that
        ("Ida", "lda", True),
        ("Bob", "B0b", True),
        ("Emma", "Ernrna", True),
        ("👩🏽", "👩🏻", False),
        ("🏴", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", False),
        ("小明", "小朋", False),
        ("José", "Jose", False),
        ("ﬁ", "FI", True),
        ("Ada", "Eda", False),
        ("Ada B", "AdaB", False),
    ],
)
def test_names_that_look_alike(one: str, other: str, same: bool) -> None:
    assert bool(looks(one) & looks(other)) is same


def test_names_are_unique_and_given_back() -> None:
    names: Names[int] = Names(RULES)
    assert names.take("Ada", 1, old=None) == "Ada"
    with pytest.raises(Disallowed, match="taken_name"):
        names.take("ADA", 2, old=None)
    assert names.take("ADA", 1, old="Ada") == "ADA"  # one may write one's own differently
    assert names.take("Bob", 1, old="ADA") == "Bob"
    assert names.take("Ada", 2, old=None) == "Ada"
    assert names.all == ["Bob", "Ada"]
    names.hand_over("Bob", 3)
    with pytest.raises(Disallowed):
        names.take("Bob", 1, old=None)
    names.drop("Bob")
    assert names.all == ["Ada"]


def test_a_name_that_looks_like_one_that_is_present() -> None:
    names: Names[int] = Names(RULES)
    names.take("Bob", 1, old=None)
    for look in ("\u0412ob", "BOB", "B0b", "Bоb", "Ｂｏｂ\ufe0f"):
        with pytest.raises(Disallowed, match="taken_name"):
            names.take(look, 2, old=None)
    assert names.take("\u0412ob", 1, old="Bob") == "\u0412ob"
    assert names.all == ["\u0412ob"]
    names.drop("\u0412ob")
    assert names.take("B0b", 2, old=None) == "B0b"


def test_every_kind_of_character_has_its_sentence() -> None:
    assert {f"{kind}_name" for kind in KINDS.values()} <= ERRORS["en"].keys()


def test_a_number_instead_of_a_refusal() -> None:
    names: Names[int] = Names(Rules(name_length=8))
    taken = [names.take("小明", holder, old=None, numbered=True) for holder in range(3)]
    assert taken == ["小明", "小明 (2)", "小明 (3)"]
    assert names.take("小明", 2, old="小明 (3)", numbered=True) == "小明 (3)"  # keeps its own
    long = [names.take("abcdefgh", holder, old=None, numbered=True) for holder in range(5, 8)]
    assert long == ["abcdefgh", "abcd (2)", "abcd (3)"]


def test_a_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    rules = Rules(rate=2, burst=3)
    bucket = TokenBucket(rate=rules.rate, burst=rules.burst, now=0)
    assert [bucket.take(0) for _ in range(4)] == [2, 1, 0, -1]
    assert bucket.wait(0) == 1.0
    assert bucket.take(1.0) == 0  # two tokens: one was owed
    assert bucket.take(100) == 2  # never more than a burst
    assert bucket.wait(100) == 0


def test_what_is_owed_has_an_end() -> None:
    rules = Rules(rate=1, burst=3)
    bucket = TokenBucket(rate=rules.rate, burst=rules.burst, now=0)
    assert [bucket.take(0) for _ in range(8)][-3:] == [-3, -3, -3]
    assert bucket.wait(0) == 4.0


def test_no_rate_no_limit() -> None:
    rules = Rules(rate=None, burst=1)
    bucket = TokenBucket(rate=rules.rate, burst=rules.burst, now=0)
    assert {bucket.take(0) for _ in range(100)} == {0.0}
    assert bucket.wait(0) == 0


@pytest.mark.parametrize("name", ["text_length", "rate", "burst", "members", "backlog", "grace"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_rules_that_cannot_be(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is "):
        Rules(**{name: value})


def test_both_languages_say_the_same() -> None:
    for table in (ERRORS, NOTICES):
        assert table["en"].keys() == table["zh"].keys()
        for code, text in table["en"].items():
            fields = {part.partition("}")[0] for part in text.split("{")[1:]}
            assert fields == {part.partition("}")[0] for part in table["zh"][code].split("{")[1:]}
