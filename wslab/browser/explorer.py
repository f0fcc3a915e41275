"""A frame to take apart by hand. If you edit a field, a bit or a byte, the others follow.

The page only draws and asks. Each edit comes to the kernel, where `wslab.protocol` reads and
judges the frame, and the answer goes back.
"""

from __future__ import annotations

from typing import Any, Literal

from wslab.browser.editing import (
    BITS,
    Draft,
    FrameVerdict,
    check_draft,
    flip,
    limited_hex,
    with_opcode,
)
from wslab.browser.widget import CellWidget
from wslab.lab.wire.anatomy import Anatomy, dissect, opcode_name
from wslab.protocol.frames import Opcode

__all__ = ["FrameExplorer"]

SENDERS = ("", "client", "server")


class FrameExplorer(CellWidget):
    """A frame that can be edited in the page.

    data: the bytes of a frame, or hexadecimal text; valid or not, at most 4096 bytes. You can read
    the edited bytes here, and assign them to show a new frame.
    sender: "client" or "server" to check its masking too, because clients must mask and servers
    must not. None accepts both.
    """

    FILES = ("browser/explorer.js",)

    def __init__(
        self,
        data: bytes | str = b"\x81\x05Hello",
        *,
        sender: Literal["client", "server"] | None = None,
    ) -> None:
        if (sender or "") not in SENDERS:
            raise ValueError(f'sender is {sender!r}, it must be "client", "server" or None')
        self._data = limited_hex(data)
        self._draft = Draft.read(self._data) or Draft(Opcode.TEXT)
        self._sender = sender or ""
        super().__init__(**self._view())

    @property
    def data(self) -> bytes:
        """The bytes of the frame, as edited."""
        return self._data

    @data.setter
    def data(self, data: bytes | str) -> None:
        """Show a new frame."""
        self._set_data(limited_hex(data))
        self._widget.state = self._view()

    @property
    def anatomy(self) -> Anatomy:
        """The frame field by field, as `lab.dissect` shows it."""
        return dissect(self._data)

    @property
    def verdict(self) -> FrameVerdict:
        """A receiver's verdict on the frame."""
        return check_draft(self._data, self._sender)

    def __repr__(self) -> str:
        """Show the frame as a table, where the widget cannot be shown."""
        title = "FrameExplorer: run this cell in JupyterLab to edit the frame"
        return f"{title}\n{self.anatomy!r}\n{self.verdict.text}"

    def _set_data(self, data: bytes) -> None:
        self._data = data
        # Half a header has no fields yet, so they stay as they were until there is more.
        self._draft = Draft.read(data) or self._draft

    def _on_message(self, message: dict[str, Any]) -> None:
        """Take an edit, {"edit": field, "value": …, "number": n}, and answer with everything."""
        field, value, problem = message["edit"], message["value"], ""
        try:
            if field == "sender":
                self._sender = value if value in SENDERS else ""
            elif field == "raw":
                self._set_data(limited_hex(str(value)))
            elif field == "bit":
                self._set_data(flip(self._data, *value))
            elif field == "opcode":
                self._set_data(with_opcode(self._data, int(value)))
            else:
                draft = self._draft.edited(field, value)
                self._set_data(limited_hex(draft.serialize(check=False)))
        except ValueError as error:
            problem = str(error)
        view = self._view()
        self._widget.send({**view, "problem": problem, "number": message.get("number")})
        self._widget.state = view  # for a page that is loaded later

    def _view(self) -> dict[str, Any]:
        """Return everything that the page draws, as JSON."""
        draft, verdict = self._draft, self.verdict
        try:
            text: str | None = draft.payload.decode()
        except UnicodeDecodeError:
            text = None
        return {
            "raw": self._data.hex(" "),
            "opcode": self._data[0] & 0xF if self._data else None,
            "opcodes": [f"{code:#x} {opcode_name(code)}" for code in range(16)],
            "masked": draft.mask is not None,
            "key": (draft.mask or b"").hex(" "),
            "payload": draft.payload.hex(" "),
            "text": text,
            "sender": self._sender,
            "bits": [
                [[name, byte >> 7 - i & 1] for i, name in enumerate(names)]
                for byte, names in zip(self._data, BITS, strict=False)
            ],
            "rows": [[*field, field.part] for field in self.anatomy],
            "valid": verdict.valid,
            "verdict": list(verdict.lines),
        }
