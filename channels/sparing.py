"""A limit that leaves a share of its bucket to others."""

from __future__ import annotations

from channels.around import Around
from channels.limits import Limiter, afford


class Sparing(Around):
    """A limit that leaves a share of the bucket to others: what reads ahead yields to what must go out.

    keep    share of the full bucket that must be there after a call, 0 to 1; a full bucket always lets one in
    """

    def __init__(self, limiter: Limiter, *, keep: float = 0.5) -> None:
        super().__init__(limiter)
        self._keep = keep

    def take(self, cost: float) -> str:
        """As the limit's own, where enough is left for others; raises Throttled."""
        self.afford(cost)
        return self._limiter.take(cost)

    def afford(self, cost: float) -> None:
        """Where enough is left for others; raises Throttled."""
        state = self._limiter.state()
        afford(state, cost, self._keep * state.maximum)
