"""The chatroom keeps the tutorial's protocol, and adds the checks that it lacks.

The tutorial is the Chinese article on WebSocket that the course started from.

    from wslab.apps import chat

    room = chat.serve()
    async with chat.ChatClient(room.url, "Ada") as ada: ...

`rules` is what a member may send, `names` who is called what, and `room` who hears what, all
without sockets. A `Hub` of the kit writes to everybody and waits for nobody. `admission` looks at
Origin and token, `server` puts them together, `client` is a member in Python, and `widget` is the
page in a cell. The lesson compares with `tutorial` and `broadcasting`; `share` is for a classroom.
"""

from wslab.apps.chat.broadcasting import WAYS, measure_crowd
from wslab.apps.chat.client import ChatClient, ChatMessage
from wslab.apps.chat.room import Member, Room
from wslab.apps.chat.rules import Rules
from wslab.apps.chat.server import ChatServer, serve
from wslab.apps.chat.widget import ChatWidget

__all__ = [
    "WAYS",
    "ChatClient",
    "ChatMessage",
    "ChatServer",
    "ChatWidget",
    "Member",
    "Room",
    "Rules",
    "measure_crowd",
    "serve",
]
