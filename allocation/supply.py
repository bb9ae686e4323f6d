"""Supply and shortage in PostgreSQL: what is to come, what is free, what is short, what was asked to come sooner."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from allocation.promising import Dated

#: Requests of the house's own have this source, and only those are taken back by it.
SOURCE = "lockstep"

_OPEN = text("""
    SELECT reference, sku, location, expected_units, received_units, due_at
    FROM supply_line
    WHERE expected_units > received_units AND sku = ANY(CAST(:skus AS text[]))
    ORDER BY due_at, reference, sku, location
""")

_ALL_OPEN = text("""
    SELECT reference, sku, location, expected_units, received_units, due_at
    FROM supply_line
    WHERE expected_units > received_units
    ORDER BY due_at, reference, sku, location
""")

_AVAILABLE = text("""
    SELECT sku, location, units FROM balance
    WHERE sku = ANY(CAST(:skus AS text[])) AND state = 'available'
    ORDER BY sku, location
""")

_REQUESTS = text("""
    SELECT sku, location, source, channel, order_id, line_id, units, due_at, reason, since, revision
    FROM pull_forward
    WHERE units > 0
    ORDER BY due_at, sku, location, source, channel, order_id, line_id
""")

_REQUESTS_OF = text("""
    SELECT sku, location, source, channel, order_id, line_id, units, due_at, reason, since, revision
    FROM pull_forward
    WHERE sku = ANY(CAST(:skus AS text[])) AND units > 0
    ORDER BY due_at, sku, location, source, channel, order_id, line_id
""")

# Places that were ever sold below zero stand in an index that holds no other; their balances say how they are now. A
# bundle has no stock that could be short, and what somebody else holds (a mirror) nobody here can make.
_SHORT = """
    WITH place AS (
        SELECT DISTINCT sku, from_location AS location
        FROM posting
        WHERE from_state = 'available' AND from_after < 0
    ), negative AS (
        SELECT b.sku, b.location, -b.units AS units
        FROM place
        JOIN location AS l ON l.location = place.location AND l.kind IN ('warehouse', 'store')
        JOIN balance AS b ON b.sku = place.sku AND b.location = place.location AND b.state = 'available'
        WHERE b.units < 0 AND NOT EXISTS (SELECT FROM bundle WHERE bundle.sku = b.sku)
    ), asked AS (
        SELECT sku, location, units
        FROM pull_forward
        WHERE units > 0 AND source = :source AND channel = '' AND order_id = '' AND line_id = ''
    ), short AS (
        SELECT sku, location, coalesce(negative.units, 0) AS units
        FROM negative FULL JOIN asked USING (sku, location)
        WHERE negative.units IS DISTINCT FROM asked.units
    )
"""

ANY_SHORT = text(f"{_SHORT} SELECT EXISTS (SELECT FROM short)")  # noqa: S608 - the statement above

# The orders that were taken when nothing was left are those that wait.
_SHORTAGES = text(f"""
    {_SHORT}
    SELECT short.sku, short.location, short.units, r.revision, oldest.at
    FROM short
    LEFT JOIN pull_forward AS r ON r.sku = short.sku AND r.location = short.location AND r.source = :source
         AND r.channel = '' AND r.order_id = '' AND r.line_id = ''
    CROSS JOIN LATERAL (
        SELECT min(p.occurred_at) AS at
        FROM posting AS p
        JOIN event AS e ON e.id = p.event_id
        JOIN order_line AS o ON o.channel = e.channel AND o.order_id = e.order_id AND o.line_id = e.line_id
        WHERE p.sku = short.sku AND p.from_location = short.location AND p.from_state = 'available'
          AND p.from_after < 0 AND p.to_state = 'committed'
          AND o.ordered_units > o.cancelled_units + o.shipped_units
    ) AS oldest
    ORDER BY short.sku, short.location
    LIMIT :most
""")  # noqa: S608 - the statement above

_PARTS = text("SELECT component FROM bundle WHERE sku = :sku ORDER BY component")


@dataclass(frozen=True, slots=True)
class Supply:
    """A line of supply of which something is still to come.

    reference    the purchase order, transfer or ship notice; with SKU and location it names the line
    """

    reference: str
    sku: str
    location: str
    expected: int
    received: int
    due_at: datetime

    @property
    def open_units(self) -> int:
        """Units that have not come."""
        return self.expected - self.received

    @property
    def dated(self) -> Dated:
        """Those units and their day (UTC)."""
        return Dated(self.due_at.astimezone(UTC).date(), self.open_units)


@dataclass(frozen=True, slots=True)
class Asked:
    """An open request to make or buy units sooner; channel, order and line are "" where the location is short."""

    sku: str
    location: str
    source: str
    channel: str
    order_id: str
    line_id: str
    units: int
    due_at: datetime
    reason: str
    since: datetime
    revision: datetime


@dataclass(frozen=True, slots=True)
class Shortage:
    """A place whose shortage and the request for it differ.

    units       sold and not there; 0 when everything is
    revision    of the request as it stands, None where there never was one
    oldest_at   the oldest order that waits for them, None where no order does
    """

    sku: str
    location: str
    units: int
    revision: datetime | None
    oldest_at: datetime | None


def open_supply(connection: Connection, skus: Collection[str] | None = None) -> list[Supply]:
    """Lines of supply with something to come, the earliest first; of these SKUs, or of all."""
    rows = (
        connection.execute(_ALL_OPEN)
        if skus is None
        else connection.execute(_OPEN, {"skus": sorted(skus)})
    )
    return [Supply(*row) for row in rows]


def available(connection: Connection, skus: Collection[str]) -> dict[tuple[str, str], int]:
    """(SKU, location) -> units free now."""
    rows = connection.execute(_AVAILABLE, {"skus": sorted(skus)})
    return {(row.sku, row.location): row.units for row in rows}


def parts(connection: Connection, sku: str) -> list[str]:
    """What a bundle is made of; nothing for a SKU that is none."""
    return list(connection.execute(_PARTS, {"sku": sku}).scalars())


def requests(connection: Connection, skus: Collection[str] | None = None) -> list[Asked]:
    """Open requests, the most urgent first; of these SKUs, or of all."""
    rows = (
        connection.execute(_REQUESTS)
        if skus is None
        else connection.execute(_REQUESTS_OF, {"skus": sorted(skus)})
    )
    return [Asked(*row) for row in rows]


def shortages(connection: Connection, *, most: int) -> list[Shortage]:
    """Places whose request is to be opened, changed or taken back."""
    rows = connection.execute(_SHORTAGES, {"source": SOURCE, "most": most})
    return [Shortage(*row) for row in rows]
