"""Readings that differed and were explained once their orders came into the book: which of these orders were late.

An order that came within the grace was in flight, and is nothing. One that came later was a drift until then: its row
is written, named and closed, so that late and lost notifications are counted although the book has caught up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Row, text

from channels.base import Reading
from reconcile import aftermath, store
from reconcile.evidence_orders import OWN_UNITS, POLLED, own_kinds
from reconcile.types import Action, Cause, Drift, Evidence

Place: TypeAlias = tuple[str, str]

#: How long before a reading an order may have been taken that explains it: a vendor retries for two days at most.
_LOOK_BACK: Final = timedelta(days=2)

# The target as it stood at the reading, and the channel's own orders up to it that were booked since.
_TOLD = text(f"""
    SELECT place.sku, place.location, place.units AS shown, place.at AS read_at, stood.units AS target,
           told.units, told.order_id, told.event_id, told.occurred_at, told.recorded_at, told.inbox_id, told.road
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[]),
                CAST(:at AS timestamptz[])) AS place (sku, location, units, at)
    CROSS JOIN LATERAL (
        SELECT h.units, h.set_at FROM target_history h
        WHERE h.channel = :channel AND h.sku = place.sku AND h.location = place.location AND h.set_at <= place.at
        ORDER BY h.number DESC LIMIT 1
    ) AS stood
    CROSS JOIN LATERAL (
        SELECT {OWN_UNITS} AS units,
               coalesce(e.order_id, e.source_id) AS order_id, e.id::text AS event_id, e.occurred_at, e.recorded_at,
               e.inbox_id, i.headers ->> 'road' AS road
        FROM posting p JOIN event e ON e.id = p.event_id LEFT JOIN inbox i ON i.id = e.inbox_id
        WHERE p.sku = place.sku AND p.occurred_at <= place.at
          AND p.occurred_at >= place.at - CAST(:look_back AS interval)
          AND e.recorded_at > stood.set_at AND e.channel = :channel AND e.kind = ANY(CAST(:kinds AS text[]))
          AND place.location IN (p.from_location, p.to_location)
          AND right(coalesce(e.line_id, e.source_id), length(p.sku) + 1) <> '#' || p.sku
    ) AS told
    WHERE place.units <> stood.units AND told.units <> 0
    ORDER BY place.sku, place.location, told.recorded_at, told.order_id
""")  # noqa: S608 - composed of constants

_CLOSE = text("""
    UPDATE drift SET resolved_at = :now, result = 'the book came to the ' || actual || ' units shown',
        seen_at = least(seen_at, CAST(:read_at AS timestamptz)),
        look_again_at = CASE WHEN CAST(:again AS boolean)
                             THEN CAST(:read_at AS timestamptz) + CAST(:grace AS interval) END
    WHERE id = :id
""")


@dataclass(frozen=True, slots=True)
class Late:
    """A reading that late orders explain.

    drift    its row
    again    whether its orders may still be heard of
    """

    drift: Drift
    read_at: datetime
    again: bool


def label(
    connection: Connection,
    channel: str,
    readings: Sequence[Reading],
    *,
    window_at: datetime | None,
    now: datetime,
    grace: timedelta,
) -> int:
    """Write down which of these readings differed because of orders that came too late.

    readings    that were put off until their orders were heard, and are no drift of another cause
    returns     how many were drifts
    """
    rows = _told(connection, channel, readings)
    found = [
        late
        for _, of_place in groupby(rows, key=lambda row: (row.sku, row.location))
        if (late := _late(list(of_place), grace)) is not None
    ]
    ids = store.open_drifts(
        connection,
        channel=channel,
        window_at=window_at,
        drifts=[late.drift for late in found],
        now=now,
    )
    for late in found:
        drift_id = ids[late.drift.sku, late.drift.location]
        values: dict[str, Any] = {"id": drift_id, "again": late.again, "read_at": late.read_at}
        connection.execute(_CLOSE, values | {"now": now, "grace": grace})
    aftermath.settle_late(connection, channel, now)
    return len(found)


def _told(connection: Connection, channel: str, readings: Sequence[Reading]) -> Sequence[Row[Any]]:
    known = [reading for reading in readings if reading.units is not None]
    kinds = own_kinds(connection, channel) if known else ()
    if not kinds:
        return []
    return connection.execute(
        _TOLD,
        {
            "channel": channel,
            "kinds": list(kinds),
            "look_back": _LOOK_BACK,
            "skus": [reading.binding.sku for reading in known],
            "locations": [reading.binding.location for reading in known],
            "units": [reading.units for reading in known],
            "at": [reading.observed_at for reading in known],
        },
    ).fetchall()


def _late(rows: Sequence[Row[Any]], grace: timedelta) -> Late | None:
    """What one place's orders come to; None when they do not explain the reading, or none came late."""
    first = rows[0]
    units = sum(row.units for row in rows)
    if units == 0 or max(first.target - units, 0) != first.shown:
        return None
    overdue = [row for row in rows if row.recorded_at - row.occurred_at > grace]
    if not overdue:
        return None
    unheard = [row for row in overdue if row.road == POLLED]
    cause = Cause.MISSED_CANCEL if units < 0 and unheard else Cause.LATE_EVENT
    evidence: Evidence = {
        "observed_at": first.read_at.isoformat(),
        "units": abs(units),
        "order_ids": list(dict.fromkeys(row.order_id for row in overdue)),
        "event_ids": [row.event_id for row in overdue],
        "delivery_ids": [row.inbox_id for row in overdue if row.inbox_id is not None],
        "ordered_at": min(row.occurred_at for row in overdue).isoformat(),
        "unheard": len(unheard),
    }
    drift = Drift(
        first.sku,
        first.location,
        first.target,
        first.shown,
        cause.value,
        evidence,
        Action.BACKFILL.value,
    )
    return Late(drift, first.read_at, bool(unheard) and cause is Cause.LATE_EVENT)
