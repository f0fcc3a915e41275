"""Hide secrets in outputs, because notebooks are saved and shared, and a token lets others in.

Only the output changes, never the bytes. A row's `wire` still has them.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["masked_field", "masked_target"]

# Names of parameters, fields and subprotocols that contain these; `author` and `monkey` do not.
_WORDS = (
    r"token|secret|passw|pwd|ticket|bearer|credential|session|signature|jwt|auth(?!or(?!iz))"
    r"|cookie|api[^a-z]?key|(?<![a-z])(?:key|pass|sig)(?![a-z])"
)
_HARMLESS = r"sec-websocket-key|(?:www|proxy)-authenticate|access-control-.*"  # fields
# A subprotocol that says "the next one is a secret".
_MARKER = (
    r"(?:(?:access|api|auth|client|id|session)[-_.]?)?(?:token|key|bearer|jwt|secret|ticket)"
    r"|auth(?:orization)?"
)
_PASSWORD = r"(?<=//)([^/?#@:\s]*:)([^/?#\s]+)(?=@)"
_PARAMETER = r"(?<=[?&;#])([^?&;#=\s]+=)([^&;#\s]+)"


def _hidden(secret: str) -> str:
    return f"({len(secret)} character{'s' * (len(secret) != 1)}, not shown)"


def _is_secret(name: str) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", unquote(name)).lower()  # room-key of roomKey
    return re.search(_WORDS, words) is not None


def _is_random(text: str) -> bool:
    """Tell whether small letters, capitals and digits alternate too often for a name."""
    changes = re.findall(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[a-z0-9]|(?<=[0-9])[A-Za-z]", text)
    return len(text) >= 6 and 3 * len(changes) >= len(text)


def masked_target(target: str) -> str:
    """Hide the secrets in a target or a URL, which are a password, and parameters like `token`.

    >>> masked_target("/chat?room=1&token=Q7x2")
    '/chat?room=1&token=(4 characters, not shown)'
    """
    target = re.sub(_PASSWORD, lambda found: found[1] + _hidden(found[2]), target)
    return re.sub(
        _PARAMETER,
        lambda found: found[1] + (_hidden(found[2]) if _is_secret(found[1]) else found[2]),
        target,
    )


def masked_field(name: str, value: str) -> str:
    """Hide the secrets in the value of a header field.

    >>> masked_field("Cookie", "id=abc"), masked_field("Sec-WebSocket-Protocol", "chat, jwt.Q7")
    ('(6 characters, not shown)', 'chat, (6 characters, not shown)')
    """
    if name.lower() == "sec-websocket-protocol":
        names = [item.strip() for item in value.split(",")]
        return ", ".join(map(_masked_subprotocol, ["", *names], names))
    if _is_secret(name) and not re.fullmatch(_HARMLESS, name.lower()):
        return _hidden(value)
    return masked_target(value)


def _masked_subprotocol(before: str, name: str) -> str:
    if re.fullmatch(_MARKER, name.lower()):
        return name
    follows = re.fullmatch(_MARKER, before.lower())
    is_secret = follows or _is_secret(name) or any(map(_is_random, name.split(".")))
    return _hidden(name) if is_secret else name
