"""The network in memory in real time, for a process without sockets and threads, such as a page.

A page's Python has one thread and no sockets. There the lab's loops take turns with the loop that
runs already, and all connections are in memory. `crew` has the lab's loops, `host` gives the
page's own loop its connections, and `choice` tells whether all this is wanted.
"""
