"""What an order is decided by beside demand, out of the book: what is free, what is coming, how long receipts took."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple, TypeAlias

from sqlalchemy import Connection, text

from ledger.db import fetch

#: (SKU, location)
Spot: TypeAlias = tuple[str, str]

# What others hold (mirrors) is sent in, not bought for; nothing is ordered for a place that is none.
_FREE = text("""
    SELECT b.sku, b.location, b.units
    FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku)
    JOIN balance AS b ON b.sku = given.sku AND b.state = 'available'
    JOIN location AS l ON l.location = b.location AND l.kind IN ('warehouse', 'store')
    ORDER BY b.sku, b.location
""")

_WAREHOUSES = text("SELECT location FROM location WHERE kind = 'warehouse' ORDER BY location")

# From when a line of supply was first expected to each receipt that named it, in days.
_TOOK = text("""
    WITH moved AS (
        SELECT p.sku, p.to_location AS location, e.reference, e.id, e.kind, e.occurred_at AS at, p.units
        FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku)
        JOIN posting AS p ON p.sku = given.sku AND p.occurred_at >= :since
        JOIN event AS e ON e.id = p.event_id
        WHERE e.kind IN ('expected', 'receipt') AND e.reference <> ''
          AND p.from_state IN ('supplier', 'incoming') AND p.to_state IN ('incoming', 'available')
          AND NOT EXISTS (SELECT FROM event AS undone WHERE undone.reverses = e.id)
    ), expected AS (
        SELECT sku, location, reference, min(at) AS at FROM moved WHERE kind = 'expected' GROUP BY 1, 2, 3
    )
    SELECT m.sku, m.location, (date_part('epoch', min(m.at) - min(x.at)) / 86400)::float8 AS days,
           sum(m.units)::bigint AS units
    FROM moved AS m JOIN expected AS x USING (sku, location, reference)
    WHERE m.kind = 'receipt' AND m.at >= x.at
    GROUP BY m.sku, m.location, m.id
    ORDER BY m.sku, m.location, min(m.at)
""")

_WORTH = text("""
    SELECT w.sku, w.price::float8 AS price, w.cost::float8 AS cost
    FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku) JOIN sku_worth AS w USING (sku)
""")

_LISTED = text("SELECT sku FROM sku WHERE sku > :after ORDER BY sku LIMIT :most")
_KNOWN = text("SELECT EXISTS (SELECT FROM sku WHERE sku = :sku)")


def free(connection: Connection, skus: Collection[str]) -> dict[Spot, int]:
    """Units free to sell by SKU and location, of warehouses and stores; below 0: sold and not there."""
    return {(r.sku, r.location): r.units for r in fetch(connection, _FREE, {"skus": sorted(skus)})}


def warehouses(connection: Connection) -> set[str]:
    """The locations that goods are sent from."""
    return set(connection.execute(_WAREHOUSES).scalars())


def lead_times(
    connection: Connection, skus: Collection[str], since: datetime
) -> dict[Spot, list[tuple[float, int]]]:
    """Days that each receipt since then took from when its line was first expected, and its units."""
    found: dict[Spot, list[tuple[float, int]]] = {}
    for row in fetch(connection, _TOOK, {"skus": sorted(skus), "since": since}):
        found.setdefault((row.sku, row.location), []).append((row.days, row.units))
    return found


class Worth(NamedTuple):
    """What a unit is sold for and what it costs; None: not known."""

    price: float | None = None
    cost: float | None = None


def worths(connection: Connection, skus: Collection[str]) -> dict[str, Worth]:
    """What units of these SKUs are worth, of those of which anything is known."""
    rows = fetch(connection, _WORTH, {"skus": sorted(skus)})
    return {row.sku: Worth(row.price, row.cost) for row in rows}


def skus_after(connection: Connection, after: str, most: int) -> list[str]:
    """The next SKUs of the catalogue, sorted."""
    return [row.sku for row in fetch(connection, _LISTED, {"after": after, "most": most})]


def is_known(connection: Connection, sku: str) -> bool:
    """Whether there is such a SKU."""
    return bool(connection.execute(_KNOWN, {"sku": sku}).scalar_one())
