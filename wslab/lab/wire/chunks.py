"""Find the end of a chunk in the chunked coding of HTTP/1.1 (RFC 9112 §7.1).

A server that does not know how long its answer will be sends it in chunks, each with its size.
So a response can go on for hours, and the server can push events in it.
"""

from __future__ import annotations

import re

__all__ = ["chunk_head", "is_last_chunk"]

_FIRST_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[\t ]*(?:;[\t -~\x80-\xff]*)?")  # size; extensions


def chunk_head(data: bytes) -> tuple[int, int] | None:
    """Read the head of a chunk, which tells its size. The last chunk, of size 0, is only a head.

    Returns the index after it and the number of data bytes that follow; None if more is needed.
    Raises ValueError if it is malformed. Source: RFC 9112 §7.1.

    >>> chunk_head(b"5;name=value\\r\\nHello\\r\\n"), chunk_head(b"0\\r\\n\\r\\n"), chunk_head(b"5")
    ((14, 5), (5, 0), None)
    """
    line, ended, _ = data.partition(b"\r\n")
    if not ended:
        return None
    match = _FIRST_LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"not the size of a chunk: {line[:40]!r} (RFC 9112 §7.1)")
    if size := int(match[1], 16):
        return len(line) + 2, size
    end = data.find(b"\r\n\r\n") + 4  # after the trailer fields
    return (end, 0) if end >= 4 else None


def is_last_chunk(data: bytes) -> bool:
    """Tell whether the chunk that begins like this is the last one, of size 0."""
    match = _FIRST_LINE.match(data)
    return match is not None and not int(match[1], 16)
