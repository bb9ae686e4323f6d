"""The push queue: what goes out next, and what became of it.

Life of a row. `save_targets` writes it; `claim_pushes` gives it a lease and a key and logs what is sent; an answer ends
it. A row whose key is set and whose lease is free is *in doubt*: a worker died, the vendor did not answer, or the
channel did not show what we expected. It is claimed for a read-back, never for sending (`allocation.readings`).

Fences. An answer touches the row only under the key it was sent with, so that one that comes after its lease ran out
cannot free somebody else's; and what is shown is only written forward (`shown.number`). Rows are locked first, and the
target is read in a later statement: whoever changes a target does it before touching the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from sqlalchemy import Connection, text

from allocation import parking
from allocation.looks import Look, look_columns
from allocation.sql import PRIORITY, SEEN
from allocation.types import ATTEMPTS
from ledger.types import FailureClass

BACKOFF_BASE_S = 1.0
BACKOFF_CAP_S = 900.0

#: A number from 0 to 1, equally likely; `random.random` at the doors.
Chance: TypeAlias = Callable[[], float]

_KEYS = """unnest(CAST(:skus AS text[]), CAST(:locations AS text[]))"""

# Increases wait for every delivery that came in before they may go out, and for a SKU whose target is about to change.
# A scalar subquery is looked up by key, row by row, as far as the limit; NOT EXISTS may be hashed from the whole table.
# What a worker died of comes first, in ever smaller company (`allocation.parking`).
_CLAIM = text("""
    WITH waiting AS MATERIALIZED (
        SELECT min(received_at) AS oldest FROM inbox WHERE state = 'pending'
    ), picked AS MATERIALIZED (
        SELECT d.channel, d.sku, d.location, d.priority, d.run_at, d.begun, d.push_key IS NOT NULL AS in_doubt
        FROM push_due d
        WHERE d.channel = :channel AND NOT d.parked AND d.run_at <= :now
          AND (d.leased_until IS NULL OR d.leased_until <= :now)
          AND EXISTS (SELECT FROM channel c WHERE c.channel = :channel AND c.writes AND NOT c.paused
                      AND (c.next_call_at IS NULL OR c.next_call_at <= :now))
          AND EXISTS (SELECT FROM binding b
                      WHERE b.channel = d.channel AND b.sku = d.sku AND b.location = d.location)
          AND NOT EXISTS (SELECT FROM halt h
                          WHERE h.channel = d.channel AND h.sku = d.sku AND h.state <> 'lifted')
          AND (d.priority < 3
               OR (coalesce((SELECT oldest FROM waiting) > d.run_at, true)
                   AND (SELECT due.sku FROM due WHERE due.sku = d.sku) IS NULL))
        ORDER BY d.priority, d.run_at
        LIMIT :limit
        FOR UPDATE OF d SKIP LOCKED
    ), taken AS (
        SELECT *, max(begun) OVER () AS worst, row_number() OVER (PARTITION BY begun ORDER BY priority, run_at) AS n
        FROM picked
    )
    UPDATE push_due d SET leased_until = :until, begun = d.begun + 1,
        push_key = CASE WHEN taken.in_doubt THEN d.push_key ELSE :key END
    FROM taken
    WHERE d.channel = taken.channel AND d.sku = taken.sku AND d.location = taken.location
      AND taken.begun = taken.worst AND taken.n <= greatest(1, CAST(:limit AS bigint) >> least(3 * taken.worst, 30))
    RETURNING d.sku, d.location, d.attempts, d.priority, d.push_key, taken.in_doubt, taken.begun, taken.run_at
""")

_FACTS = text(f"""
    SELECT t.sku, t.location, t.units, t.number, {SEEN} AS expected,
           b.item_id, b.vendor_location_id, b.variant_id, b.product_id, b.level_id, b.pack,
           t.units > {SEEN} AND (SELECT due.sku FROM due WHERE due.sku = t.sku) IS NOT NULL AS is_early
    FROM {_KEYS} AS claimed (sku, location)
    JOIN target t ON t.channel = :channel AND t.sku = claimed.sku AND t.location = claimed.location
    JOIN binding b ON b.channel = t.channel AND b.sku = t.sku AND b.location = t.location
    LEFT JOIN shown s ON s.channel = t.channel AND s.sku = t.sku AND s.location = t.location
    ORDER BY t.sku, t.location
""")  # noqa: S608 -- composed of constants

# What was a decrease when it was queued is an increase by now: the channel has sold more, and we have just heard of it.
_COMPUTE_FIRST = text(f"""
    UPDATE push_due d SET leased_until = NULL, push_key = NULL, priority = 3, begun = greatest(d.begun - 1, 0)
    FROM {_KEYS} AS early (sku, location)
    WHERE d.channel = :channel AND d.sku = early.sku AND d.location = early.location
""")  # noqa: S608 -- composed of constants

_SENT = text("""
    INSERT INTO push (push_key, channel, sku, location, units, number, expected, sent_at, due_since)
    SELECT :key, :channel, sent.sku, sent.location, sent.units, sent.number, sent.expected, :now, d.since
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[]),
                CAST(:numbers AS bigint[]), CAST(:expected AS bigint[]))
         AS sent (sku, location, units, number, expected)
    JOIN push_due d ON d.channel = :channel AND d.sku = sent.sku AND d.location = sent.location
    ORDER BY sent.sku, sent.location
""")

# The rows of a call share its key: they are fetched once and then joined, not looked up again for each answer.
_ANSWERED = text("""
    WITH sent AS MATERIALIZED (
        SELECT id, push_key, sku, location
        FROM push
        WHERE push_key IN (SELECT DISTINCT unnest(CAST(:keys AS text[]))) AND outcome = 'sent'
    )
    UPDATE push SET answered_at = :now, outcome = answer.outcome, detail = answer.detail
    FROM sent JOIN unnest(CAST(:keys AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]),
                          CAST(:outcomes AS text[]), CAST(:details AS text[]))
         AS answer (push_key, sku, location, outcome, detail)
         USING (push_key, sku, location)
    WHERE push.id = sent.id
""")

LOCK = text(f"""
    SELECT d.sku FROM push_due d JOIN {_KEYS} AS given (sku, location) USING (sku, location)
    WHERE d.channel = :channel ORDER BY d.channel, d.sku, d.location FOR UPDATE OF d
""")  # noqa: S608 -- composed of constants

_SHOWN = text("""
    INSERT INTO shown AS s (channel, sku, location, units, number, confirmed_at, verify_at, verify_first)
    SELECT :channel, sku, location, units, number, :now, CASE WHEN read THEN CAST(:verify_at AS timestamptz) END, first
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:units AS bigint[]),
                CAST(:numbers AS bigint[]), CAST(:read AS boolean[]), CAST(:first AS boolean[]))
         AS confirmed (sku, location, units, number, read, first)
    ORDER BY sku, location
    ON CONFLICT (channel, sku, location) DO UPDATE SET
        units = excluded.units, number = excluded.number, confirmed_at = excluded.confirmed_at,
        verify_at = excluded.verify_at, verify_first = excluded.verify_first, read_units = NULL, read_at = NULL
        WHERE s.number <= excluded.number
""")

_DONE = text("""
    DELETE FROM push_due d
    USING unnest(CAST(:keys AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:numbers AS bigint[]))
          AS answered (push_key, sku, location, number), target t
    WHERE d.channel = :channel AND d.sku = answered.sku AND d.location = answered.location
      AND d.push_key = answered.push_key
      AND t.channel = d.channel AND t.sku = d.sku AND t.location = d.location AND t.number = answered.number
""")

# Answered, but there is a newer number by now: it goes out as what it is against what the channel has just taken. What
# came after the call is not shown yet, what came before is: a SKU that never rests is not late since it began to sell.
_FREE = text(f"""
    UPDATE push_due d SET leased_until = NULL, push_key = NULL, priority = {PRIORITY},
        begun = CASE WHEN CAST(:sent AS boolean) THEN 0 ELSE greatest(d.begun - 1, 0) END,
        since = greatest(d.since, CASE WHEN CAST(:taken AS boolean) THEN (
            SELECT p.sent_at FROM push p
            WHERE p.channel = d.channel AND p.sku = d.sku AND p.location = d.location AND p.push_key = d.push_key
            ORDER BY p.id DESC LIMIT 1) END)
    FROM unnest(CAST(:keys AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]))
         AS answered (push_key, sku, location),
         target t LEFT JOIN shown s ON s.channel = t.channel AND s.sku = t.sku AND s.location = t.location
    WHERE d.channel = :channel AND d.sku = answered.sku AND d.location = answered.location
      AND d.push_key = answered.push_key
      AND t.channel = d.channel AND t.sku = d.sku AND t.location = d.location
""")  # noqa: S608 -- composed of constants

_DOUBT = text("""
    UPDATE push_due d SET leased_until = NULL, attempts = d.attempts + 1, run_at = :now, begun = 0
    FROM unnest(CAST(:keys AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]))
         AS answered (push_key, sku, location)
    WHERE d.channel = :channel AND d.sku = answered.sku AND d.location = answered.location
      AND d.push_key = answered.push_key
""")

# Only the number that was refused is set aside; a newer one is worth a try (`_FREE` follows).
_PARK = text("""
    UPDATE push_due d SET leased_until = NULL, push_key = NULL, parked = true, error = answered.error, begun = 0
    FROM unnest(CAST(:keys AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]), CAST(:numbers AS bigint[]),
                CAST(:errors AS text[])) AS answered (push_key, sku, location, number, error), target t
    WHERE d.channel = :channel AND d.sku = answered.sku AND d.location = answered.location
      AND d.push_key = answered.push_key
      AND t.channel = d.channel AND t.sku = d.sku AND t.location = d.location AND t.number = answered.number
    RETURNING d.sku, d.location, d.attempts, d.error
""")

# While the channel as a whole is away nothing is set aside: the row is not what is wrong.
_LATER = text("""
    UPDATE push_due d SET leased_until = NULL, attempts = d.attempts + 1, begun = 0,
        run_at = CAST(:now AS timestamptz) + make_interval(secs => failed.delay_s), error = failed.error,
        parked = d.attempts + 1 >= :attempts
                 AND EXISTS (SELECT FROM shown s WHERE s.channel = d.channel AND s.confirmed_at > d.since)
    FROM unnest(CAST(:keys AS text[]), CAST(:skus AS text[]), CAST(:locations AS text[]),
                CAST(:delays AS double precision[]), CAST(:errors AS text[]))
         AS failed (push_key, sku, location, delay_s, error)
    WHERE d.channel = :channel AND d.sku = failed.sku AND d.location = failed.location
      AND d.push_key = failed.push_key
    RETURNING d.sku, d.location, d.attempts, d.error, d.parked
""")


@dataclass(frozen=True, slots=True)
class DuePush:
    """One row of the queue, claimed: what to show where, and the vendor's names for it.

    units, number    of the target as it is now
    expected         what the channel shows as far as we know; None is unknown
    push_key         the key it is answered under: of this claim, or (in doubt) of the push whose outcome is unknown
    in_doubt         to be read back, not to be sent
    """

    channel: str
    sku: str
    location: str
    units: int
    number: int
    expected: int | None
    attempts: int
    priority: int
    push_key: str
    in_doubt: bool
    item_id: str
    vendor_location_id: str
    variant_id: str
    product_id: str
    level_id: str
    pack: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one push.

    outcome    confirmed: taken; stale: the channel shows something else than expected; rejected: this row is refused
    detail     for rejected: the vendor's code and words, and what to do
    """

    push: DuePush
    outcome: Literal["confirmed", "stale", "rejected"]
    detail: str = ""


def claim_pushes(
    connection: Connection, channel: str, limit: int, now: datetime, lease_s: float, key: str
) -> list[DuePush]:
    """Take up to `limit` rows of a channel that may go out now: stock-outs, decreases, first numbers, increases.

    lease_s    seconds until a row whose answer never came is looked at again; more than the longest call takes
    key        names this claim; rows in doubt keep the key they have
    """
    claimed = connection.execute(
        _CLAIM,
        {
            "channel": channel,
            "limit": limit,
            "now": now,
            "until": now + timedelta(seconds=lease_s),
            "key": key,
        },
    ).all()
    if not claimed:
        return []
    lost = [row for row in claimed if row.begun >= parking.LOST]
    if lost:
        parking.poisoned(connection, channel, lost, now)
    rows = {(row.sku, row.location): row for row in claimed if row.begun < parking.LOST}
    keys = {"channel": channel, "skus": [s for s, _ in rows], "locations": [at for _, at in rows]}
    pushes, early = [], []
    for fact in connection.execute(_FACTS, keys):
        known = rows[fact.sku, fact.location]._asdict() | fact._asdict()
        del known["begun"], known["run_at"]
        if known.pop("is_early") and not known["in_doubt"]:
            early.append((fact.sku, fact.location))
        else:
            pushes.append(DuePush(channel=channel, **known))
    if early:
        keys |= {"skus": [sku for sku, _ in early], "locations": [at for _, at in early]}
        connection.execute(_COMPUTE_FIRST, keys)
    waited = {place: row.run_at for place, row in rows.items()}
    pushes.sort(key=lambda push: (push.priority, waited[push.sku, push.location], push.sku))
    _log(connection, channel, [push for push in pushes if not push.in_doubt], now, key)
    return pushes


def _log(
    connection: Connection, channel: str, pushes: Sequence[DuePush], now: datetime, key: str
) -> None:
    if pushes:
        expected = [push.expected for push in pushes]
        values = {"units": [push.units for push in pushes], "expected": expected}
        connection.execute(_SENT, columns(pushes) | values | {"key": key, "now": now})


def columns(pushes: Sequence[DuePush]) -> dict[str, object]:
    """The parameters most statements take: channel, keys, skus, locations, numbers."""
    return {
        "channel": pushes[0].channel,
        "keys": [push.push_key for push in pushes],
        "skus": [push.sku for push in pushes],
        "locations": [push.location for push in pushes],
        "numbers": [push.number for push in pushes],
    }


def answered(
    connection: Connection,
    pushes: Sequence[DuePush],
    now: datetime,
    outcome: str,
    details: Iterable[str],
) -> None:
    """Write the answer into the log of pushes; an answer that is there already stays."""
    connection.execute(
        _ANSWERED,
        columns(pushes)
        | {"now": now, "outcomes": [outcome] * len(pushes), "details": list(details)},
    )


def lock(connection: Connection, pushes: Sequence[DuePush]) -> None:
    """Lock all the rows that this transaction will answer, before it answers some of them.

    Each answer locks its own rows in order; one after the other they would be out of order.
    """
    if pushes:
        connection.execute(LOCK, columns(pushes))


def settle_pushes(
    connection: Connection,
    answers: Sequence[Answer],
    now: datetime,
    verify_at: datetime,
    looks: Mapping[tuple[str, str], Look] | None = None,
) -> None:
    """Book the answers to pushes of one channel.

    Confirmed: it is shown, and the row ends unless its target has moved on. Stale: the row is in doubt until it is read
    back. Rejected: the row is parked with the reason unless its target has moved on.

    verify_at    when a confirmed number is read back
    looks        (SKU, location) of those that need not be read back first, and what is done instead
    """
    if not answers:
        return
    connection.execute(LOCK, columns([answer.push for answer in answers]))
    by_outcome: dict[str, list[Answer]] = {}
    for answer in sorted(answers, key=lambda a: (a.push.sku, a.push.location)):
        by_outcome.setdefault(answer.outcome, []).append(answer)
    for outcome, group in by_outcome.items():
        pushes = [answer.push for answer in group]
        answered(connection, pushes, now, outcome, [answer.detail for answer in group])
        given = columns(pushes)
        if outcome == "stale":
            connection.execute(_DOUBT, given | {"now": now})
            continue
        if outcome == "confirmed":
            shown: dict[str, object] = {"units": [push.units for push in pushes]}
            shown |= look_columns([(p.sku, p.location) for p in pushes], looks or {})
            connection.execute(_SHOWN, given | shown | {"now": now, "verify_at": verify_at})
            connection.execute(_DONE, given)
        else:
            errors = {"errors": [answer.detail for answer in group]}
            parked = connection.execute(_PARK, given | errors).all()
            parking.note(connection, pushes[0].channel, parked, now, FailureClass.REJECTED)
        connection.execute(_FREE, given | {"taken": outcome == "confirmed", "sent": True})


def give_back(
    connection: Connection, pushes: Sequence[DuePush], now: datetime, detail: str
) -> None:
    """Free rows whose call was not carried out (throttled, not accepted, not sent); no attempt is counted."""
    connection.execute(LOCK, columns(pushes))
    answered(connection, pushes, now, "throttled", [detail] * len(pushes))
    connection.execute(_FREE, columns(pushes) | {"taken": False, "sent": False})


def unavailable(
    connection: Connection, pushes: Sequence[DuePush], reason: str, now: datetime, chance: Chance
) -> None:
    """Whether the call took effect is unknown: the rows stay in doubt and come back later.

    After `ATTEMPTS` a row is parked with the reason, if others of its channel went through meanwhile.
    """
    connection.execute(LOCK, columns(pushes))
    answered(connection, pushes, now, "unknown", [reason] * len(pushes))
    values = {"now": now, "attempts": ATTEMPTS, "errors": [reason] * len(pushes)}
    delays = {"delays": [backoff_s(push.attempts + 1, chance) for push in pushes]}
    rows = connection.execute(_LATER, columns(pushes) | values | delays).all()
    parking.note(connection, pushes[0].channel, [row for row in rows if row.parked], now)


def refused(
    connection: Connection, pushes: Sequence[DuePush], reason: str, now: datetime, chance: Chance
) -> None:
    """The whole call was refused, by which row is not known: free, counted as an attempt, later."""
    connection.execute(LOCK, columns(pushes))
    answered(connection, pushes, now, "refused", [reason] * len(pushes))
    unavailable(connection, pushes, reason, now, chance)
    connection.execute(_FREE, columns(pushes) | {"taken": False, "sent": True})


def backoff_s(attempts: int, chance: Chance) -> float:
    """Seconds to wait after so many attempts: full jitter, doubling from 1 s to at most 15 min.

    source    AWS Architecture Blog, "Exponential Backoff And Jitter" (2015)
    """
    return chance() * min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0 ** min(attempts - 1, 30))
