"""Verify after write: whether a confirmed number is really there. An HTTP 200 is not proof.

What must be read back first and a sample of the rest are two queues of one table (`shown.verify_first`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from allocation import outlook_store
from allocation.holding import hold
from allocation.lag_store import note_seen
from allocation.pushes import BACKOFF_CAP_S, LOCK, Chance
from allocation.readings import Read, fear
from allocation.types import ATTEMPTS

# The lease is the new verify_at: a reader that dies is followed by another. A scalar subquery is looked up by key, row
# by row, as far as the limit; NOT EXISTS may be hashed from the whole queue.
_CLAIM = """
    WITH picked AS MATERIALIZED (
        SELECT s.channel, s.sku, s.location
        FROM shown s
        WHERE s.channel = :channel AND s.verify_at <= :due_by AND {which}
          AND EXISTS (SELECT FROM binding b
                      WHERE b.channel = s.channel AND b.sku = s.sku AND b.location = s.location)
          AND EXISTS (SELECT FROM channel c WHERE c.channel = :channel AND NOT c.paused
                      AND (c.next_call_at IS NULL OR c.next_call_at <= :now))
          AND (SELECT d.push_key FROM push_due d
               WHERE d.channel = s.channel AND d.sku = s.sku AND d.location = s.location) IS NULL
        ORDER BY s.verify_at
        LIMIT :limit
        FOR UPDATE OF s SKIP LOCKED
    )
    UPDATE shown s SET verify_at = :until
    FROM picked JOIN binding b USING (channel, sku, location)
    WHERE s.channel = picked.channel AND s.sku = picked.sku AND s.location = picked.location
    RETURNING s.sku, s.location, s.units, s.number,
              b.item_id, b.vendor_location_id, b.variant_id, b.product_id, b.level_id, b.pack
"""
_CLAIM_FIRST = text(_CLAIM.format(which="s.verify_first"))
_CLAIM_SAMPLE = text(_CLAIM.format(which="NOT s.verify_first"))

# Reconciliation reads them at its next window anyway.
_LEAVE_SAMPLE = text("""
    WITH old AS MATERIALIZED (
        SELECT channel, sku, location FROM shown
        WHERE channel = :channel AND verify_at <= :before AND NOT verify_first
        ORDER BY verify_at LIMIT 10000
        FOR UPDATE SKIP LOCKED
    )
    UPDATE shown s SET verify_at = NULL, verify_first = true FROM old
    WHERE s.channel = old.channel AND s.sku = old.sku AND s.location = old.location
""")

# Not asked after all: due at once again, unless a newer push or another reader has taken over meanwhile.
_UNASKED = text("""
    WITH untold AS MATERIALIZED (
        SELECT s.channel, s.sku, s.location
        FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:numbers AS bigint[]))
             AS given (sku, location, number)
        JOIN shown s ON s.channel = :channel AND s.sku = given.sku AND s.location = given.location
        WHERE s.number = given.number AND s.verify_at IS NOT NULL
        ORDER BY s.sku, s.location
        FOR UPDATE OF s SKIP LOCKED
    )
    UPDATE shown s SET verify_at = :now FROM untold
    WHERE s.channel = untold.channel AND s.sku = untold.sku AND s.location = untold.location
""")

# Taken first: who changes a target locks it first too, so nobody else adds to the queue meanwhile.
_LOCK_TARGETS = text("""
    SELECT t.sku FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS given (sku, location)
    JOIN target t ON t.channel = :channel AND t.sku = given.sku AND t.location = given.location
    ORDER BY t.channel, t.sku, t.location FOR NO KEY UPDATE OF t
""")

# A reading counts only if nothing was sent since it was asked for.
_VERIFIED = text("""
    UPDATE shown s SET read_units = coalesce(given.units, s.read_units),
        read_at = CASE WHEN given.units IS NULL THEN s.read_at ELSE given.read_at END, verify_at = NULL,
        verify_first = true
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:numbers AS bigint[]), CAST(:units AS bigint[]),
                CAST(:read_at AS timestamptz[])) AS given (sku, location, number, units, read_at)
    JOIN target t ON t.channel = :channel AND t.sku = given.sku AND t.location = given.location
    JOIN shown old ON old.channel = :channel AND old.sku = given.sku AND old.location = given.location
    LEFT JOIN LATERAL (
        SELECT p.id, (SELECT f.expected FROM push f
                      WHERE f.channel = t.channel AND f.sku = t.sku AND f.location = t.location
                        AND f.number = given.number AND f.outcome = 'confirmed' ORDER BY f.id LIMIT 1) AS expected
        FROM push p
        WHERE p.channel = t.channel AND p.sku = t.sku AND p.location = t.location
          AND p.number = given.number AND p.outcome = 'confirmed'
        ORDER BY p.id DESC LIMIT 1
    ) AS last ON true
    LEFT JOIN LATERAL (
        SELECT p.id FROM push p
        WHERE p.channel = t.channel AND p.sku = t.sku AND p.location = t.location
          AND p.number < given.number AND p.units = given.units AND p.outcome IN ('confirmed', 'sent', 'unknown')
        ORDER BY p.id DESC LIMIT 1
    ) AS older ON given.units <> t.units
    WHERE s.channel = :channel AND s.sku = given.sku AND s.location = given.location AND s.number = given.number
      AND NOT EXISTS (SELECT FROM push_due d WHERE d.channel = s.channel AND d.sku = s.sku
                      AND d.location = s.location AND d.push_key IS NOT NULL)
    RETURNING s.sku, s.location, s.units, given.units AS read_units, t.units AS target, last.id AS push_id,
              last.expected AS before, old.read_units IS NOT DISTINCT FROM old.units
              AND old.read_at >= old.confirmed_at AS proven, older.id AS older_id
""")

# Each repair of the same number counts; one that is confirmed again and again and never shown goes to a person.
_REPAIR = text("""
    INSERT INTO push_due AS d (channel, sku, location, priority, since, run_at, attempts, parked, error)
    SELECT t.channel, t.sku, t.location, CASE WHEN given.units > t.units THEN 2 ELSE 3 END, :now,
           CASE WHEN given.units < t.units THEN CAST(:rise_run_at AS timestamptz)
                WHEN times.repairs = 1 THEN CAST(:now AS timestamptz)
                ELSE CAST(:now AS timestamptz)
                     + make_interval(secs => :chance * least(:cap_s, 2.0 ^ least(times.repairs, 30))) END,
           times.repairs, times.repairs >= :attempts,
           CASE WHEN times.repairs >= :attempts
                THEN 'confirmed ' || times.repairs || ' times, and still ' || given.units || ' is shown instead of '
                     || t.units || ': look at this item at the vendor, then unpark it' END
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[]))
         AS given (sku, location, units)
    JOIN target t ON t.channel = :channel AND t.sku = given.sku AND t.location = given.location
    CROSS JOIN LATERAL (
        SELECT count(*)::integer AS repairs FROM push p
        WHERE p.channel = t.channel AND p.sku = t.sku AND p.location = t.location
          AND p.number = t.number AND p.outcome = 'confirmed'
    ) AS times
    WHERE given.units <> t.units
    ORDER BY t.sku, t.location
    ON CONFLICT (channel, sku, location) DO UPDATE SET
        priority = excluded.priority, run_at = least(d.run_at, excluded.run_at) WHERE NOT d.parked
""")


@dataclass(frozen=True, slots=True)
class Verify:
    """A confirmed number that is to be read back, and the vendor's names for it."""

    channel: str
    sku: str
    location: str
    units: int | None
    number: int
    item_id: str
    vendor_location_id: str
    variant_id: str
    product_id: str
    level_id: str
    pack: int


@dataclass(frozen=True, slots=True)
class Verified:
    """A read-back that counts.

    confirmed    what the channel said it took
    read         what it shows; None is unknown
    target       what it should show now
    push_id      the push it confirmed last; before: what it was expected to show until the first push of this number
    proven       it was read as confirmed since that push: what it shows now came later
    older_id     an older push of ours of the number it shows now, None when there is none
    """

    sku: str
    location: str
    confirmed: int | None
    read: int | None
    target: int
    push_id: int | None
    before: int | None
    proven: bool = False
    older_id: int | None = None


def claim_verify(
    connection: Connection,
    channel: str,
    limit: int,
    now: datetime,
    lease_s: float,
    *,
    sample: bool = False,
    due_by: datetime | None = None,
) -> list[Verify]:
    """Take up to `limit` confirmed numbers whose time to be read back has come and that no newer push follows.

    sample    those of the sample, in place of those that must be read back
    due_by    only those whose time came before; None is now
    """
    until = now + timedelta(seconds=lease_s)
    rows = connection.execute(
        _CLAIM_SAMPLE if sample else _CLAIM_FIRST,
        {"channel": channel, "limit": limit, "now": now, "until": until, "due_by": due_by or now},
    )
    return [Verify(channel=channel, **row._asdict()) for row in rows]


def leave_sample(connection: Connection, channel: str, before: datetime) -> int:
    """Leave to the window what of the sample could not be read since `before`; returns how many."""
    return connection.execute(_LEAVE_SAMPLE, {"channel": channel, "before": before}).rowcount


def give_back_verify(
    connection: Connection, channel: str, untold: Sequence[Verify], now: datetime
) -> None:
    """The limit ran out before these were told: they are read back as soon as the channel may be called again."""
    connection.execute(
        _UNASKED,
        {
            "channel": channel,
            "skus": [verify.sku for verify in untold],
            "locations": [verify.location for verify in untold],
            "numbers": [verify.number for verify in untold],
            "now": now,
        },
    )


def settle_verify(
    connection: Connection,
    channel: str,
    asked: Sequence[Verify],
    readings: Sequence[Read],
    now: datetime,
    rise_run_at: datetime,
    chance: Chance,
) -> list[Verified]:
    """Keep what was read back, and queue a repair where it is not what was confirmed.

    returns    the readings that count, sorted; those that a newer push overtook are left out
    """
    numbers = {(verify.sku, verify.location): verify.number for verify in asked}
    useful = sorted(
        (r for r in readings if (r.sku, r.location) in numbers), key=lambda r: (r.sku, r.location)
    )
    skus, locations = [r.sku for r in useful], [r.location for r in useful]
    keys = {"channel": channel, "skus": skus, "locations": locations}
    outlook_store.due_where_scarce(connection, set(skus), now)
    connection.execute(_LOCK_TARGETS, keys)
    connection.execute(LOCK, keys)
    hold(connection, [channel] * len(useful), skus, locations)
    fear(connection, channel, useful, answered=True)
    rows = connection.execute(
        _VERIFIED,
        keys
        | {
            "numbers": [numbers[r.sku, r.location] for r in useful],
            "units": [r.units for r in useful],
            "read_at": [r.read_at for r in useful],
        },
    )
    verified = sorted(
        (
            Verified(
                r.sku,
                r.location,
                r.units,
                r.read_units,
                r.target,
                r.push_id,
                r.before,
                bool(r.proven),
                r.older_id,
            )
            for r in rows
        ),
        key=lambda v: (v.sku, v.location),
    )
    read_at = {(r.sku, r.location): r.read_at for r in useful}
    found = (v for v in verified if v.read is not None and v.read == v.confirmed)
    note_seen(connection, {v.push_id: read_at[v.sku, v.location] for v in found})
    wrong = [v for v in verified if v.read is not None and v.read != v.confirmed]
    if wrong:
        _repair(connection, channel, wrong, now, rise_run_at, chance())
    return verified


def _repair(
    connection: Connection,
    channel: str,
    wrong: Sequence[Verified],
    now: datetime,
    rise_run_at: datetime,
    chance: float,
) -> None:
    connection.execute(
        _REPAIR,
        {
            "channel": channel,
            "skus": [v.sku for v in wrong],
            "locations": [v.location for v in wrong],
            "units": [v.read for v in wrong],
            "now": now,
            "rise_run_at": rise_run_at,
            "chance": chance,
            "cap_s": BACKOFF_CAP_S,
            "attempts": ATTEMPTS,
        },
    )
