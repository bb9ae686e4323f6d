"""Reading back what channels confirmed: HTTP 200 is not proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from allocation import outlook_store, verifying
from allocation.readings import Read
from allocation.verifying import Verified, Verify
from channels.base import Reading, Throttled
from ledger.db import transaction
from reconcile import aftermath, halt_store, halts, naming, pages, repairs
from reconcile.halting import Wish
from reconcile.store import open_drifts, resolve_drifts
from reconcile.types import (
    Action,
    Case,
    Cause,
    Comparison,
    Evidence,
    Finding,
    HaltRule,
    Limits,
    Named,
)
from workers.flows import halt_rules, read_backs
from workers.flows.lane import Lane, Stopped, binding_of, book_failure, snapshot
from workers.flows.sale import hide, resume

#: How long an order may take to reach us.
_GRACE = Limits().grace


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What one go at reading back found, in rows.

    wrong       shown otherwise than confirmed: queued for repair
    too_much    of these, shown above the target: an open drift
    stopped     why it ended before the work did
    let_go      a number that another channel waited for has fallen: SKUs are due because of it
    halted      SKUs taken off sale, because a repair did not come through either
    left        of the sample, left to the next window
    """

    read: int = 0
    wrong: int = 0
    too_much: int = 0
    stopped: str = ""
    let_go: bool = False
    halted: frozenset[str] = frozenset()
    left: int = 0

    @property
    def ring_push(self) -> bool:
        """Whether numbers go out again."""
        return self.wrong > 0

    @property
    def ring_halts(self) -> bool:
        """Whether a halt of the channel waits to be carried out."""
        return bool(self.halted)


def verify(lane: Lane) -> VerifyReport:
    """Read back every confirmed push whose time has come; what is not shown as confirmed goes out again."""
    stopped = ""
    read = wrong = too_much = sampled = 0
    halted: set[str] = set()
    empty: set[str] = set()
    known: set[str] = set()
    for _ in range(lane.rounds):
        with transaction(lane.engine) as connection:
            asked, of_sample = read_backs.claim(connection, lane, sampled)
        if not asked:
            break
        sampled += len(asked) if of_sample else 0
        found, error = snapshot(lane, asked, sparing=of_sample)
        with transaction(lane.engine) as connection:
            verified = verifying.settle_verify(
                connection,
                lane.client.name,
                asked,
                found,
                lane.now(),
                lane.rise_run_at(),
                lane.chance,
            )
            _trace(connection, lane, verified)
            found_too_much, stops = _book_drift(connection, lane, verified, asked, found)
            too_much += found_too_much
            halted |= stops
            on_sale = {v.sku: v.read for v in verified if v.read is not None and v.read > 0}
            halt_store.stop_what_shows(connection, lane.client.name, on_sale, lane.now())
        read += len(verified)
        known |= {v.sku for v in verified if v.read is not None}
        wrong += sum(v.read is not None and v.read != v.confirmed for v in verified)
        empty |= {v.sku for v in verified if v.read == v.target == 0}
        # What was read is kept. The others come back when the limit is full again, else with the claim's lease.
        if isinstance(error, Throttled):
            _give_back(lane, asked, found)
            if of_sample:
                # The limit is for pushes: the sample is read when there is more of it, or left to the window.
                break
        if error is not None:
            stopped = str(book_failure(lane, [], error))
            break
    if not stopped:
        # A push that was stopped, or died, after a zero was confirmed left this to do.
        try:
            hide(lane, empty)
            resume(lane)
        except Stopped as error:
            stopped = str(error)
    with transaction(lane.engine) as connection:
        let_go = outlook_store.let_go(connection, known, lane.now())
        left = read_backs.leave_rest(connection, lane)
    return VerifyReport(read, wrong, too_much, stopped, let_go, frozenset(halted), left)


def _trace(connection: Connection, lane: Lane, verified: Sequence[Verified]) -> None:
    if lane.traces is not None:
        lane.traces.read_back(connection, lane.client.name, verified)


def _give_back(lane: Lane, asked: Sequence[Verify], found: Sequence[Read]) -> None:
    told = {(read.sku, read.location) for read in found}
    untold = [one for one in asked if (one.sku, one.location) not in told]
    with transaction(lane.engine) as connection:
        verifying.give_back_verify(connection, lane.client.name, untold, lane.now())


def _book_drift(
    connection: Connection,
    lane: Lane,
    verified: Sequence[Verified],
    asked: Sequence[Verify],
    read: Sequence[Read],
) -> tuple[int, set[str]]:
    """Open a drift where too much is shown, close one where all is well.

    Too little shown opens none: it may be a sale on its way to us, which the next reconciliation can tell. What shows
    too much is pushed again at once; when that did not come through either, and the rule says so, it is halted.
    returns    (how many show too much, SKUs to be halted)
    """
    name, now = lane.client.name, lane.now()
    equal = {(v.sku, v.location): v.target for v in verified if v.read == v.target}
    wrong = {
        (v.sku, v.location): v
        for v in verified
        if v.read is not None and v.read > v.target and v.read != v.confirmed
    }
    # Of two listings that were exchanged one shows too much and one too little: it takes both to see it.
    readings = _readings(asked, [r for r in read if r.units is not None]) if wrong else []
    named = naming.named(connection, name, readings, grace=_GRACE)
    rule = _rule(connection, name, lane) if named else None
    findings = [
        _finding(case, comparison, _named(wrong[place], cause), rule)
        for place, (case, comparison, cause) in named.items()
        if place in wrong and not repairs.is_put_back(case, cause)
    ]
    drifts = [finding.drift() for finding in findings]
    ids = open_drifts(connection, channel=name, window_at=None, drifts=drifts, now=now)
    resolve_drifts(connection, channel=name, equal=equal, now=now)
    aftermath.follow(connection, name, findings, ids, now, _GRACE)
    return len(wrong), _halt(connection, lane, findings, ids)


def _rule(connection: Connection, name: str, lane: Lane) -> HaltRule | None:
    """The halt rule of the channel; None while nothing may be sent to it."""
    state = pages.channel_state(connection, name)
    if state is None or state.paused or not state.writes:
        return None
    return halt_rules.of_channel(connection, name, lane.proof.rule)


def _finding(case: Case, comparison: Comparison, named: Named, rule: HaltRule | None) -> Finding:
    if named.cause is Cause.DUPLICATE_EVENT:
        return Finding(case, comparison, named, Action.REVERSE)
    # Found for the first time: the number goes out again, which takes no longer than a halt would.
    again = case.open_drift is not None and case.halt_state is None
    reason = halts.halt_reason(case, comparison, rule) if again and rule is not None else None
    return Finding(case, comparison, named, Action.HALT if reason else Action.REPUSH, reason)


def _halt(
    connection: Connection,
    lane: Lane,
    findings: Sequence[Finding],
    ids: Mapping[tuple[str, str], int],
) -> set[str]:
    wishes = {
        finding.case.sku: Wish(
            finding.case.sku,
            f"{finding.halt_reason}, and a repair did not come through",
            ids[finding.case.sku, finding.case.location],
        )
        for finding in reversed(findings)
        if finding.halt_reason is not None
    }
    new = [wishes[sku] for sku in sorted(wishes)]
    return halt_rules.halt_by_rule(connection, lane.client.name, new, lane.now(), lane.proof.rule)


def _readings(asked: Sequence[Verify], read: Sequence[Read]) -> list[Reading]:
    bindings = {(each.sku, each.location): binding_of(each) for each in asked}
    return [
        Reading(bindings[r.sku, r.location], r.units, r.committed, r.updated_at, r.read_at)
        for r in read
    ]


def _named(found: Verified, named: Named) -> Named:
    """What the evidence says; where it says nothing, what the push and its read-back do.

    A number that was proven can only have been written over; one that never showed was swallowed.
    """
    own: Evidence = {
        "push_id": found.push_id,
        "confirmed": found.confirmed,
        "before": found.before,
        "proven": found.proven,
        "older_push_id": found.older_id,
    }
    # What was confirmed and read back cannot be waiting: that number is older than what waits.
    if named.cause not in (Cause.UNKNOWN, Cause.PENDING_PUSH, Cause.RATE_LIMIT_LAG):
        return Named(named.cause, own | named.evidence)
    cause = Cause.UNKNOWN
    if not found.proven and found.read == found.before:
        cause = Cause.SWALLOWED
    elif found.proven and found.older_id is not None:
        cause = Cause.STALE_OVERWRITE
    return Named(cause, named.evidence | own)
