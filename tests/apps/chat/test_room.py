"""A room without sockets: what it sends to whom, and what it does not put up with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wslab.apps.chat.room import PLAIN, Member, Room
from wslab.apps.chat.rules import Rules
from wslab.kit.resume import Log, Message

SECRET = "0123456789abcdef"


class Heard:
    """An audience that writes down what each member would get."""

    def __init__(self) -> None:
        self.by_member: dict[Member, list[Message]] = {}
        self.topics: dict[Member, set[str]] = {}
        self.closed: dict[Member, tuple[int, str]] = {}
        self.gone: list[Member] = []

    def publish(self, message: str, topic: str) -> None:
        for member, heard in self.by_member.items():
            if member not in self.gone and topic in self.topics[member]:
                heard.append(json.loads(message))

    def send(self, member: Member, message: str, *, asked: bool = False) -> None:
        assert member not in self.gone
        self.by_member[member].append(json.loads(message))

    def subscribe(self, member: Member, topic: str) -> None:
        self.topics[member].add(topic)

    def unsubscribe(self, member: Member, topic: str) -> None:
        self.topics[member].remove(topic)

    def remove(self, member: Member) -> None:
        self.gone.append(member)

    def close(self, member: Member, code: int, reason: str) -> None:
        self.closed[member] = (code, reason)
        self.gone.append(member)


class Bench:
    """A room with an audience that listens, and a clock that stands still."""

    def __init__(self, **options: Any) -> None:
        self.time = 0.0
        self.notes: list[tuple[int, str, str]] = []
        self.heard = Heard()
        options.setdefault("rules", Rules(rate=None))
        self.room = Room(
            self.heard,
            clock=lambda: self.time,
            now=lambda: 1_000_000_000.12345,
            note=lambda member, kind, text: self.notes.append((member.number, kind, text)),
            **options,
        )

    def enter(self, name: str | None = None) -> Member:
        member = Member(len(self.heard.by_member) + 1)
        self.heard.by_member[member] = []
        self.heard.topics[member] = {PLAIN}
        self.room.enter(member)
        if name is not None:
            self.send(member, "setName", name)
        return member

    def send(self, member: Member, kind: str, text: object, **more: object) -> None:
        self.room.receive(member, json.dumps({"type": kind, "text": text, **more}))

    def resume(self, member: Member, **fields: object) -> None:
        whole = {"type": "resume", "epoch": None, "after": 0, "client": None, **fields}
        self.room.receive(member, json.dumps(whole))

    def got(self, member: Member) -> list[Message]:
        """What a member has heard since the last look."""
        heard, self.heard.by_member[member] = self.heard.by_member[member], []
        return heard


def said(name: str | None, text: str) -> Message:
    return {"name": name, "text": text}


def server(text: str) -> Message:
    return said("Server", text)


# The protocol of the tutorial, the Chinese article on WebSocket that the course started from


@pytest.mark.parametrize(
    ("language", "joined", "left"),
    [("en", "Ada joined the room", "Ada left the room"), ("zh", "Ada加入了房间", "Ada离开了房间")],
)
def test_everybody_hears_everything(language: Any, joined: str, left: str) -> None:
    bench = Bench(language=language)
    nobody, ada = bench.enter(), bench.enter("Ada")
    bench.send(ada, "chat", "你好 & <b>")
    bench.room.leave(ada)
    expected = [server(joined), said("Ada", "你好 & <b>")]
    assert bench.got(ada) == expected
    assert bench.got(nobody) == [*expected, server(left)]


def test_the_member_list_and_the_record() -> None:
    bench = Bench()
    ada, bob = bench.enter("Ada"), bench.enter("Bob")
    silent = bench.enter()
    assert (bench.room.members, len(bench.room)) == (["Ada", "Bob"], 3)
    bench.send(ada, "setName", "Grace")
    bench.room.leave(bob)
    bench.room.leave(bob)  # once more does nothing
    bench.room.leave(silent)
    assert (bench.room.members, len(bench.room)) == (["Grace"], 1)
    assert bench.notes == [
        (1, "join", "Ada"),
        (2, "join", "Bob"),
        (1, "rename", "Ada → Grace"),
        (2, "leave", "Bob"),
    ]
    assert bench.got(silent)[-2:] == [
        server("Ada is now called Grace"),
        server("Bob left the room"),
    ]


def test_the_same_name_again_changes_nothing() -> None:
    bench = Bench()
    ada = bench.enter("Ada")
    bench.send(ada, "setName", "Ada")
    assert bench.got(ada) == [server("Ada joined the room")]


def test_a_name_is_free_again_when_its_owner_has_left() -> None:
    bench = Bench()
    ada = bench.enter("Ada")
    other = bench.enter("ada")
    assert bench.got(other)[-1]["error"] == "taken_name"
    bench.room.leave(ada)
    bench.send(other, "setName", "ada")
    assert bench.room.members == ["ada"]


# Against the rules


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("not json", "not_json"),
        ("null", "not_object"),
        ("{}", "bad_type"),
        ('{"type":"chat"}', "no_text"),
        ('{"type":"chat","text":{}}', "bad_text"),
        ('{"type":"chat","text":"a"}', "no_name"),
        ('{"type":"setName","text":" "}', "empty_name"),
        ('{"type":"setName","text":"SERVER"}', "reserved_name"),
        ('{"type":"setName","text":"ADA"}', "taken_name"),
        (b"\x00", "binary"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_error_is_for_the_one_who_made_it(data: Any, code: str, language: Any) -> None:
    bench = Bench(language=language)
    ada, other = bench.enter("Ada"), bench.enter()
    bench.got(ada)
    bench.room.receive(other, data)
    (error,) = bench.got(other)
    assert error.keys() == {"name", "text", "error"}
    assert (error["name"], error["error"]) == ("Server", code)
    assert error["text"]
    assert "{" not in error["text"].replace('{"type"', "")  # filled in
    assert bench.got(ada) == []
    assert bench.room.refused == {code: 1}
    assert bench.notes[-1] == (2, "refused", code)
    assert not bench.heard.closed


def test_flooding_is_refused_and_then_ended() -> None:
    bench = Bench(rules=Rules(rate=1, burst=3))
    ada, bob = bench.enter("Ada"), bench.enter("Bob")
    for number in range(4):
        bench.send(ada, "chat", str(number))
    assert [m["text"] for m in bench.got(bob)] == ["Bob joined the room", "0", "1"]
    assert bench.got(ada)[-1]["error"] == "too_fast"
    assert not bench.heard.closed
    bench.send(ada, "chat", "one too many")
    assert bench.heard.closed == {ada: (1008, "too many messages")}
    assert bench.got(bob) == [server("Ada left the room")]
    bench.send(ada, "chat", "still there?")  # what was on its way already
    assert bench.got(bob) == []
    assert bench.room.refused == {"too_fast": 3}


def test_a_second_of_silence_makes_up_for_it() -> None:
    bench = Bench(rules=Rules(rate=1, burst=2))
    ada = bench.enter("Ada")
    bench.send(ada, "chat", "a")
    bench.send(ada, "chat", "b")
    bench.time += 2
    bench.send(ada, "chat", "c")
    assert [m["text"] for m in bench.got(ada)][1::2] == ["a", "c"]


def test_who_numbers_his_messages_waits_instead() -> None:
    bench = Bench(rules=Rules(rate=2, burst=2))
    ada = bench.enter()
    assert bench.room.delay(ada) == 0
    bench.resume(ada, client=SECRET)
    bench.send(ada, "setName", "Ada", id=1)
    assert bench.room.delay(ada) == 0.5
    bench.time += 0.5
    assert bench.room.delay(ada) == 0


# The tutorial's words


def test_classic_speaks_as_the_tutorial_does() -> None:
    bench = Bench(language="zh", classic=True)
    silent, ming = bench.enter(), bench.enter("小明")
    bench.send(ming, "setName", "大明")
    bench.room.leave(silent)
    bench.room.leave(ming)
    bench.enter()
    assert bench.got(silent) == [server("小明加入了房间"), server("大明加入了房间")]
    assert bench.got(ming)[-1] == server("undefined离开了房间")


@pytest.mark.parametrize("data", ["5", "null", "[]", "{}", '{"type":"x","text":1}'])
def test_classic_ignores_what_the_tutorial_ignores(data: str) -> None:
    bench = Bench(language="zh", classic=True)
    ming = bench.enter("小明")
    bench.got(ming)
    bench.room.receive(ming, data)
    assert bench.got(ming) == []


@pytest.mark.parametrize("data", ["{", '{"type":"chat","text":{}}', b"{}"])
def test_classic_errors_have_two_fields(data: Any) -> None:
    bench = Bench(language="zh", classic=True)
    ming = bench.enter("小明")
    bench.got(ming)
    bench.room.receive(ming, data)
    (error,) = bench.got(ming)
    assert error.keys() == {"name", "text"}


def test_classic_gives_a_taken_name_a_number() -> None:
    bench = Bench(language="zh", classic=True)
    bench.enter("小明")
    second = bench.enter("小明")
    assert bench.got(second) == [server("小明 (2)加入了房间")]


def test_classic_says_more_to_who_asks_for_it() -> None:
    """Our page resumes: it is told what it is called, and that a name is taken."""
    bench = Bench(language="zh", classic=True)
    ming = bench.enter("小明")
    page = bench.enter()
    bench.resume(page)
    assert bench.got(page)[0]["members"] == ["小明"]
    bench.send(page, "setName", "小明")
    assert [one["error"] for one in bench.got(page)] == ["taken_name"]
    bench.send(page, "setName", "大明")
    bench.got(page)
    bench.send(page, "setName", "小红")
    (notice,) = bench.got(page)
    assert (notice["text"], notice["kind"]) == ("小红加入了房间", "rename")
    assert (notice["was"], notice["who"]) == ("大明", "小红")
    assert bench.got(ming)[-1] == server("小红加入了房间")  # the tutorial's words, its two fields


# History and resume


def test_a_newcomer_gets_what_was_said_when_he_asks_for_it() -> None:
    bench = Bench(name="green")
    ada = bench.enter("Ada")
    bench.send(ada, "chat", "early")
    bob = bench.enter()
    bench.resume(bob)
    resumed, joined, early = bench.got(bob)
    assert resumed.pop("epoch") == bench.room.log.epoch
    assert resumed == {
        **{"type": "resumed", "after": 0, "last": 2, "gap": None, "seen": 0},
        **{"room": "green", "members": ["Ada"], "you": None},
    }
    assert joined == {
        **server("Ada joined the room"),
        **{"time": 1_000_000_000.123, "kind": "join", "who": "Ada", "seq": 1},
    }
    assert (early["text"], early["kind"], early["seq"]) == ("early", "chat", 2)
    bench.send(ada, "setName", "Grace")
    (renamed,) = bench.got(bob)
    assert (renamed["kind"], renamed["who"], renamed["was"]) == ("rename", "Grace", "Ada")
    assert bench.got(ada)[-1] == server("Ada is now called Grace")  # who did not ask: two fields


def test_the_history_is_a_copy() -> None:
    bench = Bench()
    bench.enter("Ada")
    bench.room.history[-1]["text"] = "something else"
    newcomer = bench.enter()
    bench.resume(newcomer)
    assert bench.got(newcomer)[-1]["text"] == "Ada joined the room"


def test_history_has_an_end() -> None:
    bench = Bench(rules=Rules(rate=None, history=3))
    ada = bench.enter("Ada")
    for number in range(5):
        bench.send(ada, "chat", str(number))
    assert [m["text"] for m in bench.room.history] == ["2", "3", "4"]
    back = bench.enter()
    bench.resume(back, epoch=bench.room.log.epoch, after=1)
    resumed, *missed = bench.got(back)
    assert (resumed["gap"], resumed["after"], len(missed)) == (2, 3, 3)


def test_what_has_an_id_is_acknowledged_and_takes_effect_once() -> None:
    bench = Bench()
    bob, ada = bench.enter("Bob"), bench.enter()
    bench.resume(ada, after=None, client=SECRET)
    bench.send(ada, "setName", "Ada", id=1)
    bench.send(ada, "chat", "once", id=2)
    bench.send(ada, "chat", "once", id=2)
    bench.send(ada, "chat", " ", id=3)
    bench.send(ada, "shout", "x", id=4)
    bench.send(ada, "setName", "Ada", id=5)
    resumed, joined, ack1, once, ack2, again, empty, unknown, same = bench.got(ada)
    assert (resumed["type"], resumed["last"]) == ("resumed", 1)
    assert (joined["seq"], once["seq"]) == (2, 3)
    assert (ack1, ack2) == (
        {"type": "ack", "id": 1, "seq": 2},
        {"type": "ack", "id": 2, "seq": 3},
    )
    assert again == ack2
    assert (empty["error"], empty["id"]) == ("empty_text", 3)
    assert (unknown["error"], unknown["id"]) == ("bad_type", 4)
    assert same == {"type": "ack", "id": 5, "seq": None}
    assert [m["text"] for m in bench.got(bob)][-1] == "once"


def test_coming_back_takes_over_from_the_ghost_of_oneself() -> None:
    bench = Bench()
    bob, ghost = bench.enter("Bob"), bench.enter()
    bench.resume(ghost, client=SECRET)
    bench.send(ghost, "setName", "Ada", id=1)
    bench.send(ghost, "chat", "before", id=2)
    bench.got(bob)
    ada = bench.enter()
    bench.resume(ada, epoch=bench.room.log.epoch, after=3, client=SECRET)
    assert bench.heard.closed == {ghost: (4001, "taken over")}
    (resumed,) = bench.got(ada)
    assert (resumed["seen"], resumed["you"], resumed["members"]) == (2, "Ada", ["Bob", "Ada"])
    bench.send(ghost, "chat", "from the grave", id=3)
    bench.room.leave(ghost)
    bench.send(ada, "chat", "after", id=3)
    assert bench.got(bob) == [said("Ada", "after")]  # neither a leave nor a join
    assert (bench.room.members, len(bench.room)) == (["Bob", "Ada"], 2)
    bench.room.leave(ada)
    assert bench.room.members == ["Bob"]


def test_a_ghost_without_a_name() -> None:
    bench = Bench()
    ghost, back = bench.enter(), bench.enter()
    bench.resume(ghost, client=SECRET)
    bench.resume(back, client=SECRET)
    assert (bench.got(back)[0]["you"], len(bench.room)) == (None, 1)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"client": "short"}, "bad resume"),
        ({"after": -1}, "bad resume"),
        ({"after": 5}, "bad resume"),
        ({"epoch": [], "after": 1}, "bad resume"),
    ],
)
def test_numbers_that_cannot_be_end_the_connection(fields: dict[str, Any], error: str) -> None:
    bench = Bench()
    ada = bench.enter()
    bench.resume(ada, **fields)
    assert bench.got(ada)[-1]["error"] == error
    assert bench.heard.closed[ada][0] == 4002
    assert len(bench.room) == 0
    assert bench.room.refused == {error: 1}


def test_resume_comes_first_or_never() -> None:
    bench = Bench()
    ada = bench.enter("Ada")
    bench.resume(ada)
    assert bench.heard.closed[ada] == (4002, "late resume")


def test_a_beat_is_answered_to_the_one_who_asks() -> None:
    bench = Bench()
    bob, ada = bench.enter("Bob"), bench.enter()
    bench.got(bob)
    bench.room.receive(ada, '{"type":"beat"}')
    bench.resume(ada)
    assert bench.got(ada)[0] == {"type": "beat"}
    assert bench.got(bob) == []
    assert bench.room.refused == {}


def test_an_id_that_skips_one() -> None:
    bench = Bench()
    ada = bench.enter()
    bench.resume(ada, client=SECRET)
    bench.send(ada, "setName", "Ada", id=2)
    assert bench.heard.closed[ada] == (4002, "out of order")
    assert bench.room.history == []


def test_a_successor_goes_on_with_the_log() -> None:
    first = Bench()
    ada = first.enter()
    first.resume(ada, client=SECRET)
    first.send(ada, "setName", "Ada", id=1)
    first.send(ada, "chat", "before", id=2)
    second = Bench(log=Log.load(json.loads(json.dumps(first.room.log.dump()))))
    back = second.enter()
    second.resume(back, epoch=first.room.log.epoch, after=2, client=SECRET)
    second.send(back, "chat", "before", id=2)  # sent again: its ack was lost
    second.send(back, "setName", "Ada", id=3)
    resumed, ack, joined, _ = second.got(back)
    assert (resumed["gap"], resumed["seen"], resumed["after"]) == (None, 2, 2)
    assert (ack["id"], joined["seq"]) == (2, 3)
