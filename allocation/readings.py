"""Reading back: what becomes of a row in doubt once it is known what the channel shows, and whether a confirmed number
is really there. An HTTP 200 is not proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from allocation import missing, outlook_store
from allocation.holding import hold
from allocation.lag_store import note_seen
from allocation.pushes import (
    ATTEMPTS,
    BACKOFF_CAP_S,
    LOCK,
    Chance,
    DuePush,
    answered,
    columns,
    lock,
    unavailable,
)
from allocation.sql import PRIORITY

_READ = text("""
    INSERT INTO shown AS s (channel, sku, location, read_units, read_at)
    SELECT :channel, sku, location, units, read_at
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[]),
                CAST(:read_at AS timestamptz[])) AS given (sku, location, units, read_at)
    ORDER BY sku, location
    ON CONFLICT (channel, sku, location) DO UPDATE SET read_units = excluded.read_units, read_at = excluded.read_at
        WHERE s.read_at IS NULL OR s.read_at < excluded.read_at
""")

_ARRIVED = text("""
    WITH gone AS (
        DELETE FROM push_due d
        USING unnest(CAST(:keys AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]),
                     CAST(:units AS bigint[])) AS given (push_key, sku, location, units), target t
        WHERE d.channel = :channel AND d.sku = given.sku AND d.location = given.location
          AND d.push_key = given.push_key
          AND t.channel = d.channel AND t.sku = d.sku AND t.location = d.location AND t.units = given.units
        RETURNING d.sku, d.location, t.units, t.number
    )
    UPDATE shown s SET units = gone.units, number = gone.number,
        verify_at = CASE WHEN gone.units = 0 THEN CAST(:now AS timestamptz) END
    FROM gone
    WHERE s.channel = :channel AND s.sku = gone.sku AND s.location = gone.location AND s.number <= gone.number
    RETURNING s.sku, s.location
""")

# A channel that never shows what it is expected to (stale) is asked ever more slowly.
# Less shown than there should be may be a sale we have not heard of yet: as an increase it waits for the inbox.
_KNOWN = text(f"""
    UPDATE push_due d SET leased_until = NULL, push_key = NULL, error = NULL, parked = false, priority = {PRIORITY},
        run_at = CASE WHEN {PRIORITY} = 3 THEN CAST(:rise_run_at AS timestamptz) ELSE :now END
                 + make_interval(secs => CASE WHEN CAST(:stale AS boolean) AND d.attempts > 2
                                              THEN least(:cap_s, 2.0 ^ least(d.attempts - 3, 30)) ELSE 0 END)
    FROM unnest(CAST(:keys AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]))
         AS given (push_key, sku, location),
         target t LEFT JOIN shown s ON s.channel = t.channel AND s.sku = t.sku AND s.location = t.location
    WHERE d.channel = :channel AND d.sku = given.sku AND d.location = given.location AND d.push_key = given.push_key
      AND t.channel = d.channel AND t.sku = d.sku AND t.location = d.location
""")  # noqa: S608 -- composed of constants

# The lease is the new verify_at: a reader that dies is followed by another. A scalar subquery is looked up by key, row
# by row, as far as the limit; NOT EXISTS may be hashed from the whole queue.
_CLAIM = text("""
    WITH picked AS MATERIALIZED (
        SELECT s.channel, s.sku, s.location
        FROM shown s
        WHERE s.channel = :channel AND s.verify_at <= :now
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
        read_at = CASE WHEN given.units IS NULL THEN s.read_at ELSE given.read_at END, verify_at = NULL
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


_STILL_IN_DOUBT = text("""
    UPDATE push_due d SET leased_until = NULL
    FROM unnest(CAST(:keys AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]))
         AS given (push_key, sku, location)
    WHERE d.channel = :channel AND d.sku = given.sku AND d.location = given.location AND d.push_key = given.push_key
""")


@dataclass(frozen=True, slots=True)
class Read:
    """What a channel shows at a place of ours; None is unknown, never zero.

    updated_at    when the vendor last changed it, None where it does not say
    committed     units on the vendor's own open orders, None where it does not say
    """

    sku: str
    location: str
    units: int | None
    read_at: datetime
    updated_at: datetime | None = None
    committed: int | None = None


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


def settle_doubt(
    connection: Connection,
    pushes: Sequence[DuePush],
    readings: Sequence[Read],
    now: datetime,
    rise_run_at: datetime,
    chance: Chance,
    *,
    stale: bool = False,
) -> int:
    """End the doubt about pushes of one channel by what was read back.

    Shown as it should be: the row ends. Otherwise it may go out, expecting what was read. Unknown: later again.

    stale      the doubt comes from a compare-and-set that failed just now
    returns    how many are shown as they should be
    """
    read = {(r.sku, r.location): r for r in readings if r.units is not None}
    known = [push for push in pushes if (push.sku, push.location) in read]
    unknown = [push for push in pushes if (push.sku, push.location) not in read]
    arrived = 0
    outlook_store.due_where_scarce(connection, {push.sku for push in known}, now)
    lock(connection, pushes)
    if known:
        given = columns(known)
        found = [read[push.sku, push.location] for push in known]
        _fear(connection, pushes[0].channel, found, answered=stale)
        values = {"units": [r.units for r in found], "read_at": [r.read_at for r in found]}
        connection.execute(_READ, given | values)
        answered(connection, known, now, "unknown", [f"read back as {r.units}" for r in found])
        arrived = len(connection.execute(_ARRIVED, given | values | {"now": now}).all())
        connection.execute(
            _KNOWN,
            given
            | {"now": now, "rise_run_at": rise_run_at, "cap_s": BACKOFF_CAP_S, "stale": stale},
        )
    if unknown:
        reason = (
            "the channel shows no number for this item at this location (not tracked, or not stocked there):"
            " put it right at the vendor, then unpark it"
        )
        unavailable(connection, unknown, reason, now, chance)
    return arrived


def _fear(connection: Connection, channel: str, found: Sequence[Read], *, answered: bool) -> None:
    missing.fear(
        connection,
        channel,
        [read.sku for read in found],
        [read.location for read in found],
        [read.units for read in found],
        [read.read_at for read in found],
        answered=answered,
    )


def still_in_doubt(connection: Connection, pushes: Sequence[DuePush]) -> None:
    """The read-back was not carried out: whoever comes next asks again; no attempt is counted."""
    connection.execute(LOCK, columns(pushes))
    connection.execute(_STILL_IN_DOUBT, columns(pushes))


def claim_verify(
    connection: Connection, channel: str, limit: int, now: datetime, lease_s: float
) -> list[Verify]:
    """Take up to `limit` confirmed numbers whose time to be read back has come and that no newer push follows."""
    until = now + timedelta(seconds=lease_s)
    rows = connection.execute(
        _CLAIM, {"channel": channel, "limit": limit, "now": now, "until": until}
    )
    return [Verify(channel=channel, **row._asdict()) for row in rows]


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
    _fear(connection, channel, useful, answered=True)
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
