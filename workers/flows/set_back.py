"""What a clock that was ahead has put off: taken up again when it is put back, not an hour later.

The house goes by the database's clock. While that is ahead, times are written down that come only later. Put right,
nothing that waits for them would be touched until then, and what is read meanwhile would count as older than what was
read before. So the first sweep that finds something of the future takes every such time back by as much, has the
windows of the time that comes again opened anew, reads orders from before it, and computes everything.

How it is found: sweeps note how late it is, and a look at what is written first costs nothing. What a clock writes that
is ahead between two sweeps only may be anything: so once in a quarter of an hour every table is looked through, and
every few seconds after a clock was put back, for whoever was at work then still writes by the time that it has read.

It may end anywhere: what is taken back is no longer of the future, and the note of how late it was goes last.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, text

from allocation import store
from ledger.db import transaction
from workers.flows import stamps

log = structlog.get_logger(__name__)

#: Machines may differ by seconds (`workers.clock`), two of them by twice that.
TOLERATED: Final = timedelta(seconds=15)
#: Orders are read again from so long before what may be believed.
_READ_AGAIN: Final = timedelta(hours=1)
#: How late it is is noted when that is so much later than the note.
_NOTED_EVERY: Final = timedelta(seconds=10)
#: Every table is looked through in so long; and so often for so long after a clock was put back.
_LOOK_EVERY: Final = timedelta(minutes=15)
_SOON, _SOON_FOR = timedelta(seconds=15), timedelta(minutes=5)

_MARK = text("SELECT newest, looked_at, put_back_at FROM clock_mark")
_NOTE = text("""
    INSERT INTO clock_mark (newest, looked_at) VALUES (:newest, :looked_at)
    ON CONFLICT (one) DO UPDATE
    SET newest = greatest(clock_mark.newest, excluded.newest), looked_at = excluded.looked_at
""")
_PUT_BACK = text("UPDATE clock_mark SET newest = :now, looked_at = :now, put_back_at = :now")
_ALL: Final = stamps.newest_of_all()
_TIMES: Final = (*stamps.put_back(), *stamps.put_marks_back())

# A window that a clock ahead has written off may be open by the right one.
_WINDOWS = text("""
    DELETE FROM run WHERE window_at > :now OR state IN ('missed', 'failed') AND finished_at > :from
""")
# A million rows take longer than any other statement may.
_TAKE_TIME = text("SET LOCAL statement_timeout = '10min'")


def take_up(engine: Engine, *, now: datetime) -> timedelta:
    """Take back what a clock ahead has written down; returns how far it was ahead at least, 0 when it was not."""
    with transaction(engine) as connection:
        newest = _newest(connection, now)
    if newest <= now + TOLERATED:
        return timedelta(0)
    ahead = newest - now
    values = {"now": now, "from": now + TOLERATED, "ahead": ahead, "again": _READ_AGAIN}
    for statement in (_WINDOWS, *_TIMES):
        with transaction(engine) as connection:
            connection.execute(_TAKE_TIME)
            named = statement.compile().params
            connection.execute(statement, {name: values[name] for name in named})
    with transaction(engine) as connection:
        # Seasons that began too early have not begun.
        store.turn_again(connection, now)
        connection.execute(_PUT_BACK, {"now": now})
    log.error(
        "sweep.clock.set_back",
        seconds=round(ahead.total_seconds()),
        next="the database's clock was ahead: see that it is right now (NTP); parked deliveries may be replayed",
    )
    return ahead


def _newest(connection: Connection, now: datetime) -> datetime:
    """The latest that it was known to be; noted, so that a walk that is not ended is begun again."""
    mark = connection.execute(_MARK).one_or_none()
    found = [now, connection.execute(stamps.NEWEST).scalar_one()]
    looks = mark is None or _is_time(mark.looked_at, mark.put_back_at, now)
    if looks:
        connection.execute(_TAKE_TIME)
        found.append(connection.execute(_ALL).scalar_one())
    newest: datetime = max(at for at in found if at is not None)
    if mark is None or looks or newest > mark.newest + _NOTED_EVERY:
        looked_at = now if mark is None or looks else mark.looked_at
        connection.execute(_NOTE, {"newest": newest, "looked_at": looked_at})
    return newest if mark is None else max(newest, mark.newest)


def _is_time(looked_at: datetime, put_back_at: datetime | None, now: datetime) -> bool:
    """Whether every table is to be looked through."""
    soon = put_back_at is not None and now - put_back_at < _SOON_FOR
    return looked_at > now or now - looked_at >= (_SOON if soon else _LOOK_EVERY)
