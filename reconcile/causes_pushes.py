"""What became of our own numbers: never sent, throttled, refused, swallowed, written over by an older one."""

from __future__ import annotations

from itertools import accumulate
from typing import Final

from allocation.types import ATTEMPTS
from reconcile.traces import Hand, at_push, hand, iso, last_confirmed, pushed_again, repeated
from reconcile.types import Case, Cause, Evidence, Named, SentPush

#: An answer that settles a push: it will not be tried again as it is.
_ANSWERED = ("confirmed", "rejected", "refused", "stale")
_REFUSED = ("rejected", "refused")
#: Pushes that reached the channel or may have.
_LANDED = ("confirmed", "sent", "unknown")
#: Numbers sent before that are looked at to name a cause: as many as repairs of three numbers send.
PUSHES_SEEN: Final = 3 * ATTEMPTS
#: Pushes again that were taken and did not show before the item itself is doubted.
UNCURED: Final = 2
#: Sales that may have come after an old number was written: each one more is one more chance to be right by accident.
_SALES_AFTER = 4


def pending(case: Case, freed: int) -> Named | None:
    """Pending push, or rate-limit lag: the newest number was never answered, and the channel shows the one before.

    freed    what is shown, with the orders that are not in the book added
    """
    if any(p.number >= case.target.number and p.outcome in _ANSWERED for p in case.pushes):
        return None
    if case.waiting is not None and case.waiting.parked:
        return None
    if case.shown is not None and case.shown.number >= case.target.number:
        return None
    if _was_refused(case):
        # The number before the one that waits was never shown: what differs is older than the waiting.
        return None
    before = case.shown.units if case.shown else None
    if before is not None and before != freed:
        return None
    since = case.waiting.since if case.waiting else case.target.set_at
    evidence: Evidence = {"due_since": iso(since), "queued": case.waiting is not None}
    throttled = [p for p in case.pushes if p.outcome == "throttled" and p.sent_at >= since]
    held = case.throttled_until and case.throttled_until > case.reading.observed_at
    if throttled or held:
        evidence |= {"throttled": len(throttled), "throttled_until": iso(case.throttled_until)}
        return Named(Cause.RATE_LIMIT_LAG, evidence)
    return Named(Cause.PENDING_PUSH, evidence)


def refused(case: Case) -> Named | None:
    """Rejected in batch: the channel took the call and refused this row."""
    newest = next((push for push in case.pushes if push.outcome != "throttled"), None)
    if newest is not None and newest.outcome in _REFUSED:
        return Named(Cause.REJECTED, {"push_id": newest.push_id, "error": newest.detail})
    # A row is also parked when its number was taken again and again and never shown: that is another cause.
    taken = newest is not None and newest.outcome == "confirmed"
    if case.waiting is not None and case.waiting.parked and not taken:
        return Named(Cause.REJECTED, {"error": case.waiting.error})
    return None


def _was_refused(case: Case) -> bool:
    """Whether the last number that the channel answered was not taken."""
    answers = (push.outcome for push in case.pushes if push.outcome in _ANSWERED)
    return next(answers, "") in _REFUSED


def swallowed(case: Case, freed: int) -> Named | None:
    """Swallowed update: acknowledged, never read back, and the channel shows what it showed before."""
    last = last_confirmed(case)
    showed = at_push(case, freed)
    if last is None or last.units == showed or any(push.seen_at for push in repeated(case)):
        return None
    whose = hand(case)
    before = _units_before(case, last)
    if whose in (Hand.OURS, Hand.OTHER) or (whose is not Hand.BEFORE and before != showed):
        return None
    if pushed_again(case) >= UNCURED and not _is_ours(case, showed):
        # No push reaches it, and what it shows was never our number: it is not this item that we push to.
        return None
    evidence: Evidence = {"push_id": last.push_id, "pushed": last.units, "number": last.number}
    return Named(Cause.SWALLOWED, evidence | {"before": before})


def overwritten(case: Case, freed: int) -> Named | None:
    """Stale overwrite: the channel shows an older push of ours, written after the newest was acknowledged."""
    last = last_confirmed(case)
    if last is None or last.units == at_push(case, freed) or hand(case) in (Hand.BEFORE, Hand.OURS):
        return None
    sold = [sale.units for sale in case.clues.sales[:_SALES_AFTER]]
    # What was written may have been sold from since: any number of the last sales may have come after it.
    showed = set(accumulate(sold, initial=freed))
    for push in case.pushes:
        older = push.number < last.number and push.outcome in _LANDED
        if older and push.units != last.units and push.units in showed:
            return Named(
                Cause.STALE_OVERWRITE,
                {"push_id": last.push_id, "overwritten_by": push.push_id, "number": push.number},
            )
    return None


def _is_ours(case: Case, showed: int) -> bool:
    """Whether what was shown before is a number of ours, but for what was sold from it until the next one came.

    As far as one can see: where more was pushed than is looked at, nobody can say that it was not.
    """
    if len(case.pushes) >= PUSHES_SEEN:
        return True
    first = repeated(case)[-1]
    older = [p for p in case.pushes if p.outcome in _LANDED and p.push_id < first.push_id]
    if not older:
        return True
    sold = accumulate((sale.units for sale in case.clues.sales_before), initial=showed)
    return any(units in {push.units for push in older} for units in sold)


def _units_before(case: Case, last: SentPush) -> int | None:
    """What the channel showed before we pushed this number: what the first push of it expected, else the one before."""
    first = repeated(case)[-1]
    if first.expected is not None and first.expected != last.units:
        return first.expected
    older = (
        push.units
        for push in case.pushes
        if push.outcome == "confirmed" and push.push_id < first.push_id
    )
    return next(older, None)
