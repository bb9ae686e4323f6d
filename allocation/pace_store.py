"""Pace in PostgreSQL: who writes the book keeps it in the same transaction, the allocator reads it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import orjson
from sqlalchemy import Connection, TextClause, text

from allocation import demand
from allocation.pace import FAST_S, NOTHING, SLOW_S, Sold, Sums, gathered, pace_of
from allocation.types import Pace
from ledger.db import fetch, send
from ledger.digest import Digest, LineKey
from ledger.postings import OrderLine

_SUMS = (
    ("fast_lines", FAST_S),
    ("slow_lines", SLOW_S),
    ("slow_units", SLOW_S),
    ("slow_squares", SLOW_S),
)


def _together(given: str) -> Iterator[tuple[str, str]]:
    """Each sum's name, and the SQL of what is held (`p`) and what is given, both as of the newer of their times.

    PostgreSQL refuses what is too small for a double: what is very old counts as 0.
    """
    for name, tau_s in _SUMS:
        faded = (
            f"{of}.{name} * CASE WHEN {of}.at >= {other}.at THEN 1"
            f" WHEN {other}.at - {of}.at > interval '{100 * tau_s} s' THEN 0"
            f" ELSE exp(-date_part('epoch', {other}.at - {of}.at) / {tau_s}) END"
            for of, other in (("p", given), (given, "p"))
        )
        yield name, " + ".join(faded)


_ADDED = ", ".join(f"{name} = {total}" for name, total in _together("excluded"))
_LEFT = ", ".join(
    f"{name} = CASE WHEN {total} > 1e-30 THEN {total} ELSE 0 END"
    for name, total in _together("given")
)

_ROWS = """
    json_to_recordset(CAST(:rows AS json))
        AS given (sku text, channel text, location text, at timestamptz, since timestamptz,
                  fast_lines float8, slow_lines float8, slow_units float8, slow_squares float8)
"""

_COUNT = text(f"""
    INSERT INTO pace AS p (sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since)
    SELECT sku, channel, location, fast_lines, slow_lines, slow_units, slow_squares, at, since
    FROM {_ROWS}
    ORDER BY sku, channel, location
    ON CONFLICT (sku, channel, location) DO UPDATE SET
        {_ADDED}, at = greatest(p.at, excluded.at),
        since = CASE WHEN p.slow_lines < {NOTHING} THEN excluded.since ELSE least(p.since, excluded.since) END
""")  # noqa: S608 -- composed of constants

# What would come out below zero is rounding, or was sold before anybody counted.
_TAKE_BACK = text(f"""
    WITH given AS MATERIALIZED (
        SELECT sku, channel, location, at, fast_lines, slow_lines, slow_units, slow_squares FROM {_ROWS}
    ), held AS MATERIALIZED (
        SELECT p.sku, p.channel, p.location
        FROM pace AS p JOIN given ON given.sku = p.sku AND given.channel = p.channel AND given.location = p.location
        ORDER BY p.sku, p.channel, p.location
        FOR UPDATE OF p
    )
    UPDATE pace AS p SET {_LEFT}, at = greatest(p.at, given.at)
    FROM given JOIN held USING (sku, channel, location)
    WHERE p.sku = held.sku AND p.channel = held.channel AND p.location = held.location
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
    FROM unnest((SELECT CAST(:skus AS text[]))) AS given (sku) JOIN pace AS p ON p.sku = given.sku
    ORDER BY p.sku, p.channel, p.location
""")


def follow(connection: Connection, result: Digest, before: Mapping[LineKey, OrderLine]) -> None:
    """Count what a batch sold and take back what it cancelled, in the transaction that has just written it.

    before    the order lines it names, as they stood before it; who writes the book has the drain's turn, so that
              nobody else counts meanwhile
    """
    write(connection, list(_sold(connection, result, before)))


def write(connection: Connection, sold: Sequence[Sold]) -> None:
    """Count these lines, then take back those that no longer count."""
    _add(connection, _COUNT, [line for line in sold if line.lines > 0])
    _add(connection, _TAKE_BACK, [line for line in sold if line.lines < 0])


def _add(connection: Connection, statement: TextClause, sold: Sequence[Sold]) -> None:
    rows = [_row(sums) for sums in gathered(sold)]
    if rows:
        send(connection, statement, {"rows": orjson.dumps(rows).decode()})


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
        for row in fetch(connection, _CARRIED_OUT, {"ids": sorted(undone)}):
            yield from demand.brought_back(undone[row.id], row.channel, row.occurred_at)


def _ordered_at(connection: Connection, keys: Sequence[LineKey]) -> dict[LineKey, datetime]:
    if not keys:
        return {}
    given = [{"channel": key[0], "order_id": key[1], "line_id": key[2]} for key in sorted(keys)]
    rows = fetch(connection, _ORDERED, {"keys": orjson.dumps(given).decode()})
    return {(row.channel, row.order_id, row.line_id): row.occurred_at for row in rows}


def sums_of(connection: Connection, skus: Collection[str]) -> dict[str, list[Sums]]:
    """What is remembered of these SKUs; one that never sold is missing."""
    found: dict[str, list[Sums]] = {}
    for row in fetch(connection, _OF, {"skus": sorted(skus)}):
        found.setdefault(row[0], []).append(Sums(*row))
    return found


def paces(
    connection: Connection, skus: Collection[str], now: datetime
) -> dict[str, Mapping[tuple[str, str], Pace]]:
    """By SKU, the pace in use by (channel, location served from); a SKU that never sold is missing.

    Who needs to know when to look again takes `sums_of` and asks `pace.look_again_at` as well.
    """
    found = {sku: pace_of(sums, now) for sku, sums in sums_of(connection, skus).items()}
    return {sku: of_it for sku, of_it in found.items() if of_it}
