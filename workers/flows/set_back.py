"""What a clock that was ahead has put off: taken up again when it is put back, not an hour later.

The house goes by the database's clock. While that is ahead, times are written down that come only later. Put right,
nothing that waits for them would be touched until then, and what is read meanwhile would count as older than what was
read before. So the first sweep that finds something of the future takes every such time back to now, has the windows of
the time that comes again opened anew, reads orders from before it, and computes everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Engine, TextClause, text

from allocation import store
from ledger.db import transaction

log = structlog.get_logger(__name__)

#: Machines may differ by seconds (`workers.clock`), two of them by twice that.
TOLERATED: Final = timedelta(seconds=15)
#: Orders are read again from so long before what may be believed.
_READ_AGAIN: Final = timedelta(hours=1)
#: There are many calls; only the newest can be of such a clock.
_OF_THE_NEWEST: Final = "id > (SELECT max(id) - 50000 FROM push) AND "

#: Table -> times that somebody waits for, or compares with those of others.
_TIMES: Final[Mapping[str, tuple[str, ...]]] = {
    "channel": ("next_call_at", "away_since", "back_at", "orders_asked_at", "orders_asked_last"),
    "due": ("since",),
    "early_plan": ("not_before", "planned_at"),
    "early_read": ("due_at", "leased_until", "read_at"),
    "edi_mailbox": ("next_at", "leased_until"),
    "exposure": ("look_at", "since"),
    "halt": ("run_at", "set_at", "confirmed_at"),
    "lag": ("measured_at",),
    "pace": ("at", "since"),
    # When a call was sent stays as it was written down.
    "push": ("answered_at", "seen_at"),
    "push_due": ("since", "run_at", "leased_until"),
    "receipt": ("sent_at", "check_at"),
    "second_look": ("due_at", "observed_at"),
    "shown": ("confirmed_at", "read_at", "verify_at", "missing_at"),
}
# What such a clock does first: a number is put off, or confirmed, or a sale stopped.
_AHEAD = text("""
    SELECT greatest((SELECT max(answered_at) FROM (SELECT answered_at FROM push ORDER BY id DESC LIMIT 50) AS newest),
                    (SELECT max(since) FROM push_due),
                    (SELECT max(set_at) FROM halt WHERE state <> 'lifted'))
""")
_MARKS = text("""
    UPDATE channel SET orders_mark = least(orders_mark - CAST(:ahead AS interval), CAST(:now AS timestamptz))
                                     - CAST(:again AS interval)
    WHERE orders_mark > :from
""")
_WINDOWS = text("DELETE FROM run WHERE window_at > :now")


def take_up(engine: Engine, *, now: datetime) -> timedelta:
    """Take back what a clock ahead has written down; returns how far it was ahead at least, 0 when it was not."""
    with transaction(engine) as connection:
        newest: datetime | None = connection.execute(_AHEAD).scalar_one()
        if newest is None or newest <= now + TOLERATED:
            return timedelta(0)
        ahead = newest - now
        for statement in _statements():
            connection.execute(statement, {"now": now, "from": now + TOLERATED})
        again = {"now": now, "from": now + TOLERATED, "ahead": ahead, "again": _READ_AGAIN}
        connection.execute(_MARKS, again)
        connection.execute(_WINDOWS, {"now": now})
        # Seasons that began too early have not begun.
        store.turn_again(connection, now)
    log.error(
        "sweep.clock.set_back",
        seconds=round(ahead.total_seconds()),
        next="the database's clock was ahead: see that it is right now (NTP); parked deliveries may be replayed",
    )
    return ahead


def _statements() -> Iterator[TextClause]:
    for table, times in _TIMES.items():
        put = ", ".join(
            f"{time} = CASE WHEN {time} > :from THEN CAST(:now AS timestamptz) ELSE {time} END"
            for time in times
        )
        any_of = " OR ".join(f"{time} > :from" for time in times)
        newest = _OF_THE_NEWEST if table == "push" else ""
        yield text(f"UPDATE {table} SET {put} WHERE {newest}({any_of})")  # noqa: S608 -- constants
