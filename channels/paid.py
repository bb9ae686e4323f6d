"""A call that is paid for from an account's limit, each time that it is sent."""

from __future__ import annotations

from channels.base import Throttled
from channels.limits import Limiter


class Paid:
    """A call that is paid for, and once more when it is sent again.

    limiter    of the account;  cost  tokens of the call
    ticket     of the call as it was sent last, for `correct` or `settle`
    raises     Throttled as `Limiter.take`
    """

    def __init__(self, limiter: Limiter, cost: float) -> None:
        self._limiter, self._cost = limiter, cost
        self.ticket = limiter.take(cost)

    def again(self) -> bool:
        """Pay for the call's repeat; False, and nothing is taken, where the limit has nothing left for it."""
        try:
            ticket = self._limiter.take(self._cost)
        except Throttled:
            return False
        # Nobody knows whether the vendor counted the first: what was taken for it stays taken.
        self._limiter.settle(self.ticket)
        self.ticket = ticket
        return True
