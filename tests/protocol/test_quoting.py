"""What a peer wrote is quoted so that it acts on nothing, and can be read back."""

import ast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wslab.protocol.errors import HandshakeError, PeerError, ProtocolError
from wslab.protocol.quoting import decoded_so_far, escaped, printable

# ESC, OSC with BEL, CSI of C1, bidi override and isolate, zero width, tag, line separators.
HOSTILE = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e\u2066\u200b\U000e0041\u2028\x85\r\n\0"


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example(HOSTILE)
@example("a\\nb")
@example("a\nb")
@example('Hi", more follows')
@example('it\'s "both"')
@example("ends in \\")
def test_a_quoted_text_can_be_read_back(text):
    shown = printable(text, 1 << 20)
    assert shown.isprintable()
    assert ast.literal_eval(shown) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hello", '"Hello"'),
        ('{"a": "it"}', """'{"a": "it"}'"""),
        ('it\'s "both"', r'''"it's \"both\""'''),
        ("a\nb", r'"a\nb"'),
        (r"a\nb", r'"a\\nb"'),
        ("a" * 61, f'"{"a" * 60}" …'),
        ("\\" * 61, '"' + "\\" * 120 + '" …'),  # a pair is not cut in two
        ("\x80\xa0", r'"\u0080\u00a0"'),
    ],
)
def test_quotes(text, shown):
    assert printable(text) == shown


@given(st.binary(max_size=60))
@example(b"\xff\x80\\xff\xc2\x80\xe4\xbd")
def test_quoted_bytes_can_be_read_back(data):
    shown = printable(decoded_so_far(data)[0])
    back = b"".join(
        bytes([int(part[2:], 16)])
        if part.startswith(r"\x") and part[2:] >= "80"
        else ast.literal_eval(f'"""{part}"""').encode()
        for part in parts(shown[1:-1])
    )
    assert back == data


def parts(literal):
    """Split a literal's inside into its characters and escapes."""
    while literal:
        size = {"x": 4, "u": 6, "U": 10}.get(literal[1:2], 2) if literal[0] == "\\" else 1
        part, literal = literal[:size], literal[size:]
        yield "\\" + part if part == '"' else part


@pytest.mark.parametrize("size", [1, 2])
def test_the_beginning_of_a_character_waits_for_its_rest(size):
    data = "好你".encode()
    assert decoded_so_far(data[: 3 + size], is_complete=False) == ("好", data[3 : 3 + size])
    assert decoded_so_far(data[: 3 + size])[1] == b""


@pytest.mark.parametrize("kind", [PeerError, HandshakeError, ProtocolError])
def test_an_exception_does_not_carry_a_peers_control_characters(kind):
    error = kind(f"reason {HOSTILE}", "RFC 6455 §7")
    assert str(error).isprintable()
    assert error.message == f"reason {escaped(HOSTILE)}"
