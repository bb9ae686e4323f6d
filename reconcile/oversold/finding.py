"""Oversold lines in PostgreSQL: places that were taken below zero, their open lines, and what is known around a line.

Everything of a look is read in one statement, so that balances and lines are of the same moment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from reconcile.oversold.types import Clues, Dip, Known, Line, LineKey, Place, State

#: A transaction that began before the last look may have ended after it.
_OVERLAP: Final = timedelta(seconds=60)
#: The first look does not go back further: what was sold before is not to be answered any more.
_FIRST: Final = timedelta(hours=1)
#: Commits of a place that are looked through for lines that are still open, the newest first.
_DEEP: Final = 2000
#: Two sales that are heard of within this were made at once, as far as anybody could know.
_AROUND: Final = timedelta(minutes=30)

_TURN = text("SELECT pg_try_advisory_xact_lock(7305200151)")
_LOOKED = text("SELECT looked_at FROM case_look")
_LOOK = text("""
    INSERT INTO case_look AS l (looked_at) VALUES (:now)
    ON CONFLICT (one) DO UPDATE SET looked_at = greatest(l.looked_at, excluded.looked_at)
""")

# What is imported of the past was answered then. A bundle has no stock of its own, and what somebody else holds (a
# mirror) is his to answer for.
_PLACES = text("""
    WITH place AS MATERIALIZED (
        SELECT p.sku, p.from_location AS location
        FROM posting p JOIN event e ON e.id = p.event_id
        WHERE p.event_id >= CAST(:floor AS uuid) AND p.from_state = 'available' AND p.from_after < 0
          AND e.source NOT LIKE 'history:%'
        UNION
        SELECT sku, location FROM oversold_case WHERE state <> 'closed'
    )
    SELECT place.sku, place.location, greatest(0, -coalesce(b.units, 0)) AS short_units, newest.version AS dip,
           coalesce(open.lines, '[]') AS lines, coalesce(since.dips, '[]') AS dips
    FROM place
    JOIN location l ON l.location = place.location AND l.kind IN ('warehouse', 'store')
    LEFT JOIN balance b ON b.sku = place.sku AND b.location = place.location AND b.state = 'available'
    CROSS JOIN LATERAL (
        SELECT p.from_version AS version FROM posting p
        WHERE p.sku = place.sku AND p.from_location = place.location AND p.from_state = 'available'
          AND p.from_after < 0
        ORDER BY p.from_version DESC LIMIT 1
    ) AS newest
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(channel, order_id, line_id, open_units, accepted_at)) AS lines
        FROM (
            SELECT o.channel, o.order_id, o.line_id,
                   o.ordered_units - o.cancelled_units - o.shipped_units AS open_units,
                   max(taken.occurred_at) AS accepted_at
            FROM (
                SELECT p.event_id, p.occurred_at FROM posting p
                WHERE p.sku = place.sku AND p.from_location = place.location AND p.from_state = 'available'
                  AND p.to_state = 'committed'
                ORDER BY p.occurred_at DESC LIMIT :deep
            ) AS taken
            JOIN event e ON e.id = taken.event_id AND e.source NOT LIKE 'history:%'
            JOIN order_line o ON o.channel = e.channel AND o.order_id = e.order_id AND o.line_id = e.line_id
            WHERE o.sku = place.sku AND o.location = place.location
              AND o.ordered_units > o.cancelled_units + o.shipped_units AND b.units < 0
            GROUP BY o.channel, o.order_id, o.line_id
        ) AS line
    ) AS open
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(e.kind, e.channel, e.order_id, e.line_id,
                   least(p.units, -p.from_after), p.occurred_at) ORDER BY p.from_version) AS dips
        FROM posting p JOIN event e ON e.id = p.event_id
        WHERE p.sku = place.sku AND p.from_location = place.location AND p.from_state = 'available'
          AND p.from_after < 0 AND p.event_id >= CAST(:floor AS uuid) AND e.source NOT LIKE 'history:%'
          AND p.from_version > coalesce((
                SELECT c.dip FROM oversold_case c WHERE c.sku = place.sku AND c.location = place.location
                ORDER BY c.dip DESC LIMIT 1), 0)
    ) AS since
    WHERE NOT EXISTS (SELECT FROM bundle WHERE bundle.sku = place.sku)
    ORDER BY place.sku, place.location
""")

_KNOWN = text("""
    SELECT c.id, c.channel, c.order_id, c.line_id, c.sku, c.location, c.state, c.response, c.units,
           coalesce(o.ordered_units - o.cancelled_units - o.shipped_units, 0) AS open_units,
           coalesce(o.shipped_units, 0) AS shipped_units,
           (o.sku, o.location) IS DISTINCT FROM (c.sku, c.location) AS moved,
           c.covered_at IS NOT NULL AS covered,
           coalesce(bool_or(s.begun_at >= c.found_at), false) AS begun,
           coalesce(bool_or(s.state IN ('failed', 'by_hand') AND s.kind = 'hold' AND s.run_at >= c.found_at), false)
               AS failed
    FROM (
        SELECT c.id FROM oversold_case c
        JOIN unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS p (sku, location)
          ON p.sku = c.sku AND p.location = c.location WHERE c.state <> 'closed'
        UNION
        SELECT c.id FROM oversold_case c
        JOIN unnest(CAST(:channels AS text[]), CAST(:orders AS text[]), CAST(:lines AS text[]))
          AS k (channel, order_id, line_id) USING (channel, order_id, line_id)
    ) AS asked
    JOIN oversold_case c ON c.id = asked.id
    LEFT JOIN order_line o USING (channel, order_id, line_id)
    LEFT JOIN case_step s ON s.case_id = c.id AND s.state <> 'dropped'
    GROUP BY c.id, o.channel, o.order_id, o.line_id
    ORDER BY c.id
""")

# Another order is `before` when it was accepted before and booked only after this one was accepted: until then the
# channel could not know. Of several the one that was heard of last.
_CLUES = text("""
    SELECT c.id, c.found_by, c.accepted_at, own.id::text AS event_id, own.recorded_at AS booked_at,
           drift.id AS drift_id, drift.cause AS drift_cause, sold.id AS push_id, sold.units AS push_units,
           before.id::text AS before_id, before.late_s, taken.id::text AS taken_id
    FROM oversold_case c
    CROSS JOIN LATERAL (
        SELECT e.id, e.recorded_at FROM event e
        WHERE e.channel = c.channel AND e.order_id = c.order_id AND e.line_id = c.line_id AND e.kind = 'order'
          AND e.occurred_at <= c.accepted_at
        ORDER BY e.occurred_at DESC, e.id LIMIT 1
    ) AS own
    LEFT JOIN LATERAL (
        SELECT d.id, d.cause FROM drift d
        WHERE d.channel = c.channel AND d.sku = c.sku AND d.delta > 0
          AND d.seen_at BETWEEN c.accepted_at - interval '1 day' AND c.accepted_at + CAST(:around AS interval)
          AND coalesce(d.resolved_at, 'infinity') >= c.accepted_at
        ORDER BY d.cause = 'unknown', d.seen_at DESC LIMIT 1
    ) AS drift ON true
    LEFT JOIN LATERAL (
        SELECT p.id, p.units FROM push p
        WHERE p.channel = c.channel AND p.sku = c.sku AND p.location = c.location AND p.outcome = 'confirmed'
          AND p.answered_at <= c.accepted_at
        ORDER BY p.id DESC LIMIT 1
    ) AS sold ON sold.units < c.units
    LEFT JOIN LATERAL (
        SELECT e.id, date_part('epoch', e.recorded_at - p.occurred_at) AS late_s
        FROM posting p JOIN event e ON e.id = p.event_id
        WHERE p.sku = c.sku AND p.from_location = c.location AND p.from_state = 'available'
          AND p.occurred_at BETWEEN c.accepted_at - interval '2 days' AND c.accepted_at
          AND e.recorded_at > c.accepted_at AND e.kind IN ('order', 'ship')
          AND (e.channel, e.order_id, e.line_id) IS DISTINCT FROM (c.channel, c.order_id, c.line_id)
        ORDER BY p.occurred_at, e.id LIMIT 1
    ) AS before ON true
    LEFT JOIN LATERAL (
        SELECT e.id FROM posting p JOIN event e ON e.id = p.event_id
        WHERE p.sku = c.sku AND p.from_location = c.location AND p.from_state = 'available' AND p.from_after < 0
          AND e.kind = c.found_by AND p.from_version <= c.dip
        ORDER BY p.from_version DESC LIMIT 1
    ) AS taken ON true
    WHERE c.id = ANY(CAST(:cases AS bigint[]))
    ORDER BY c.id
""")


def take_turn(connection: Connection) -> bool:
    """Whether nobody else looks; until this transaction ends nobody else will."""
    return bool(connection.execute(_TURN).scalar_one())


def places(connection: Connection, now: datetime) -> list[Place]:
    """Places that were taken below zero since the last look, and those with open cases; notes that it was looked."""
    looked_at = connection.execute(_LOOKED).scalar_one_or_none()
    floor = (looked_at or now) - (_OVERLAP if looked_at else _FIRST)
    connection.execute(_LOOK, {"now": now})
    rows = connection.execute(_PLACES, {"floor": str(_first_id(floor)), "deep": _DEEP})
    return [
        Place(
            row.sku,
            row.location,
            row.short_units,
            row.dip,
            [Line((c, o, ln), units, _at(at)) for c, o, ln, units, at in row.lines],
            [_dip(*dip) for dip in row.dips],
        )
        for row in rows
    ]


def _first_id(at: datetime) -> UUID:
    """The smallest id of an event of that millisecond (`ledger.ids`)."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def _at(text_: str) -> datetime:
    return datetime.fromisoformat(text_)


def _dip(
    kind: str, channel: str | None, order: str | None, line: str | None, units: int, at: str
) -> Dip:
    key = (channel, order, line) if channel and order and line and kind == "order" else None
    return Dip(kind, key, units, _at(at))


def known(connection: Connection, found: Iterable[Place]) -> list[Known]:
    """The cases of these places and of their lines."""
    found = list(found)
    keys: set[LineKey] = {line.key for place in found for line in place.lines}
    keys |= {dip.line for place in found for dip in place.dips if dip.line}
    rows = connection.execute(_KNOWN, {
        "skus": [place.sku for place in found], "locations": [place.location for place in found],
        **dict(zip(("channels", "orders", "lines"), _columns(keys), strict=True)),
    })  # fmt: skip
    return [
        Known(
            row.id,
            (row.channel, row.order_id, row.line_id),
            row.sku,
            row.location,
            State(row.state),
            row.response,
            row.units,
            row.open_units,
            row.shipped_units,
            row.moved,
            row.begun,
            row.failed,
            row.covered,
        )
        for row in rows
    ]


def _columns(keys: Collection[LineKey]) -> tuple[list[str], list[str], list[str]]:
    ordered = sorted(keys)
    return [key[0] for key in ordered], [key[1] for key in ordered], [key[2] for key in ordered]


def clues(connection: Connection, cases: Collection[int]) -> list[Clues]:
    """What is known around these cases."""
    rows = connection.execute(_CLUES, {"cases": sorted(cases), "around": _AROUND})
    return [_clues(row) for row in rows]


def _clues(row: Any) -> Clues:
    return Clues(
        case_id=row.id,
        found_by=row.found_by,
        accepted_at=row.accepted_at,
        booked_at=row.booked_at,
        event_id=row.event_id,
        drift=None if row.drift_id is None else (row.drift_id, row.drift_cause),
        sold_below=None if row.push_id is None else (row.push_id, row.push_units),
        before=None if row.before_id is None else (row.before_id, float(row.late_s)),
        taken_by=row.taken_id,
    )
