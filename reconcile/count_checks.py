"""What the book knows of the lines of a sheet before they are booked, and what became of them after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

from ledger.types import ON_HAND
from reconcile.counting.types import Tier

# The book's position at the minute: what it says now, less all that happened later.
_LINES = text("""
    SELECT given.number, sku.sku IS NOT NULL AS sku_known, l.kind, bundle.sku IS NOT NULL AS bundled,
           coalesce(tier.tier, 'C') AS tier, (held.units - later.units)::bigint AS position
    FROM json_to_recordset(CAST(:rows AS json)) AS given (number integer, sku text, location text, at timestamptz)
    LEFT JOIN sku ON sku.sku = given.sku
    LEFT JOIN location AS l ON l.location = given.location
    LEFT JOIN LATERAL (SELECT b.sku FROM bundle AS b WHERE b.sku = given.sku LIMIT 1) AS bundle ON true
    LEFT JOIN count_tier AS tier ON tier.location = given.location AND tier.sku = given.sku
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(b.units), 0) AS units FROM balance AS b
        WHERE b.sku = given.sku AND b.location = given.location AND b.state = ANY(CAST(:on_hand AS text[]))
    ) AS held
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(
                   CASE WHEN p.to_location = given.location AND p.to_state = ANY(CAST(:on_hand AS text[]))
                        THEN p.units ELSE 0 END
                 - CASE WHEN p.from_location = given.location AND p.from_state = ANY(CAST(:on_hand AS text[]))
                        THEN p.units ELSE 0 END), 0) AS units
        FROM posting AS p WHERE p.sku = given.sku AND p.occurred_at > given.at
    ) AS later
    ORDER BY given.number
""")

_BOOKED = text("""
    SELECT given.delivery_id, inbox.state, coalesce(inbox.error, inbox.wait_for, '') AS error,
           v.counted_at AS at, v.counted, v.position, v.tier, v.reason,
           EXISTS (SELECT FROM count_open AS o WHERE o.sku = v.sku AND o.location = v.location) AS recount
    FROM unnest(CAST(:ids AS text[])) WITH ORDINALITY AS given (delivery_id, number)
    JOIN inbox ON inbox.source = :source AND inbox.delivery_id = given.delivery_id
    LEFT JOIN event AS e ON e.source = :source AND e.source_id = given.delivery_id
    LEFT JOIN count_variance AS v ON v.event_id = e.id
    ORDER BY given.number
""")

_KNOWN = text("""
    SELECT delivery_id FROM inbox
    WHERE source = :source AND delivery_id = ANY(CAST(:ids AS text[]))
""")

_SKUS = text("SELECT sku FROM sku WHERE sku = ANY(CAST(:skus AS text[]))")


@dataclass(frozen=True, slots=True)
class Checked:
    """What the book knows of a line.

    kind        of the location, None for an unknown one
    bundled     the SKU is a bundle, and has no stock of its own
    position    units on hand at the line's minute
    """

    number: int
    sku_known: bool
    kind: str | None
    bundled: bool
    tier: Tier
    position: int


@dataclass(frozen=True, slots=True)
class Booked:
    """What became of a line: its delivery, and the count as the book has it (None while it is not applied).

    recount    an order for the place is open
    """

    delivery_id: str
    state: str
    error: str
    at: datetime | None
    counted: int | None
    position: int | None
    tier: str | None
    reason: str | None
    recount: bool


def check(
    connection: Connection, lines: Sequence[tuple[int, str, str, datetime]]
) -> dict[int, Checked]:
    """What is known of lines given as (number, SKU, location, minute), by number."""
    rows = [
        {"number": number, "sku": sku, "location": location, "at": at}
        for number, sku, location, at in lines
    ]
    values = {"rows": orjson.dumps(rows).decode(), "on_hand": list(ON_HAND)}
    return {
        row.number: Checked(
            row.number, row.sku_known, row.kind, row.bundled, Tier(row.tier), row.position
        )
        for row in connection.execute(_LINES, values)
    }


def known(connection: Connection, source: str, ids: Sequence[str]) -> set[str]:
    """Which of these deliveries are in the inbox already."""
    return set(connection.execute(_KNOWN, {"source": source, "ids": list(ids)}).scalars())


def booked(connection: Connection, source: str, ids: Sequence[str]) -> list[Booked]:
    """What became of these deliveries, in their order."""
    rows = connection.execute(_BOOKED, {"source": source, "ids": list(ids)})
    return [Booked(*row) for row in rows]


def known_skus(connection: Connection, skus: Sequence[str]) -> set[str]:
    """Which of these SKUs the house has."""
    return set(connection.execute(_SKUS, {"skus": list(skus)}).scalars())
