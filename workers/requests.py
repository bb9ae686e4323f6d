"""A message as a worker holds it before it is done: whether its time is over is not for this machine's clock to say.

What the clock rings expires after a minute. A worker whose machine is an hour ahead would throw all of it away, and
nobody would open the windows that it was rung for.
"""

from __future__ import annotations

from typing import Literal

from celery.worker.request import Request
from celery.worker.state import revoked

from workers.app import Work


class Timely(Request):
    """Expires by the clock that counts for workers; asked for only where this machine's says that it is late."""

    def maybe_expire(self) -> Literal[True] | None:
        """Whether its time is over; Celery leaves it undone then."""
        if not super().maybe_expire():
            return None
        if Work.time_of_all is None or Work.time_of_all() > self.expires:
            return True
        revoked.discard(self.id)
        return None
