"""From the evidence to the name of the cause: the first test that matches, in the order of the closed list.

Tested today: pending push, rate-limit lag, rejected in batch, swallowed update, stale overwrite, location mismatch,
external edit. In flight is settled by `compare` before; a late event is seen when its drift resolves (`store`).
The others need evidence that is not collected yet and are never guessed: the answer is then unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

from reconcile.types import Case, Cause, Comparison, Evidence, Named, SentPush

#: An answer that settles a push: it will not be tried again as it is.
_ANSWERED = ("confirmed", "rejected", "refused", "stale")

#: (expected, actual) units of each location of one SKU on one channel; actual None is unknown.
Siblings: TypeAlias = Mapping[str, tuple[int, int | None]]


def name(case: Case, comparison: Comparison, siblings: Siblings) -> Named:
    """Name the cause of a drift.

    comparison    its verdict is DRIFT
    siblings      every location of the SKU on the channel that has a target, this one too
    returns       the cause with the facts that decided it; UNKNOWN when no test matches
    """
    actual = comparison.actual
    assert actual is not None
    found = None
    if case.halt_state is None:
        found = (
            _not_sent(case, actual)
            or _refused(case)
            or _swallowed(case, actual)
            or _overwritten(case, actual)
            or _misplaced(siblings)
        )
    found = found or _edited(case)
    return Named(found.cause, _facts(case) | found.evidence)


def _facts(case: Case) -> Evidence:
    last = _last_confirmed(case)
    return {
        "target_number": case.target.number,
        "observed_at": case.reading.observed_at.isoformat(),
        "updated_at": _iso(case.reading.updated_at),
        "last_push_id": last.push_id if last else None,
        "last_push_at": last.sent_at.isoformat() if last else None,
        "halt_id": case.halt_id,
    }


def _not_sent(case: Case, actual: int) -> Named | None:
    """Pending push, or rate-limit lag: the newest number was never answered, and the channel shows the one before."""
    if any(p.number >= case.target.number and p.outcome in _ANSWERED for p in case.pushes):
        return None
    if case.waiting is not None and case.waiting.parked:
        return None
    if case.shown is not None and case.shown.number >= case.target.number:
        return None
    before = case.shown.units if case.shown else None
    if before is not None and before != actual:
        return None
    since = case.waiting.since if case.waiting else case.target.set_at
    evidence: Evidence = {"due_since": since.isoformat(), "queued": case.waiting is not None}
    throttled = [p for p in case.pushes if p.outcome == "throttled" and p.sent_at >= since]
    held = case.throttled_until and case.throttled_until > case.reading.observed_at
    if throttled or held:
        evidence |= {"throttled": len(throttled), "throttled_until": _iso(case.throttled_until)}
        return Named(Cause.RATE_LIMIT_LAG, evidence)
    return Named(Cause.PENDING_PUSH, evidence)


def _refused(case: Case) -> Named | None:
    """Rejected in batch: the channel took the call and refused this row."""
    if case.waiting is not None and case.waiting.parked:
        return Named(Cause.REJECTED, {"error": case.waiting.error})
    if case.pushes and case.pushes[0].outcome in ("rejected", "refused"):
        return Named(
            Cause.REJECTED, {"push_id": case.pushes[0].push_id, "error": case.pushes[0].detail}
        )
    return None


def _swallowed(case: Case, actual: int) -> Named | None:
    """Swallowed update: acknowledged, yet the channel shows what it showed before, or has not changed since."""
    last = _last_confirmed(case)
    if last is None or last.units == actual:
        return None
    changed = case.reading.updated_at
    if changed is not None and changed >= last.sent_at:
        return None
    before = _units_before(case, last)
    if changed is None and before != actual:
        return None
    return Named(
        Cause.SWALLOWED,
        {"push_id": last.push_id, "pushed": last.units, "before": before, "number": last.number},
    )


def _overwritten(case: Case, actual: int) -> Named | None:
    """Stale overwrite: the channel shows an older push of ours, written after the newest was acknowledged."""
    last = _last_confirmed(case)
    if last is None or last.units == actual:
        return None
    for push in case.pushes:
        if push.number < last.number and push.units == actual and push.outcome in _LANDED:
            return Named(
                Cause.STALE_OVERWRITE,
                {"push_id": last.push_id, "overwritten_by": push.push_id, "number": push.number},
            )
    return None


#: Pushes that reached the channel or may have.
_LANDED = ("confirmed", "sent", "unknown")


def _misplaced(siblings: Siblings) -> Named | None:
    """Location mismatch: the sum over the locations is right, the locations are not."""
    shown = [actual for _, actual in siblings.values()]
    if len(shown) < 2 or any(units is None for units in shown):
        return None
    if sum(expected for expected, _ in siblings.values()) != sum(units or 0 for units in shown):
        return None
    apart: Evidence = {
        f"at {location}": f"{expected} expected, {actual} shown"
        for location, (expected, actual) in sorted(siblings.items())
        if expected != actual
    }
    return Named(Cause.LOCATION_MISMATCH, apart)


def _edited(case: Case) -> Named:
    """External edit, when the vendor's time proves a change after our last push and no order can explain it."""
    changed, last = case.reading.updated_at, _last_confirmed(case)
    if changed is None:
        return Named(Cause.UNKNOWN, {"missing": "the channel does not say when it changed"})
    if last is not None and changed <= (last.answered_at or last.sent_at):
        return Named(Cause.UNKNOWN, {"missing": "nothing changed after our last push"})
    evidence: Evidence = {"changed_at": changed.isoformat(), "orders_mark": _iso(case.orders_mark)}
    if case.orders_mark is None or case.orders_mark < changed:
        return Named(Cause.UNKNOWN, evidence | {"missing": "orders are not read up to the change"})
    return Named(Cause.EXTERNAL_EDIT, evidence)


def _last_confirmed(case: Case) -> SentPush | None:
    return next((push for push in case.pushes if push.outcome == "confirmed"), None)


def _units_before(case: Case, last: SentPush) -> int | None:
    """What the channel showed before `last`: what the push itself expected, else the confirmed push before it."""
    if last.expected is not None:
        return last.expected
    older = (p for p in case.pushes if p.outcome == "confirmed" and p.push_id < last.push_id)
    before = next(older, None)
    return before.units if before else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
