"""Lesson 08: a numbered feed, connections that end in every way, and reconnection storms."""

from wslab.apps.reconnect.disconnections import WAYS, disconnect
from wslab.apps.reconnect.feed import Feed
from wslab.apps.reconnect.real_storm import real_storm
from wslab.apps.reconnect.storm import storm

__all__ = ["WAYS", "Feed", "disconnect", "real_storm", "storm"]
