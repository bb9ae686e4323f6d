"""What a SKU in Amazon's network is judged by, out of the book and the mirror; how it stood at the last look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, text

from channels.amazon.sizes import Size
from channels.amazon.wire import FBA

#: A row of the stranded report that was read so long ago says nothing any more.
STRANDED_FOR: Final = timedelta(days=3)
#: Amazon's planning figures are shown beside ours for so long.
_SAID_FOR: Final = timedelta(days=30)
_WINDOWS: Final = (30, 60, 90)

_FOLLOWED = text("""
    SELECT m.seller_sku, b.sku IS NOT NULL AS bound,
           r.fulfillable + r.pending_orders + r.transshipment + r.processing + r.researching AS units
    FROM fba_mirror AS m
    JOIN fba_reading AS r ON r.id = m.reading_id
    LEFT JOIN binding AS b ON b.channel = m.channel AND b.item_id = m.seller_sku AND b.vendor_location_id = :network
    WHERE m.channel = :channel AND m.seller_sku > :after
    ORDER BY m.seller_sku LIMIT :most
""")

# On hand some days ago is on hand now, less what moved since; only the postings of ninety days are touched.
_STOCK = text(f"""
    SELECT m.seller_sku, b.sku, b.location, b.pack, m.opened_at,
           (r.inbound_working + r.inbound_shipped + r.inbound_receiving) * b.pack AS inbound,
           r.unfulfillable * b.pack AS unfulfillable,
           book.on_hand, book.available, since.shipped_90, since.shipped_60,
           {", ".join(f"book.on_hand - since.moved_{days} AS on_hand_{days}" for days in _WINDOWS)},
           shelf.in_stock
    FROM unnest(CAST(:skus AS text[])) AS given (seller_sku)
    JOIN fba_mirror AS m ON m.channel = :channel AND m.seller_sku = given.seller_sku
    JOIN fba_reading AS r ON r.id = m.reading_id
    JOIN binding AS b ON b.channel = m.channel AND b.item_id = m.seller_sku AND b.vendor_location_id = :network
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(units), 0)::bigint AS on_hand,
               coalesce(sum(units) FILTER (WHERE state = 'available'), 0)::bigint AS available
        FROM balance
        WHERE sku = b.sku AND location = b.location
          AND state IN ('available', 'committed', 'reserved', 'unavailable')
    ) AS book
    CROSS JOIN LATERAL (
        SELECT {
    ", ".join(
        f"coalesce(sum(leg.units) FILTER (WHERE p.occurred_at > :now - interval '{days} days'), 0)::bigint"
        f" AS moved_{days}"
        for days in _WINDOWS
    )
},
               coalesce(sum(-leg.units) FILTER (WHERE leg.shipped), 0)::bigint AS shipped_90,
               coalesce(sum(-leg.units) FILTER (
                   WHERE leg.shipped AND p.occurred_at > :now - interval '60 days'), 0)::bigint AS shipped_60
        FROM posting AS p
        CROSS JOIN LATERAL (VALUES
            (p.to_location, p.to_state, p.units, p.from_state = 'customer'
                AND (SELECT kind FROM event WHERE id = p.event_id) = 'reversal'),
            (p.from_location, p.from_state, -p.units, p.to_state = 'customer'
                AND (SELECT kind FROM event WHERE id = p.event_id) = 'ship')
        ) AS leg (location, state, units, shipped)
        WHERE p.sku = b.sku AND p.occurred_at > :now - interval '90 days' AND p.occurred_at <= :now
          AND leg.location = b.location AND leg.state IN ('available', 'committed', 'reserved', 'unavailable')
    ) AS since
    LEFT JOIN LATERAL (
        SELECT extract(epoch FROM sum(ended - begun) FILTER (WHERE fulfillable > 0))
               / nullif(extract(epoch FROM sum(ended - begun)), 0) AS in_stock
        FROM (
            SELECT fulfillable, greatest(as_of, :now - interval '30 days') AS begun,
                   lead(as_of, 1, :now) OVER (ORDER BY as_of, id) AS ended
            FROM fba_reading WHERE channel = :channel AND seller_sku = m.seller_sku AND as_of <= :now
        ) AS spans WHERE ended > begun
    ) AS shelf ON true
    ORDER BY m.seller_sku
""")  # noqa: S608 -- composed of constants


@dataclass(frozen=True, slots=True)
class Stock:
    """One seller SKU's stock in the network, in units of ours.

    opened_at    since when the book follows it; None: not yet
    snapshots    on hand now and 30, 60, 90 days ago, as far as the book followed it then
    in_stock     part of the last 30 days in which any could be sold; None: no reading
    """

    seller_sku: str
    sku: str
    location: str
    pack: int
    opened_at: datetime | None
    on_hand: int
    available: int
    inbound: int
    unfulfillable: int
    shipped_90: int
    shipped_60: int
    snapshots: tuple[int, ...]
    in_stock: float | None


def followed(
    connection: Connection, channel: str, after: str, most: int
) -> list[tuple[str, bool, int]]:
    """The next seller SKUs that Amazon has told of, sorted: (seller SKU, is bound, Amazon's units there)."""
    values = {"channel": channel, "network": FBA, "after": after, "most": most}
    return [tuple(row) for row in connection.execute(_FOLLOWED, values)]


def stock(
    connection: Connection, channel: str, seller_skus: Sequence[str], now: datetime
) -> list[Stock]:
    """The stock of those of them that are bound, sorted."""
    values = {"channel": channel, "network": FBA, "skus": list(seller_skus), "now": now}
    return [_stock(row, now) for row in connection.execute(_STOCK, values)]


def _stock(row: Any, now: datetime) -> Stock:
    opened = row.opened_at
    earlier = (row.on_hand_30, row.on_hand_60, row.on_hand_90)
    known = tuple(
        units
        for days, units in zip(_WINDOWS, earlier, strict=True)
        if opened is not None and opened <= now - timedelta(days=days)
    )
    return Stock(
        row.seller_sku,
        row.sku,
        row.location,
        row.pack,
        opened,
        row.on_hand,
        row.available,
        row.inbound,
        row.unfulfillable,
        row.shipped_90,
        row.shipped_60,
        (row.on_hand, *known),
        None if row.in_stock is None else float(row.in_stock),
    )


_ARRIVALS = text("""
    SELECT seller_sku, CAST(at AT TIME ZONE 'UTC' AS date) AS day, sum(units)::bigint AS units
    FROM fba_row
    WHERE channel = :channel AND seller_sku = ANY(CAST(:skus AS text[])) AND event = 'Receipts'
      AND disposition = 'SELLABLE' AND at <= :now
    GROUP BY 1, 2 ORDER BY 1, 2
""")
_STRANDED = text("""
    SELECT seller_sku, since, reason, action, fulfillable, auto_removal_at, read_at FROM fba_stranded
    WHERE channel = :channel AND seller_sku = ANY(CAST(:skus AS text[])) AND gone_at IS NULL AND read_at > :read_since
    ORDER BY seller_sku
""")
_TOLD = text("""
    SELECT max(finished_at) FROM amazon_report
    WHERE channel = :channel AND kind = :kind AND (state = 'done' OR error = 'Amazon: CANCELLED')
""")
_SIZES = text("""
    SELECT seller_sku, cubic_feet, size_band, pounds FROM fba_size
    WHERE channel = :channel AND seller_sku = ANY(CAST(:skus AS text[])) ORDER BY seller_sku
""")
_SAYS = text("""
    SELECT DISTINCT ON (seller_sku) seller_sku, snapshot_on, asin, days_of_supply, sell_through, excess_units,
           aged_181_units, recommended_removal_units, recommended_action, alert, storage_cost_next_month, currency
    FROM fba_health
    WHERE channel = :channel AND seller_sku = ANY(CAST(:skus AS text[])) AND snapshot_on > :said_since
    ORDER BY seller_sku, snapshot_on DESC
""")


def arrivals(
    connection: Connection, channel: str, seller_skus: Sequence[str], now: datetime
) -> dict[str, list[tuple[date, int]]]:
    """By seller SKU, what Amazon received by day (UTC), in its own units; a correction of a receipt is below 0."""
    found: dict[str, list[tuple[date, int]]] = {}
    values = {"channel": channel, "skus": list(seller_skus), "now": now}
    for row in connection.execute(_ARRIVALS, values):
        found.setdefault(row.seller_sku, []).append((row.day, row.units))
    return found


def stranded(
    connection: Connection, channel: str, seller_skus: Sequence[str], now: datetime
) -> dict[str, Mapping[str, Any]]:
    """Those of them that nobody can buy, as the newest reports say."""
    values = {"channel": channel, "skus": list(seller_skus), "read_since": now - STRANDED_FOR}
    rows = connection.execute(_STRANDED, values).mappings()
    return {row["seller_sku"]: dict(row) for row in rows}


def stranded_told_at(connection: Connection, channel: str, kind: str) -> datetime | None:
    """When a report of this kind last said what is stranded, or that nothing is; None: none ever did."""
    at: datetime | None = connection.execute(_TOLD, {"channel": channel, "kind": kind}).scalar_one()
    return at


def measured(connection: Connection, channel: str, seller_skus: Sequence[str]) -> dict[str, Size]:
    """By seller SKU, how large one of Amazon's units is, as Amazon measured it."""
    rows = connection.execute(_SIZES, {"channel": channel, "skus": list(seller_skus)})
    return {row.seller_sku: Size(*row) for row in rows}


def says(
    connection: Connection, channel: str, seller_skus: Sequence[str], now: datetime
) -> dict[str, Mapping[str, Any]]:
    """What Amazon's own planning report says of them, the newest of thirty days."""
    since = (now - _SAID_FOR).date()
    values = {"channel": channel, "skus": list(seller_skus), "said_since": since}
    rows = connection.execute(_SAYS, values).mappings()
    return {row["seller_sku"]: dict(row) for row in rows}


# -- kept ------------------------------------------------------------------------------------------------------------

_COLUMNS: Final = (
    ("seller_sku", "text"), ("sku", "text"), ("location", "text"), ("on_hand", "bigint"), ("available", "bigint"),
    ("inbound", "bigint"), ("per_day", "float8"), ("days_of_supply", "float8"), ("excess_units", "bigint"),
    ("sell_through", "float8"), ("stranded_units", "bigint"), ("oldest_days", "integer"), ("aged_units", "bigint"),
    ("surcharge", "numeric"), ("removal_units", "bigint"), ("saved", "numeric"),
    ("fee", "numeric"), ("net", "numeric"), ("why", "text"),
    ("held_back", "text"), ("send_units", "bigint"), ("send_cartons", "bigint"), ("send_from", "jsonb"),
    ("short_units", "bigint"), ("short_why", "text"),
)  # fmt: skip
_NAMES: Final = ", ".join(name for name, _ in _COLUMNS)
_KEEP = text(f"""
    INSERT INTO fba_standing AS s (channel, stood_at, removal_since, send_since, {_NAMES})
    SELECT :channel, :now, CASE WHEN removal_units > 0 THEN CAST(:now AS timestamptz) END,
           CASE WHEN send_units > 0 THEN CAST(:now AS timestamptz) END, {_NAMES}
    FROM json_to_recordset(CAST(:rows AS json)) AS given ({", ".join(f"{n} {of}" for n, of in _COLUMNS)})
    ORDER BY seller_sku
    ON CONFLICT (channel, seller_sku) DO UPDATE SET
        stood_at = excluded.stood_at,
        removal_since = CASE WHEN excluded.removal_units > 0 THEN coalesce(s.removal_since, :now) END,
        send_since = CASE WHEN excluded.send_units > 0 THEN coalesce(s.send_since, :now) END,
        {", ".join(f"{n} = excluded.{n}" for n, _ in _COLUMNS[1:])}
""")  # noqa: S608 -- names of columns, from a constant
_FORGET = text("DELETE FROM fba_standing WHERE channel = :channel AND stood_at < :before")
_KEEP_FACTORS = text("""
    INSERT INTO fba_factor (channel, day, on_hand, excess_ratio, sell_through, stranded_ratio, in_stock_ratio,
                            storage_weeks, skus, held_back)
    VALUES (:channel, :day, :on_hand, :excess_ratio, :sell_through, :stranded_ratio, :in_stock_ratio,
            :storage_weeks, :skus, :held_back)
    ON CONFLICT (channel, day) DO UPDATE SET
        on_hand = excluded.on_hand, excess_ratio = excluded.excess_ratio, sell_through = excluded.sell_through,
        stranded_ratio = excluded.stranded_ratio, in_stock_ratio = excluded.in_stock_ratio,
        storage_weeks = excluded.storage_weeks, skus = excluded.skus, held_back = excluded.held_back
""")


def keep(
    connection: Connection, channel: str, rows: Sequence[Mapping[str, object]], now: datetime
) -> None:
    """Keep how SKUs stand, each with every column of `fba_standing`."""
    given = orjson.dumps(list(rows), default=str).decode()
    connection.execute(_KEEP, {"channel": channel, "now": now, "rows": given})


def forget(connection: Connection, channel: str, before: datetime) -> None:
    """Forget what no look since then has kept: it is bound or told of no more."""
    connection.execute(_FORGET, {"channel": channel, "before": before})


def keep_factors(
    connection: Connection, channel: str, day: date, factors: Mapping[str, object], held_back: int
) -> None:
    """Keep what the index is made of, once a day; a later look of the day replaces it."""
    values = {**factors, "channel": channel, "day": day, "held_back": held_back}
    connection.execute(_KEEP_FACTORS, values)
