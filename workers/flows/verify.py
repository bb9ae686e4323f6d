"""Reading back what channels confirmed: HTTP 200 is not proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from allocation import outlook_store, verifying
from allocation.readings import Read
from allocation.verifying import Verified, Verify
from channels.base import Reading, Throttled
from ledger.db import transaction
from reconcile import aftermath, halt_store, naming
from reconcile.store import open_drifts, resolve_drifts
from reconcile.types import Action, Cause, Evidence, Finding, Limits, Named
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
    """

    read: int = 0
    wrong: int = 0
    too_much: int = 0
    stopped: str = ""
    let_go: bool = False


def verify(lane: Lane) -> VerifyReport:
    """Read back every confirmed push whose time has come; what is not shown as confirmed goes out again."""
    stopped = ""
    read = wrong = too_much = 0
    empty: set[str] = set()
    known: set[str] = set()
    for _ in range(lane.rounds):
        with transaction(lane.engine) as connection:
            asked = verifying.claim_verify(
                connection, lane.client.name, lane.client.direct_rows, lane.now(), lane.lease_s
            )
        if not asked:
            break
        found, error = snapshot(lane, asked)
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
            too_much += _book_drift(connection, lane, verified, asked, found)
            on_sale = {v.sku: v.read for v in verified if v.read is not None and v.read > 0}
            halt_store.stop_what_shows(connection, lane.client.name, on_sale, lane.now())
        read += len(verified)
        known |= {v.sku for v in verified if v.read is not None}
        wrong += sum(v.read is not None and v.read != v.confirmed for v in verified)
        empty |= {v.sku for v in verified if v.read == v.target == 0}
        if error is not None:
            # What was read is kept. The others come back when the limit is full again, else with the claim's lease.
            if isinstance(error, Throttled):
                _give_back(lane, asked, found)
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
    return VerifyReport(read, wrong, too_much, stopped, let_go)


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
) -> int:
    """Open a drift where too much is shown, close one where all is well; how many show too much.

    Too little shown opens none: it may be a sale on its way to us, which the next reconciliation can tell.
    """
    name, now = lane.client.name, lane.now()
    equal = {(v.sku, v.location): v.target for v in verified if v.read == v.target}
    wrong = {
        (v.sku, v.location): v
        for v in verified
        if v.read is not None and v.read > v.target and v.read != v.confirmed
    }
    readings = _readings(asked, [r for r in read if (r.sku, r.location) in wrong])
    named = naming.named(connection, name, readings, grace=_GRACE)
    findings = [
        Finding(case, comparison, _named(wrong[place], cause), _action(cause))
        for place, (case, comparison, cause) in named.items()
    ]
    drifts = [finding.drift() for finding in findings]
    ids = open_drifts(connection, channel=name, window_at=None, drifts=drifts, now=now)
    resolve_drifts(connection, channel=name, equal=equal, now=now)
    aftermath.follow(connection, name, findings, ids, now, _GRACE)
    return len(wrong)


def _readings(asked: Sequence[Verify], read: Sequence[Read]) -> list[Reading]:
    bindings = {(each.sku, each.location): binding_of(each) for each in asked}
    return [
        Reading(bindings[r.sku, r.location], r.units, r.committed, r.updated_at, r.read_at)
        for r in read
    ]


def _action(named: Named) -> Action:
    return Action.REVERSE if named.cause is Cause.DUPLICATE_EVENT else Action.REPUSH


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
