"""Past events for a simulation: out of files, or out of the book."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from allocation.simulate import recorded
from allocation.simulate.recorded import Row
from allocation.simulate.types import History
from allocation.types import Rules
from ledger.db import transaction
from workers.flows.history import EVENT_COLUMNS, read_rows

OPENING_COLUMNS = ("sku", "location_id", "opening")

# What can be sold, as every event since then changed it; both ends of a move count.
_LEGS = """
    SELECT event_id, sku, to_location AS location, units FROM posting
    WHERE to_state = 'available' AND to_location <> 'OUTSIDE'
      AND occurred_at >= :since
    UNION ALL
    SELECT event_id, sku, from_location, -units FROM posting
    WHERE from_state = 'available' AND from_location <> 'OUTSIDE'
      AND occurred_at >= :since
"""

_EVENTS = text(f"""
    SELECT e.id, e.seq, e.occurred_at, e.kind, coalesce(e.channel, '') AS channel, coalesce(e.order_id, '') AS order_id,
           coalesce(e.line_id, '') AS line_id, e.reference, leg.sku, leg.location, sum(leg.units)::bigint AS units
    FROM ({_LEGS}) AS leg JOIN event e ON e.id = leg.event_id
    WHERE e.occurred_at < :until
    GROUP BY e.id, leg.sku, leg.location
    HAVING sum(leg.units) <> 0
    ORDER BY e.occurred_at, e.seq, leg.sku, leg.location
""")  # noqa: S608 -- composed of constants

# Back from what there is now: that reads the time simulated, not the whole book.
_OPENING = text(f"""
    SELECT sku, location, sum(units)::bigint AS units FROM (
        SELECT sku, location, units FROM balance WHERE state = 'available' AND location <> 'OUTSIDE'
        UNION ALL
        SELECT sku, location, -units FROM ({_LEGS}) AS leg
    ) AS part
    GROUP BY sku, location
""")  # noqa: S608 -- composed of constants

_SALES = frozenset({"order", "ship"})


def from_files(events: Path, opening: Path | None, rules: Rules, seed: int) -> History:
    """The history that files tell, in the columns of `lockstep history import`.

    opening    None: what each location held is the least with which everything in the file could happen
    raises     UnusableFile, allocation.simulate.types.Unusable: with file, line and remedy
    """
    rows = list(recorded.rows_of(read_rows(events, EVENT_COLUMNS), str(events)))
    if opening is None:
        return recorded.history_of(rows, recorded.least_opening(rows), rules, seed)
    lines = read_rows(opening, OPENING_COLUMNS)
    held = recorded.opening_of(lines, str(opening), rules)
    return recorded.history_of(rows, held, rules, seed)


def from_ledger(
    engine: Engine, since: datetime, until: datetime, rules: Rules, seed: int
) -> History:
    """The history that the book tells; it knows no prices.

    since, until    by the time events happened in the world
    raises          allocation.simulate.types.Unusable: nothing happened, or on a channel that the rules do not know
    """
    with transaction(engine) as connection:
        rows = list(_rows(connection, since, until, rules))
        held = {
            (row.sku, row.location): row.units
            for row in connection.execute(_OPENING, {"since": since})
            if row.location in rules.locations
        }
    return recorded.history_of(rows, held, rules, seed)


def _rows(connection: Connection, since: datetime, until: datetime, rules: Rules) -> Iterator[Row]:
    for event in connection.execute(_EVENTS, {"since": since, "until": until}):
        # No number draws on what the rules do not name.
        if event.location not in rules.locations:
            continue
        line = "|".join((event.channel, event.order_id, event.line_id))
        is_sale = event.kind in _SALES and event.channel != "" and event.units < 0
        kind, ref = _kind(event.kind, is_sale, event.units), event.reference
        yield Row(
            where=f"event {event.id}",
            key=line if event.order_id else str(event.id),
            at=event.occurred_at,
            kind=kind,
            channel=event.channel,
            location=event.location,
            sku=event.sku,
            units=event.units,
            order=event.order_id,
            ref=line if kind == "order_cancel" else ref,
        )


def _kind(kind: str, is_sale: bool, units: int) -> str:
    """What the event is to the stock that can be sold."""
    if is_sale:
        return "order"
    if kind in ("order", "order_cancel"):
        return "order_cancel" if units > 0 else "adjustment"
    return "adjustment" if kind in ("ship", "reversal") else kind
