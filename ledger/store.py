"""Writing the book: append events, post their moves, move the balances, mark the SKUs due. One transaction,
few statements.

Locks are taken in one order everywhere: the writers' gate, order lines, lines of supply, requests, balances
sorted by (SKU, location, state), due SKUs sorted. Balances are the last thing touched, so that a hot SKU is
held only over two statements and the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from ledger import counts, memory
from ledger.db import fetch, send
from ledger.digest import Digest, Entry, LineKey
from ledger.ids import uuid7s
from ledger.postings import OrderLine
from ledger.types import Place

#: Random bytes, as many as asked for; `os.urandom` at the doors.
Entropy: TypeAlias = Callable[[int], bytes]

#: Writers share it, sealing takes it alone for a moment, so that a sealed range never gains an event (`ledger.seals`).
WRITERS_GATE = 7_305_200_116

_GATE = text("SELECT pg_advisory_xact_lock_shared(:gate)")

# Rows travel as one JSON parameter: psycopg writes Python lists into arrays element by element, which costs
# four times as much (18 ms against 4.3 ms for 500 events).
_EVENTS = text("""
    INSERT INTO event (id, kind, source, source_id, occurred_at, recorded_at, actor, reason, reference,
                       channel, order_id, line_id, reverses, inbox_id, payload)
    SELECT id, kind, source, source_id, occurred_at, :now, actor, reason, reference,
           channel, order_id, line_id, reverses, inbox_id, payload
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (position integer, id uuid, kind text, source text, source_id text, occurred_at timestamptz,
                   actor text, reason text, reference text, channel text, order_id text, line_id text,
                   reverses uuid, inbox_id bigint, payload jsonb)
    ORDER BY position
""")

# The upsert returns each balance as it is after the whole batch; walking back from there by window gives every posting
# its before, after and version, whatever happened to the same place in between.
_POSTINGS = text("""
    WITH given AS (
        SELECT position, event_id, line, sku, units, from_location, from_state, to_location, to_state, occurred_at
        FROM json_to_recordset(CAST(:rows AS json))
             AS g (position integer, event_id uuid, line integer, sku text, units integer, from_location text,
                   from_state text, to_location text, to_state text, occurred_at timestamptz)
    ), leg AS (
        SELECT position, 0 AS side, sku, from_location AS location, from_state AS state, -units AS delta FROM given
        UNION ALL
        SELECT position, 1, sku, to_location, to_state, units FROM given
    ), net AS (
        SELECT sku, location, state, sum(delta) AS delta, count(*) AS legs
        FROM leg GROUP BY sku, location, state
    ), moved AS (
        INSERT INTO balance AS b (sku, location, state, units, version)
        SELECT sku, location, state, delta, legs FROM net ORDER BY sku, location, state
        ON CONFLICT (sku, location, state)
            DO UPDATE SET units = b.units + excluded.units, version = b.version + excluded.version
        RETURNING sku, location, state, units, version
    ), running AS (
        SELECT leg.position, leg.side, leg.delta,
               moved.units - net.delta + sum(leg.delta) OVER place AS after,
               moved.version - net.legs + row_number() OVER place AS version
        FROM leg
        JOIN net USING (sku, location, state)
        JOIN moved USING (sku, location, state)
        WINDOW place AS (PARTITION BY leg.sku, leg.location, leg.state ORDER BY leg.position, leg.side)
    ), both_sides AS (
        SELECT position,
               max(after) FILTER (WHERE side = 0) AS from_after, max(version) FILTER (WHERE side = 0) AS from_version,
               max(after) FILTER (WHERE side = 1) AS to_after, max(version) FILTER (WHERE side = 1) AS to_version
        FROM running GROUP BY position
    )
    INSERT INTO posting (event_id, line, sku, units,
                         from_location, from_state, from_before, from_after, from_version,
                         to_location, to_state, to_before, to_after, to_version, occurred_at, recorded_at)
    SELECT given.event_id, given.line, given.sku, given.units,
           given.from_location, given.from_state, from_after + given.units, from_after, from_version,
           given.to_location, given.to_state, to_after - given.units, to_after, to_version,
           given.occurred_at, :now
    FROM given JOIN both_sides USING (position)
    ORDER BY position
""")

# DO UPDATE, not DO NOTHING: the row stays locked until this transaction's balances are visible, so that whoever claims
# the SKU (skipping locked rows) cannot compute from the balances of before. A row that fails the WHERE is
# locked all the same, without a new version of it being written.
# A bundle takes from what moved: it is due in the same breath, so that none of its rises goes out uncomputed.
_DUE = text("""
    INSERT INTO due (sku, since)
    SELECT sku, :now FROM (
        SELECT unnest(CAST(:skus AS text[])) AS sku
        UNION
        SELECT sku FROM bundle WHERE component = ANY(CAST(:skus AS text[]))
    ) AS moved ORDER BY sku
    ON CONFLICT (sku) DO UPDATE SET since = excluded.since WHERE excluded.since < due.since
""")

_LINES = text("""
    INSERT INTO order_line (channel, order_id, line_id, sku, location, revision,
                            ordered_units, cancelled_units, shipped_units)
    SELECT channel, order_id, line_id, sku, location, revision, ordered, cancelled, shipped
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (channel text, order_id text, line_id text, sku text, location text, revision timestamptz,
                   ordered bigint, cancelled bigint, shipped bigint)
    ORDER BY channel, order_id, line_id
    ON CONFLICT (channel, order_id, line_id) DO UPDATE SET
        sku = excluded.sku, location = excluded.location, revision = excluded.revision,
        ordered_units = excluded.ordered_units, cancelled_units = excluded.cancelled_units,
        shipped_units = excluded.shipped_units
""")

_VERSIONS = text("""
    SELECT b.sku, b.location, b.state, b.version
    FROM balance AS b
    JOIN unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:states AS text[]))
         AS given (sku, location, state)
      ON given.sku = b.sku AND given.location = b.location AND given.state = b.state
    ORDER BY b.sku, b.location, b.state
    FOR UPDATE OF b
""")


class VersionMoved(Exception):
    """A balance changed after the decision was made on it; read again and decide again."""


def append(
    connection: Connection,
    entries: Sequence[Entry],
    *,
    now: datetime,
    entropy: Entropy,
    decided_on: Mapping[Place, int] | None = None,
) -> list[UUID]:
    """Write entries into the book and mark their SKUs due; physical counts come after everything else of the batch.

    entropy      random bytes for the events' ids, as many as asked for
    decided_on   balances (as version) that the caller decided on
    returns      the events' ids, in the order of `entries`
    raises       VersionMoved when one of `decided_on` has moved; IntegrityError when an entry breaks a rule of the
                 schema (a fact written twice, an unknown SKU): the transaction is then void
    """
    if not entries:
        return []
    enter(connection)
    if decided_on:
        _check_versions(connection, decided_on)
    ids = _ids(len(entries), now, entropy)
    plain = [(e, i) for e, i in zip(entries, ids, strict=True) if e.counted is None]
    skus = _write(connection, plain, now)
    skus |= _restate(connection, plain, now, entropy)
    for entry, event_id in sorted(
        ((e, i) for e, i in zip(entries, ids, strict=True) if e.counted is not None),
        key=lambda counted: counted[0].occurred_at,
    ):
        skus |= _count(connection, entry, event_id, now, entropy)
    if skus:
        send(connection, _DUE, {"skus": sorted(skus), "now": now})
    return ids


def enter(connection: Connection) -> None:
    """Pass the writers' gate; again in one transaction is harmless."""
    send(connection, _GATE, {"gate": WRITERS_GATE})


def _ids(count: int, now: datetime, entropy: Entropy) -> list[UUID]:
    return uuid7s(int(now.timestamp() * 1000), entropy(8 * count))


def _restate(
    connection: Connection, written: Sequence[tuple[Entry, UUID]], now: datetime, entropy: Entropy
) -> set[str]:
    """Correct the counts that these events should have come before."""
    late = counts.restatements(connection, written)
    return _write(connection, list(zip(late, _ids(len(late), now, entropy), strict=True)), now)


def _count(
    connection: Connection, entry: Entry, event_id: UUID, now: datetime, entropy: Entropy
) -> set[str]:
    """Write one physical count: its variance to the position at its minute, then what that changes for later counts."""
    counted = counts.with_variance(connection, entry)
    skus = _write(connection, [(counted, event_id)], now)
    skus |= _restate(connection, [(counted, event_id)], now, entropy)
    counts.mark(connection, counted, event_id)
    return skus


def _check_versions(connection: Connection, decided_on: Mapping[Place, int]) -> None:
    places = sorted(decided_on)
    found = fetch(
        connection,
        _VERSIONS,
        {
            "skus": [p.sku for p in places],
            "locations": [p.location for p in places],
            "states": [p.state for p in places],
        },
    )
    versions = {Place(row.sku, row.location, row.state): row.version for row in found}
    for place in places:
        version = versions.get(place, 0)
        if version != decided_on[place]:
            raise VersionMoved(
                f"{place.sku} {place.state} at {place.location} was decided on at version"
                f" {decided_on[place]} and is at {version} now; read it again"
            )


def _write(
    connection: Connection, entries: Sequence[tuple[Entry, UUID]], now: datetime
) -> set[str]:
    """Insert events and postings and move the balances; returns the SKUs that moved."""
    if not entries:
        return set()
    send(connection, _EVENTS, {"rows": _event_rows(entries), "now": now})
    rows = [
        {
            "event_id": event_id,
            "line": line,
            "sku": move.sku,
            "units": move.units,
            "from_location": move.from_location,
            "from_state": move.from_state,
            "to_location": move.to_location,
            "to_state": move.to_state,
            "occurred_at": entry.occurred_at,
        }
        for entry, event_id in entries
        for line, move in enumerate(entry.moves, start=1)
    ]
    if not rows:
        return set()
    for position, row in enumerate(rows):
        row["position"] = position
    send(connection, _POSTINGS, {"rows": orjson.dumps(rows).decode(), "now": now})
    return {str(row["sku"]) for row in rows}


def _event_rows(entries: Sequence[tuple[Entry, UUID]]) -> str:
    rows = [
        {
            "position": position,
            "id": event_id,
            "kind": entry.kind,
            "source": entry.source,
            "source_id": entry.source_id,
            "occurred_at": entry.occurred_at,
            "actor": entry.actor,
            "reason": entry.reason,
            "reference": entry.reference,
            "channel": entry.channel,
            "order_id": entry.order_id,
            "line_id": entry.line_id,
            "reverses": entry.reverses,
            "inbox_id": entry.inbox_id,
            "payload": entry.payload,
        }
        for position, (entry, event_id) in enumerate(entries)
    ]
    return orjson.dumps(rows).decode()


def remember(connection: Connection, result: Digest) -> None:
    """Write down what has been posted for each order line and line of supply, and each request as it stands."""
    write_lines(connection, result.lines)
    memory.write_supply(connection, result.supply)
    memory.write_requests(connection, result.requests)


def write_lines(connection: Connection, lines: Mapping[LineKey, OrderLine]) -> None:
    """Remember what has been posted for each order line."""
    if not lines:
        return
    rows = [
        {
            "channel": channel,
            "order_id": order_id,
            "line_id": line_id,
            "sku": line.sku,
            "location": line.location,
            "revision": line.revision,
            "ordered": line.ordered_units,
            "cancelled": line.cancelled_units,
            "shipped": line.shipped_units,
        }
        for (channel, order_id, line_id), line in lines.items()
    ]
    send(connection, _LINES, {"rows": orjson.dumps(rows).decode()})
