"""Numbers on both sides: whatever is lost on the way, everything takes effect once and in order."""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wslab.kit import resume
from wslab.kit.log import Log
from wslab.kit.outbox import Inbox, Outbox
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


class TestSnapshot:
    """A server of changes answers with its state where a client cannot go on."""

    @pytest.mark.parametrize(
        ("epoch", "after", "gap"),
        [
            (None, 0, None),
            (None, None, None),
            ("E", 1, 1),
            ("E", 6, "epoch"),
            ("other", 4, "epoch"),
        ],
    )
    def test_instead_of_messages(self, epoch, after, gap):
        made = log(5, limit=3)
        resumed, *missed = Session(made).resume(
            hello(epoch, after), lambda: {"state": f"after {made.last}"}
        )
        assert (resumed["after"], resumed["last"], resumed["gap"]) == (5, 5, gap)
        assert (resumed["state"], missed) == ("after 5", [])

    @pytest.mark.parametrize("after", [2, 4, 5])
    def test_not_where_it_can(self, after):
        resumed, *missed = Session(log(5, limit=3)).resume(hello("E", after), dict)
        assert (resumed["after"], resumed["gap"], "state" in resumed) == (after, None, False)
        assert numbers(missed) == list(range(after + 1, 6))


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
        made = log()
        made.note("a", 7, 1)
        made.note("b", 1, None)
        for number in range(998):
            made.note(f"{number}", 1, None)
        assert made.seen("a") == 7  # heard of, so b is now the one to go
        made.note("c", 1, None)
        assert [made.seen(name) for name in "abc"] == [7, 0, 1]

    def test_knows_what_the_last_id_has_become(self):
        made = log()
        made.note("a", 1, 5)
        made.note("a", 2, 6)
        assert [made.outcome("a", id) for id in (1, 2, 3)] == [None, 6, None]
        assert made.outcome("b", 1) is None

    def test_what_is_no_json_changes_nothing(self):
        made = log(1)
        for value, error in (
            ({1, 2}, TypeError),
            (float("nan"), ValueError),
            ("\ud800", ValueError),
        ):
            with pytest.raises(error):
                made.publish({"text": value})
        assert (made.last, numbers(made.since(0))) == (1, [1])

    def test_nobody_changes_history(self):
        fields = {"list": [1]}
        made = log()
        published = made.publish(fields)
        fields["list"].append(2)
        published["list"].append(3)
        made.since(0)[0]["list"].append(4)
        made.dump()["messages"][0]["list"].append(5)
        assert made.since(0) == [{"list": [1], "seq": 1}]

    def test_another_thread_reads_no_gaps(self):
        """A cell asks for the history while the server's thread goes on."""
        made, done = log(limit=50), threading.Event()

        def publish():
            while not done.is_set():
                made.publish({})

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(1) as thread:
            publishing = thread.submit(publish)
            try:
                for _ in range(2000):
                    after = made.last - 10
                    found = numbers(made.since(after))
                    assert found == list(range(found[0], found[0] + len(found))) if found else True
                    assert found[:1] <= [max(after, made.forgotten) + 1]  # none was left out
                    dump = made.dump()
                    assert numbers(dump["messages"])[-1:] in ([dump["last"]], [])
            finally:
                done.set()
                sys.setswitchinterval(interval)
            publishing.result()

    def test_an_empty_one_is_not_nothing(self):
        assert log()

    def test_epochs_are_random(self):
        assert len({Log().epoch for _ in range(100)}) == 100

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"limit": 0}, "limit is 0, a log keeps at least 1"),
            ({"limit": True}, "limit is True"),
        ],
    )
    def test_what_cannot_be(self, options, message):
        with pytest.raises(ValueError, match=message):
            log(**options)


class TestDump:
    @pytest.mark.parametrize("count", [0, 2, 9])
    def test_a_restarted_server_goes_on(self, count):
        made = log(count, limit=3)
        made.note("a", 4, 2)
        made.note("b", 1, None)
        dumped = json.loads(json.dumps(made.dump()))
        copy = Log.load(dumped)
        own = {"epoch": copy.epoch, "earlier": {"E": count}}
        assert copy.dump() == {**dumped, **own}
        for each in (made, copy):
            each.publish({"text": "next"})
            each.note("c", 1, 1)
        assert copy.dump() == {**made.dump(), **own}
        assert (copy.seen("a"), copy.seen("b"), copy.limit) == (4, 1, 3)

    def test_a_dump_of_an_earlier_version_can_be_read(self):
        dumped = log(2).dump()
        del dumped["earlier"]
        dumped["seen"] = [[ME, 4, 2]]
        copy = Log.load(dumped)
        assert (copy.last, copy.seen(ME), copy.outcome(ME, 4)) == (2, 4, 2)

    def test_a_client_that_had_more_than_the_dump_is_told(self):
        """The numbers after the dump are given out again, to other messages."""
        made = log(8)
        dumped = made.dump()
        for _ in range(2):
            made.publish({"text": "lost with the server"})
        copy = Log.load(dumped)
        for _ in range(4):
            copy.publish({"text": "new"})
        answers = {}
        for after in (7, 8, 9, 10):
            resumed, *missed = Session(copy).resume(hello("E", after))
            answers[after] = (resumed["after"], resumed["gap"], [m["text"] for m in missed])
            assert resumed["epoch"] == copy.epoch != "E"
        assert answers == {
            7: (7, None, ["m8", *["new"] * 4]),
            8: (8, None, ["new"] * 4),
            9: (8, "epoch", ["new"] * 4),
            10: (8, "epoch", ["new"] * 4),
        }

    def test_restarts_in_a_row_are_no_gap(self):
        made = log(2)
        for _ in range(3):
            made = Log.load(made.dump())
            made.publish({"text": "next"})
        resumed, *missed = Session(made).resume(hello("E", 1))
        assert (resumed["after"], resumed["gap"], len(missed)) == (1, None, 4)
        resumed, *missed = Session(made).resume(hello("E", 3))
        assert (resumed["after"], resumed["gap"], len(missed)) == (2, "epoch", 3)

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
            *({"seen": [[client, 1, 1, []]]} for client in (None, 5)),
            *({"seen": [["a", id, 1, []]]} for id in (None, "1", True, -1, 1.5)),
            *({"seen": [["a", 1, seq, []]]} for seq in ("1", True, -1, 1.5, [])),
            *({"seen": [["a", 1, 1, [refused]]]} for refused in ([1], ["1", "a", "b"])),
            *({"seen": [["a", 1, 1, [refused]]]} for refused in ([1, b"a", "b"], [1, "a", None])),
            {"seen": {}},
            {"limit": 2**80},
            {"epoch": 5},
            *({"earlier": {"D": number}} for number in (None, "1", True, -1)),
            {"earlier": []},
        ],
    )
    def test_what_is_no_dump(self, change):
        with pytest.raises(ValueError, match="this is not a dump of a log: "):
            Log.load({**log(3).dump(), **change})

    def test_what_lacks_something(self):
        with pytest.raises(ValueError, match="not a dump of a log: KeyError 'messages'"):
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
        assert session.log.seen(ME) == 1
        assert session.duplicate({"id": 1}) == reply  # and not as one that took effect
        assert "id" not in session.refused({}, "too long", "at most 3 characters")

    def test_refusals_are_told_until_they_are_known(self):
        made = log()
        session = self.session(made)
        for id in range(1, 6):
            session.refused({"id": id}, "bad", f"{id}") if id != 3 else session.applied({"id": 3})
        made = Log.load(json.loads(json.dumps(made.dump())))
        for acked, ids in ((0, [1, 2, 4, 5]), (1, [2, 4, 5]), (1, [2, 4, 5]), (4, [5])):
            (resumed,) = Session(made).resume({**hello(client=ME), "acked": acked})
            told = [{"id": id, "error": "bad", "text": f"{id}"} for id in ids]
            assert (resumed["seen"], resumed["refused"]) == (5, told)
        (resumed,) = Session(made).resume({**hello(client=ME), "acked": 5})
        assert "refused" not in resumed

    def test_refusals_are_bounded(self):
        """A client that sends no more than it may is told of each; the oldest client goes first."""
        made = log()
        for client in range(12):
            session = self.session(made, f"{client:016}")
            for id in range(1, 1201):
                session.refused({"id": id}, "bad", "")
        told = []
        for client in range(12):
            (resumed,) = Session(made).resume(hello(client=f"{client:016}"))
            told.append((resumed["seen"], [each["id"] for each in resumed.get("refused", [])]))
        assert told == [(0, [])] * 2 + [(1200, list(range(201, 1201)))] * 10

    @pytest.mark.parametrize("acked", [-1, True, "1", None])
    def test_acked_is_a_number(self, acked):
        with pytest.raises(ResumeError, match="acked is"):
            Session(log()).resume({**hello(client=ME), "acked": acked})

    def test_an_older_connection_has_no_effect_any_more(self):
        """What was under way on it is sent again, and perhaps with another id."""
        made = log()
        older = self.session(made)
        older.applied({"id": 1})
        newer = self.session(made)
        with pytest.raises(ResumeError, match="taken over") as caught:
            older.duplicate({"id": 2})
        assert caught.value.close_code == resume.TAKEN_OVER
        assert newer.duplicate({"id": 2}) is None

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


class World:
    """A server and a client with a wire between them that loses what is on the way.

    Every third message is refused. outcomes: what the client was told of each of its messages.
    """

    def __init__(self, *, limit=10_000, keeps_log=True):
        self.limit, self.keeps_log = limit, keeps_log
        self.log = Log(limit)
        self.inbox, self.outbox = Inbox(), Outbox()
        self.session, self.synced = None, False
        self.up, self.down = deque(), deque()
        self.said = self.published = 0
        self.applied, self.got, self.doubtful = [], [], set()
        self.outcomes, self.gaps = {}, 0

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
            self.up.append(self.inbox.resume(ME, self.outbox.acked))

    def cut(self):
        self.session, self.synced = None, False
        self.up.clear()
        self.down.clear()

    def restart(self):
        self.cut()
        self.log = Log.load(json.loads(json.dumps(self.log.dump()))) if self.keeps_log else Log()

    def flush(self):
        while self.synced and (text := self.outbox.take()) is not None:
            self.up.append(json.loads(text))

    def server_reads(self):
        if not self.up or self.session is None:
            return
        message = self.up.popleft()
        if message.get("type") == "resume":
            self.down.extend(self.session.resume(message))
        elif (reply := self.session.duplicate(message)) is not None:
            self.down.append(reply)
        elif message["n"] % 3 == 0:
            self.down.append(self.session.refused(message, "bad", str(message["n"])))
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
            resent = self.outbox.resumed(message, new_epoch=gap == "epoch")
            self.doubtful.update(resent.doubtful)
            self.note(resent.arrived, "applied")
            for key, why in resent.refused.items():
                assert why == ("bad", str(key))
            self.note(resent.refused, "refused")
            self.synced = True
            self.flush()
        elif message.get("type") == "ack":
            self.note(self.outbox.acknowledged(message["id"]), "applied")
        elif "error" in message:
            (key,) = self.outbox.acknowledged(message["id"])
            self.note([key], "refused")
        elif self.inbox.receive(message):
            self.got.append(message["p"])

    def note(self, keys, outcome):
        for key in keys:
            assert key not in self.outcomes
            self.outcomes[key] = outcome

    def heal(self):
        self.connect()
        while self.up or self.down:
            self.server_reads()
            self.client_reads()
        wanted = {n: "applied" if n % 3 else "refused" for n in range(1, self.said + 1)}
        assert self.outcomes == wanted

    @property
    def accepted(self):
        return [n for n in range(1, self.said + 1) if n % 3]


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
        assert world.applied == world.accepted
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
        assert set(world.applied) == set(world.accepted)
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
        assert world.applied == world.accepted
        assert all(a < b for a, b in pairwise(world.got))
        if world.got:
            first = world.got[0]  # a newcomer gets what there is
            lost = world.published - first + 1 - len(world.got)
            assert (lost == 0) or world.gaps
