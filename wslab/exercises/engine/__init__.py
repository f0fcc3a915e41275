"""The engine of the exercises runs an answer within bounds, and a verdict says what differs."""
