"""A limit around another one."""

from __future__ import annotations

from channels.limits import BucketState, Limiter


class Around:
    """A limit around another one, which is told all that the vendor says."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def afford(self, cost: float) -> None:
        """See `Limiter`."""
        self._limiter.afford(cost)

    def correct(
        self, available: float, maximum: float, restore_rate: float, *, ticket: str = ""
    ) -> None:
        """See `Limiter`."""
        self._limiter.correct(available, maximum, restore_rate, ticket=ticket)

    def settle(self, ticket: str, restore_rate: float = 0.0) -> None:
        """See `Limiter`."""
        self._limiter.settle(ticket, restore_rate)

    def close(self, retry_after_s: float) -> None:
        """See `Limiter`."""
        self._limiter.close(retry_after_s)

    def refused(self, retry_after_s: float) -> None:
        """See `Limiter`."""
        self._limiter.refused(retry_after_s)

    def state(self) -> BucketState:
        """See `Limiter`."""
        return self._limiter.state()
