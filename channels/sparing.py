"""A limit that leaves a share of its bucket to others."""

from __future__ import annotations

from typing import Final

from channels.base import Throttled
from channels.limits import Around, Limiter

_SHORTEST_WAIT_S: Final = 0.05


class Sparing(Around):
    """A limit that leaves a share of the bucket to others: what reads ahead yields to what must go out.

    keep    share of the full bucket that must be there after a call, 0 to 1; a full bucket always lets one in
    """

    def __init__(self, limiter: Limiter, *, keep: float = 0.5) -> None:
        super().__init__(limiter)
        self._keep = keep

    def take(self, cost: float) -> str:
        """As the limit's own, where enough is left for others; raises Throttled."""
        state = self._limiter.state()
        wanted = min(state.maximum, min(cost, state.maximum) + self._keep * state.maximum)
        if state.available < wanted:
            rate = state.restore_per_s
            wait_s = (wanted - state.available) / rate if rate > 0 else 1.0
            raise Throttled(
                f"{state.account}: {state.available:g} of {state.maximum:g} tokens are left, and pushes go first;"
                f" come back in {wait_s:.2f} s",
                retry_after_s=max(_SHORTEST_WAIT_S, wait_s),
            )
        return self._limiter.take(cost)
