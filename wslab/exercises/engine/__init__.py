"""How a task is tried: answers run within bounds, a verdict says what differs."""
