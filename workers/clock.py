"""The clock of the doors: this machine's, put right by the database's where the two differ by seconds.

A worker whose clock is an hour ahead would open the windows of the coming hour, for which nobody comes again when they
are due, and take over whatever others hold; one that is behind would do nothing that is due.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, text

#: What differs by less is left alone: between the question and the answer time goes by as well.
TOLERATED: Final = timedelta(seconds=5)
#: How far the wall's clock may move against the one that only counts, before it was set. Seconds.
_SET_S: Final = 1.0

_SAID = text("SELECT clock_timestamp()")

log = structlog.get_logger(__name__)


class Clock:
    """One process's clock.

    wall     the machine's clock, which somebody may set
    runs_s   seconds that nobody can set, from whenever
    """

    def __init__(self, wall: Callable[[], datetime], runs_s: Callable[[], float]) -> None:
        self._wall = wall
        self._runs_s = runs_s
        self._off = timedelta(0)
        self._looked_s = float("-inf")
        self._gap_s = 0.0

    def now(self) -> datetime:
        """What counts."""
        return self._wall() + self._off

    def is_doubtful(self, for_s: float) -> bool:
        """Whether nobody has looked at the database's for so long, or this one was set since."""
        if self._runs_s() - self._looked_s >= for_s:
            return True
        return abs(self._wall().timestamp() - self._runs_s() - self._gap_s) > _SET_S

    def looked(self) -> None:
        """Somebody looked, or tried to: no doubt again until time has gone by or the clock is set."""
        self._looked_s = self._runs_s()
        self._gap_s = self._wall().timestamp() - self._looked_s

    def set_by(self, connection: Connection) -> None:
        """Ask the database for its time."""
        asked = self._wall()
        said: datetime = connection.execute(_SAID).scalar_one()
        answered = self._wall()
        off = said - (asked + (answered - asked) / 2)
        # A clock that was set between the question and the answer says nothing; neither does a slow answer.
        if abs(answered - asked) > TOLERATED:
            return
        off = off if abs(off) > TOLERATED else timedelta(0)
        if abs(off - self._off) > TOLERATED:
            log.error(
                "worker.clock.differs",
                seconds=round(-off.total_seconds()),
                next="the database's counts; put this machine's right (NTP)",
            )
        self._off = off
