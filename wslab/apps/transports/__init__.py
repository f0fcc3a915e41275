"""Lesson 01: the same news by polling, long polling, a stream and WebSocket, and the costs."""

from wslab.apps.transports.comparison import (
    LEAST_TO_CLIENT,
    LEAST_TO_SERVER,
    TRANSPORTS,
    measure,
)
from wslab.apps.transports.polling import NewsFeed, application, websocket_handler
from wslab.apps.transports.scale import scale

__all__ = [
    "LEAST_TO_CLIENT",
    "LEAST_TO_SERVER",
    "TRANSPORTS",
    "NewsFeed",
    "application",
    "measure",
    "scale",
    "websocket_handler",
]
