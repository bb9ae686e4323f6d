"""The inbox: every delivery as it came, kept once, then claimed in batches and settled."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson
from sqlalchemy import Connection, text

from ledger import failures
from ledger.db import send
from ledger.types import Settlement

#: Topic of a body that is one canonical fact (`ledger.events`).
FACT_TOPIC = "fact"
#: Topic of a body that is one X12 interchange: it is answered in the transaction that books it, never by the drain.
INTERCHANGE_TOPIC = "x12"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing that somebody told us.

    source        who: a channel's name, or the name of a system that posts canonical facts
    delivery_id   the sender's id of this delivery; the same id is the same delivery
    """

    source: str
    delivery_id: str
    topic: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """A claimed delivery.

    traceparent    the span that took it in, as W3C Trace Context writes it; None when it is not traced
    """

    id: int
    source: str
    topic: str
    body: bytes
    received_at: datetime
    attempts: int
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of deliveries handed to `keep`; positions in the sequence given.

    fresh       kept now
    repeated    known already, with the same body
    differing   known already, with another body: the sender reused an id
    """

    fresh: tuple[int, ...]
    repeated: tuple[int, ...]
    differing: tuple[int, ...]


_KEEP = text("""
    INSERT INTO inbox (source, delivery_id, topic, headers, body, received_at)
    SELECT source, delivery_id, topic, headers, decode(body, 'base64'),
           (SELECT CASE WHEN abs(extract(epoch FROM here - said)) > CAST(:tolerated_s AS float8) THEN here ELSE said END
            FROM (SELECT clock_timestamp() AS here, CAST(:received_at AS timestamptz) AS said) AS clocks)
    FROM json_to_recordset(CAST(:rows AS json))
         AS given (position integer, source text, delivery_id text, topic text, headers jsonb, body text)
    ORDER BY position
    ON CONFLICT (source, delivery_id) DO NOTHING
    RETURNING source, delivery_id
""")

_KNOWN = text("""
    SELECT inbox.source, inbox.delivery_id, inbox.body
    FROM inbox
    JOIN unnest(CAST(:sources AS text[]), CAST(:delivery_ids AS text[])) AS given (source, delivery_id)
      ON given.source = inbox.source AND given.delivery_id = inbox.delivery_id
""")

_CLAIM = text("""
    SELECT id, source, topic, body, received_at, attempts, headers ->> 'traceparent'
    FROM inbox
    WHERE state = 'pending' AND topic <> 'x12'
    ORDER BY id
    LIMIT :rows
    FOR UPDATE SKIP LOCKED
""")

_NEXT_INTERCHANGE = text("""
    SELECT id, source, topic, body, received_at, attempts
    FROM inbox
    WHERE state = 'pending' AND topic = 'x12'
    ORDER BY id
    LIMIT 1
""")

_CLAIM_THESE = text("""
    SELECT id, source, topic, body, received_at, attempts, headers ->> 'traceparent'
    FROM inbox
    WHERE state = 'pending' AND id = ANY(CAST(:ids AS bigint[]))
    ORDER BY id
    FOR UPDATE SKIP LOCKED
""")

_SETTLE = text("""
    UPDATE inbox
    SET state = done.state, wait_for = done.wait_for, error = done.error, attempts = attempts + 1,
        settled_at = CASE WHEN done.state = 'waiting' THEN NULL ELSE CAST(:now AS timestamptz) END
    FROM json_to_recordset(CAST(:rows AS json)) AS done (id bigint, state text, wait_for text, error text)
    WHERE inbox.id = done.id
""")

_WAKE = text("""
    UPDATE inbox SET state = 'pending', wait_for = NULL
    WHERE state = 'waiting' AND wait_for = ANY(CAST(:arrived AS text[]))
""")

_AWAITED = text("SELECT DISTINCT wait_for FROM inbox WHERE state = 'waiting'")

# A name is taken apart again, so that each line is looked up by its key: there are as many lines as were ever sold. An
# order's or a line's own name may hold a slash: every way to part them is tried.
_WAKE_MISSED = text("""
    WITH awaited AS MATERIALIZED (
        SELECT DISTINCT wait_for, string_to_array(wait_for, '/') AS part
        FROM inbox WHERE state = 'waiting' AND wait_for LIKE 'line/%'
    ), named AS MATERIALIZED (
        SELECT wait_for, array_to_string(part[2:c], '/') AS channel, array_to_string(part[c + 1:o], '/') AS order_id,
               array_to_string(part[o + 1:], '/') AS line_id
        FROM awaited CROSS JOIN LATERAL generate_series(2, cardinality(part) - 2) AS c
        CROSS JOIN LATERAL generate_series(c + 1, cardinality(part) - 1) AS o
    )
    UPDATE inbox SET state = 'pending', wait_for = NULL
    FROM named
    WHERE inbox.state = 'waiting' AND inbox.wait_for = named.wait_for
      AND (SELECT line.line_id FROM order_line AS line
           WHERE line.channel = named.channel AND line.order_id = named.order_id AND line.line_id = named.line_id)
          IS NOT NULL
""")

_PARK_FORGOTTEN = text("""
    UPDATE inbox SET state = 'parked', settled_at = :now, error = 'waited since ' || received_at
        || ' for ' || wait_for || ', which never came; bring it in, then replay this delivery', wait_for = NULL
    WHERE state = 'waiting' AND received_at < :before
    RETURNING id
""")

_REPLAY = text("""
    UPDATE inbox SET state = 'pending', wait_for = NULL, error = NULL, settled_at = NULL, attempts = 0
    WHERE state IN ('parked', 'rejected') AND id = ANY(CAST(:ids AS bigint[]))
    RETURNING id
""")


_PENDING = text(
    "SELECT count(*) FROM (SELECT FROM inbox WHERE state = 'pending' AND topic <> 'x12' LIMIT 10000) AS seen"
)

ANY_INTERCHANGE = text(
    "SELECT EXISTS (SELECT FROM inbox WHERE state = 'pending' AND topic = 'x12')"
)


def keep(
    connection: Connection,
    deliveries: Sequence[Delivery],
    *,
    now: datetime,
    tolerated: timedelta | None = None,
) -> Kept:
    """Write deliveries down, each once per (source, delivery id); the sender may be answered after the commit.

    tolerated    where `now` differs by more from the database's clock, that one dates them; None: `now` does
    """
    if not deliveries:
        return Kept((), (), ())
    keys = [(d.source, d.delivery_id) for d in deliveries]
    inserted = {
        (row.source, row.delivery_id)
        for row in connection.execute(
            _KEEP,
            {
                "rows": _rows(deliveries),
                "received_at": now,
                "tolerated_s": None if tolerated is None else tolerated.total_seconds(),
            },
        )
    }
    if len(inserted) == len(deliveries):
        return Kept(tuple(range(len(deliveries))), (), ())
    return _sort_out(connection, deliveries, keys, inserted)


def _rows(deliveries: Sequence[Delivery]) -> str:
    rows = [
        {
            "position": position,
            "source": d.source,
            "delivery_id": d.delivery_id,
            "topic": d.topic,
            "headers": dict(d.headers),
            "body": b2a_base64(d.body, newline=False).decode(),
        }
        for position, d in enumerate(deliveries)
    ]
    return orjson.dumps(rows).decode()


def _sort_out(
    connection: Connection,
    deliveries: Sequence[Delivery],
    keys: list[tuple[str, str]],
    inserted: set[tuple[str, str]],
) -> Kept:
    """Tell fresh deliveries from repeated ones, and honest repeats from reused ids."""
    rows = connection.execute(
        _KNOWN, {"sources": [k[0] for k in keys], "delivery_ids": [k[1] for k in keys]}
    )
    bodies = {(row.source, row.delivery_id): bytes(row.body) for row in rows}
    fresh, repeated, differing = [], [], []
    for position, (key, delivery) in enumerate(zip(keys, deliveries, strict=True)):
        if key in inserted:
            fresh.append(position)
            inserted.discard(key)
        elif bodies.get(key) in (b"", delivery.body):
            # What was booked long ago has been emptied: nothing is left to compare.
            repeated.append(position)
        else:
            differing.append(position)
    return Kept(tuple(fresh), tuple(repeated), tuple(differing))


def claim(connection: Connection, *, rows: int) -> list[Row]:
    """Lock the oldest pending deliveries for this transaction, skipping those another one holds.

    Interchanges are left out: see `next_interchange`.
    """
    return [_row(*found) for found in connection.execute(_CLAIM, {"rows": rows})]


def next_interchange(connection: Connection) -> Row | None:
    """The oldest pending interchange, not locked: it is read before its turn comes, then claimed (`claim_these`)."""
    found = connection.execute(_NEXT_INTERCHANGE).one_or_none()
    return None if found is None else _row(*found)


def claim_these(connection: Connection, ids: Sequence[int]) -> list[Row]:
    """Lock these deliveries, as far as they are still pending."""
    return [_row(*found) for found in connection.execute(_CLAIM_THESE, {"ids": list(ids)})]


def _row(
    row_id: int,
    source: str,
    topic: str,
    body: bytes,
    received_at: datetime,
    attempts: int,
    traceparent: str | None = None,
) -> Row:
    return Row(row_id, source, topic, bytes(body), received_at, attempts, traceparent)


def settle(connection: Connection, settlements: Sequence[Settlement], *, now: datetime) -> None:
    """Write down what became of claimed deliveries, in the transaction that made it so."""
    rows = [
        {"id": s.row_id, "state": s.state, "wait_for": s.wait_for, "error": s.error}
        for s in settlements
    ]
    send(connection, _SETTLE, {"rows": orjson.dumps(rows).decode(), "now": now})
    failures.note_deliveries(connection, settlements, now)


def wake(connection: Connection, arrived: Callable[[], Set[str]]) -> int:
    """Make deliveries pending again whose cause is among `arrived`; returns how many.

    arrived    is only asked when anybody waits at all: mostly nobody does
    """
    awaited = set(connection.execute(_AWAITED).scalars())
    if not awaited:
        return 0
    come = sorted(awaited & arrived())
    return connection.execute(_WAKE, {"arrived": come}).rowcount if come else 0


def wake_missed(connection: Connection) -> int:
    """The sweep's share of `wake`: those whose order line is there, though nobody woke them."""
    return connection.execute(_WAKE_MISSED).rowcount


def park_forgotten(connection: Connection, *, now: datetime, before: datetime) -> list[int]:
    """Park deliveries that have waited since before `before`; returns their ids."""
    ids = list(connection.execute(_PARK_FORGOTTEN, {"now": now, "before": before}).scalars())
    failures.note_deliveries(connection, [Settlement(row_id, "parked") for row_id in ids], now)
    return ids


def replay(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Make parked deliveries pending again; returns the ids that were."""
    return list(connection.execute(_REPLAY, {"ids": list(ids)}).scalars())


def pending(connection: Connection) -> int:
    """How many deliveries are pending for the drain, counted up to 10,000 (the sweep only asks whether to ring)."""
    return int(connection.execute(_PENDING).scalar_one())
