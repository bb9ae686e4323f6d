"""Reading back: what becomes of a row in doubt once it is known what the channel shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from allocation import missing, outlook_store
from allocation.pushes import (
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
        verify_at = CASE WHEN gone.units = 0 THEN CAST(:now AS timestamptz) END, verify_first = true
    FROM gone
    WHERE s.channel = :channel AND s.sku = gone.sku AND s.location = gone.location AND s.number <= gone.number
    RETURNING s.sku, s.location
""")

# A channel that never shows what it is expected to (stale) is asked ever more slowly.
# Less shown than there should be may be a sale we have not heard of yet: as an increase it waits for the inbox.
_KNOWN = text(f"""
    UPDATE push_due d SET leased_until = NULL, push_key = NULL, error = NULL, parked = false, priority = {PRIORITY},
        begun = greatest(d.begun - 1, 0),
        run_at = CASE WHEN {PRIORITY} = 3 THEN CAST(:rise_run_at AS timestamptz) ELSE :now END
                 + make_interval(secs => CASE WHEN CAST(:stale AS boolean) AND d.attempts > 2
                                              THEN least(:cap_s, 2.0 ^ least(d.attempts - 3, 30)) ELSE 0 END)
    FROM unnest(CAST(:keys AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]))
         AS given (push_key, sku, location),
         target t LEFT JOIN shown s ON s.channel = t.channel AND s.sku = t.sku AND s.location = t.location
    WHERE d.channel = :channel AND d.sku = given.sku AND d.location = given.location AND d.push_key = given.push_key
      AND t.channel = d.channel AND t.sku = d.sku AND t.location = d.location
""")  # noqa: S608 -- composed of constants

_STILL_IN_DOUBT = text("""
    UPDATE push_due d SET leased_until = NULL, begun = greatest(d.begun - 1, 0)
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
        fear(connection, pushes[0].channel, found, answered=stale)
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


def fear(connection: Connection, channel: str, found: Sequence[Read], *, answered: bool) -> None:
    """Count what these readings found gone as nobody's, until its orders are heard."""
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
