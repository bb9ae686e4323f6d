"""What follows from a drift beyond a push: reversals, calls to a person, quarantine, and late orders settled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import orjson
from sqlalchemy import Connection, text

from allocation import alarms
from allocation.sql import READ_SINCE
from ledger import inbox
from ledger.inbox import FACT_TOPIC, Delivery
from reconcile.deliveries import values
from reconcile.evidence_orders import POLLED
from reconcile.trail import record
from reconcile.types import Action, Finding

Place: TypeAlias = tuple[str, str]

#: Rules of alarms: an item that only a person can put right, and a place where nothing is repaired any more.
WRONG: Final = "mapping"
QUARANTINE: Final = "quarantine"
#: Who reverses and quarantines.
RULE: Final = "rule:reconcile"

_LOOK_AGAIN = text("""
    UPDATE drift SET look_again_at = :at
    WHERE id = ANY(CAST(:ids AS bigint[])) AND look_again_at IS NULL
""")

_QUARANTINE = text("""
    INSERT INTO quarantine (channel, sku, location, cause, reason, drift_id, since)
    VALUES (:channel, :sku, :location, :cause, :reason, :drift_id, :now)
    ON CONFLICT (channel, sku, location) WHERE released_at IS NULL DO NOTHING
    RETURNING id
""")
_PARK = text("""
    WITH spent AS MATERIALIZED (
        SELECT d.sku, d.location
        FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS place (sku, location)
        JOIN push_due d ON d.channel = :channel AND d.sku = place.sku AND d.location = place.location
        WHERE d.push_key IS NULL AND NOT d.parked
        ORDER BY d.sku, d.location FOR UPDATE OF d
    )
    UPDATE push_due d SET parked = true, error = 'in quarantine: see lockstep recon quarantine'
    FROM spent WHERE d.channel = :channel AND d.sku = spent.sku AND d.location = spent.location
""")


def park(connection: Connection, channel: str, findings: Sequence[Finding]) -> None:
    """Let the push queue leave alone what goes into quarantine; a new target, another number, still goes out once.

    Before `shown` is touched: the queue is locked first.
    """
    places = [_place(each) for each in findings if each.action is Action.QUARANTINE]
    if places:
        connection.execute(_PARK, _keys(channel, places))


def follow(
    connection: Connection,
    channel: str,
    findings: Sequence[Finding],
    ids: Mapping[Place, int],
    now: datetime,
    grace: timedelta,
) -> None:
    """Do what the findings ask for, in the transaction that keeps their drifts; twice is the same as once.

    ids    of the drifts, per (SKU, location)
    """
    again = [ids[_place(each)] for each in findings if each.named.look_again]
    if again:
        connection.execute(_LOOK_AGAIN, {"ids": again, "at": now + grace})
    _reverse(connection, channel, findings, now)
    for finding in findings:
        match finding.action:
            case Action.CALL:
                detail = _detail(channel, finding, ids)
                alarms.raise_alarm(
                    connection, WRONG, _object(channel, _place(finding)), detail, now
                )
            case Action.QUARANTINE:
                _isolate(connection, channel, finding, ids, now)
            case _:
                pass


def _reverse(
    connection: Connection, channel: str, findings: Sequence[Finding], now: datetime
) -> None:
    """Undo the second entries of orders that stand in the book twice; the inbox keeps each reversal once."""
    deliveries = []
    for finding in findings:
        if finding.action is Action.REVERSE:
            fact = _reversal(channel, finding, now)
            deliveries.append(Delivery(fact["source"], fact["id"], FACT_TOPIC, orjson.dumps(fact)))
    if not deliveries:
        return
    kept = inbox.keep(connection, deliveries, now=now)
    for position in kept.fresh:
        delivery = deliveries[position]
        record(
            connection,
            actor=RULE,
            action="event.reverse",
            what=f"event:{delivery.delivery_id}",
            at=now,
            reason=f"{channel} shows that the order was booked twice",
        )


def _reversal(channel: str, finding: Finding, now: datetime) -> dict[str, str]:
    evidence = finding.named.evidence
    source, source_id = str(evidence["second_source"]), str(evidence["second_source_id"])
    event_ids = evidence["event_ids"]
    assert isinstance(event_ids, list)
    return {
        "kind": "reversal",
        "source": "lockstep:reconcile",
        # By the event: its own name may be as long as a name can be.
        "id": f"twice:{event_ids[1]}",
        "occurred_at": finding.case.reading.observed_at.isoformat(),
        "reverses_source": source,
        "reverses_id": source_id,
        "reason": f"{channel} took {evidence['units']} units once; event {event_ids[0]} is the same order",
    }


def _isolate(
    connection: Connection, channel: str, finding: Finding, ids: Mapping[Place, int], now: datetime
) -> None:
    place = _place(finding)
    comparison = finding.comparison
    reason = (
        f"pushed again {finding.case.clues.cured_not} times and taken, and it shows {comparison.actual}"
        f" for {comparison.expected}: put the item right at the vendor, then `lockstep recon release`"
    )
    values_of: dict[str, Any] = {
        "channel": channel,
        "sku": place[0],
        "location": place[1],
        "cause": finding.named.cause.value,
        "reason": reason,
        "drift_id": ids.get(place),
        "now": now,
    }
    if connection.execute(_QUARANTINE, values_of).scalar_one_or_none() is None:
        return
    alarms.raise_alarm(
        connection, QUARANTINE, _object(channel, place), _detail(channel, finding, ids), now
    )
    record(
        connection,
        actor=RULE,
        action="quarantine.set",
        what=_object(channel, place),
        at=now,
        reason=reason,
    )


def _place(finding: Finding) -> Place:
    return finding.case.sku, finding.case.location


def _object(channel: str, place: Place) -> str:
    return f"place:{channel}/{place[0]}@{place[1]}"


def _detail(channel: str, finding: Finding, ids: Mapping[Place, int]) -> dict[str, object]:
    sku, location = _place(finding)
    return {
        "channel": channel,
        "sku": sku,
        "location": location,
        "cause": finding.named.cause.value,
        "expected": finding.comparison.expected,
        "actual": finding.comparison.actual,
        "drift": ids.get((sku, location)),
        "hint": finding.named.evidence.get("hint")
        or finding.named.evidence.get("crossed_with")
        or "",
    }


_RELEASE = text("""
    UPDATE quarantine q SET released_at = :now, released_by = :by, release_reason = :reason
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS place (sku, location)
    WHERE q.channel = :channel AND q.sku = place.sku AND q.location = place.location AND q.released_at IS NULL
    RETURNING q.sku, q.location
""")
_OPEN = text("""
    SELECT channel, sku, location, cause, reason, drift_id, since FROM quarantine
    WHERE released_at IS NULL AND (CAST(:channel AS text) IS NULL OR channel = :channel)
    ORDER BY since, channel, sku, location
""")
_UNPARK = text("""
    INSERT INTO push_due AS d (channel, sku, location, priority, since, run_at)
    SELECT t.channel, t.sku, t.location, 2, :now, :now
    FROM unnest(CAST(:skus AS text[]), CAST(:locations AS text[])) AS place (sku, location)
    JOIN target t ON t.channel = :channel AND t.sku = place.sku AND t.location = place.location
    ORDER BY t.channel, t.sku, t.location
    ON CONFLICT (channel, sku, location) DO UPDATE SET parked = false, error = NULL, attempts = 0, run_at = :now
        WHERE d.parked
""")


def quarantined(connection: Connection, channel: str | None = None) -> list[dict[str, Any]]:
    """Places where nothing is repaired until a person has looked, oldest first."""
    return [dict(row) for row in connection.execute(_OPEN, {"channel": channel}).mappings()]


def release(
    connection: Connection,
    channel: str,
    places: Collection[Place],
    by: str,
    reason: str,
    now: datetime,
) -> list[Place]:
    """Repair these places again, from the next window on; their numbers are due now. Returns those that stood still."""
    found = _let_go(connection, channel, places, by, reason, now)
    if found:
        connection.execute(_UNPARK, _keys(channel, found) | {"now": now})
    return found


def cured(connection: Connection, channel: str, equal: Collection[Place], now: datetime) -> None:
    """Places read as they should be: what was called about them is over."""
    over = _let_go(connection, channel, equal, RULE, "read as it should be", now)
    standing = {alarm.object for alarm in alarms.open_alarms(connection, WRONG)} if equal else set()
    for place in equal:
        if (what := _object(channel, place)) in standing and place not in over:
            alarms.resolve(connection, WRONG, what, now)


def _let_go(
    connection: Connection,
    channel: str,
    places: Collection[Place],
    by: str,
    reason: str,
    now: datetime,
) -> list[Place]:
    if not places:
        return []
    keys = _keys(channel, sorted(places)) | {"by": by, "reason": reason, "now": now}
    found = sorted((row.sku, row.location) for row in connection.execute(_RELEASE, keys))
    for place in found:
        what = _object(channel, place)
        for rule in (QUARANTINE, WRONG):
            alarms.resolve(connection, rule, what, now)
        record(connection, actor=by, action="quarantine.release", what=what, at=now, reason=reason)
    return found


def _keys(channel: str, places: Sequence[Place]) -> dict[str, Any]:
    return {
        "channel": channel,
        "skus": [sku for sku, _ in places],
        "locations": [location for _, location in places],
    }


# A place whose drift ended with its halt is read as it should be without being compared: nothing differs there.
_MENDED = text(f"""
    SELECT a.object
    FROM alarm a
    JOIN target t ON t.channel = :channel AND t.sku = a.detail ->> 'sku' AND t.location = a.detail ->> 'location'
    JOIN shown s ON s.channel = t.channel AND s.sku = t.sku AND s.location = t.location
    WHERE a.rule = :rule AND a.resolved_at IS NULL AND a.detail ->> 'channel' = :channel
      AND {READ_SINCE} AND s.read_units = t.units AND s.read_at > a.last_at
      AND NOT EXISTS (SELECT FROM halt h WHERE h.channel = t.channel AND h.sku = t.sku AND h.state <> 'lifted')
      AND NOT EXISTS (SELECT FROM drift d WHERE d.channel = t.channel AND d.sku = t.sku
                      AND d.location = t.location AND d.resolved_at IS NULL)
    ORDER BY a.object
""")  # noqa: S608 -- composed of constants


def mended(connection: Connection, channel: str, now: datetime) -> int:
    """End the calls about items of a channel that are on sale again and were read as they should be; how many."""
    over = connection.execute(_MENDED, {"channel": channel, "rule": WRONG}).scalars().all()
    for what in over:
        alarms.resolve(connection, WRONG, what, now)
    return len(over)


_TO_SETTLE = text("""
    SELECT id, seen_at, look_again_at, evidence -> 'order_ids' AS order_ids FROM drift
    WHERE look_again_at <= :now AND channel = :channel ORDER BY look_again_at LIMIT 1000
""")
_CAME = text("""
    SELECT received_at, body FROM inbox
    WHERE received_at BETWEEN :since AND :until AND source = :channel AND headers ->> 'road' IS DISTINCT FROM :polled
    ORDER BY id LIMIT 20000
""")
_SETTLED = text("""
    UPDATE drift SET look_again_at = NULL,
        cause = CASE WHEN drift.cause = 'late_event' AND drift.id = ANY(CAST(:unheard AS bigint[]))
                     THEN 'unledgered_sale' ELSE drift.cause END
    WHERE id = ANY(CAST(:ids AS bigint[]))
""")


def settle_late(connection: Connection, channel: str, now: datetime) -> int:
    """Name for good what was called late while its orders might still be heard of.

    An order that no notification named within the grace is an unledgered sale, whatever backfilled it meanwhile.
    returns    drifts settled
    """
    rows = connection.execute(_TO_SETTLE, {"channel": channel, "now": now}).fetchall()
    if not rows:
        return 0
    between = {
        "since": min(row.seen_at for row in rows),
        "until": max(row.look_again_at for row in rows),
    }
    came = connection.execute(_CAME, between | {"channel": channel, "polled": POLLED})
    told = [(row.received_at, values(bytes(row.body))) for row in came]
    unheard = [
        row.id
        for row in rows
        if not _all_told(
            row.order_ids or (),
            [named for at, named in told if row.seen_at <= at <= row.look_again_at],
        )
    ]
    connection.execute(_SETTLED, {"ids": [row.id for row in rows], "unheard": unheard})
    return len(rows)


def _all_told(order_ids: Sequence[str], told: Sequence[set[str]]) -> bool:
    return all(any(order in named for named in told) for order in order_ids)
