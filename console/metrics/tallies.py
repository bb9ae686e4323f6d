"""Sums that only rise, kept in PostgreSQL: what happened since the last look is added to them, each row once.

A counter of a process begins again with the process and knows only what that process did. These are of the house:
restarts, several workers and several exporters change nothing. The first look begins an hour back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from console.metrics.names import BOUNDS_S

#: Rows are written with the time at which their transaction began; the longest statement takes so long.
SETTLE: Final = timedelta(seconds=30)
#: The first look begins so far back, and one look catches up with so much at most.
FIRST: Final = timedelta(hours=1)
MOST: Final = timedelta(hours=6)

_BEGIN: Final = text("""
    INSERT INTO tally_mark (through) VALUES (:through) ON CONFLICT (one) DO NOTHING
""")
_TURN: Final = text("SELECT through FROM tally_mark FOR UPDATE SKIP LOCKED")
_THROUGH: Final = text("UPDATE tally_mark SET through = :through")

_ADD: Final = """
    INSERT INTO tally (name, channel, part, le, count, total)
    SELECT CAST(:name AS text), channel, part, {le} AS le, {count}, sum(value)
    FROM ({rows}) AS happened
    GROUP BY channel, part, 4
    ORDER BY channel, part, 4
    ON CONFLICT (name, channel, part, le)
    DO UPDATE SET count = tally.count + excluded.count, total = tally.total + excluded.total
"""
# `falling` are the bounds below zero and turned round: a value that equals a bound belongs to it.
_BUCKET: Final = """(CAST(:rising AS double precision[]))[
    cardinality(CAST(:rising AS double precision[]))
    - width_bucket(-value::double precision, CAST(:falling AS double precision[]))]"""
_NO_BUCKET: Final = "'Infinity'::double precision"

# Latest wins: a number that was never sent, because a newer one came, is not late; it is part of the newer one's wait.
_SYNC: Final = """
    SELECT channel, CASE WHEN units <= coalesce(expected, units) THEN 'drop' ELSE 'rise' END AS part,
           greatest(0, date_part('epoch', answered_at - coalesce(due_since, sent_at))) AS value
    FROM push WHERE answered_at > :since AND answered_at <= :through AND outcome = 'confirmed'
"""
# The first event of a line; what it was told later are edits. As in allocation/lag_store.py.
_LINES: Final = """
    FROM channel AS c
    JOIN event AS e ON e.channel = c.channel AND e.kind = 'order'
                       AND e.recorded_at > :since AND e.recorded_at <= :through
    {also}
    WHERE e.inbox_id IS NOT NULL AND e.source NOT LIKE 'history:%'
      AND e.recorded_at - e.occurred_at < interval '2 days'
      AND NOT EXISTS (SELECT FROM event AS earlier
                      WHERE earlier.channel = c.channel AND earlier.order_id = e.order_id
                        AND earlier.line_id = e.line_id AND earlier.kind = 'order' AND earlier.seq < e.seq)
"""
_CAPTURE: Final = """
    SELECT c.channel, '' AS part, greatest(0, date_part('epoch', e.recorded_at - e.occurred_at)) AS value
""" + _LINES.format(also="")
_PICKUPS: Final = "SELECT '' AS channel, l.location AS part, 1 AS value" + _LINES.format(
    also="""JOIN order_line AS o ON o.channel = e.channel AND o.order_id = e.order_id AND o.line_id = e.line_id
    JOIN location AS l ON l.location = o.location AND l.kind = 'store' AND c.kind <> 'square'"""
)
# Ids of events rise with their time; the bound is the smallest of that millisecond.
_FAILED_PICKS: Final = """
    SELECT '' AS channel, m.location AS part, 1 AS value
    FROM event AS e JOIN count_mark AS m ON m.event_id = e.id
    WHERE e.kind IN ('count', 'reversal') AND e.kind = 'count' AND e.id >= CAST(:first_id AS uuid)
      AND e.recorded_at > :since AND e.recorded_at <= :through AND e.payload ->> 'reason_code' = 'failed_pick'
"""
_FOUND: Final = """
    SELECT channel, cause AS part, abs(delta) AS value FROM drift WHERE seen_at > :since AND seen_at <= :through
"""
_REPAIRED: Final = """
    SELECT channel, '' AS part, greatest(0, date_part('epoch', resolved_at - seen_at)) AS value
    FROM drift WHERE resolved_at > :since AND resolved_at <= :through
"""
_OVERSOLD: Final = """
    SELECT channel, '' AS part, 1 AS value FROM oversold_case WHERE found_at > :since AND found_at <= :through
"""
# What stands now, and what ended in between: the part of it between the two looks.
_EXPOSURE: Final = """
    SELECT channel, '' AS part, delta * date_part('epoch', :through - greatest(seen_at, :since)) AS value
    FROM drift WHERE resolved_at IS NULL AND delta > 0 AND seen_at < :through
    UNION ALL
    SELECT channel, '', delta * date_part('epoch', least(resolved_at, :through) - greatest(seen_at, :since))
    FROM drift WHERE resolved_at > :since AND delta > 0 AND seen_at < :through
"""
_HALTED: Final = """
    SELECT channel, '' AS part, date_part('epoch', :through - greatest(set_at, :since)) AS value
    FROM halt WHERE state <> 'lifted' AND set_at < :through
    UNION ALL
    SELECT channel, '', date_part('epoch', least(lifted_at, :through) - greatest(set_at, :since))
    FROM halt WHERE state = 'lifted' AND lifted_at > :since AND set_at < :through
"""
_READ: Final = """
    SELECT channel, '' AS part, read AS value FROM run
    WHERE job = 'reconcile' AND finished_at > :since AND finished_at <= :through AND state = 'done'
"""

#: metric -> what happened, one row each: channel, part, value.
_HAPPENED: Final = {
    "lockstep_sync_seconds": _SYNC,
    "lockstep_capture_seconds": _CAPTURE,
    "lockstep_repair_seconds": _REPAIRED,
    "lockstep_pickup_lines_total": _PICKUPS,
    "lockstep_pickup_failed_picks_total": _FAILED_PICKS,
    "lockstep_drifts_found_total": _FOUND,
    "lockstep_oversold_lines_total": _OVERSOLD,
    "lockstep_drift_exposure_unit_seconds_total": _EXPOSURE,
    "lockstep_halt_seconds_total": _HALTED,
    "lockstep_readback_rows_total": _READ,
}
#: Counters that are the sum of their rows' values; the others are how many rows there were.
SUMMED: Final = frozenset(
    {
        "lockstep_drift_exposure_unit_seconds_total",
        "lockstep_halt_seconds_total",
        "lockstep_readback_rows_total",
    }
)


def _adding(name: str) -> Any:
    le = _BUCKET if name in BOUNDS_S else _NO_BUCKET
    return text(_ADD.format(le=le, count="count(*)", rows=_HAPPENED[name]))


_STATEMENTS: Final = {name: _adding(name) for name in _HAPPENED}


def add_up(connection: Connection, now: datetime) -> bool:
    """Add what happened since the last look; whether it is all there, up to what may still be being written.

    Two at once do no harm: the second leaves it to the first.
    """
    until = now - SETTLE
    connection.execute(_BEGIN, {"through": until - FIRST})
    since: datetime | None = connection.execute(_TURN).scalar_one_or_none()
    if since is None or since >= until:
        return True
    through = min(until, since + MOST)
    first_id = f"{max(0, int(since.timestamp() * 1000) - 60_000):012x}"
    span: dict[str, Any] = {"since": since, "through": through}
    for name, statement in _STATEMENTS.items():
        values = span | {"name": name}
        if name in BOUNDS_S:
            values["rising"] = [*BOUNDS_S[name], float("inf")]
            values["falling"] = [-bound for bound in reversed(BOUNDS_S[name])]
        if name == "lockstep_pickup_failed_picks_total":
            values["first_id"] = f"{first_id[:8]}-{first_id[8:]}-7000-8000-000000000000"
        connection.execute(statement, values)
    connection.execute(_THROUGH, {"through": through})
    return through == until
