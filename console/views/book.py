"""Rows of the book one by one: an event with what it moved, an order with what became of it, a push, a drift."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, TextClause, text

_EVENT = text("""
    SELECT id::text, seq, kind, source, source_id, occurred_at, recorded_at, actor, reason, reference, channel,
           order_id, line_id, reverses::text, inbox_id, payload
    FROM event WHERE id = CAST(:id AS uuid)
""")
_POSTINGS = text("""
    SELECT line, sku, units, from_location, from_state, from_before, from_after, to_location, to_state, to_before,
           to_after
    FROM posting WHERE event_id = CAST(:id AS uuid) ORDER BY line
""")
_LINES = text("""
    SELECT l.channel, l.order_id, l.line_id, l.sku, l.location, l.ordered_units, l.cancelled_units, l.shipped_units,
           l.revision
    FROM channel AS c JOIN order_line AS l ON l.channel = c.channel AND l.order_id = :order
    WHERE CAST(:channel AS text) IS NULL OR c.channel = :channel
    ORDER BY l.channel, l.line_id LIMIT 200
""")
_ORDER_EVENTS = text("""
    SELECT e.id::text, e.kind, e.occurred_at, e.recorded_at, e.source, e.source_id, e.line_id, e.inbox_id
    FROM event AS e
    WHERE e.order_id IS NOT NULL AND e.order_id = :order
      AND e.channel = ANY(ARRAY(SELECT channel FROM channel
                                WHERE CAST(:channel AS text) IS NULL OR channel = :channel))
    ORDER BY e.recorded_at LIMIT 500
""")
_PUSH = text("""
    SELECT id, push_key, channel, sku, location, units, number, expected, due_since, sent_at, answered_at, outcome,
           detail, seen_at
    FROM push WHERE id = :id
""")
_DRIFT = text("""
    SELECT id, channel, sku, location, window_at, expected, actual, delta, cause, evidence, action, times, seen_at,
           last_at, resolved_at, result
    FROM drift WHERE id = :id
""")
_INCIDENT = text("""
    SELECT id, rule, channel, severity, since, resolved_at, acked_at, acked_by, content FROM incident WHERE id = :id
""")
_TOLD = text("""
    SELECT door, part, told_at, attempts, error, run_at, told < wanted AS waits FROM alert_post
    WHERE incident = :id ORDER BY door, part
""")
_BY_CAUSE = text("""
    SELECT cause, count(*) AS rows, sum(abs(delta))::bigint AS units, min(seen_at) AS oldest, max(times) AS times
    FROM drift WHERE resolved_at IS NULL GROUP BY cause ORDER BY rows DESC, cause
""")


def _one(connection: Connection, statement: TextClause, **given: Any) -> dict[str, Any] | None:
    row = connection.execute(statement, given).mappings().one_or_none()
    return None if row is None else dict(row)


def _all(connection: Connection, statement: TextClause, **given: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement, given).mappings()]


def event(connection: Connection, number: str) -> dict[str, Any] | None:
    """An event with its postings; None: there is none. `number` is a UUID."""
    found = _one(connection, _EVENT, id=number)
    return found and found | {"postings": _all(connection, _POSTINGS, id=number)}


def order(connection: Connection, name: str, channel: str | None) -> dict[str, Any] | None:
    """Lines and events of an order, on one channel or any; None: the book knows none."""
    given = {"order": name, "channel": channel}
    lines = _all(connection, _LINES, **given)
    events = _all(connection, _ORDER_EVENTS, **given)
    return {"order": name, "lines": lines, "events": events} if lines or events else None


def push(connection: Connection, number: int) -> dict[str, Any] | None:
    """A push with its answer; None: there is none."""
    return _one(connection, _PUSH, id=number)


def drift(connection: Connection, number: int) -> dict[str, Any] | None:
    """A difference with its evidence; None: there is none."""
    return _one(connection, _DRIFT, id=number)


def incident(connection: Connection, number: int) -> dict[str, Any] | None:
    """An incident and who was told; None: there is none."""
    found = _one(connection, _INCIDENT, id=number)
    return found and found | {"told": _all(connection, _TOLD, id=number)}


def by_cause(connection: Connection) -> list[dict[str, Any]]:
    """Open drifts by cause, the most first."""
    return _all(connection, _BY_CAUSE)
