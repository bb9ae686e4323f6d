"""Counts as the book knows them by now: followed from its events, kept as rows, read back for judging."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, TextClause, text

from allocation.fit import week_of
from ledger.types import ON_HAND
from reconcile.counting.judging import BAD_OVER, Day, Share, Signal, Spread, Week, spread
from reconcile.counting.tolerance import verdict
from reconcile.counting.types import Counted, Place, Terms, Tier, Verdict

#: What happened before is no evidence of today.
LOOK_BACK = timedelta(days=400)

_TURN = text("SELECT pg_advisory_xact_lock(7305200131)")

_LOOKED = text("SELECT seen, looked_at, tiers_at FROM count_look")

_NOTE = text("""
    INSERT INTO count_look AS l (seen, looked_at, tiers_at) VALUES (:seen, :now, :tiers_at)
    ON CONFLICT (one) DO UPDATE SET seen = greatest(l.seen, excluded.seen), looked_at = excluded.looked_at,
        tiers_at = coalesce(excluded.tiers_at, l.tiers_at)
""")

#: Whether a count was booked or reversed since the last look, or that was before `counts_before`.
WAITS = text("""
    SELECT EXISTS (SELECT FROM count_look WHERE looked_at <= :counts_before) OR EXISTS (
        SELECT FROM event AS e
        WHERE e.id > coalesce((SELECT seen FROM count_look), '00000000-0000-0000-0000-000000000000')
          AND e.kind IN ('count', 'reversal')
          AND (e.kind = 'count' OR EXISTS (SELECT FROM event AS t WHERE t.id = e.reverses AND t.kind = 'count')))
""")

# A restatement is an event of the house that names the count which it corrects.
_NEWS = text("""
    WITH news AS MATERIALIZED (
        SELECT id, coalesce(reverses, id) AS target FROM event
        WHERE id > :after AND kind IN ('count', 'reversal')
        ORDER BY id LIMIT :rows
    )
    SELECT (SELECT id FROM news ORDER BY id DESC LIMIT 1) AS seen,
           (SELECT array_agg(DISTINCT mark.event_id)
            FROM news JOIN event AS t ON t.id = news.target
            JOIN count_mark AS mark ON mark.event_id = CASE
                WHEN t.source = 'lockstep' AND t.reference ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                THEN CAST(t.reference AS uuid) ELSE t.id END
            WHERE t.kind = 'count') AS counts
""")

_ON_HAND = "ARRAY['" + "','".join(ON_HAND) + "']"

# What a restatement moved stands at the minute of its count. `position` is the book's at that minute: what the event
# says, less what restatements have added to the variance since.
_FACTS = text(f"""
    SELECT mark.event_id, mark.sku, mark.location, mark.counted_at, mark.counted,
           coalesce((event.payload ->> 'position')::bigint, mark.counted) - restated.units AS position,
           before.at AS before_at, moved.moves,
           coalesce(event.payload ->> 'tier', tier.tier, 'C') AS tier,
           coalesce(event.payload ->> 'reason_code', '') AS reason,
           EXISTS (SELECT FROM event AS r WHERE r.reverses = mark.event_id) AS undone,
           EXISTS (SELECT FROM count_order AS o
                   WHERE o.sku = mark.sku AND o.location = mark.location AND o.withdrawn_at IS NULL
                     AND o.since < mark.counted_at AND (before.at IS NULL OR o.since >= before.at)) AS ordered
    FROM unnest(CAST(:ids AS uuid[])) AS given (id)
    JOIN count_mark AS mark ON mark.event_id = given.id
    JOIN event ON event.id = mark.event_id
    JOIN location AS here ON here.location = mark.location AND here.kind IN ('warehouse', 'store')
    LEFT JOIN count_tier AS tier ON tier.location = mark.location AND tier.sku = mark.sku
    CROSS JOIN LATERAL (
        SELECT max(b.counted_at) AS at FROM count_mark AS b
        WHERE b.sku = mark.sku AND b.location = mark.location AND b.counted_at < mark.counted_at
          AND NOT EXISTS (SELECT FROM event AS r WHERE r.reverses = b.event_id)
    ) AS before
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(CASE WHEN p.to_state = 'available' THEN p.units ELSE -p.units END), 0)::bigint AS units
        FROM posting AS p JOIN event AS e ON e.id = p.event_id
        WHERE p.sku = mark.sku AND p.occurred_at = mark.counted_at
          AND e.kind = 'count' AND e.source = 'lockstep' AND e.reference = mark.event_id::text
          AND NOT EXISTS (SELECT FROM event AS r WHERE r.reverses = e.id)
    ) AS restated
    CROSS JOIN LATERAL (
        SELECT count(*) AS moves FROM posting AS p
        WHERE p.sku = mark.sku AND p.occurred_at < mark.counted_at
          AND p.occurred_at > coalesce(before.at, '-infinity')
          AND (p.from_location = mark.location AND p.from_state = ANY({_ON_HAND}))
              <> (p.to_location = mark.location AND p.to_state = ANY({_ON_HAND}))
    ) AS moved
    ORDER BY mark.sku, mark.location, mark.counted_at
""")  # noqa: S608 -- composed of constants

_KEEP = text("""
    INSERT INTO count_variance AS v (event_id, sku, location, counted_at, counted, position, moves, sigma, tier,
                                     within, reason, recount, undone)
    SELECT event_id, sku, location, counted_at, counted, position, moves, sigma, tier, within, reason, recount, undone
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (event_id uuid, sku text, location text, counted_at timestamptz, counted bigint, position bigint,
                   moves bigint, sigma float8, tier text, within boolean, reason text, recount boolean, undone boolean)
    ORDER BY event_id
    ON CONFLICT (event_id) DO UPDATE SET
        position = excluded.position, moves = excluded.moves, within = excluded.within, undone = excluded.undone
    WHERE (v.position, v.moves, v.within, v.undone)
          IS DISTINCT FROM (excluded.position, excluded.moves, excluded.within, excluded.undone)
""")

# Far-off counts are drawn in to three deviations (1.645 of them hold nine in ten of a normal): one slip of the pen must
# not hide a year of losses.
_SPREADS = text("""
    WITH counts AS (
        SELECT given.location, (newest.counted - newest.position)::float8 AS v, newest.moves::float8 AS moves
        FROM unnest(CAST(:locations AS text[])) AS given (location)
        CROSS JOIN LATERAL (
            SELECT counted, position, moves FROM count_variance AS v
            WHERE v.location = given.location AND v.counted_at > :since AND NOT v.undone
            ORDER BY v.counted_at DESC LIMIT 1000
        ) AS newest
    ), middle AS (
        SELECT location, percentile_cont(0.5) WITHIN GROUP (ORDER BY v) AS v FROM counts GROUP BY location
    ), reach AS (
        SELECT counts.location,
               greatest(3, 3 / 1.645 * percentile_cont(0.9) WITHIN GROUP (ORDER BY abs(counts.v - middle.v))) AS v
        FROM counts JOIN middle USING (location) GROUP BY counts.location
    ), drawn AS (
        SELECT location, counts.moves,
               least(greatest(counts.v, middle.v - reach.v), middle.v + reach.v)
               - avg(least(greatest(counts.v, middle.v - reach.v), middle.v + reach.v))
                 OVER (PARTITION BY location) AS v
        FROM counts JOIN middle USING (location) JOIN reach USING (location)
    )
    SELECT location, count(*) AS counts, avg(v * v) AS squares, avg(moves) AS moves,
           regr_intercept(v * v, moves) AS intercept, regr_slope(v * v, moves) AS slope,
           regr_r2(v * v, moves) AS explained
    FROM drawn GROUP BY location
""")

_COLUMNS = """v.sku, v.location, v.counted_at AS at, v.counted, v.position, v.moves, v.sigma, v.tier, v.within,
    v.reason, v.recount"""

_HISTORY = text(f"""
    SELECT {_COLUMNS}
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS given (sku, location)
    JOIN count_variance AS v ON v.sku = given.sku AND v.location = given.location
    WHERE v.counted_at > :since AND NOT v.undone
    ORDER BY v.sku, v.location, v.counted_at, v.event_id
""")  # noqa: S608 -- composed of constants

# What was told at once has no part in what many places come to.
_SMALL = (
    """NOT v.undone AND abs(v.counted - v.position) * 100 <= :escalate * greatest(1, v.position)"""
)


def _weeks_by(column: str) -> TextClause:
    return text(f"""
        SELECT date_trunc('week', v.counted_at, 'UTC') AS since, sum(v.counted - v.position)::bigint AS units,
               sum(v.sigma * v.sigma) AS spread, count(*) AS counts
        FROM count_variance AS v
        WHERE v.{column} = :name AND v.counted_at > :since AND v.counted_at < :until AND {_SMALL}
        GROUP BY 1 ORDER BY 1
    """)  # noqa: S608 -- composed of constants


def _shares_by(column: str) -> TextClause:
    return text(f"""
        SELECT v.sku, v.location, sum(v.counted - v.position)::bigint AS units,
               (SELECT max(b.counted_at) FROM count_variance AS b
                WHERE b.sku = v.sku AND b.location = v.location AND b.counted_at < :since AND NOT b.undone) AS sound_at
        FROM count_variance AS v
        WHERE v.{column} = :name AND v.counted_at >= :since AND v.counted_at < :until AND {_SMALL}
        GROUP BY v.sku, v.location
        HAVING sum(v.counted - v.position) <> 0
    """)  # noqa: S608 -- composed of constants


#: By what places are pooled -> the statement.
_WEEKS = {by: _weeks_by(by) for by in ("location", "reason")}
_SHARES = {by: _shares_by(by) for by in ("location", "reason")}

_DAYS = text("""
    SELECT location, date_trunc('day', counted_at, 'UTC') AS day, count(*) AS counts,
           count(*) FILTER (WHERE NOT within) AS bad
    FROM count_variance
    WHERE location = ANY(CAST(:locations AS text[])) AND counted_at > :since AND NOT undone AND NOT recount
    GROUP BY location, day ORDER BY location, day
""")

_POOLS = text("""
    SELECT DISTINCT location, reason FROM count_variance WHERE counted_at > :since
""")


@dataclass(frozen=True, slots=True)
class Looked:
    """How far counts were followed."""

    seen: UUID
    at: datetime
    tiers_at: datetime | None


def take_turn(connection: Connection) -> None:
    """Wait until nobody else follows counts; until this transaction ends."""
    connection.execute(_TURN)


def looked(connection: Connection) -> Looked | None:
    """The last look, None before the first."""
    row = connection.execute(_LOOKED).one_or_none()
    return None if row is None else Looked(row.seen, row.looked_at, row.tiers_at)


def note(
    connection: Connection, seen: UUID, now: datetime, tiers_at: datetime | None = None
) -> None:
    """Write down a look."""
    connection.execute(_NOTE, {"seen": seen, "now": now, "tiers_at": tiers_at})


def first_id(at: datetime) -> UUID:
    """The least id that an event written at `at` can have (UUIDv7)."""
    return UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def waits(connection: Connection, looked_before: datetime) -> bool:
    """Whether a count was booked or reversed since the last look, or that was before `looked_before`."""
    return bool(connection.execute(WAITS, {"counts_before": looked_before}).scalar_one())


def news(connection: Connection, after: UUID, rows: int) -> tuple[UUID | None, list[UUID]]:
    """The greatest id of the next `rows` events, None at the end, and the counts they booked, corrected or reversed."""
    row = connection.execute(_NEWS, {"after": after, "rows": rows}).one()
    return row.seen, list(row.counts or ())


def follow(
    connection: Connection, counts: Collection[UUID], terms: Terms, now: datetime
) -> list[Counted]:
    """Write down what these counts came to, by what the book knows now; what others hold is theirs to count."""
    rows = connection.execute(_FACTS, {"ids": sorted(counts)}).all()
    spreads = _spreads(connection, {row.location for row in rows}, now)
    found = [_counted(row, spreads, terms) for row in rows]
    given = [
        {
            "event_id": row.event_id,
            "sku": count.sku,
            "location": count.location,
            "counted_at": count.at,
            "counted": count.counted,
            "position": count.position,
            "moves": count.moves,
            "sigma": count.sigma,
            "tier": count.tier,
            "within": count.within,
            "reason": count.reason,
            "recount": count.recount,
            "undone": row.undone,
        }
        for row, count in zip(rows, found, strict=True)
    ]
    if given:
        connection.execute(_KEEP, {"rows": orjson.dumps(given).decode()})
    return found


def _counted(row: Any, spreads: Mapping[str, Spread], terms: Terms) -> Counted:
    tier = Tier(row.tier)
    off = verdict(row.counted - row.position, row.position, tier, terms)
    return Counted(
        sku=row.sku,
        location=row.location,
        at=row.counted_at,
        counted=row.counted,
        position=row.position,
        moves=row.moves,
        sigma=spreads.get(row.location, Spread()).sigma(row.moves),
        tier=tier,
        within=off is Verdict.WITHIN,
        reason=row.reason,
        recount=row.ordered or row.reason == "failed_pick",
    )


def _spreads(
    connection: Connection, locations: Collection[str], now: datetime
) -> dict[str, Spread]:
    values = {"locations": sorted(locations), "since": now - LOOK_BACK}
    return {row.location: spread(*row[1:]) for row in connection.execute(_SPREADS, values)}


def histories(
    connection: Connection, places: Collection[Place], now: datetime
) -> dict[Place, list[Counted]]:
    """Counts of these places that were not reversed, oldest first; a place without any has an empty list."""
    found: dict[Place, list[Counted]] = {place: [] for place in places}
    ordered = sorted(found)
    values = {
        "skus": [sku for sku, _ in ordered],
        "locations": [location for _, location in ordered],
        "since": now - LOOK_BACK,
    }
    for row in connection.execute(_HISTORY, values):
        found[row.sku, row.location].append(_of_row(row))
    return found


def _of_row(row: Any) -> Counted:
    return Counted(
        sku=row.sku,
        location=row.location,
        at=row.at,
        counted=row.counted,
        position=row.position,
        moves=row.moves,
        sigma=row.sigma,
        tier=Tier(row.tier),
        within=row.within,
        reason=row.reason,
        recount=row.recount,
    )


def weeks(connection: Connection, by: str, name: str, terms: Terms, now: datetime) -> list[Week]:
    """Small variances of a location (or with one reason) by full weeks, oldest first.

    by    `location` or `reason`
    """
    values = {
        "name": name,
        "since": now - LOOK_BACK,
        "until": week_of(now),
        "escalate": terms.escalate_percent,
    }
    rows = connection.execute(_WEEKS[by], values)
    return [Week(row.since, row.units, row.spread, row.counts) for row in rows]


def shares(connection: Connection, by: str, name: str, signal: Signal, terms: Terms) -> list[Share]:
    """What each place did to a run."""
    values = {
        "name": name,
        "since": signal.since,
        "until": signal.until,
        "escalate": terms.escalate_percent,
    }
    rows = connection.execute(_SHARES[by], values)
    return [Share((row.sku, row.location), row.units, row.sound_at) for row in rows]


def days(connection: Connection, locations: Collection[str], now: datetime) -> dict[str, list[Day]]:
    """Counts and bad counts of the last four weeks by day, oldest first."""
    found: dict[str, list[Day]] = {location: [] for location in locations}
    values = {"locations": sorted(found), "since": now - BAD_OVER}
    for row in connection.execute(_DAYS, values):
        found[row.location].append(Day(row.day, row.counts, row.bad))
    return found


def pools(connection: Connection, now: datetime) -> tuple[set[str], set[str]]:
    """Locations and reasons that have counts."""
    rows = connection.execute(_POOLS, {"since": now - LOOK_BACK}).all()
    return {row.location for row in rows}, {row.reason for row in rows}
