"""Centrifugo's protocol as values: what is answered, what is refused, and how a row names it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wslab.apps.scores.centrifugo import Centrifugo, CentrifugoRows, commands
from wslab.kit.log import Log
from wslab.kit.messages import ResumeError

STATE = {"state": {"n": 3}, "version": 3, "now": 0.0}


@pytest.fixture
def log() -> Log:
    log = Log(3)
    for number in range(1, 6):
        log.publish({"patch": {"n": number}, "now": 0.0})
    return log


@pytest.fixture
def client(log: Log) -> Centrifugo:
    client = Centrifugo(log, lambda: STATE)
    assert client.answer({"id": 1, "connect": {}})
    return client


def subscribe(**fields: Any) -> dict[str, Any]:
    return {"id": 2, "subscribe": {"channel": "match", "recoverable": True, "flag": 1, **fields}}


def result(client: Centrifugo, **fields: Any) -> Any:
    reply = client.answer(subscribe(**fields))
    assert reply is not None
    assert reply["id"] == 2
    return reply["subscribe"]


def test_connect_comes_first_and_once(log: Log) -> None:
    client = Centrifugo(log, lambda: STATE)
    with pytest.raises(ResumeError, match="connect must be the first"):
        client.answer(subscribe())
    reply = client.answer({"id": 1, "connect": {"name": "python"}})
    assert reply is not None
    assert (reply["id"], reply["connect"]["ping"], reply["connect"]["pong"]) == (1, 25, True)
    with pytest.raises(ResumeError, match="connect must be the first"):
        client.answer({"id": 2, "connect": {}})


def test_a_newcomer_gets_the_state_and_its_position(client: Centrifugo, log: Log) -> None:
    got = result(client)
    assert (got["data"], got["offset"], got["epoch"]) == (STATE, 5, log.epoch)
    assert (got["recoverable"], got.get("recovered")) == (True, None)
    assert client.is_subscribed


@pytest.mark.parametrize(("offset", "missed"), [(5, []), (4, [5]), (2, [3, 4, 5])])
def test_it_recovers_exactly_what_was_missed(
    client: Centrifugo, log: Log, offset: int, missed: list[int]
) -> None:
    got = result(client, recover=True, epoch=log.epoch, offset=offset)
    assert (got["recovered"], got["was_recovering"], "data" in got) == (True, True, False)
    assert [each["offset"] for each in got["publications"]] == missed
    assert [each["data"]["patch"]["n"] for each in got["publications"]] == missed


@pytest.mark.parametrize(
    ("epoch", "offset"), [(None, 1), (None, 6), ("another", 4), ("another", 0), ("", 4), ("_", 0)]
)
def test_it_starts_anew_where_it_cannot(
    client: Centrifugo, log: Log, epoch: str | None, offset: int
) -> None:
    """The history is too short, the number is not of this log, or the epoch is another one."""
    got = result(client, recover=True, epoch=log.epoch if epoch is None else epoch, offset=offset)
    assert (got["recovered"], got["was_recovering"]) == (False, True)
    assert (got["data"], got["offset"], "publications" in got) == (STATE, 5, False)


def test_an_error_instead_for_whoever_asks(client: Centrifugo) -> None:
    reply = client.answer(subscribe(recover=True, epoch="another", offset=4, flag=3))
    assert reply == {"id": 2, "error": {"code": 112, "message": "unrecoverable position"}}
    assert not client.is_subscribed


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"id": 3, "subscribe": {"channel": "chess"}}, 102),
        ({"id": 3, "subscribe": {}}, 102),
        (subscribe(), 105),
        *(({"id": 3, kind: {}}, 108) for kind in ("publish", "rpc", "history", "presence")),
    ],
)
def test_what_it_refuses(client: Centrifugo, command: dict[str, Any], code: int) -> None:
    result(client)
    reply = client.answer(command)
    assert reply is not None
    assert reply["error"]["code"] == code


def test_unsubscribe_and_pong(client: Centrifugo) -> None:
    result(client)
    assert client.answer({}) is None
    assert client.answer({"id": 3, "unsubscribe": {"channel": "match"}}) == {
        "id": 3,
        "unsubscribe": {},
    }
    assert not client.is_subscribed
    assert result(client)["offset"] == 5


@pytest.mark.parametrize(
    "command",
    [
        {"subscribe": {}},
        {"id": 0, "subscribe": {}},
        {"id": "2", "subscribe": {}},
        {"id": 2},
        {"id": 2, "subscribe": None},
        subscribe(recover=True, epoch=5, offset=1),
        subscribe(recover=True, epoch="e", offset="1"),
        subscribe(recover=True, epoch="e" * 65),
    ],
    ids=repr,
)
def test_what_is_impossible(client: Centrifugo, command: dict[str, Any]) -> None:
    with pytest.raises(ResumeError):
        client.answer(command)


def test_commands_are_separated_by_newlines() -> None:
    assert commands('{"id":1,"connect":{}}\n{}\n') == [{"id": 1, "connect": {}}, {}]
    assert commands(b"{}") == [{}]
    assert commands("{}\n" * 100) == [{}] * 100
    for bad in ("", "{}\n\n{}", "[]", "{", b"\xff", "{}\n" * 101):
        with pytest.raises(ResumeError):
            commands(bad)


@pytest.mark.parametrize(
    ("said", "row"),
    [
        ("{}", "{} · ping or pong"),
        ('{"id":1,"connect":{}}', "1: connect"),
        (
            json.dumps(subscribe(recover=True, epoch="e", offset=7)),
            "2: subscribe recover, offset 7",
        ),
        (
            '{"id":2,"subscribe":{"offset":9,"recovered":true,"publications":[{},{}]}}',
            "2: subscribe recovered, offset 9, 2 publications",
        ),
        (
            '{"id":2,"subscribe":{"offset":9,"recovered":false,"data":{"state":{}}}}',
            "2: subscribe not recovered, offset 9, state",
        ),
        ('{"id":2,"error":{"code":102,"message":"unknown"}}', "2: error 102, unknown"),
        ('{"push":{"channel":"match","pub":{"offset":3}}}', 'push to "match": pub offset 3'),
        ('{"id":1,"connect":{}}\n{}', "1: connect\n{} · ping or pong"),
        ("[1]", '"[1]"'),
        ("no JSON", '"no JSON"'),
        ('{"push":5}', "'{\"push\":5}'"),
        ('{"id":2,"subscribe":5}', '\'{"id":2,"subscribe":5}\''),
        ('{"push":{"channel":"match"}}', '\'{"push":{"channel":"match"}}\''),
    ],
)
def test_rows(said: str, row: str) -> None:
    rows = CentrifugoRows()
    assert rows.message(said.encode(), is_text=True, is_complete=True) == row


@pytest.mark.parametrize(
    ("said", "row"),
    [
        ('{"id":1,"con', """'{"id":1,"con'"""),
        ('{"id":2,"subscribe":{"epoch":"e","offset":12,"da', "2: subscribe offset 12, …"),
        ('{"id":2,"subscribe":{"epoch":"e","offset":12', "2: subscribe …"),
        ('{"id":2,"subscribe":{"data":{"offset":3,', "2: subscribe …"),
    ],
)
def test_rows_of_which_a_part_is_known(said: str, row: str) -> None:
    assert CentrifugoRows().message(said.encode(), is_text=True, is_complete=False) == row


def test_its_own_connections() -> None:
    rows = CentrifugoRows()
    assert rows.recognises(b"GET /connection/websocket HTTP/1.1\r\n")
    assert rows.recognises(b"GET /connection/websocket?x=1 HTTP/1.1\r\n")
    assert not rows.recognises(b"GET /whole HTTP/1.1\r\n")
    assert rows.message(b"\x00", is_text=False, is_complete=True) == ""
