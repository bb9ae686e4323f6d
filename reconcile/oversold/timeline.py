"""What happened around an oversold line, from everything that keeps a trace: events, pushes, readings, drift, halts,
alerts, steps and the trail, each with its id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from reconcile.oversold.types import Case

_BEFORE: Final = timedelta(minutes=30)
_AFTER: Final = timedelta(minutes=30)
_MOST: Final = 200

_EVENTS = """
    SELECT e.occurred_at AS at, 'event' AS what, e.id::text AS id,
           concat_ws(' ', e.kind, p.units, 'of', p.sku, nullif(e.channel, ''), nullif(e.order_id, ''), 'from',
                     p.from_location, p.from_state,
                     CASE WHEN p.from_state = 'available' THEN '(' || p.from_after || ' left)' END, 'to', p.to_state,
                     'booked ' || to_char(e.recorded_at, 'HH24:MI:SS')) AS said
    FROM posting p JOIN event e ON e.id = p.event_id
    WHERE p.sku = :sku AND p.occurred_at BETWEEN :since AND :until
      AND CAST(:location AS text) IN (p.from_location, p.to_location)
    ORDER BY p.occurred_at DESC LIMIT :most
"""
_PUSHES = """
    SELECT sent_at, 'push', id::text,
           concat_ws(' ', channel, 'is to show', units, 'at', location || ':', outcome, detail,
                     'answered ' || to_char(answered_at, 'HH24:MI:SS'),
                     'read back ' || to_char(seen_at, 'HH24:MI:SS'))
    FROM push
    WHERE channel = :channel AND sku = :sku AND sent_at BETWEEN :since AND :until
    ORDER BY id DESC LIMIT :most
"""
_READINGS = """
    SELECT read_at, 'reading', channel || '/' || sku || '@' || location,
           concat_ws(' ', channel, 'shows', coalesce(read_units::text, 'nothing'), 'at', location)
    FROM shown WHERE sku = :sku AND read_at BETWEEN :since AND :until
"""
_DRIFTS = """
    SELECT seen_at, 'drift', id::text,
           concat_ws(' ', channel, 'shows', actual, 'for', expected, 'at', location || ':', cause, action, result)
    FROM drift
    WHERE sku = :sku AND seen_at BETWEEN CAST(:since AS timestamptz) - interval '1 day' AND :until
      AND coalesce(resolved_at, 'infinity') >= :since
"""
_HALTS = """
    SELECT set_at, 'halt', id::text, concat_ws(' ', channel, state, reason, 'by', set_by,
           'lifted ' || to_char(lifted_at, 'YYYY-MM-DD HH24:MI:SS'))
    FROM halt WHERE sku = :sku AND set_at BETWEEN :since AND :until
"""
_STEPS = """
    SELECT coalesce(done_at, begun_at, run_at), 'step', case_id || '.' || position,
           concat_ws(' ', response || ':', kind, state, result, error, todo)
    FROM case_step WHERE case_id = :case
"""
_ALERTS = """
    SELECT p.told_at, 'alert', 'inc-' || p.incident, concat_ws(' ', 'told', p.door, p.part)
    FROM alarm a JOIN alert_post p ON p.incident = a.incident
    WHERE a.rule = :rule AND a.object = :object AND p.told_at IS NOT NULL
"""
_TRAIL = """
    SELECT at, 'trail', id::text, concat_ws(' ', action, 'by', actor || ':', reason)
    FROM audit WHERE object = :object
"""
_ALL = text(
    "SELECT at, what, id, said FROM ("  # noqa: S608 -- composed of constants
    + " UNION ALL ".join(
        f"({part})"
        for part in (_EVENTS, _PUSHES, _READINGS, _DRIFTS, _HALTS, _STEPS, _ALERTS, _TRAIL)
    )
    + ") AS happened (at, what, id, said) ORDER BY at, what, id"
)


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened; `id` finds it where `what` is kept."""

    at: datetime
    what: str
    id: str
    said: str


def timeline(connection: Connection, case: Case, rule: str) -> list[Happened]:
    """Everything around a case, in order of time.

    rule    of its alarm
    """
    end = case.closed_at or max(case.found_at, case.covered_at or case.found_at)
    rows = connection.execute(
        _ALL,
        {
            "case": case.id,
            "channel": case.channel,
            "sku": case.sku,
            "location": case.location,
            "since": case.accepted_at - _BEFORE,
            "until": end + _AFTER,
            "most": _MOST,
            "rule": rule,
            "object": f"case:{case.id}",
        },
    )
    return [Happened(*row) for row in rows]
