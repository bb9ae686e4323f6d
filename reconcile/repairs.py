"""What is done about a drift, by its cause: push again, let the book come to it, reverse, halt, call, or leave alone.

A repair that does not cure is not repeated for ever: after so many pushes that were taken and did not show, the place
goes into quarantine until a person has looked.
"""

from __future__ import annotations

from typing import Final

from reconcile import halts
from reconcile.traces import hand
from reconcile.types import (
    Action,
    Case,
    Cause,
    Comparison,
    Finding,
    HaltRule,
    Limits,
    Named,
)

#: What is shown is right, and the book comes to it: nothing is pushed and nothing is halted.
_BOOKS: Final = {
    Cause.LATE_EVENT: Action.BACKFILL,
    Cause.UNLEDGERED_SALE: Action.BACKFILL,
    Cause.MISSED_CANCEL: Action.BACKFILL,
    Cause.DUPLICATE_EVENT: Action.REVERSE,
}
#: Actions that send the number again.
PUSHES: Final = (Action.REPUSH, Action.REPUSH_AFTER_GRACE)
#: Causes under which no push came through: pushing again is what they wait for.
_NEVER_TAKEN: Final = (Cause.PENDING_PUSH, Cause.RATE_LIMIT_LAG, Cause.REJECTED)


def finding(
    case: Case, comparison: Comparison, named: Named, limits: Limits, rule: HaltRule | None
) -> Finding:
    """The drift with what is to be done about it.

    rule    None while a person has paused the channel: then nothing is halted
    """
    if case.halt_state is not None:
        reason = f"{case.location} shows {comparison.actual} while halted" if rule else None
        return Finding(case, comparison, named, Action.HALT_AGAIN, reason)
    if (orders := _by_orders(case, comparison, named)) is not None:
        return Finding(case, comparison, named, orders)
    reason = halts.halt_reason(case, comparison, rule) if rule else None
    if rule is not None and _is_for_a_person(case, named):
        wrong = (
            f"{named.cause}: {case.location} shows {comparison.actual} for {comparison.expected}"
        )
        return Finding(case, comparison, named, Action.CALL, reason or wrong)
    if case.clues.quarantine is not None or is_spent(case, named, limits):
        too_many = comparison.delta_units
        if rule is not None and reason is None and too_many > 0:
            # Nothing lowers it any more, however few they are.
            reason = f"{case.location} is in quarantine and shows {too_many} too many"
        return Finding(case, comparison, named, Action.QUARANTINE, reason)
    if reason is not None:
        return Finding(case, comparison, named, Action.HALT, reason)
    if named.cause is Cause.REJECTED and case.waiting is not None and case.waiting.parked:
        return Finding(case, comparison, named, Action.FIX_ITEM)
    return Finding(case, comparison, named, _again(case, comparison))


def is_put_back(case: Case, named: Named) -> bool:
    """Whether the channel's own orders moved what is shown of a target that stays: it is put back, and is no drift.

    So it is with a cap, a percent, a floor: nothing was due, since nothing has changed. What cancels put back is there,
    and stops nobody.
    """
    return "own_sales" in named.evidence and case.open_drift is None and case.halt_state is None


def _by_orders(case: Case, comparison: Comparison, named: Named) -> Action | None:
    """What is done where orders are the difference."""
    if "own_sales" in named.evidence:
        # They are all in the book, and the target stayed as it was: the number is put back.
        return _again(case, comparison)
    return _BOOKS.get(named.cause)


def _again(case: Case, comparison: Comparison) -> Action:
    late_order_possible = comparison.delta_units < 0 and (
        case.orders_mark is None or case.orders_mark < case.reading.observed_at
    )
    return Action.REPUSH_AFTER_GRACE if late_order_possible else Action.REPUSH


def is_spent(case: Case, named: Named, limits: Limits) -> bool:
    """Whether pushing again has been tried often enough."""
    return named.cause not in _NEVER_TAKEN and case.clues.cured_not >= limits.attempts


def _is_for_a_person(case: Case, named: Named) -> bool:
    """Mapping, packs and meanings: no push cures them.

    Where the vendor does not say whose hand it was, two numbers may stand in such a ratio by accident: then one push
    is tried before sales are stopped.
    """
    if named.cause not in halts.NEEDS_A_PERSON:
        return False
    return (
        case.open_drift is not None or hand(case) is not None or named.cause is Cause.MAPPING_ERROR
    )
