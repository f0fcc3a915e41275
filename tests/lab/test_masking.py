"""What would let others in is not shown, whatever it is called; all else is."""

import pytest

from wslab.lab.masking import masked_field, masked_target


@pytest.mark.parametrize(
    "target",
    [
        "/?token=Q7",
        "/chat?room=1&access_token=Q7",
        "/chat?room=1;accessToken=Q7&more",
        "/?key=Q7",
        "/?roomKey=Q7",
        "/?api_key=Q7#top",
        "/?apikey=Q7",
        "/?ticket=Q7",
        "/?%74oken=Q7",
        "/?TOKEN=Q7",
        "/?authorization=Q7",
        "/?password=Q7&x=1",
        "/page#id_token=Q7",
        "wss://h/?a=b&jwt=Q7",
        "ws://ada:Q7@h/chat",
    ],
)
def test_a_secret_of_a_target_is_hidden(target):
    assert masked_target(target) == target.replace("Q7", "(2 characters, not shown)")


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/chat?room=1&after=3",
        "/?author=Ada&keyword=x&monkey=y",
        "/?EIO=4&transport=polling&sid=5ZPwff_JUTyZSH7nAAAA",  # which lesson 09 is about
        "/token/key",
        "/?token=",
        "/?token",
        "ws://h:1/a@b",
    ],
)
def test_the_rest_of_a_target_is_shown(target):
    assert masked_target(target) == target


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("cookie", "a=b", "(3 characters, not shown)"),
        ("Set-Cookie", "a=b", "(3 characters, not shown)"),
        ("Proxy-Authorization", "x", "(1 character, not shown)"),
        ("X-Api-Key", "abc", "(3 characters, not shown)"),
        ("X-Auth-Token", "abc", "(3 characters, not shown)"),
        ("Referer", "http://h/?token=abc", "http://h/?token=(3 characters, not shown)"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("WWW-Authenticate", 'Basic realm="x"', 'Basic realm="x"'),
        ("Access-Control-Allow-Credentials", "true", "true"),
        ("Access-Control-Allow-Headers", "Authorization", "Authorization"),
        ("Sec-WebSocket-Extensions", "a; b=1", "a; b=1"),
    ],
)
def test_fields(name, value, shown):
    assert masked_field(name, value) == shown


@pytest.mark.parametrize(
    "secret",
    [
        "token.abc",
        "bearer-abc",
        "secret-token-123",
        "base64url.bearer.authorization.k8s.io.YWJj",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x9Q_ab",
        "3f2b8c1e-7a44-4b7c-9d7e-0f5a6b1c2d3e",
        "x3JJHMbDL1EzLkh9GBhXDw",
    ],
)
def test_a_subprotocol_that_is_a_secret_is_hidden(secret):
    shown = masked_field("Sec-WebSocket-Protocol", f"chat,{secret}")
    assert shown == f"chat, ({len(secret)} characters, not shown)"


@pytest.mark.parametrize("marker", ["access_token", "bearer", "Authorization", "jwt", "api-key"])
def test_a_subprotocol_after_one_that_says_so_is_hidden(marker):
    shown = masked_field("sec-websocket-protocol", f"{marker}, abc, chat")
    assert shown == f"{marker}, (3 characters, not shown), chat"


@pytest.mark.parametrize(
    "names",
    [
        "chat, superchat",
        "graphql-transport-ws",
        "v12.stomp, v11.stomp",
        "wamp.2.json",
        "ocpp2.0.1",
        "protobuf.reliable.webpubsub.azure.v1",
        "superDuperChatProtocol2",
        "v5.channel.k8s.io",
    ],
)
def test_names_of_subprotocols_are_shown(names):
    assert masked_field("Sec-WebSocket-Protocol", names) == names
