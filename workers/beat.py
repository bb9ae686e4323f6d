"""The clock's own process: Celery's scheduler, which must go on when somebody sets this machine's clock back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import structlog
from celery.beat import Scheduler

log = structlog.get_logger()

#: Less than this is a clock being steered, not set. Seconds.
_SET_S = 1.0


class Rings(Scheduler):
    """Rings what is due, by the machine's clock; when that is set back, from there on and not an hour later.

    Celery's own waits until the clock comes to where it was, and meanwhile nobody sweeps. What it then sends says when
    it expires by a clock that is behind everybody else's, so it would be thrown away unread.
    """

    def __init__(self, app: Any, *args: Any, **kwargs: Any) -> None:
        self._seen: datetime | None = None
        super().__init__(app, *args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """One look at the clock; how long until the next, in seconds."""
        now = self.app.now()
        if self._seen is not None and (self._seen - now).total_seconds() > _SET_S:
            self._begin_again((self._seen - now).total_seconds())
        self._seen = now
        wait_s: float = super().tick(*args, **kwargs)
        return wait_s

    def _begin_again(self, back_s: float) -> None:
        """As if everything had been rung just now; what expires does so by the clocks of others."""
        log.warning("beat.clock.set_back", seconds=round(back_s), next="it goes on from here")
        for entry in self.schedule.values():
            entry.last_run_at = entry.default_now()
            options = entry.options or {}
            if options.get("expires"):
                entry.options = {**options, "expires": options["expires"] + back_s}
        self._heap = None
