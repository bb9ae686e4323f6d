"""What was read of a channel is judged, and what that comes to is written: of a run, an early read, a second look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from allocation import outlook_store
from channels.base import Reading
from reconcile import aftermath, evidence, halt_store, halting, pages, second_looks, stood, store
from reconcile.judge import Judged, judge
from reconcile.types import Action, Finding, Limits
from workers.flows import halt_rules
from workers.flows.reconcile_terms import Terms
from workers.flows.set_back import TOLERATED

Readings = Mapping[tuple[str, str], Reading]


@dataclass(frozen=True, slots=True)
class Judging:
    """How readings of a channel are judged.

    window_at    of the run, None outside of one
    terms        with the limits of this channel
    """

    channel: str
    window_at: datetime | None
    terms: Terms


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of judged readings.

    repushed    targets due again
    halted      SKUs to be halted
    fixed       drifts that are over
    due         whether SKUs are to be computed
    """

    repushed: int
    halted: frozenset[str]
    fixed: int = 0
    due: bool = False


def judge_readings(
    connection: Connection,
    at: Judging,
    state: pages.ChannelState,
    known: Readings,
    now: datetime,
    told: Sequence[Reading] = (),
) -> Judged:
    """Compare, collect what names causes, and judge; writes nothing. What is dated later than `now` is in flight.

    known    readings by place; none of them unknown
    told     what is known besides of other places of the same SKUs
    """
    limits, rule = at.terms.limits, halt_rules.of_channel(connection, at.channel, at.terms.rule)
    cases = pages.cases(connection, at.channel, list(known.values()), state=state, unseen={})
    # Read by a clock that was put back since: nobody can tell which call it came after.
    found = [case for case in cases if case.reading.observed_at <= now + TOLERATED]
    undated = len(cases) - len(found)
    if not found:
        return replace(judge([], {}, limits, rule), in_flight=undated)
    like = known[found[0].sku, found[0].location].binding
    found = stood.as_read(connection, at.channel, found)
    named, any_sku = pages.explained_by_deliveries(connection, at.channel, like, now, limits.grace)
    found = [replace(case, delivery_waiting=any_sku or case.sku in named) for case in found]
    found = evidence.collect(
        connection,
        at.channel,
        found,
        grace=limits.grace,
        committed={place: reading.committed for place, reading in known.items()},
    )
    elsewhere = {(r.binding.sku, r.binding.location): r for r in told}
    siblings = pages.siblings(
        connection, at.channel, [case.sku for case in found], elsewhere | dict(known)
    )
    may_halt = state.writes and not state.paused
    found = halt_rules.with_tiers(connection, at.channel, found, rule, now, at.terms.fast_per_day)
    judged = judge(found, siblings, limits, rule, may_halt=may_halt)
    return replace(judged, in_flight=judged.in_flight + undated)


def due_again(findings: Sequence[Finding], now: datetime, limits: Limits) -> list[pages.Repush]:
    """The targets that go out again because of these drifts."""
    rows = [_repush(finding, now, limits) for finding in findings]
    return [row for row in rows if row is not None]


def write_judged(
    connection: Connection, at: Judging, judged: Judged, known: Readings, now: datetime
) -> Written:
    """Keep what the readings came to, in the transaction that judged them."""
    wanted = due_again([*judged.findings, *judged.put_back], now, at.terms.limits)
    # What is due, the push queue, what is shown: the order in which everybody takes these locks.
    due = outlook_store.due_where_scarce(connection, {sku for sku, _ in known}, now)
    pages.repush(connection, at.channel, wanted, now)
    aftermath.park(connection, at.channel, judged.findings)
    pages.note_readings(connection, at.channel, list(known.values()))
    fixed = 0
    for places, result in ((judged.equal, ""), (judged.stopped, "halted: it shows nothing")):
        fixed += store.resolve_drifts(
            connection, channel=at.channel, equal=places, now=now, result=result
        )
    ids = store.open_drifts(
        connection,
        channel=at.channel,
        window_at=at.window_at,
        drifts=[finding.drift() for finding in judged.findings],
        now=now,
    )
    aftermath.cured(connection, at.channel, judged.equal, now)
    aftermath.follow(connection, at.channel, judged.findings, ids, now, at.terms.limits.grace)
    _look_later(connection, at, judged, known, now)
    return Written(len(wanted), frozenset(_halt(connection, at, judged, ids, now)), fixed, due)


def _look_later(
    connection: Connection, at: Judging, judged: Judged, known: Readings, now: datetime
) -> None:
    """The orders up to a reading are heard by a poll that begins so much later than the reading.

    All places of a SKU are kept: what differs at one may have gone to another.
    """
    skus = {case.sku for case in judged.unheard}
    heard_after = timedelta(seconds=at.terms.orders_lag_s + 1)
    second_looks.keep(
        connection,
        at.channel,
        [reading for (sku, _), reading in sorted(known.items()) if sku in skus],
        window_at=at.window_at,
        due_at=now + heard_after,
        until_at=now + heard_after + at.terms.limits.grace,
    )


def _halt(
    connection: Connection,
    at: Judging,
    judged: Judged,
    ids: Mapping[tuple[str, str], int],
    now: datetime,
) -> set[str]:
    again: set[str] = set()
    wishes: dict[str, halting.Wish] = {}
    for finding in judged.findings:
        case, reason = finding.case, finding.halt_reason
        if reason is None or case.sku in again or case.sku in wishes:
            continue
        if case.halt_id is not None:
            halt_store.halt_again(connection, case.halt_id, reason, now)
            again.add(case.sku)
        else:
            wishes[case.sku] = halting.Wish(case.sku, reason, ids[case.sku, case.location])
    new = list(wishes.values())
    return again | halt_rules.halt_by_rule(connection, at.channel, new, now, at.terms.rule)


def _repush(finding: Finding, now: datetime, limits: Limits) -> pages.Repush | None:
    """Showing too much is a decrease and goes first; showing too little may wait for an order that is on its way."""
    case, comparison = finding.case, finding.comparison
    match finding.action:
        case (
            Action.FIX_ITEM
            | Action.HALT_AGAIN
            | Action.BACKFILL
            | Action.REVERSE
            | Action.CALL
            | Action.QUARANTINE
        ):
            return None
        case Action.REPUSH_AFTER_GRACE:
            return pages.Repush(case.sku, case.location, 3, now + limits.grace)
        case Action.REPUSH | Action.HALT:
            priority = 3
            if comparison.delta_units > 0:
                priority = 0 if case.target.units == 0 else 1
            return pages.Repush(case.sku, case.location, priority, now)
