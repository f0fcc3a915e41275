"""Lesson 01: the same news by polling, long polling, a stream and WebSocket, and the costs.

`polling` has the feed and its servers, `listeners` the clients; `comparison` measures, `journeys`
counts crossings of the network, and `charts` draws (by itself: it needs matplotlib).
"""

from wslab.apps.transports.comparison import (
    LEAST_TO_CLIENT,
    LEAST_TO_SERVER,
    TRANSPORTS,
    measure,
)
from wslab.apps.transports.journeys import journeys
from wslab.apps.transports.listeners import listening
from wslab.apps.transports.polling import NewsFeed, application, websocket_handler

__all__ = [
    "LEAST_TO_CLIENT",
    "LEAST_TO_SERVER",
    "TRANSPORTS",
    "NewsFeed",
    "application",
    "journeys",
    "listening",
    "measure",
    "websocket_handler",
]
