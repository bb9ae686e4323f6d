"""From the evidence to the name of the cause: the first test that matches, in the order of the closed list.

In flight is settled by `compare` before. A value that differs is first freed of what orders did to it, so that a fault
and a normal sale may overlap: `causes_pushes` and `causes_places` look at what would be shown without them, only
`causes_orders` asks whether the orders are the difference.

source    the closed list and its order: README, "Causes"
"""

from __future__ import annotations

from dataclasses import replace

from reconcile import causes_orders, causes_places, causes_pushes
from reconcile.causes_places import Siblings
from reconcile.traces import iso, last_confirmed, unseen_units
from reconcile.types import Case, Cause, Comparison, Evidence, Named

__all__ = ["Siblings", "name"]


def name(case: Case, comparison: Comparison, siblings: Siblings) -> Named:
    """Name the cause of a drift.

    comparison    its verdict is DRIFT
    siblings      (expected, actual) of every location of the SKU on the channel that has a target, this one too
    returns       the cause with the facts that decided it; UNKNOWN when no test matches
    """
    if case.halt_state is None:
        found = _on_sale(case, comparison, siblings)
    elif case.halt_state == "setting":
        found = _before_the_stop(case, comparison)
    else:
        found = _after_the_stop(case, comparison)
    return Named(found.cause, _facts(case) | found.evidence, found.look_again)


def refines(before: str, found: Cause) -> bool:
    """Whether a cause found at a later look may take the place of the one that stands.

    What was found by exclusion, or not at all, never does: of a place that was halted, pushed to and sold from since,
    it says only that the evidence is gone. That no push cures it says less than what kind of mistake it is.
    """
    if found is Cause.UNKNOWN:
        return before == Cause.UNKNOWN
    if found is Cause.EXTERNAL_EDIT:
        return before in (Cause.UNKNOWN, Cause.EXTERNAL_EDIT)
    if found is Cause.MAPPING_ERROR:
        return before not in (Cause.UNIT_OF_MEASURE, Cause.STATE_SEMANTICS)
    # That no push reached it was known before, and that it is not this item that is pushed to.
    return not (found is Cause.SWALLOWED and before == Cause.MAPPING_ERROR)


def _on_sale(case: Case, comparison: Comparison, siblings: Siblings) -> Named:
    assert comparison.actual is not None
    freed = comparison.actual + unseen_units(case)
    return (
        causes_pushes.pending(case, freed)
        or causes_places.landed_here(case)
        or causes_pushes.refused(case)
        # What own orders explain to the unit is no older number of ours that happens to be the same.
        or causes_orders.own(case, comparison, freed)
        or causes_pushes.swallowed(case, freed)
        or causes_pushes.overwritten(case, freed)
        or causes_orders.late(case, comparison)
        or causes_orders.twice(case, comparison)
        or causes_orders.cancelled(case, comparison)
        or causes_places.misplaced(siblings)
        or causes_places.crossed(case)
        or causes_places.packed(case, freed)
        or causes_places.confused(case, comparison, freed)
        # Whatever is wrong in kind is not cured by a push: the tests that can say what it is come first.
        or causes_places.uncured(case)
        or causes_places.edited(case)
    )


def _before_the_stop(case: Case, comparison: Comparison) -> Named:
    """A halt that was never read back as a stop: what is shown is what was shown before it, by the pushes before it.

    Nothing is pushed meanwhile, so that what waits is no cause.
    """
    assert comparison.actual is not None
    wanted = max(case.target.units - case.unseen_units, 0)
    if max(comparison.actual, 0) == wanted:
        return causes_places.unstopped()
    against = replace(comparison, expected=wanted)
    freed = comparison.actual + unseen_units(case)
    return (
        causes_places.landed_here(case)
        or causes_pushes.refused(case)
        or causes_pushes.swallowed(case, freed)
        or causes_pushes.overwritten(case, freed)
        or causes_places.crossed(case)
        or causes_places.packed(case, freed)
        or causes_places.confused(case, against, freed)
        or causes_places.uncured(case)
        or causes_places.edited(case)
    )


def _after_the_stop(case: Case, comparison: Comparison) -> Named:
    """A stop that was read back, and units are shown again: the stop is the newest number of ours, a zero."""
    assert comparison.actual is not None
    if case.clues.stop is None:
        return causes_places.edited(case)
    stopped = replace(case, pushes=(case.clues.stop, *case.pushes))
    freed = comparison.actual + unseen_units(case)
    return (
        causes_places.landed_here(stopped)
        or causes_pushes.overwritten(stopped, freed)
        or causes_orders.own(stopped, comparison, freed)
        or causes_places.edited(stopped)
    )


def is_doubtful(named: Named) -> bool:
    """Whether the channel's order API could change this name: what was never sent or was refused needs no orders."""
    return named.cause not in (Cause.PENDING_PUSH, Cause.RATE_LIMIT_LAG, Cause.REJECTED)


def _facts(case: Case) -> Evidence:
    last, clues = last_confirmed(case), case.clues
    facts: Evidence = {
        "target_number": case.target.number,
        "rule_version": clues.rule_version,
        "observed_at": iso(case.reading.observed_at),
        "updated_at": iso(case.reading.updated_at),
        "last_push_id": last.push_id if last else None,
        "last_push_at": iso(last.sent_at) if last else None,
        "halt_id": case.halt_id,
        "orders_asked": clues.asked,
        "orders_known_to": iso(clues.known_to),
    }
    if clues.unseen:
        facts |= {
            "unseen_orders": [order.order_id for order in clues.unseen],
            "unseen_units": sum(order.units for order in clues.unseen),
            "delivery_ids": [row for order in clues.unseen for row in order.delivery_ids],
        }
    if clues.sales:
        facts["sold_since_push"] = sum(sale.units for sale in clues.sales)
    return facts
