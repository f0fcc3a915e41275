"""A token bucket, which limits how often somebody may do something."""

from __future__ import annotations

__all__ = ["TokenBucket"]


class TokenBucket:
    """Lets through `burst` messages at once, then `rate` a second; the clock is an argument.

    rate: tokens a second; None means unlimited. burst: how many the bucket holds. now: seconds.
    """

    __slots__ = ("burst", "rate", "seen", "tokens")

    def __init__(self, *, rate: float | None, burst: int, now: float) -> None:
        self.rate, self.burst = rate, burst
        self.tokens = float(burst)
        self.seen = now

    def take(self, now: float) -> float:
        """Take a token and return how many are left; below zero the message is one too many.

        Tokens taken too early are owed, up to a burst, so a sender that goes on flooding stays out.
        """
        if self.rate is None:
            return 0.0
        self.tokens = max(self._filled(now) - 1, -float(self.burst))
        self.seen = now
        return self.tokens

    def wait(self, now: float) -> float:
        """Return the seconds until there is a token to take; 0 if there is one now."""
        return 0.0 if self.rate is None else max(0.0, (1 - self._filled(now)) / self.rate)

    def _filled(self, now: float) -> float:
        assert self.rate is not None
        return min(self.burst, self.tokens + (now - self.seen) * self.rate)
