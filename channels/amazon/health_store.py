"""Offers, planning figures and IPI scores in PostgreSQL, beside the stock they speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import orjson
from sqlalchemy import Connection, text

from channels.amazon.health import Health, OfferSeen

_KEEP_OFFERS = text("""
    INSERT INTO offer_share (channel, asin, item_condition, at, ours_featured, featured, featured_price, our_price,
                             currency, offers, seen_at)
    SELECT DISTINCT ON (asin, item_condition, at)
           :channel, asin, item_condition, at, ours_featured, featured, featured_price, our_price, currency, offers,
           :now
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        asin text, item_condition text, at timestamptz, ours_featured boolean, featured boolean,
        featured_price numeric, our_price numeric, currency text, offers integer)
    ORDER BY asin, item_condition, at
    ON CONFLICT DO NOTHING
""")


def keep_offers(
    connection: Connection, channel: str, seen: Sequence[OfferSeen], *, now: datetime
) -> int:
    """Keep who had the featured offer, each moment once; returns how many are new."""
    if not seen:
        return 0
    rows = [
        {
            "asin": one.asin,
            "item_condition": one.condition,
            "at": one.at,
            "ours_featured": one.ours_featured,
            "featured": one.featured,
            "featured_price": _money(one.featured_price),
            "our_price": _money(one.our_price),
            "currency": one.currency,
            "offers": one.offers,
        }
        for one in seen
    ]
    values = {"channel": channel, "now": now, "rows": orjson.dumps(rows).decode()}
    return connection.execute(_KEEP_OFFERS, values).rowcount


def _money(amount: object) -> str | None:
    return None if amount is None else str(amount)


_KEEP_HEALTH = text("""
    INSERT INTO fba_health (channel, seller_sku, snapshot_on, asin, available, days_of_supply, sell_through,
        units_shipped_30, units_shipped_90, excess_units, aged_181_units, unfulfillable, inbound,
        recommended_removal_units, recommended_action, alert, storage_cost_next_month, currency, read_at)
    SELECT :channel, seller_sku, snapshot_on, asin, available, days_of_supply, sell_through, units_shipped_30,
        units_shipped_90, excess_units, aged_181_units, unfulfillable, inbound, recommended_removal_units,
        recommended_action, alert, storage_cost_next_month, currency, :now
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        seller_sku text, snapshot_on date, asin text, available bigint, days_of_supply numeric, sell_through numeric,
        units_shipped_30 bigint, units_shipped_90 bigint, excess_units bigint, aged_181_units bigint,
        unfulfillable bigint, inbound bigint, recommended_removal_units bigint, recommended_action text, alert text,
        storage_cost_next_month numeric, currency text)
    ORDER BY seller_sku, snapshot_on
    ON CONFLICT (channel, seller_sku, snapshot_on) DO UPDATE SET
        asin = excluded.asin, available = excluded.available, days_of_supply = excluded.days_of_supply,
        sell_through = excluded.sell_through, units_shipped_30 = excluded.units_shipped_30,
        units_shipped_90 = excluded.units_shipped_90, excess_units = excluded.excess_units,
        aged_181_units = excluded.aged_181_units, unfulfillable = excluded.unfulfillable,
        inbound = excluded.inbound, recommended_removal_units = excluded.recommended_removal_units,
        recommended_action = excluded.recommended_action, alert = excluded.alert,
        storage_cost_next_month = excluded.storage_cost_next_month, currency = excluded.currency,
        read_at = excluded.read_at
""")


def keep_health(
    connection: Connection, channel: str, rows: Sequence[Health], *, now: datetime
) -> int:
    """Keep the planning report's rows; a later report of the same day replaces its figures."""
    if not rows:
        return 0
    given = [
        {
            "seller_sku": one.seller_sku,
            "snapshot_on": one.snapshot_on,
            "asin": one.asin,
            "available": one.available,
            "days_of_supply": _money(one.days_of_supply),
            "sell_through": _money(one.sell_through),
            "units_shipped_30": one.units_shipped_30,
            "units_shipped_90": one.units_shipped_90,
            "excess_units": one.excess_units,
            "aged_181_units": one.aged_181_units,
            "unfulfillable": one.unfulfillable,
            "inbound": one.inbound,
            "recommended_removal_units": one.recommended_removal_units,
            "recommended_action": one.recommended_action,
            "alert": one.alert,
            "storage_cost_next_month": _money(one.storage_cost_next_month),
            "currency": one.currency,
        }
        for one in rows
    ]
    values = {"channel": channel, "now": now, "rows": orjson.dumps(given).decode()}
    return connection.execute(_KEEP_HEALTH, values).rowcount


@dataclass(frozen=True, slots=True)
class Share:
    """How an ASIN's featured offer fared over a span of time.

    share             of the seconds anybody was seen, the part in which the featured offer was ours, 0 to 1
    observed_s        seconds covered: from the first observation in (or before) the span to its end
    """

    asin: str
    condition: str
    share: float
    observed_s: float
    ours_now: bool
    featured_now: bool
    featured_price: str | None
    our_price: str | None
    currency: str
    last_at: datetime


# An observation holds until the next one. The one before the span counts from the span's beginning.
_SHARES = text("""
    WITH seen AS (
        SELECT asin, item_condition, greatest(at, CAST(:since AS timestamptz)) AS begun, at, ours_featured, featured,
               featured_price, our_price, currency,
               lead(at, 1, CAST(:now AS timestamptz)) OVER (PARTITION BY asin, item_condition ORDER BY at) AS ended
        FROM offer_share
        WHERE channel = :channel AND at <= :now AND (CAST(:asins AS text[]) IS NULL OR asin = ANY(:asins))
    ), spans AS (
        SELECT *, extract(epoch FROM ended - begun)::float8 AS seconds FROM seen WHERE ended > :since
    ), newest AS (
        SELECT DISTINCT ON (asin, item_condition) * FROM seen ORDER BY asin, item_condition, at DESC
    )
    SELECT newest.asin, newest.item_condition,
           coalesce(sum(spans.seconds) FILTER (WHERE spans.ours_featured), 0) AS ours_s,
           coalesce(sum(spans.seconds), 0) AS observed_s,
           newest.ours_featured, newest.featured, newest.featured_price, newest.our_price, newest.currency, newest.at
    FROM newest LEFT JOIN spans USING (asin, item_condition)
    GROUP BY newest.asin, newest.item_condition, newest.ours_featured, newest.featured, newest.featured_price,
             newest.our_price, newest.currency, newest.at
    ORDER BY newest.asin, newest.item_condition
""")


def shares(
    connection: Connection,
    channel: str,
    *,
    since: datetime,
    now: datetime,
    asins: Sequence[str] | None = None,
) -> list[Share]:
    """Our share of the featured offer by time: of every ASIN seen, or of these."""
    named = None if asins is None else list(asins)
    rows = connection.execute(
        _SHARES, {"channel": channel, "since": since, "now": now, "asins": named}
    )
    return [
        Share(
            row.asin,
            row.item_condition,
            round(row.ours_s / row.observed_s, 4) if row.observed_s else float(row.ours_featured),
            row.observed_s,
            row.ours_featured,
            row.featured,
            _money(row.featured_price),
            _money(row.our_price),
            row.currency,
            row.at,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What there was to sell of an ASIN at Amazon over a span of time, in Amazon's units.

    out_s          seconds in which there was none, of told_s seconds that readings tell of
    fulfillable    there now
    """

    asin: str
    out_s: float
    told_s: float
    fulfillable: int


# A reading holds until the next one. Of several SKUs of an ASIN the one that was out least says when it was out.
_SHELVES = text("""
    WITH named AS (
        SELECT DISTINCT asin, seller_sku FROM fba_health
        WHERE channel = :channel AND asin <> '' AND (CAST(:asins AS text[]) IS NULL OR asin = ANY(:asins))
    ), spans AS (
        SELECT n.asin, n.seller_sku, s.fulfillable, greatest(s.as_of, CAST(:since AS timestamptz)) AS begun, s.ended
        FROM named AS n
        CROSS JOIN LATERAL (
            SELECT r.fulfillable, r.as_of,
                   lead(r.as_of, 1, CAST(:now AS timestamptz)) OVER (ORDER BY r.as_of, r.id) AS ended
            FROM fba_reading AS r
            WHERE r.channel = :channel AND r.seller_sku = n.seller_sku AND r.as_of <= :now
        ) AS s
        WHERE s.ended > :since
    ), by_sku AS (
        SELECT asin, seller_sku,
               coalesce(extract(epoch FROM sum(ended - begun) FILTER (WHERE fulfillable = 0)), 0)::float8 AS out_s,
               extract(epoch FROM sum(ended - begun))::float8 AS told_s,
               (array_agg(fulfillable ORDER BY ended DESC, begun DESC))[1] AS fulfillable
        FROM spans WHERE ended >= begun GROUP BY asin, seller_sku
    )
    SELECT asin, min(out_s) AS out_s, max(told_s) AS told_s, sum(fulfillable)::bigint AS fulfillable
    FROM by_sku GROUP BY asin ORDER BY asin
""")


def shelves(
    connection: Connection,
    channel: str,
    *,
    since: datetime,
    now: datetime,
    asins: Sequence[str] | None = None,
) -> dict[str, Shelf]:
    """By ASIN, when Amazon had none of it to sell; what no planning report names is missing."""
    named = None if asins is None else list(asins)
    rows = connection.execute(
        _SHELVES, {"channel": channel, "since": since, "now": now, "asins": named}
    )
    return {row.asin: Shelf(row.asin, row.out_s, row.told_s, row.fulfillable) for row in rows}


_SET_IPI = text("""
    INSERT INTO ipi_score (channel, scored_on, score, threshold, set_by, set_at)
    VALUES (:channel, :scored_on, :score, :threshold, :set_by, :now)
""")
_IPI = text("""
    SELECT DISTINCT ON (channel, scored_on) channel, scored_on, score, threshold, score - threshold AS above,
           set_by, set_at
    FROM ipi_score WHERE CAST(:channel AS text) IS NULL OR channel = :channel
    ORDER BY channel, scored_on DESC, set_at DESC
""")


def set_ipi(
    connection: Connection,
    channel: str,
    *,
    scored_on: date,
    score: int,
    threshold: int | None,
    by: str,
    now: datetime,
) -> None:
    """Write down the score a person read; an earlier entry of the same day stays, the newest counts."""
    connection.execute(
        _SET_IPI,
        {
            "channel": channel,
            "scored_on": scored_on,
            "score": score,
            "threshold": threshold,
            "set_by": by,
            "now": now,
        },
    )


def ipi(connection: Connection, channel: str | None = None) -> list[Mapping[str, object]]:
    """Scores by day, the newest day first; each with what it is above (below 0: under) its threshold."""
    rows = connection.execute(_IPI, {"channel": channel}).mappings()
    return [dict(row) for row in rows]
