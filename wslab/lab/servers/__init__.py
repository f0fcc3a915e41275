"""Servers on the lab's thread, for WebSocket, HTTP and plain TCP."""
