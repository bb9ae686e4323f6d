"""What the book of the proof says: what is due, what may be promised, what is left to people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine, text

from ledger.db import transaction

# When something is due that no bell rings for; the beat would look every few seconds, and find nothing until then.
_NEXT = text("""
    SELECT least(
        (SELECT min(greatest(d.run_at, d.leased_until, c.next_call_at)) FROM push_due d JOIN channel c USING (channel)
         WHERE NOT d.parked AND c.writes AND NOT c.paused
           AND NOT EXISTS (SELECT FROM halt h
                           WHERE h.channel = d.channel AND h.sku = d.sku AND h.state <> 'lifted')),
        (SELECT min(greatest(s.verify_at, c.next_call_at)) FROM shown s JOIN channel c USING (channel)
         WHERE s.verify_at IS NOT NULL
           AND (SELECT d.push_key FROM push_due d
                WHERE d.channel = s.channel AND d.sku = s.sku AND d.location = s.location) IS NULL),
        (SELECT min(look_at) FROM exposure),
        (SELECT min(check_at) FROM receipt WHERE state = 'waiting'),
        (SELECT min(orders_asked_at) FROM channel),
        (SELECT min(CAST(:now AS timestamptz)) FROM inbox WHERE state = 'pending'),
        (SELECT min(CAST(:now AS timestamptz)) FROM edi_interchange WHERE state = 'posted'),
        (SELECT min(run_at) FROM halt WHERE state IN ('setting', 'lifting')),
        (SELECT min(until_at) FROM halt WHERE state IN ('setting', 'set')),
        (SELECT min(CAST(:now AS timestamptz)) FROM due)
    )
""")

_PROMISED = text("""
    SELECT number, CAST(line AS integer) AS line, accepted FROM edi_line
    WHERE partner = :partner AND number = ANY(CAST(:numbers AS text[]))
    ORDER BY number, line
""")

_HAND_WORK = text("""
    SELECT (SELECT count(*) FROM push_due WHERE parked)
         + (SELECT count(*) FROM inbox WHERE state IN ('parked', 'rejected'))
         + (SELECT count(*) FROM edi_document WHERE state IN ('parked', 'held', 'rejected'))
""")

_HALTS = text("SELECT count(*) FROM halt")


def next_at(engine: Engine, now: datetime) -> datetime | None:
    """When something is due that no bell rings for; None when nothing ever is."""
    with transaction(engine) as connection:
        found: datetime | None = connection.execute(_NEXT, {"now": now}).scalar_one()
    return found


def promised(engine: Engine, partner: str, numbers: Sequence[str]) -> dict[str, dict[int, int]]:
    """What a partner was promised of these orders: number -> line, from 1 -> units. One not worked yet is missing."""
    found: dict[str, dict[int, int]] = {}
    with transaction(engine) as connection:
        values = {"partner": partner, "numbers": list(numbers)}
        for row in connection.execute(_PROMISED, values):
            found.setdefault(row.number, {})[row.line] = row.accepted
    return found


def hand_work(engine: Engine) -> int:
    """What waits for a person: parked numbers, parked or rejected deliveries."""
    with transaction(engine) as connection:
        return int(connection.execute(_HAND_WORK).scalar_one())


def halts(engine: Engine) -> int:
    """SKUs that were ever taken off sale on a channel because it showed too much, lifted since or not."""
    with transaction(engine) as connection:
        return int(connection.execute(_HALTS).scalar_one())
