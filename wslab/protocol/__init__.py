"""WebSocket from bytes to values and back: no sockets, no asyncio, no clock, no display.

The rooms: `errors` (what can be wrong), `http` and `handshake` (RFC 6455 §4), `frames` (§5).
"""

from wslab.protocol.errors import HandshakeError, PeerError, ProtocolError
from wslab.protocol.frames import (
    RSV1,
    RSV2,
    RSV3,
    Close,
    CloseCode,
    Frame,
    Header,
    Opcode,
    apply_mask,
    serialize,
)
from wslab.protocol.handshake import (
    GUID,
    Extension,
    accept_key,
    answer,
    check_request,
    check_response,
    parse_extensions,
    reject,
    upgrade_request,
)
from wslab.protocol.http import Headers, Request, Response

__all__ = [
    "GUID",
    "RSV1",
    "RSV2",
    "RSV3",
    "Close",
    "CloseCode",
    "Extension",
    "Frame",
    "HandshakeError",
    "Header",
    "Headers",
    "Opcode",
    "PeerError",
    "ProtocolError",
    "Request",
    "Response",
    "accept_key",
    "answer",
    "apply_mask",
    "check_request",
    "check_response",
    "parse_extensions",
    "reject",
    "serialize",
    "upgrade_request",
]
