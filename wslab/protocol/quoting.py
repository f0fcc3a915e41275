"""Show a peer's words safely. They cannot act on a terminal or page, or look like our own words."""

from codecs import getincrementaldecoder

__all__ = ["decoded_so_far", "escaped", "printable"]

_Utf8 = getincrementaldecoder("utf-8")


def escaped(text: str, keep: str = "") -> str:
    """Write characters that are not printable as escapes, except those to keep.

    A peer's control and format characters could act on the terminal or the page that shows them.

    >>> escaped("red: \\x1b[31m")
    'red: \\\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escape(c) for c in text)


def _escape(char: str) -> str:
    if "\x80" <= char <= "\xff":  # \x80 to \xff stand for bytes that are not UTF-8
        return f"\\u{ord(char):04x}"
    return f"\\x{ord(char) - 0xDC00:x}" if "\udc80" <= char <= "\udcff" else repr(char)[1:-1]


def printable(text: str, limit: int = 60) -> str:
    """Quote a peer's text, at most limit characters, so that it can be read back.

    It is a literal of Python, except that bytes that are not UTF-8 (see `decoded_so_far`) look
    like \\xff.

    >>> print(printable("two\\nlines"), printable("a \\\\n"), printable('{"a": 1}'))
    "two\\nlines" "a \\\\n" '{"a": 1}'
    """
    shown = text[:limit].replace("\\", r"\\")
    quote = "'" if '"' in shown and "'" not in shown else '"'
    shown = escaped(shown.replace(quote, "\\" + quote))
    return quote + shown + quote + (" …" if len(text) > limit else "")


def decoded_so_far(data: bytes, *, is_complete: bool = True) -> tuple[str, bytes]:
    """Decode UTF-8; return the text, and the beginning of a character that the rest may complete.

    Bytes that are not UTF-8 become lone surrogates, as with Python's "surrogateescape".
    is_complete: True if no more bytes follow.
    """
    decoder = _Utf8("surrogateescape")
    return decoder.decode(data, is_complete), decoder.getstate()[0]
