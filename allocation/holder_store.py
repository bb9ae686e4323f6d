"""Which places keep others from rising, read from PostgreSQL; and which SKUs have been held for long."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, text

from allocation.holders import Holder
from allocation.sql import SEEN, SENT

# What is halted and was read back as 0 shows nothing; what is not listed any more cannot be ordered there.
_HOLDERS = text(f"""
    WITH of AS MATERIALIZED (
        SELECT sku, sku AS shown_sku FROM unnest(CAST(:skus AS text[])) AS given (sku)
        UNION ALL
        SELECT given.sku, b.sku
        FROM unnest(CAST(:skus AS text[])) AS given (sku) JOIN bundle b ON b.component = given.sku
    )
    SELECT of.sku, place.channel, place.location, of.shown_sku, place.units, place.target, place.missing,
           c.paused, c.paused_why, c.writes, place.parked, place.attempts, coalesce(h.state, '') AS halt
    FROM of
    CROSS JOIN LATERAL (
        SELECT t.channel, t.location, t.units AS target, coalesce(greatest({SEEN}, {SENT}), 0) AS units,
               coalesce(s.missing, 0) AS missing, coalesce(d.attempts, 0) AS attempts,
               CASE WHEN d.parked THEN coalesce(d.error, '') ELSE '' END AS parked
        FROM target t
        JOIN binding b USING (channel, sku, location)
        LEFT JOIN shown s USING (channel, sku, location)
        LEFT JOIN push_due d USING (channel, sku, location)
        WHERE t.sku = of.shown_sku AND NOT b.read_only
    ) AS place
    JOIN channel c ON c.channel = place.channel
    LEFT JOIN halt h ON h.channel = place.channel AND h.sku = of.shown_sku AND h.state <> 'lifted'
    WHERE place.units > place.target OR place.missing > 0
    ORDER BY of.sku, place.channel, place.location, of.shown_sku
""")  # noqa: S608 -- composed of constants

_HELD_SINCE = text("""
    SELECT sku, since FROM exposure
    WHERE held AND since <= :before
    ORDER BY since, sku LIMIT :limit
""")

_IS_HELD = text("""
    SELECT EXISTS (SELECT FROM exposure
                   WHERE held AND (CAST(:sku AS text) IS NULL OR sku = :sku))
""")


def holders(connection: Connection, skus: Collection[str]) -> list[Holder]:
    """Places that keep numbers of these SKUs from rising, in order."""
    rows = connection.execute(_HOLDERS, {"skus": sorted(skus)})
    return [Holder(*row) for row in rows]


def held_since(connection: Connection, before: datetime, limit: int) -> dict[str, datetime]:
    """SKUs of which a number has been held since `before` or longer, with since when; those that wait longest first."""
    rows = connection.execute(_HELD_SINCE, {"before": before, "limit": limit})
    return {row.sku: row.since for row in rows}


def is_held(connection: Connection, *, sku: str | None = None) -> bool:
    """Whether any number, or one of this SKU, is held."""
    return bool(connection.execute(_IS_HELD, {"sku": sku}).scalar_one())
