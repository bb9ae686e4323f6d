"""When to order of each place, kept: levels of the newest run with the balances of now, in one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, text

from allocation.planning.ordering import Lead, Level, Terms
from allocation.planning.replenishment import Standing
from allocation.planning.tiers import Kept, Tier, classes, kept
from ledger.db import fetch

#: How often a level is looked at by its tier, in seconds: the fewer, the more an hour without it costs.
LOOKS_S: Final[Mapping[Tier, int]] = {Tier.A: 900, Tier.B: 3_600, Tier.C: 86_400}

_KEEP = text("""
    INSERT INTO reorder_level (sku, location, run_id, supplier, pack, minimum, service, review_days, lead_days,
                               lead_sd_days, lead_receipts, per_day, wanted_units, wanted_sd, shape, kind, model, folds,
                               reorder_point, order_up_to, lot_units, lost_per_hour, tier, look_at)
    SELECT sku, location, :run, supplier, pack, minimum, service, review_days, lead_days, lead_sd_days, lead_receipts,
           per_day, wanted_units, wanted_sd, shape, kind, model, folds, reorder_point, order_up_to, lot_units,
           lost_per_hour, 'C', :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
         AS r (sku text, location text, supplier text, pack bigint, minimum bigint, service float8, review_days float8,
               lead_days float8, lead_sd_days float8, lead_receipts integer, per_day float8, wanted_units float8,
               wanted_sd float8, shape text, kind text, model text, folds integer, reorder_point bigint,
               order_up_to bigint, lot_units bigint, lost_per_hour float8)
    ON CONFLICT (sku, location) DO UPDATE
    SET run_id = excluded.run_id, supplier = excluded.supplier, pack = excluded.pack, minimum = excluded.minimum,
        service = excluded.service, review_days = excluded.review_days, lead_days = excluded.lead_days,
        lead_sd_days = excluded.lead_sd_days, lead_receipts = excluded.lead_receipts, per_day = excluded.per_day,
        wanted_units = excluded.wanted_units, wanted_sd = excluded.wanted_sd, shape = excluded.shape,
        kind = excluded.kind, model = excluded.model, folds = excluded.folds,
        reorder_point = excluded.reorder_point, order_up_to = excluded.order_up_to, lot_units = excluded.lot_units,
        lost_per_hour = excluded.lost_per_hour, look_at = excluded.look_at
""")
_FORGET = text("DELETE FROM reorder_level WHERE run_id <> :run")

_STANDING = """
    SELECT l.sku, l.location, l.supplier, l.pack, l.minimum, l.service, l.review_days, l.lead_days, l.lead_sd_days,
           l.lead_receipts, l.per_day, l.wanted_units, l.wanted_sd, l.shape, l.kind, l.model, l.folds, l.reorder_point,
           l.order_up_to, l.lot_units, l.lost_per_hour, l.tier, l.low_since, b.units AS free,
           coalesce(s.units, 0)::bigint AS coming, s.due, s.parts
    FROM reorder_level AS l
    JOIN location AS place ON place.location = l.location AND place.kind IN ('warehouse', 'store')
    JOIN balance AS b ON b.sku = l.sku AND b.location = l.location AND b.state = 'available'
    LEFT JOIN (
        SELECT sku, location, sum(expected_units - received_units) AS units,
               array_agg((due_at AT TIME ZONE 'UTC')::date ORDER BY due_at, reference) AS due,
               array_agg(expected_units - received_units ORDER BY due_at, reference) AS parts
        FROM supply_line
        WHERE expected_units > received_units
        GROUP BY sku, location
    ) AS s ON s.sku = l.sku AND s.location = l.location
"""
_LOW = text(f"""
    {_STANDING}
    WHERE b.units + coalesce(s.units, 0) <= l.reorder_point AND b.units + coalesce(s.units, 0) < l.order_up_to
    ORDER BY l.sku, l.location
""")
_EVERY = text(f"{_STANDING} ORDER BY l.sku, l.location")
_ONE = text(f"{_STANDING} WHERE l.sku = :sku ORDER BY l.location")

_VALUES = text(
    "SELECT sku, location, lost_per_hour, per_day FROM reorder_level ORDER BY sku, location"
)
_TIERS = text("""
    UPDATE reorder_level AS l SET tier = r.tier
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (sku text, location text, tier text)
    WHERE l.sku = r.sku AND l.location = r.location AND l.tier <> r.tier
""")
_FAST = text("SELECT sku, tier, since, lower_since FROM velocity_tier")
_KEEP_FAST = text("""
    INSERT INTO velocity_tier (sku, tier, since, lower_since, per_day)
    SELECT sku, tier, since, lower_since, per_day
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
         AS r (sku text, tier text, since timestamptz, lower_since timestamptz, per_day float8)
    ON CONFLICT (sku) DO UPDATE
    SET tier = excluded.tier, since = excluded.since, lower_since = excluded.lower_since, per_day = excluded.per_day
""")
_SLOW = text("DELETE FROM velocity_tier WHERE NOT sku = ANY(CAST(:skus AS text[]))")
_SKUS = text("SELECT DISTINCT sku FROM reorder_level ORDER BY sku")
_COUNT = text("SELECT count(DISTINCT sku) FROM reorder_level")

# What is on its way counts, as in the list; the row is taken by whoever looks first.
_LOOK = text("""
    WITH due AS (
        SELECT sku, location FROM reorder_level
        WHERE look_at <= :now ORDER BY look_at, sku, location LIMIT :most FOR UPDATE SKIP LOCKED
    ), stood AS (
        SELECT l.sku, l.location, l.low_since, l.reorder_point, l.order_up_to,
               b.units + coalesce((
                   SELECT sum(s.expected_units - s.received_units) FROM supply_line AS s
                   WHERE s.sku = l.sku AND s.location = l.location AND s.expected_units > s.received_units), 0) AS units
        FROM due JOIN reorder_level AS l USING (sku, location)
        LEFT JOIN balance AS b ON b.sku = l.sku AND b.location = l.location AND b.state = 'available'
    )
    UPDATE reorder_level AS l
    SET look_at = CAST(:now AS timestamptz)
                + make_interval(secs => CASE l.tier WHEN 'A' THEN :a WHEN 'B' THEN :b ELSE :c END),
        low_since = CASE WHEN stood.units <= l.reorder_point AND stood.units < l.order_up_to
                    THEN coalesce(l.low_since, :now) END
    FROM stood
    WHERE l.sku = stood.sku AND l.location = stood.location
    RETURNING l.sku, l.location, stood.low_since IS NULL AND l.low_since IS NOT NULL AS fell
""")


@dataclass(frozen=True, slots=True)
class Stands:
    """A level, and how its place stands now.

    coming       what is expected, by day
    low_since    at the reorder point or below since then, as last looked at
    """

    level: Level
    standing: Standing
    coming: Sequence[tuple[date, int]]
    low_since: datetime | None


def keep(connection: Connection, run_id: int, levels: Sequence[Level], now: datetime) -> None:
    """Keep levels; they are looked at next."""
    if not levels:
        return
    rows = [
        {
            "sku": of.sku, "location": of.location, "supplier": of.terms.supplier, "pack": of.terms.pack,
            "minimum": of.terms.minimum, "service": of.terms.service, "review_days": of.terms.review_days,
            "lead_days": of.lead.days, "lead_sd_days": of.lead.sd_days, "lead_receipts": of.lead.receipts,
            "per_day": of.per_day, "wanted_units": of.wanted_units, "wanted_sd": of.wanted_sd, "shape": of.shape,
            "kind": of.kind, "model": of.model, "folds": of.folds, "reorder_point": of.reorder_point,
            "order_up_to": of.order_up_to, "lot_units": of.lot_units, "lost_per_hour": of.lost_per_hour,
        }
        for of in levels
    ]  # fmt: skip
    connection.execute(_KEEP, {"run": run_id, "rows": orjson.dumps(rows).decode(), "now": now})


def forget_others(connection: Connection, run_id: int) -> None:
    """Forget levels of places that a run did not find any more."""
    connection.execute(_FORGET, {"run": run_id})


def low(connection: Connection) -> list[Stands]:
    """Places that are at their reorder point or below, what is coming counted, by SKU and location."""
    return [_stands(row) for row in fetch(connection, _LOW, {})]


def every(connection: Connection) -> list[Stands]:
    """All places with a level."""
    return [_stands(row) for row in fetch(connection, _EVERY, {})]


def of_sku(connection: Connection, sku: str) -> list[Stands]:
    """The places of a SKU."""
    return [_stands(row) for row in fetch(connection, _ONE, {"sku": sku})]


def skus(connection: Connection) -> list[str]:
    """SKUs that have a level, sorted."""
    return [row.sku for row in fetch(connection, _SKUS, {})]


def looked_at(connection: Connection) -> int:
    """SKUs that have a level."""
    return int(connection.execute(_COUNT).scalar_one())


def sort_into_tiers(connection: Connection, now: datetime) -> list[str]:
    """Find anew which places lose most in an hour without them, and which SKUs sell fastest.

    Where no price is known, a unit counts as one: then it is units that are lost.

    returns    SKUs that sell in another tier than before, those that are new in one or gone from all among them
    """
    rows = fetch(connection, _VALUES, {})
    priced = any(row.lost_per_hour for row in rows)
    lost = [(row.lost_per_hour or 0.0) if priced else row.per_day for row in rows]
    told = [
        {"sku": row.sku, "location": row.location, "tier": tier}
        for row, tier in zip(rows, classes(lost), strict=True)
    ]
    connection.execute(_TIERS, {"rows": orjson.dumps(told).decode()})
    pace: dict[str, float] = {}
    for row in rows:
        pace[row.sku] = pace.get(row.sku, 0.0) + row.per_day
    before = {
        row.sku: Kept(Tier(row.tier), row.since, row.lower_since)
        for row in fetch(connection, _FAST, {})
    }
    fast = []
    for (sku, per_day), found in zip(pace.items(), classes(list(pace.values())), strict=True):
        now_in = kept(before.get(sku), found, now)
        fast.append(
            {"sku": sku, "tier": now_in.tier, "since": now_in.since, "lower_since": now_in.lower_since,
             "per_day": per_day}
        )  # fmt: skip
    connection.execute(_KEEP_FAST, {"rows": orjson.dumps(fast).decode()})
    connection.execute(_SLOW, {"skus": sorted(pace)})
    was = {sku: each.tier for sku, each in before.items()}
    is_now = {str(each["sku"]): each["tier"] for each in fast}
    return sorted(sku for sku in was.keys() | is_now.keys() if was.get(sku) != is_now.get(sku))


def look(connection: Connection, now: datetime, most: int) -> tuple[int, list[tuple[str, str]]]:
    """Look at what is due, the dearest to be without most often: how many, and places that fell to their point."""
    values = {
        "now": now,
        "most": most,
        "a": LOOKS_S[Tier.A],
        "b": LOOKS_S[Tier.B],
        "c": LOOKS_S[Tier.C],
    }
    rows = fetch(connection, _LOOK, values)
    return len(rows), sorted((row.sku, row.location) for row in rows if row.fell)


def _stands(row: Any) -> Stands:
    lead = Lead(row.lead_days, row.lead_sd_days, row.lead_receipts)
    terms = Terms(row.service, lead, row.review_days, row.pack, row.minimum, row.supplier)
    level = Level(
        row.sku, row.location, terms, lead, row.per_day, row.wanted_units, row.wanted_sd, row.shape,
        row.kind, row.model, row.folds, row.reorder_point, row.order_up_to, row.lot_units,
        row.lost_per_hour, Tier(row.tier),
    )  # fmt: skip
    coming = list(zip(row.due or (), row.parts or (), strict=True))
    return Stands(level, Standing(row.free, on_order=row.coming), coming, row.low_since)
