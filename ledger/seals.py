"""Seals: a hash chain over ranges of events, so that a change of what is written shows, whoever made it.

Each event has a leaf, the SHA-256 of its own text and of its postings'; a seal keeps the leaves of a range in
order and chains root = SHA-256(previous root, leaves). Hashing every row as it is written would cost a third
of the throughput (one chain for all); sealing ranges afterwards costs nothing on the hot path. Keep a copy of
the newest root outside this database: a superuser who rewrites everything can also rewrite the seals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, text

from ledger.db import transaction
from ledger.store import WRITERS_GATE

#: Events one seal covers at most.
RANGE = 1000
_FIRST = bytes(32)

_NEWEST = text("SELECT number, last_seq, root FROM seal ORDER BY number DESC LIMIT 1")

# Writers hold the gate shared while they write; having it alone for a moment means that nobody is in the middle of
# writing, so every event up to this number is visible and none can come in below it later.
_CLOSE_GATE = text("SELECT pg_advisory_xact_lock(:gate)")
_LAST = text("SELECT coalesce(max(seq), 0) FROM event WHERE seq > :after")

# The text of an event and its postings, in an order and a form that do not depend on settings of the session.
LEAVES = """
    SELECT e.seq, e.id, sha256(convert_to(concat_ws(E'\\x1f',
               e.id, e.kind, e.source, e.source_id, extract(epoch FROM e.occurred_at), extract(epoch FROM
               e.recorded_at), e.actor, e.reason, e.reference, coalesce(e.channel, ''), coalesce(e.order_id, ''),
               coalesce(e.line_id, ''), coalesce(e.reverses::text, ''), coalesce(e.inbox_id, 0), e.payload,
               coalesce((SELECT string_agg(concat_ws(E'\\x1f', p.line, p.sku, p.units,
                             p.from_location, p.from_state, p.from_before, p.from_after, p.from_version,
                             p.to_location, p.to_state, p.to_before, p.to_after, p.to_version,
                             extract(epoch FROM p.occurred_at), extract(epoch FROM p.recorded_at)),
                             E'\\x1e' ORDER BY p.line)
                         FROM posting AS p WHERE p.event_id = e.id), '')), 'UTF8')) AS leaf
    FROM event AS e
    WHERE e.seq > :after AND e.seq <= :last
    ORDER BY e.seq
    LIMIT :rows
"""
_LEAVES = text(LEAVES)

_SEAL = text("""
    INSERT INTO seal (number, first_seq, last_seq, events, leaves, previous, root, sealed_at)
    VALUES (:number, :first_seq, :last_seq, :events, :leaves, :previous, :root, :now)
""")


@dataclass(frozen=True, slots=True)
class Seal:
    """One link of the chain."""

    number: int
    last_seq: int
    root: bytes


def root_of(previous: bytes, leaves: bytes) -> bytes:
    """The root of a seal over these leaves (32 bytes each), chained to the root before it."""
    return hashlib.sha256(previous + leaves).digest()


def seal(engine: Engine, *, now: datetime) -> list[Seal]:
    """Seal every event that is not sealed yet, a range a transaction; returns the new seals."""
    return list(_seal_ranges(engine, now))


def written_through(connection: Connection, after: int = 0) -> int:
    """Up to which number of the order of writing every event can be read, and none can come in below it any more.

    after      a number that was known to be so before
    returns    0 for an empty book; the gate stays shut to writers until the transaction ends, so end it at once
    """
    connection.execute(_CLOSE_GATE, {"gate": WRITERS_GATE})
    newest = connection.execute(_NEWEST).one_or_none()
    after = max(after, newest.last_seq if newest else 0)
    return max(after, int(connection.execute(_LAST, {"after": after}).scalar_one()))


def _seal_ranges(engine: Engine, now: datetime) -> Iterator[Seal]:
    with transaction(engine) as connection:
        last = written_through(connection)
    while True:
        with transaction(engine) as connection:
            made = _seal_one(connection, last, now)
        if made is None:
            return
        yield made


def _seal_one(connection: Connection, last: int, now: datetime) -> Seal | None:
    # Two sealers at once would fork the chain: the number's primary key lets only one through, this lock makes
    # it polite.
    connection.execute(text("SELECT pg_advisory_xact_lock(7305200118)"))
    newest = connection.execute(_NEWEST).one_or_none()
    after, previous, number = (
        (newest.last_seq, bytes(newest.root), newest.number + 1) if newest else (0, _FIRST, 1)
    )
    rows = connection.execute(_LEAVES, {"after": after, "last": last, "rows": RANGE}).all()
    if not rows:
        return None
    leaves = b"".join(bytes(row.leaf) for row in rows)
    made = Seal(number, rows[-1].seq, root_of(previous, leaves))
    connection.execute(
        _SEAL,
        {
            "number": number,
            "first_seq": rows[0].seq,
            "last_seq": made.last_seq,
            "events": len(rows),
            "leaves": leaves,
            "previous": previous,
            "root": made.root,
            "now": now,
        },
    )
    return made
