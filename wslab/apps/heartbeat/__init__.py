"""Lesson 07: the tutorial's heartbeat in virtual time, and a server that notices dead clients.

The tutorial is the Chinese article on WebSocket that the course started from.
"""

from wslab.apps.heartbeat.server import serve_heartbeat
from wslab.apps.heartbeat.tutorial import Network, Page

__all__ = ["Network", "Page", "serve_heartbeat"]
