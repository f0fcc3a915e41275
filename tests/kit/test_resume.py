"""Numbers on both sides: whatever is lost on the way, everything takes effect once and in order."""

from __future__ import annotations

import json
from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wslab.kit import resume
from wslab.kit.log import Log
from wslab.kit.outbox import Inbox, Outbox, OutboxFull, Resent, SequenceGap
from wslab.kit.resume import ResumeError, Session

ME, YOU = "me" * 8, "you!" * 4


def log(count=0, **options):
    made = Log(**options)
    made.epoch = "E"
    for number in range(1, count + 1):
        made.publish({"text": f"m{number}"})
    return made


def hello(epoch=None, after=0, client=None):
    return {"type": "resume", "epoch": epoch, "after": after, "client": client}


def numbers(messages):
    return [message["seq"] for message in messages]


class TestLog:
    def test_numbers_what_is_published(self):
        made, fields = log(), {"text": "Hello"}
        assert made.publish(fields) == {"text": "Hello", "seq": 1}
        assert made.publish({}) == {"seq": 2}
        assert fields == {"text": "Hello"}
        assert (made.last, len(made), made.forgotten) == (2, 2, 0)

    @pytest.mark.parametrize(
        ("after", "found"), [(0, [3, 4, 5]), (2, [3, 4, 5]), (3, [4, 5]), (5, []), (9, [])]
    )
    def test_forgets_the_oldest(self, after, found):
        made = log(5, limit=3)
        assert numbers(made.since(after)) == found
        assert (made.last, len(made), made.forgotten) == (5, 3, 2)

    def test_remembers_who_was_heard_of_last(self):
        made = log(clients=2)
        made.note("a", 7, 1)
        made.note("b", 1, None)
        assert made.seen("a") == 7  # heard of, so b is now the one to go
        made.note("c", 1, None)
        assert [made.seen(name) for name in "abc"] == [7, 0, 1]

    def test_knows_what_the_last_id_has_become(self):
        made = log()
        made.note("a", 1, 5)
        made.note("a", 2, 6)
        assert [made.outcome("a", id) for id in (1, 2, 3)] == [None, 6, None]
        assert made.outcome("b", 1) is None

    def test_an_empty_one_is_not_nothing(self):
        assert log()

    def test_epochs_are_random(self):
        assert len({Log().epoch for _ in range(100)}) == 100

    def test_it_prints_no_secret(self):
        made = log(3, limit=2)
        made.note(ME, 1, 1)
        assert repr(made) == "<Log epoch 'E', last 3, 2 messages, 1 clients>"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"limit": 0}, "limit is 0, a log keeps at least 1"),
            ({"limit": True}, "limit is True"),
            ({"clients": 0}, "clients is 0"),
        ],
    )
    def test_what_cannot_be(self, options, message):
        with pytest.raises(ValueError, match=message):
            log(**options)


class TestDump:
    @pytest.mark.parametrize("count", [0, 2, 9])
    def test_a_restarted_server_goes_on(self, count):
        made = log(count, limit=3, clients=2)
        made.note("a", 4, 2)
        made.note("b", 1, None)
        dumped = json.loads(json.dumps(made.dump()))
        copy = Log.load(dumped)
        assert repr(copy) == repr(made)
        assert copy.dump() == dumped
        for each in (made, copy):
            each.publish({"text": "next"})
            each.note("c", 1, 1)
        assert copy.dump() == made.dump()
        assert (copy.seen("a"), copy.seen("b"), copy.limit, copy.clients) == (0, 1, 3, 2)

    @pytest.mark.parametrize(
        "change",
        [
            {"last": 2},
            {"last": 1},
            {"last": 0},
            {"last": -5},
            {"last": None},
            {"limit": 0},
            {"messages": [{"seq": 1}, {"seq": 3}]},
            {"messages": [{"text": "Hello"}]},
            {"messages": None},
            {"seen": [["a", 1]]},
            {"epoch": 5},
        ],
    )
    def test_what_is_no_dump(self, change):
        with pytest.raises(ValueError, match="this is no dump of a log: "):
            Log.load({**log(3).dump(), **change})

    def test_what_lacks_something(self):
        with pytest.raises(ValueError, match="no dump of a log: KeyError 'clients'"):
            Log.load({"limit": 1})


class TestResume:
    """What the server answers; the log holds 3, 4, 5 of 1 … 5."""

    @pytest.mark.parametrize(
        ("message", "after", "gap"),
        [
            pytest.param(hello(), 2, None, id="a newcomer gets what there is"),
            pytest.param(hello(after=None), 5, None, id="or only what is new"),
            pytest.param(hello("E", None), 5, None, id="also by epoch"),
            pytest.param(hello("E", 5), 5, None, id="nothing missed"),
            pytest.param(hello("E", 4), 4, None, id="one missed"),
            pytest.param(hello("E", 2), 2, None, id="all that there is"),
            pytest.param(hello("E", 1), 2, 1, id="one too many"),
            pytest.param(hello("E", 0), 2, 2, id="two too many"),
            pytest.param(hello("F", 4), 2, "epoch", id="another epoch"),
            pytest.param(hello("F", 0), 2, "epoch", id="another epoch, nothing seen"),
            pytest.param(hello("E", 6), 5, "epoch", id="the log is older than the client"),
            pytest.param({"type": "resume"}, 5, None, id="as if all were null"),
        ],
    )
    def test_tells_from_where_it_goes_on(self, message, after, gap):
        session = Session(log(5, limit=3))
        resumed, *missed = session.resume(message)
        assert resumed == {
            "type": "resumed",
            "epoch": "E",
            "after": after,
            "last": 5,
            "gap": gap,
            "seen": 0,
        }
        assert numbers(missed) == list(range(after + 1, 6))
        assert session.is_resumed

    def test_tells_what_was_seen(self):
        made = log()
        made.note(ME, 4, None)
        (resumed,) = Session(made).resume(hello(client=ME))
        assert resumed["seen"] == 4
        (resumed,) = Session(made).resume(hello(client=YOU))
        assert resumed["seen"] == 0

    @pytest.mark.parametrize(
        ("message", "text"),
        [
            (hello(epoch=5), "epoch is 5, not null or at most 64 characters"),
            (hello(epoch="x" * 65), "at most 64"),
            (hello("E", -1), "after is -1, not null or a number from 0 on"),
            (hello("E", True), "after is True"),
            (hello("E", 1.0), "after is 1.0"),
            (hello("E", "1"), "after is '1'"),
            (hello(None, 3), "after is 3, but a number without its epoch says nothing"),
            (hello(client=""), "16 to 64 characters"),
            (hello(client="x" * 15), "16 to 64 characters"),
            (hello(client="x" * 65), "16 to 64 characters"),
            (hello(client=[1] * 16), "16 to 64 characters"),
        ],
    )
    def test_what_cannot_be(self, message, text):
        session = Session(log())
        with pytest.raises(ResumeError, match=text) as caught:
            session.resume(message)
        assert caught.value.message["error"] == "bad resume"
        assert caught.value.close_code == resume.OUT_OF_ORDER
        assert not session.is_resumed

    def test_it_comes_first_and_once(self):
        session = Session(log())
        session.resume(hello())
        with pytest.raises(ResumeError, match="must be the first message"):
            session.resume(hello())
        late = Session(log())
        assert late.duplicate({"type": "chat"}) is None
        with pytest.raises(ResumeError, match="late resume"):
            late.resume(hello())

    def test_a_long_secret_is_not_repeated_in_the_error(self):
        with pytest.raises(ResumeError) as caught:
            Session(log()).resume(hello(client="s3cret" * 20))
        assert "s3cret" not in str(caught.value)


class TestIds:
    def session(self, made=None, client=ME):
        session = Session(made if made is not None else log())
        session.resume(hello(client=client))
        return session

    def test_one_after_the_other(self):
        session = self.session()
        assert session.duplicate({"id": 1}) is None
        assert session.applied({"id": 1}, 9) == {"type": "ack", "id": 1, "seq": 9}
        assert session.duplicate({"id": 2}) is None
        assert session.applied({"id": 2}) == {"type": "ack", "id": 2, "seq": None}
        assert session.log.seen(ME) == 2

    def test_what_comes_again_is_acknowledged_again(self):
        session = self.session()
        session.applied({"id": 1}, 8)
        session.applied({"id": 2}, 9)
        assert session.duplicate({"id": 2}) == {"type": "ack", "id": 2, "seq": 9}
        assert session.duplicate({"id": 1}) == {"type": "ack", "id": 1, "seq": None}

    def test_a_refusal_counts_as_seen(self):
        session = self.session()
        reply = session.refused({"id": 1}, "too long", "at most 3 characters")
        assert reply == {
            "name": "Server",
            "text": "at most 3 characters",
            "error": "too long",
            "id": 1,
        }
        assert session.duplicate({"id": 1}) == {"type": "ack", "id": 1, "seq": None}
        assert "id" not in session.refused({}, "too long", "at most 3 characters")

    def test_what_skips_one_is_an_error(self):
        session = self.session()
        with pytest.raises(ResumeError, match="out of order: id is 2, the next one is 1"):
            session.duplicate({"id": 2})
        assert session.log.seen(ME) == 0

    @pytest.mark.parametrize("id", [0, -1, True, 1.0, "1", [1]])
    def test_what_is_no_number(self, id):
        with pytest.raises(ResumeError, match="bad id"):
            self.session().duplicate({"id": id})

    def test_without_an_id_there_is_no_answer(self):
        session = self.session()
        assert session.duplicate({"type": "chat"}) is None
        assert session.applied({"type": "chat"}, 3) is None
        assert session.log.seen(ME) == 0

    def test_without_a_secret_there_are_no_ids(self):
        with pytest.raises(ResumeError, match="no client"):
            self.session(client=None).duplicate({"id": 1})

    def test_without_a_resume_an_id_is_nothing(self):
        session = Session(log())
        assert session.duplicate({"id": 7}) is None
        assert session.applied({"id": 7}, 1) is None
        assert "id" not in session.refused({"id": 7}, "no", "no")

    def test_another_connection_goes_on(self):
        made = log()
        self.session(made).applied({"id": 1}, 1)
        assert self.session(made).duplicate({"id": 2}) is None
        assert self.session(made, YOU).duplicate({"id": 1}) is None


class TestInbox:
    def resumed(self, **fields):
        return {"type": "resumed", "epoch": "E", "after": 0, "last": 0, "gap": None, **fields}

    def test_says_what_it_has(self):
        inbox = Inbox()
        assert inbox.resume() == hello()
        assert inbox.resumed(self.resumed(after=7)) is None
        assert inbox.receive({"seq": 8})
        assert inbox.resume(ME) == hello("E", 8, ME)

    def test_a_newcomer_without_history(self):
        inbox = Inbox(history=False)
        assert inbox.resume() == hello(after=None)
        with pytest.raises(ResumeError, match="before resumed"):
            inbox.receive({"seq": 1})
        assert inbox.resumed(self.resumed(after=7)) is None
        assert inbox.resume() == hello("E", 7)

    def test_drops_what_it_has_and_notices_what_is_missing(self):
        inbox = Inbox()
        inbox.resumed(self.resumed())
        found = [inbox.receive({"seq": seq}) for seq in (1, 2, 2, 1, 3)]
        assert found == [True, True, False, False, True]
        with pytest.raises(SequenceGap, match="number 5 came after 3"):
            inbox.receive({"seq": 5})
        assert inbox.last == 3

    def test_what_it_has_stays_had(self):
        inbox = Inbox()
        inbox.resumed(self.resumed(after=4))
        assert inbox.resumed(self.resumed(after=2)) is None  # the server says too much again
        assert [inbox.receive({"seq": seq}) for seq in (3, 4, 5)] == [False, False, True]

    def test_what_has_no_number_is_new(self):
        assert Inbox().receive({"type": "pong"})

    @pytest.mark.parametrize(
        ("answer", "gap"),
        [
            ({"after": 4}, None),
            ({"after": 6, "gap": 2}, 2),
            ({"after": 6}, 2),  # the server does not say so, but the numbers do
            ({"after": 0, "gap": "epoch"}, "epoch"),
            ({"epoch": "F"}, "epoch"),
        ],
    )
    def test_reports_a_gap(self, answer, gap):
        inbox = Inbox()
        inbox.resumed(self.resumed(after=4))
        assert inbox.resumed(self.resumed(**answer)) == gap
        assert inbox.last == answer.get("after", 0)

    @pytest.mark.parametrize(
        "fields",
        [{"epoch": None}, {"after": None}, {"after": -1}, {"gap": "x"}, {"gap": -1}, {"gap": True}],
    )
    def test_what_is_no_answer(self, fields):
        with pytest.raises(ResumeError, match="bad resumed"):
            Inbox().resumed(self.resumed(**fields))

    @pytest.mark.parametrize("seq", [0, -1, "1", True, 1.5])
    def test_what_is_no_number(self, seq):
        with pytest.raises(ResumeError, match="bad seq"):
            Inbox().receive({"seq": seq})


class TestOutbox:
    def outbox(self, count, **options):
        outbox = Outbox(**options)
        assert [outbox.add({"n": n}) for n in range(1, count + 1)] == list(range(1, count + 1))
        return outbox

    def ids(self, messages):
        return [(message["id"], message["n"]) for message in messages]

    def test_gives_ids_once(self):
        outbox = self.outbox(2)
        assert self.ids(outbox.take()) == [(1, 1), (2, 2)]
        assert outbox.take() == []
        outbox.add({"n": 3})
        assert self.ids(outbox.take()) == [(3, 3)]
        assert len(outbox) == 3

    def test_keeps_what_is_not_acknowledged(self):
        outbox = self.outbox(4)
        outbox.take()
        assert outbox.acknowledged(1) == [1]
        assert outbox.acknowledged(3) == [2, 3]  # the server takes them in order
        assert outbox.acknowledged(2) == []
        assert len(outbox) == 1

    def test_sends_the_rest_again(self):
        outbox = self.outbox(4)
        outbox.take()
        outbox.acknowledged(1)
        assert outbox.resumed(2) == Resent([2], [])
        assert self.ids(outbox.take()) == [(3, 3), (4, 4)]

    def test_what_was_never_sent_is_not_doubtful(self):
        outbox = self.outbox(1)
        outbox.take()
        outbox.add({"n": 2})
        assert outbox.resumed(0, new_epoch=True) == Resent([], [1])
        assert self.ids(outbox.take()) == [(1, 1), (2, 2)]

    @pytest.mark.parametrize("seen", [0, 1, 9])
    def test_a_server_that_has_forgotten(self, seen):
        """It expects seen+1 next; what was on the way may have taken effect."""
        outbox = self.outbox(5)
        outbox.take()
        outbox.acknowledged(3)
        assert outbox.resumed(seen) == Resent([], [4, 5])
        assert self.ids(outbox.take()) == [(seen + 1, 4), (seen + 2, 5)]
        assert outbox.acknowledged(seen + 1) == [4]
        assert outbox.resumed(seen + 2) == Resent([5], [])
        assert outbox.add({"n": 6}) == 6
        assert self.ids(outbox.take()) == [(seen + 3, 6)]

    def test_is_bounded(self):
        outbox = self.outbox(2, limit=2)
        assert outbox.is_full
        with pytest.raises(OutboxFull, match="2 messages wait"):
            outbox.add({})
        outbox.take()
        outbox.acknowledged(1)
        assert outbox.add({}) == 3

    @pytest.mark.parametrize("id", [0, 3, -1, None, True, "1", 1.0])
    def test_acknowledgements_that_cannot_be(self, id):
        outbox = self.outbox(2)
        outbox.take()
        outbox.resumed(0)
        outbox.take()
        with pytest.raises(ResumeError, match="bad ack"):
            outbox.acknowledged(id)

    def test_an_acknowledgement_for_what_was_not_sent_here(self):
        outbox = self.outbox(1)
        outbox.take()
        outbox.resumed(0)
        with pytest.raises(ResumeError, match="id is 1, which was not sent"):
            outbox.acknowledged(1)

    @pytest.mark.parametrize("seen", [-1, None, True, "0"])
    def test_seen_is_a_number(self, seen):
        with pytest.raises(ResumeError, match="seen is"):
            self.outbox(1).resumed(seen)

    def test_what_cannot_be_sent(self):
        with pytest.raises(ValueError, match="limit is 0"):
            Outbox(0)
        with pytest.raises(ValueError, match="gets its id from the outbox"):
            Outbox().add({"id": 1})


class World:
    """A server and a client with a wire between them that loses what is on the way."""

    def __init__(self, *, limit=10_000, keeps_log=True):
        self.limit, self.keeps_log = limit, keeps_log
        self.log = Log(limit)
        self.inbox, self.outbox = Inbox(), Outbox()
        self.session, self.synced = None, False
        self.up, self.down = deque(), deque()
        self.said = self.published = 0
        self.applied, self.got, self.doubtful = [], [], set()
        self.gaps = 0

    def say(self):
        self.said += 1
        self.outbox.add({"n": self.said})
        self.flush()

    def publish(self):
        self.published += 1
        message = self.log.publish({"p": self.published})
        if self.session is not None and self.session.is_resumed:
            self.down.append(message)

    def connect(self):
        if self.session is None:
            self.session = Session(self.log)
            self.up.append(self.inbox.resume(ME))

    def cut(self):
        self.session, self.synced = None, False
        self.up.clear()
        self.down.clear()

    def restart(self):
        self.cut()
        self.log = Log.load(json.loads(json.dumps(self.log.dump()))) if self.keeps_log else Log()

    def flush(self):
        if self.synced:
            self.up.extend(self.outbox.take())

    def server_reads(self):
        if not self.up or self.session is None:
            return
        message = self.up.popleft()
        if message.get("type") == "resume":
            self.down.extend(self.session.resume(message))
        elif (reply := self.session.duplicate(message)) is not None:
            self.down.append(reply)
        else:
            self.applied.append(message["n"])
            self.down.append(self.session.applied(message))

    def client_reads(self):
        if not self.down:
            return
        message = self.down.popleft()
        if message.get("type") == "resumed":
            gap = self.inbox.resumed(message)
            self.gaps += gap is not None
            recovery = self.outbox.resumed(message["seen"], new_epoch=gap == "epoch")
            self.doubtful.update(recovery.doubtful)
            self.synced = True
            self.flush()
        elif message.get("type") == "ack":
            self.outbox.acknowledged(message["id"])
        elif self.inbox.receive(message):
            self.got.append(message["p"])

    def heal(self):
        self.connect()
        while self.up or self.down:
            self.server_reads()
            self.client_reads()


STEPS = ("say", "publish", "connect", "cut", "restart", "server_reads", "client_reads")
schedules = st.lists(st.sampled_from(STEPS), max_size=120)


class TestAnyInterleaving:
    @settings(max_examples=300, deadline=None)
    @given(schedules)
    def test_exactly_once_and_in_order(self, steps):
        world = World()
        for step in steps:
            getattr(world, step)()
        world.heal()
        assert world.applied == list(range(1, world.said + 1))
        assert world.got == list(range(1, world.published + 1))
        assert (len(world.outbox), world.doubtful, world.gaps) == (0, set(), 0)

    @settings(max_examples=300, deadline=None)
    @given(schedules)
    def test_a_server_that_forgets_is_noticed(self, steps):
        """Nothing the client says is lost; what takes effect twice was announced as doubtful."""
        world = World(keeps_log=False)
        for step in steps:
            getattr(world, step)()
        world.heal()
        twice = {n for n in world.applied if world.applied.count(n) > 1}
        assert set(world.applied) == set(range(1, world.said + 1))
        assert twice <= world.doubtful
        assert all(a < b for a, b in pairwise(world.got))  # in order, none twice
        if len(world.got) < world.published and world.got:
            missing = set(range(min(world.got), world.published + 1)) - set(world.got)
            assert world.gaps or not missing

    @settings(max_examples=300, deadline=None)
    @given(schedules)
    def test_a_short_log_is_noticed(self, steps):
        world = World(limit=3)
        for step in steps:
            getattr(world, step)()
        world.heal()
        assert world.applied == list(range(1, world.said + 1))
        assert all(a < b for a, b in pairwise(world.got))
        if world.got:
            first = world.got[0]  # a newcomer gets what there is
            lost = world.published - first + 1 - len(world.got)
            assert (lost == 0) or world.gaps
