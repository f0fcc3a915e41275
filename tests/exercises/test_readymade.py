"""An answer that calls what the task is to build is found out, however it does so."""

from __future__ import annotations

import sys

import pytest

from wslab.exercises.engine.readymade import called
from wslab.protocol import accept_key, answer, check_request, upgrade_request

REQUEST = upgrade_request("server.example", nonce=b"the sample nonce")
KEY = REQUEST.headers.get("Sec-WebSocket-Key") or ""


def test_another_name_and_another_depth_are_no_disguise() -> None:
    other = accept_key
    assert called(lambda: other(KEY), accept_key, check_request) == "accept_key"
    assert called(lambda: answer(REQUEST), accept_key) == "accept_key"
    assert called(lambda: answer(REQUEST), accept_key, check_request) == "check_request"


def test_what_is_not_called_is_not_found() -> None:
    assert called(lambda: upgrade_request("a", nonce=bytes(16)), accept_key) == ""


def test_nobody_watches_afterwards() -> None:
    before = sys.getprofile()
    with pytest.raises(ZeroDivisionError):
        called(lambda: 1 // 0, accept_key)
    assert sys.getprofile() is before
