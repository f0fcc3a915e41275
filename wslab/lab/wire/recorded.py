"""Makes the transcript of a simulation, as a cable would have recorded it."""

from __future__ import annotations

from wslab.lab.wire.tape import Tape
from wslab.lab.wire.tracker import Tracker, trackers
from wslab.lab.wire.transcript import Transcript
from wslab.net.network import Recording

__all__ = ["transcript_of"]


def transcript_of(recording: Recording) -> Transcript:
    """Decode a recording; `Run.transcript` calls this."""
    times = [0.0]
    tape = Tape(None, clock=lambda: times[-1])
    known: dict[int, dict[str, Tracker]] = {}
    for time, number, who, what in recording:
        times[-1] = time
        if isinstance(what, str):
            tape.note(number, who, what)
            continue
        if number not in known:
            client, server = trackers(tape, number)
            known[number] = {"client": client, "server": server}
        tracker = known[number][who]
        if isinstance(what, bytes):
            tracker.feed(what)
        else:
            tape.lose(number, tracker.side, what.start, len(what))
    return Transcript(tape)
