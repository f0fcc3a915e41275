"""Close frames, RFC 6455 §5.5.1 and §7.4: every code there could be, and the library as oracle."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets import exceptions as oracle_errors
from websockets import frames as oracle

from wslab.protocol import Close, CloseCode, Frame, Opcode, ProtocolError, describe_close


class TestCodes:
    """§7.4, for every code there could be."""

    def test_names_and_numbers(self) -> None:
        renamed = {"NO_STATUS_RECEIVED": "NO_STATUS_RCVD", "INVALID_PAYLOAD": "INVALID_DATA"}
        ours = {renamed.get(code.name, code.name): int(code) for code in CloseCode}
        assert ours == {code.name: int(code) for code in oracle.CloseCode}

    def test_codes(self) -> None:
        sendable = [code for code in range(-1, 70_000) if CloseCode.is_sendable(code)]
        assert sendable == [
            *range(1000, 1004),
            *range(1007, 1015),
            *range(3000, 5000),
        ]

    def test_every_code_like_the_library(self) -> None:
        for code in range(5001):
            try:
                oracle.Close(code, "").check()
            except oracle_errors.ProtocolError:
                allowed = False
            else:
                allowed = True
            assert CloseCode.is_sendable(code) == allowed, code
            payload = struct.pack("!H", code) + b"why"
            if allowed:
                assert Close.parse(payload) == Close(code, "why")
                assert Close(code, "why").serialize() == payload
                assert oracle.Close.parse(payload) == oracle.Close(code, "why")
            else:
                with pytest.raises(ProtocolError, match=f"close code {code} may not") as caught:
                    Close.parse(payload)
                assert caught.value.code == CloseCode.PROTOCOL_ERROR
                with pytest.raises(ProtocolError, match=f"close code {code} may not"):
                    Close(code, "why").serialize()


class TestPayload:
    """§5.5.1: a code, then a reason."""

    def test_no_code(self) -> None:
        assert Close.parse(b"") == Close() == Close(1005, "")
        assert Close().serialize() == b""
        with pytest.raises(ProtocolError, match="1005 may not be sent"):
            Close(reason="why").serialize()

    @pytest.mark.parametrize(
        ("payload", "code", "message"),
        [
            (b"\x03", 1002, "CLOSE payload is 1 byte"),
            (b"\x03\xe8\xff", 1007, "not UTF-8: invalid start byte at byte 0"),
            (b"\x03\xe8ok\xe4\xb8", 1007, "not UTF-8: unexpected end of data at byte 2"),
            (b"\x03\xe8\xed\xa0\x80", 1007, "not UTF-8"),
            (b"\xff\xff", 1002, "close code 65535"),
        ],
    )
    def test_malformed(self, payload: bytes, code: int, message: str) -> None:
        with pytest.raises(ProtocolError, match=message) as caught:
            Close.parse(payload)
        assert caught.value.code == code
        with pytest.raises((oracle_errors.ProtocolError, UnicodeDecodeError)):
            oracle.Close.parse(payload)

    @pytest.mark.parametrize("reason", ["x" * 123, "é" * 61, "世" * 41, ""])
    def test_longest_reason(self, reason: str) -> None:
        payload = Close(1000, reason).serialize()
        assert Close.parse(payload) == (1000, reason)
        assert len(Frame(Opcode.CLOSE, payload).serialize()) <= 127

    @pytest.mark.parametrize(("reason", "size"), [("x" * 124, 124), ("é" * 62, 124)])
    def test_reason_too_long(self, reason: str, size: int) -> None:
        with pytest.raises(ProtocolError, match=f"reason is {size} bytes, limit 123"):
            Close(1000, reason).serialize()

    @given(
        code=st.sampled_from([1000, 1001, 1014, 3000, 4999]),
        reason=st.text(max_size=30),
    )
    def test_parse_undoes_serialize(self, code: int, reason: str) -> None:
        assert Close.parse(Close(code, reason).serialize()) == Close(code, reason)

    @given(payload=st.binary(max_size=125))
    @example(payload=b"\x03")
    @example(payload=b"\x03\xe8\xff")
    def test_any_close_payload_parses_or_raises_protocol_error(self, payload: bytes) -> None:
        try:
            close = Close.parse(payload)
        except ProtocolError:
            return
        assert close.serialize() == payload

    @pytest.mark.parametrize("close", [("1000",), (1000, b"bye"), (None,), (1000.0, "")])
    def test_another_type(self, close: tuple[Any, ...]) -> None:
        with pytest.raises(TypeError, match="not a number and a text") as caught:
            Close(*close).serialize()
        assert repr(close[-1]) in str(caught.value)


@pytest.mark.parametrize(
    ("code", "reason", "text"),
    [
        (1000, "", "1000 NORMAL_CLOSURE"),
        (1001, None, "1001 GOING_AWAY"),
        (4000, "mine\x1b", '4000 "mine\\x1b"'),
        (None, None, "None"),
    ],
)
def test_a_close_in_words(code: int | None, reason: str | None, text: str) -> None:
    assert describe_close(code, reason) == text
