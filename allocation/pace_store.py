"""Pace in PostgreSQL: who writes the book keeps it in the same transaction, the allocator reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import orjson
from sqlalchemy import Connection, text

from allocation import demand
from allocation.pace import FAST_S, NOTHING, SLOW_S, Sold, Sums, gathered, pace_of
from allocation.types import Pace
from ledger.digest import Digest, LineKey
from ledger.postings import OrderLine

# The older of the two fades to the newer one. What would come out below zero is rounding, or takes back what was sold
# before anybody counted. PostgreSQL refuses results too small for a double: they are cut to zero long before.
_KEEP = text(f"""
    WITH given AS (
        SELECT sku, channel, location, at, since, fast_lines, slow_lines, slow_units, slow_squares
        FROM json_to_recordset(CAST(:rows AS json))
             AS g (sku text, channel text, location text, at timestamptz, since timestamptz,
                   fast_lines float8, slow_lines float8, slow_units float8, slow_squares float8)
    ), held AS (
        SELECT p.sku, p.channel, p.location, p.at, p.since, p.fast_lines, p.slow_lines, p.slow_units, p.slow_squares
        FROM pace AS p JOIN given AS g ON g.sku = p.sku AND g.channel = p.channel AND g.location = p.location
        ORDER BY p.sku, p.channel, p.location
        FOR UPDATE OF p
    ), aged AS (
        SELECT g.sku, g.channel, g.location, greatest(g.at, h.at) AS at,
               date_part('epoch', greatest(g.at, h.at) - g.at) AS given_s,
               date_part('epoch', greatest(g.at, h.at) - coalesce(h.at, g.at)) AS held_s
        FROM given AS g LEFT JOIN held AS h USING (sku, channel, location)
    ), part AS (
        SELECT sku, channel, location, at,
               CASE WHEN given_s > 100 * {FAST_S} THEN 0 ELSE exp(-given_s / {FAST_S}) END AS given_fast,
               CASE WHEN given_s > 100 * {SLOW_S} THEN 0 ELSE exp(-given_s / {SLOW_S}) END AS given_slow,
               CASE WHEN held_s > 100 * {FAST_S} THEN 0 ELSE exp(-held_s / {FAST_S}) END AS held_fast,
               CASE WHEN held_s > 100 * {SLOW_S} THEN 0 ELSE exp(-held_s / {SLOW_S}) END AS held_slow
        FROM aged
    ), both_sums AS (
        SELECT sku, channel, location, part.at,
               CASE WHEN coalesce(h.slow_lines * held_slow, 0) < {NOTHING} THEN coalesce(g.since, g.at)
                    ELSE least(h.since, g.since) END AS since,
               g.fast_lines * given_fast + coalesce(h.fast_lines * held_fast, 0) AS fast_lines,
               g.slow_lines * given_slow + coalesce(h.slow_lines * held_slow, 0) AS slow_lines,
               g.slow_units * given_slow + coalesce(h.slow_units * held_slow, 0) AS slow_units,
               g.slow_squares * given_slow + coalesce(h.slow_squares * held_slow, 0) AS slow_squares
        FROM part JOIN given AS g USING (sku, channel, location) LEFT JOIN held AS h USING (sku, channel, location)
        WHERE h.sku IS NOT NULL OR g.since IS NOT NULL
    )
    INSERT INTO pace AS p (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)
    SELECT sku, channel, location,
           CASE WHEN fast_lines > 1e-30 THEN fast_lines ELSE 0 END,
           CASE WHEN slow_lines > 1e-30 THEN slow_lines ELSE 0 END,
           CASE WHEN slow_units > 1e-30 THEN slow_units ELSE 0 END,
           CASE WHEN slow_squares > 1e-30 THEN slow_squares ELSE 0 END, at, since
    FROM both_sums
    ORDER BY sku, channel, location
    ON CONFLICT (sku, channel, location) DO UPDATE SET
        fast_lines = excluded.fast_lines, slow_lines = excluded.slow_lines, slow_units = excluded.slow_units,
        slow_squares = excluded.slow_squares, at = excluded.at, since = excluded.since
""")  # noqa: S608 -- composed of constants

# The first that was written of a line says when it was ordered: later ones may come in any order, and it stays.
_ORDERED = text("""
    SELECT DISTINCT ON (e.channel, e.order_id, e.line_id) e.channel, e.order_id, e.line_id, e.occurred_at
    FROM json_to_recordset(CAST(:keys AS json)) AS given (channel text, order_id text, line_id text)
    JOIN event AS e ON e.channel = given.channel AND e.order_id = given.order_id AND e.line_id = given.line_id
    WHERE e.kind = 'order'
    ORDER BY e.channel, e.order_id, e.line_id, e.seq
""")

_CARRIED_OUT = text("""
    SELECT id, occurred_at, coalesce(payload ->> 'channel', '') AS channel
    FROM event
    WHERE id = ANY(CAST(:ids AS uuid[])) AND kind = 'ship' AND line_id IS NULL
""")

_OF = text("""
    SELECT p.sku, p.channel, p.location, p.at, p.since, p.fast_lines, p.slow_lines, p.slow_units, p.slow_squares
    FROM unnest(CAST(:skus AS text[])) AS given (sku) JOIN pace AS p ON p.sku = given.sku
    ORDER BY p.sku, p.channel, p.location
""")


def follow(connection: Connection, result: Digest, before: Mapping[LineKey, OrderLine]) -> None:
    """Count what a batch sold and take back what it cancelled, in the transaction that has just written it.

    before    the order lines it names, as they stood before it; who writes the book has the drain's turn, so that
              nobody else counts meanwhile
    """
    sums = gathered(_sold(connection, result, before))
    if sums:
        connection.execute(_KEEP, {"rows": orjson.dumps([_row(each) for each in sums]).decode()})


def _row(sums: Sums) -> dict[str, object]:
    return {
        "sku": sums.sku,
        "channel": sums.channel,
        "location": sums.location,
        "at": sums.at,
        "since": sums.since,
        "fast_lines": sums.fast_lines,
        "slow_lines": sums.slow_lines,
        "slow_units": sums.slow_units,
        "slow_squares": sums.slow_squares,
    }


def _sold(
    connection: Connection, result: Digest, before: Mapping[LineKey, OrderLine]
) -> Iterator[Sold]:
    changed = demand.changed_lines(result, before)
    told = demand.first_told(result.entries)
    known = [key for key in changed if key in before or key not in told]
    ordered_at = told | _ordered_at(connection, known)
    yield from demand.of_lines(changed, result, before, ordered_at)
    yield from demand.carried_out(result.entries)
    undone = demand.undone(result.entries)
    if undone:
        for row in connection.execute(_CARRIED_OUT, {"ids": sorted(undone)}):
            yield from demand.brought_back(undone[row.id], row.channel, row.occurred_at)


def _ordered_at(connection: Connection, keys: Sequence[LineKey]) -> dict[LineKey, datetime]:
    if not keys:
        return {}
    given = [{"channel": key[0], "order_id": key[1], "line_id": key[2]} for key in sorted(keys)]
    rows = connection.execute(_ORDERED, {"keys": orjson.dumps(given).decode()})
    return {(row.channel, row.order_id, row.line_id): row.occurred_at for row in rows}


def sums_of(connection: Connection, skus: Collection[str]) -> dict[str, list[Sums]]:
    """What is remembered of these SKUs; one that never sold is missing."""
    found: dict[str, list[Sums]] = {}
    for row in connection.execute(_OF, {"skus": sorted(skus)}):
        found.setdefault(row[0], []).append(Sums(*row))
    return found


def paces(
    connection: Connection, skus: Collection[str], now: datetime
) -> dict[str, Mapping[tuple[str, str], Pace]]:
    """By SKU, the pace in use by (channel, location served from); a SKU that never sold is missing.

    Who needs to know when to look again takes `sums_of` and asks `pace.look_again_at` as well.
    """
    return {sku: pace_of(sums, now) for sku, sums in sums_of(connection, skus).items()}
