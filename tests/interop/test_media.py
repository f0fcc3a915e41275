"""Somebody else's client sends a file to our room: npm's ws, with a cut in the middle."""

from __future__ import annotations

import base64
import json
import subprocess
from random import Random

from wslab.apps import media

from .conftest import HERE, PATIENCE


def test_an_upload_by_ws_resumes(tmp_path, node):
    data = media.make_sound(Random(4), seconds=3)
    room = media.MediaRoom(folder=tmp_path)
    server = media.serve(room, name="media for Node")
    try:
        options = {"url": f"{server.url}media", "cut": 4, "data": base64.b64encode(data).decode()}
        command = [str(node), str(HERE / "media_client.mjs"), json.dumps(options)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    finally:
        server.stop_now()
    found = json.loads(done.stdout)
    assert found["said"] == {"type": "done", "id": 7}
    offsets = found["offsets"]
    assert sorted(set(offsets)) == list(range(0, len(data), 5000))
    assert len(offsets) - len(set(offsets)) <= 1
    (item,) = room.uploads.items.values()
    assert item.path.read_bytes() == data
    assert item.owner.name == "Node"
