"""What endpoints make of offers and answers of permessage-deflate (RFC 7692 §5, §7.1)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from wslab.protocol.deflate import Deflate

from .compression import FORGET, NARROW

__all__ = ["ANSWERS", "OFFERS", "Answer", "Offer"]


@dataclass(frozen=True)
class Offer:
    """A client's offer of permessage-deflate, and what a server with these wishes answers.

    answer: the value of Sec-WebSocket-Extensions, None if the offer is declined.
    """

    rule: str
    offer: str
    answer: str | None
    wished: Deflate = field(default_factory=Deflate)
    section: str = "RFC 7692 §7.1"
    differs: str = ""


@dataclass(frozen=True)
class Answer:
    """A server's answer to an offer: None if the client MUST fail, else what they agreed on."""

    rule: str
    offered: Deflate
    answer: str
    agreed: Deflate | None
    section: str = "RFC 7692 §7.1"
    differs: str = ""


PMD = "permessage-deflate"
_S_NO, _C_NO = "server_no_context_takeover", "client_no_context_takeover"
_S_BITS, _C_BITS = "server_max_window_bits", "client_max_window_bits"
_NO_8 = "zlib cannot compress with 8 bits: not supported"

OFFERS = [
    Offer("a plain offer is accepted", PMD, PMD),
    Offer("a flag is answered with itself", f"{PMD}; {_S_NO}", f"{PMD}; {_S_NO}"),
    Offer("a hint may be answered with itself", f"{PMD}; {_C_NO}", f"{PMD}; {_C_NO}"),
    Offer("a server may add a flag", PMD, f"{PMD}; {_S_NO}; {_C_NO}", FORGET),
    Offer("bits are answered with as many", f"{PMD}; {_S_BITS}=10", f"{PMD}; {_S_BITS}=10"),
    Offer("15 bits too", f"{PMD}; {_S_BITS}=15", f"{PMD}; {_S_BITS}=15"),
    Offer("or fewer", f"{PMD}; {_S_BITS}=10", f"{PMD}; {_S_BITS}=9", Deflate(False, False, 9)),
    Offer("never more", f"{PMD}; {_S_BITS}=10", f"{PMD}; {_S_BITS}=10", Deflate(False, False, 12)),
    Offer("a server may limit itself", PMD, f"{PMD}; {_S_BITS}=12", Deflate(False, False, 12)),
    Offer(
        "a client that lets it is limited",
        f"{PMD}; {_C_BITS}",
        f"{PMD}; {_C_BITS}=9",
        replace(NARROW, server_max_window_bits=None),
    ),
    Offer("a client that does not is not", PMD, f"{PMD}; {_S_BITS}=9", NARROW),
    Offer("quoted values are values", f'{PMD}; {_S_BITS}="10"', f"{PMD}; {_S_BITS}=10"),
    Offer(
        "the first acceptable offer counts", f"{PMD}; x, {PMD}; {_S_NO}, {PMD}", f"{PMD}; {_S_NO}"
    ),
    Offer("8 bits fall back to the next offer", f"{PMD}; {_S_BITS}=8, {PMD}", PMD),
    Offer(_NO_8, f"{PMD}; {_S_BITS}=8", None),
    Offer(
        "a hint of 8 bits obliges nobody",
        f"{PMD}; {_C_BITS}=8",
        PMD,
        differs="the library repeats the hint; it MAY",
    ),
    *(
        Offer(rule, f"{PMD}; {parameter}", None, section="RFC 7692 §7")
        for rule, parameter in (
            ("an unknown parameter is declined", "x"),
            ("a flag has no value", f"{_S_NO}=1"),
            ("a flag has no value", f"{_C_NO}=true"),
            ("twice is declined", f"{_S_NO}; {_S_NO}"),
            ("twice is declined", f"{_C_BITS}; {_C_BITS}=10"),
            ("bits need a value", _S_BITS),
            ("7 is too small", f"{_S_BITS}=7"),
            ("16 is too large", f"{_C_BITS}=16"),
            ("no leading zero", f"{_S_BITS}=010"),
            ("a decimal number", f"{_S_BITS}=ten"),
        )
    ),
]

_OFFERED = Deflate(client_max_window_bits=15)

ANSWERS = [
    Answer("a plain answer", Deflate(), PMD, Deflate()),
    Answer("a flag asked for", FORGET, f"{PMD}; {_S_NO}; {_C_NO}", FORGET),
    Answer("a flag not asked for", Deflate(), f"{PMD}; {_S_NO}; {_C_NO}", FORGET),
    Answer("what a client said of itself holds", FORGET, f"{PMD}; {_S_NO}", FORGET),
    Answer("a flag that was asked for is missing", FORGET, f"{PMD}; {_C_NO}", None),
    Answer(
        "fewer bits", Deflate(False, False, 12), f"{PMD}; {_S_BITS}=10", Deflate(False, False, 10)
    ),
    Answer("8 bits from the server", Deflate(), f"{PMD}; {_S_BITS}=8", Deflate(False, False, 8)),
    Answer("more bits", Deflate(False, False, 12), f"{PMD}; {_S_BITS}=13", None),
    Answer("no bits", Deflate(False, False, 12), PMD, None),
    Answer("no bits", Deflate(False, False, 15), PMD, None),
    Answer(
        "a limit to a client that lets it",
        _OFFERED,
        f"{PMD}; {_C_BITS}=10",
        Deflate(client_max_window_bits=10),
    ),
    Answer("a limit to a client that does not", Deflate(), f"{PMD}; {_C_BITS}=10", None),
    Answer(
        "a hint holds", Deflate(client_max_window_bits=10), PMD, Deflate(client_max_window_bits=10)
    ),
    Answer(
        "a hint holds against a wider limit",
        Deflate(client_max_window_bits=10),
        f"{PMD}; {_C_BITS}=12",
        Deflate(client_max_window_bits=10),
        differs="the library refuses; §7.1.2.2 calls the client's number a hint, so any answers it",
    ),
    Answer(_NO_8, _OFFERED, f"{PMD}; {_C_BITS}=8", None),
    Answer("twice the extension", Deflate(), f"{PMD}, {PMD}", None, "RFC 7692 §5.1"),
    *(
        Answer(rule, _OFFERED, f"{PMD}; {parameter}", None, "RFC 7692 §7")
        for rule, parameter in (
            ("an unknown parameter", "x"),
            ("a flag with a value", f"{_S_NO}=1"),
            ("a parameter twice", f"{_C_NO}; {_C_NO}"),
            ("bits without a value", _C_BITS),
            ("bits without a value", _S_BITS),
            ("too large", f"{_S_BITS}=16"),
            ("leading zero", f"{_S_BITS}=09"),
        )
    ),
]
