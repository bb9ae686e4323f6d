"""The clock of a process: this machine's, put right by the database's where the two differ by seconds.

A relay whose clock is an hour off would write wrong times of receipt, an API wrong times of deeds. A worker that is an
hour ahead would open the windows of the coming hour, for which nobody comes again when they are due, and take over
whatever others hold; one that is behind would do nothing that is due.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from ledger.db import transaction

#: What differs by less is left alone: between the question and the answer time goes by as well.
TOLERATED: Final = timedelta(seconds=5)
#: How far the wall's clock may move against the one that only counts, before it was set. Seconds.
_SET_S: Final = 1.0

#: So often a process that differs says so again, and so long one that ended is remembered. Seconds.
_AGAIN_S: Final = 30.0
_GONE_S: Final = 600.0
_END_S: Final = 5.0

_SAID = text("SELECT clock_timestamp()")
_DIFFERS = text("""
    INSERT INTO clock_off (process, ahead_s, seen_at) VALUES (:process, :ahead_s, clock_timestamp())
    ON CONFLICT (process) DO UPDATE SET ahead_s = excluded.ahead_s, seen_at = excluded.seen_at
""")
_IS_RIGHT = text("""
    DELETE FROM clock_off
    WHERE process = :process OR seen_at < clock_timestamp() - make_interval(secs => :gone_s)
""")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look saw.

    at       what counted at `runs_s`
    off      what the machine's clock lacked of the database's; 0 where it might stay as it was
    gap_s    how far the machine's was ahead of the one that only counts
    """

    at: datetime
    runs_s: float
    off: timedelta
    gap_s: float

    @classmethod
    def of(cls, wall: datetime, runs_s: float, off: timedelta) -> Self:
        return cls(wall + off, runs_s, off, wall.timestamp() - runs_s)

    def now(self, runs_s: float) -> datetime:
        return self.at + timedelta(seconds=runs_s - self.runs_s)

    def was_set(self, wall: datetime, runs_s: float) -> bool:
        return abs(wall.timestamp() - runs_s - self.gap_s) > _SET_S


class Clock:
    """One process's clock. Whatever thread looks, and whenever the machine's is set: what counts stays right.

    wall     the machine's clock, which somebody may set
    runs_s   seconds that nobody can set, from whenever
    """

    def __init__(self, wall: Callable[[], datetime], runs_s: Callable[[], float]) -> None:
        self._wall = wall
        self._runs_s = runs_s
        # Replaced whole, and made of one reading of the wall's clock: between two of them somebody may set it.
        self._seen: _Seen | None = None

    @property
    def ahead_s(self) -> float:
        """How far the machine's clock was ahead of the database's at the last look; 0 where it may stay as it is."""
        return -self._off.total_seconds()

    def now(self) -> datetime:
        """What counts. Between two looks nobody can set it: a task that runs meanwhile sees no jump."""
        seen = self._seen
        return self._wall() if seen is None else seen.now(self._runs_s())

    def is_doubtful(self, for_s: float) -> bool:
        """Whether nobody has looked at the database's for so long, or the machine's was set since."""
        seen = self._seen
        if seen is None:
            return True
        wall, runs_s = self._wall(), self._runs_s()
        return runs_s - seen.runs_s >= for_s or seen.was_set(wall, runs_s)

    def looked(self) -> None:
        """Somebody looked, or tried to. A clock that was set is not believed before the database was asked."""
        seen, wall, runs_s = self._seen, self._wall(), self._runs_s()
        if seen is not None and seen.was_set(wall, runs_s):
            self._seen = replace(seen, at=seen.now(runs_s), runs_s=runs_s)
        else:
            self._seen = _Seen.of(wall, runs_s, timedelta(0) if seen is None else seen.off)

    def set_by(self, connection: Connection) -> None:
        """Ask the database for its time."""
        asked = self._runs_s()
        said: datetime = connection.execute(_SAID).scalar_one()
        wall, answered = self._wall(), self._runs_s()
        # A slow answer says nothing, and neither does one that was looked at late.
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
        self._seen = _Seen.of(wall, answered, off)

    @property
    def _off(self) -> timedelta:
        seen = self._seen
        return timedelta(0) if seen is None else seen.off


class Watch:
    """Holds a process's clock against the database's, and leaves a row where it differs: an alert names it then.

    process    which one it is, for people
    """

    def __init__(self, clock: Clock, process: str, runs_s: Callable[[], float]) -> None:
        self._clock = clock
        self._process = process
        self._runs_s = runs_s
        self._noted: tuple[float, float] | None = None

    def look(self, connection: Connection) -> None:
        """Ask the database for its time, within a transaction of its own or another's."""
        self._clock.set_by(connection)
        ahead_s, runs_s = self._clock.ahead_s, self._runs_s()
        if ahead_s:
            if self._is_news(ahead_s, runs_s):
                connection.execute(_DIFFERS, {"process": self._process, "ahead_s": ahead_s})
                self._noted = (ahead_s, runs_s)
        elif self._noted is not None:
            connection.execute(_IS_RIGHT, {"process": self._process, "gone_s": _GONE_S})
            self._noted = None

    def _is_news(self, ahead_s: float, runs_s: float) -> bool:
        if self._noted is None or runs_s - self._noted[1] >= _AGAIN_S:
            return True
        return abs(ahead_s - self._noted[0]) > TOLERATED.total_seconds()

    def look_again(self, engine: Engine, for_s: float) -> None:
        """Look if the clock is in doubt (`Clock.is_doubtful`); a database that does not answer leaves it as it is."""
        if self._clock.is_doubtful(for_s):
            with suppress(SQLAlchemyError), transaction(engine) as connection:
                self.look(connection)
            self._clock.looked()

    @contextmanager
    def kept(self, engine: Engine, every_s: float) -> Iterator[None]:
        """Look at the beginning, and every so often until the block ends, in a thread of its own."""
        enough = threading.Event()

        def watch() -> None:
            while not enough.wait(every_s):
                self.look_again(engine, 0.0)

        self.look_again(engine, 0.0)
        thread = threading.Thread(target=watch, name="clock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            enough.set()
            # A look that is under way gives its connection back; one at a database that is away is not waited for.
            thread.join(_END_S)
