"""Reading the book: positions now and at any moment, as it was known at any other; the history of a SKU."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Position:
    """What a location holds of a SKU; on_hand = available + unavailable + committed + reserved.

    in_transit, incoming    on its way, and expected from a supplier; neither is on hand
    """

    sku: str
    location: str
    on_hand: int
    available: int
    unavailable: int
    committed: int
    reserved: int
    in_transit: int
    incoming: int


_NOW = text("""
    SELECT location, state, units FROM balance
    WHERE sku = :sku AND location <> 'OUTSIDE'
    ORDER BY location, state
""")

# What happened by `at`, as far as it was written by `known_at`: what there is now less what came later, for people ask
# about today and a SKU may have sold for years. A version counts the postings of its balance, so that a balance whose
# postings all came later was not there.
_AT = text("""
    SELECT location, state, sum(units)::bigint AS units
    FROM (
        SELECT location, state, units, version AS postings FROM balance WHERE sku = :sku
        UNION ALL
        SELECT leg.location, leg.state, leg.units, -1
        FROM (
            SELECT units, from_location, from_state, to_location, to_state FROM posting
            WHERE sku = :sku AND occurred_at > :at
            UNION ALL
            SELECT units, from_location, from_state, to_location, to_state FROM posting
            WHERE sku = :sku AND occurred_at <= :at AND recorded_at > :known_at
        ) AS later
        CROSS JOIN LATERAL (
            VALUES (from_location, from_state, later.units), (to_location, to_state, -later.units)
        ) AS leg (location, state, units)
    ) AS known
    WHERE location <> 'OUTSIDE'
    GROUP BY location, state
    HAVING sum(postings) > 0
    ORDER BY location, state
""")

_DELIVERY = text("""
    SELECT state, coalesce(error, wait_for, '') AS why FROM inbox
    WHERE source = :source AND delivery_id = :delivery_id
""")


def positions(connection: Connection, sku: str) -> list[Position]:
    """What every location holds of a SKU now."""
    rows = connection.execute(_NOW, {"sku": sku})
    return _positions(sku, [(row.location, row.state, row.units) for row in rows])


def position_at(
    connection: Connection, sku: str, *, at: datetime, known_at: datetime
) -> list[Position]:
    """What every location held of a SKU at `at`, as far as the book knew at `known_at`."""
    rows = connection.execute(_AT, {"sku": sku, "at": at, "known_at": known_at})
    return _positions(sku, [(row.location, row.state, row.units) for row in rows])


def delivery_state(connection: Connection, source: str, delivery_id: str) -> tuple[str, str]:
    """State of a delivery and why."""
    row = connection.execute(_DELIVERY, {"source": source, "delivery_id": delivery_id}).one()
    return str(row.state), str(row.why)


def _positions(sku: str, balances: list[tuple[str, str, int]]) -> list[Position]:
    held: dict[str, dict[str, int]] = {}
    for location, state, units in balances:
        held.setdefault(location, {})[state] = units
    return [
        Position(
            sku=sku,
            location=location,
            on_hand=sum(
                states.get(s, 0) for s in ("available", "unavailable", "committed", "reserved")
            ),
            available=states.get("available", 0),
            unavailable=states.get("unavailable", 0),
            committed=states.get("committed", 0),
            reserved=states.get("reserved", 0),
            in_transit=states.get("in_transit", 0),
            incoming=states.get("incoming", 0),
        )
        for location, states in sorted(held.items())
    ]
