"""Lesson 01: the same news by polling, long polling, a stream and WebSocket, and the costs.

`polling` has the feed and its servers, and `listeners` has the clients. `comparison` measures, and
`journeys` counts crossings of the network. `charts` draws. It is not imported here, because it
needs matplotlib.
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
