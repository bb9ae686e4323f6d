"""Which windows the clock asks for by now, and whether all of them are open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, Engine, text

from ledger.db import transaction
from reconcile import runs
from workers.flows import jobs, mirror, reconcile_terms

#: Whose a window is, where it is not a kind of channel's.
_EVERY, _WRITTEN = "every", "written"

# Each is looked up by its key: there are as many rows as there were windows.
_LACKS = text("""
    SELECT EXISTS (
        SELECT FROM unnest(CAST(:jobs AS text[]), CAST(:window_ats AS timestamptz[]), CAST(:whose AS text[]))
                    AS given (job, window_at, whose)
        JOIN channel AS c ON CASE given.whose WHEN 'every' THEN true WHEN 'written' THEN c.writes
                                              ELSE c.kind = given.whose END
        WHERE (SELECT r.window_at FROM run AS r
               WHERE r.job = given.job AND r.channel = c.channel AND r.window_at = given.window_at) IS NULL)
""")


def are_lacking(engine: Engine, *, now: datetime, window_s: int, truth_hour: int) -> bool:
    """Whether a window of this moment is not open yet, of any job of any channel.

    window_s, truth_hour    as `jobs.open_windows` is given them
    """
    with transaction(engine) as connection:
        return lacks(connection, now=now, window_s=window_s, truth_hour=truth_hour)


def lacks(connection: Connection, *, now: datetime, window_s: int, truth_hour: int) -> bool:
    """As `are_lacking`, in a transaction of the caller's."""
    asked = list(_asked(now, window_s, truth_hour))
    values = {
        "jobs": [job for job, _, _ in asked],
        "window_ats": [runs.window_of(now, length_s) for _, length_s, _ in asked],
        "whose": [whose for _, _, whose in asked],
    }
    return bool(connection.execute(_LACKS, values).scalar_one())


def _asked(now: datetime, window_s: int, truth_hour: int) -> Iterator[tuple[str, int, str]]:
    """(job, length of its windows in seconds, whose they are)."""
    yield reconcile_terms.JOB, window_s, _WRITTEN
    yield jobs.ORDERS, window_s, _EVERY
    yield jobs.WATCH, jobs.WATCH_S, _EVERY
    yield mirror.JOB, window_s, mirror.KIND
    if jobs.is_truth_time(now, truth_hour):
        for kind in jobs.kinds_in_bulk():
            yield jobs.TRUTH, jobs.TRUTH_S, kind
