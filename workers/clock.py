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
        self._base: tuple[datetime, float] | None = None
        self._gap_s = 0.0

    def now(self) -> datetime:
        """What counts. Between two looks nobody can set it: a task that runs meanwhile sees no jump."""
        base = self._base
        if base is None:
            return self._wall()
        return base[0] + timedelta(seconds=self._runs_s() - base[1])

    def is_doubtful(self, for_s: float) -> bool:
        """Whether nobody has looked at the database's for so long, or the machine's was set since."""
        base = self._base
        return base is None or self._runs_s() - base[1] >= for_s or self._was_set()

    def looked(self) -> None:
        """Somebody looked, or tried to. A clock that was set is not believed before the database was asked."""
        if self._base is not None and self._was_set():
            self._base = (self.now(), self._runs_s())
        else:
            self._follow()

    def set_by(self, connection: Connection) -> None:
        """Ask the database for its time."""
        asked = self._runs_s()
        said: datetime = connection.execute(_SAID).scalar_one()
        answered, wall = self._runs_s(), self._wall()
        # A slow answer says nothing.
        if answered - asked > TOLERATED.total_seconds():
            return
        off = said + timedelta(seconds=(answered - asked) / 2) - wall
        off = off if abs(off) > TOLERATED else timedelta(0)
        if abs(off - self._off) > TOLERATED:
            log.error(
                "worker.clock.differs",
                seconds=round(-off.total_seconds()),
                next="the database's counts; put this machine's right (NTP)",
            )
        self._off = off
        self._follow()

    def _follow(self) -> None:
        wall, runs_s = self._wall(), self._runs_s()
        self._base, self._gap_s = (wall + self._off, runs_s), wall.timestamp() - runs_s

    def _was_set(self) -> bool:
        return abs(self._wall().timestamp() - self._runs_s() - self._gap_s) > _SET_S
