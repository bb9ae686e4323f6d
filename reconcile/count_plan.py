"""What has to be counted: every place with its tier, its last count and its orders; tiers are kept as rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from allocation.pace import Sums, rates
from allocation.planning.tiers import Kept, classes, kept
from reconcile.counting.judging import SUM_OVER, sum_limit
from reconcile.counting.tiers import Known
from reconcile.counting.types import Terms, Tier

# A place is counted when the house has something there, sells from there, or is asked to. Nobody here can count what
# others hold (mirrors), nor a bundle, which has no stock of its own.
_PLACES = text("""
    WITH held AS (
        SELECT b.location, b.sku, sum(b.units)::bigint AS on_hand
        FROM balance AS b JOIN location AS l ON l.location = b.location
        WHERE l.kind IN ('warehouse', 'store') AND b.location = :location
          AND b.state IN ('available', 'unavailable', 'committed', 'reserved')
        GROUP BY b.location, b.sku
    )
    SELECT held.location, held.sku, sku.title, sku.created_at, held.on_hand, counted.at AS counted_at,
           coalesce(small.units, 0)::bigint AS small_units, coalesce(small.stock, 0)::float8 AS small_stock,
           tier.tier, tier.since AS tier_since, tier.lower_since,
           coalesce(worth.cost, worth.price)::float8 AS worth,
           (SELECT array_agg(DISTINCT o.rule ORDER BY o.rule) FROM count_open AS o
            WHERE o.sku = held.sku AND o.location = held.location) AS orders
    FROM held
    JOIN sku ON sku.sku = held.sku
    LEFT JOIN count_tier AS tier ON tier.location = held.location AND tier.sku = held.sku
    LEFT JOIN sku_worth AS worth ON worth.sku = held.sku
    LEFT JOIN LATERAL (
        SELECT max(m.counted_at) AS at FROM count_mark AS m
        WHERE m.sku = held.sku AND m.location = held.location
          AND NOT EXISTS (SELECT FROM event AS r WHERE r.reverses = m.event_id)
    ) AS counted ON true
    LEFT JOIN LATERAL (
        SELECT sum(v.counted - v.position) AS units, avg(greatest(0, v.position)) AS stock
        FROM count_variance AS v
        WHERE v.sku = held.sku AND v.location = held.location AND v.counted_at > :small_since AND NOT v.undone
          AND abs(v.counted - v.position) * 100 <= :escalate * greatest(1, v.position)
    ) AS small ON true
    WHERE NOT EXISTS (SELECT FROM bundle WHERE bundle.sku = held.sku)
    ORDER BY held.location, held.sku
""")

_PACES = text("""
    SELECT p.sku, p.channel, p.location, p.at, p.since, p.fast_lines, p.slow_lines, p.slow_units, p.slow_squares
    FROM pace AS p
    WHERE p.location = :location
    ORDER BY p.sku, p.channel
""")

_LOCATIONS = text(
    "SELECT location FROM location WHERE kind IN ('warehouse', 'store') ORDER BY location"
)

_KEEP = text("""
    INSERT INTO count_tier AS t (location, sku, tier, since, lower_since)
    SELECT location, sku, tier, since, lower_since
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (location text, sku text, tier text, since timestamptz, lower_since timestamptz)
    ORDER BY location, sku
    ON CONFLICT (location, sku) DO UPDATE SET
        tier = excluded.tier, since = excluded.since, lower_since = excluded.lower_since
""")


def locations(connection: Connection) -> list[str]:
    """Where somebody of ours can count."""
    return list(connection.execute(_LOCATIONS).scalars())


def places(connection: Connection, terms: Terms, now: datetime, location: str) -> list[Known]:
    """Every place of a location that is to be counted now and then, with its tier by now; changed tiers are written."""
    values = {
        "location": location,
        "small_since": now - SUM_OVER,
        "escalate": terms.escalate_percent,
    }
    rows = connection.execute(_PLACES, values).all()
    pace = _units_per_day(connection, location, now)
    known: list[Known] = []
    changed: list[dict[str, object]] = []
    for row, (was, tier) in zip(rows, _tiers(rows, pace, now), strict=True):
        if tier != was:
            changed.append(_tier_row(row, tier))
        if row.on_hand or row.orders or row.sku in pace:
            known.append(_known(row, tier.tier, terms))
    if changed:
        connection.execute(_KEEP, {"rows": orjson.dumps(changed).decode()})
    return known


def _tiers(
    here: Sequence[Any], pace: Mapping[str, float], now: datetime
) -> Iterator[tuple[Kept | None, Kept]]:
    """The tier each place of a location was in, and the one it is in by now."""
    worth = _worths([row.worth for row in here])
    values = [pace.get(row.sku, 0.0) * each for row, each in zip(here, worth, strict=True)]
    for row, found in zip(here, classes(values), strict=True):
        was = Kept(Tier(row.tier), row.tier_since, row.lower_since) if row.tier else None
        yield was, kept(was, found, now)


def _worths(said: Sequence[float | None]) -> list[float]:
    """What a unit is worth; where that is not known, the mean of what is, and 1 where nothing is."""
    known = [worth for worth in said if worth is not None]
    otherwise = sum(known) / len(known) if known else 1.0
    return [otherwise if worth is None else worth for worth in said]


def _units_per_day(connection: Connection, location: str, now: datetime) -> dict[str, float]:
    """The slow pace of each SKU there, over all channels."""
    found: dict[str, float] = {}
    for row in connection.execute(_PACES, {"location": location}):
        sums = Sums(*row)
        pace = rates(sums, now)
        if pace is not None:
            found[sums.sku] = found.get(sums.sku, 0.0) + pace.slow.units_per_day
    return found


def _tier_row(row: Any, tier: Kept) -> dict[str, object]:
    return {
        "location": row.location,
        "sku": row.sku,
        "tier": tier.tier,
        "since": tier.since,
        "lower_since": tier.lower_since,
    }


def _known(row: Any, tier: Tier, terms: Terms) -> Known:
    return Known(
        sku=row.sku,
        location=row.location,
        title=row.title,
        on_hand=row.on_hand,
        tier=tier,
        counted_at=row.counted_at,
        known_since=row.created_at,
        orders=tuple(row.orders or ()),
        sum_units=row.small_units,
        beyond=abs(row.small_units) > sum_limit(row.small_stock, tier, terms),
    )
