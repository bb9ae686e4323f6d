"""Whether orders are the difference: late, never heard of, booked twice, cancelled without our knowing.

Here what is shown is not freed of the orders: they are what is looked for.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import accumulate
from typing import Final

from reconcile.traces import at_push, iso, last_confirmed, repeated
from reconcile.types import Case, Cause, Comparison, Evidence, Named

_SECOND: Final = timedelta(seconds=1)


def late(case: Case, comparison: Comparison) -> Named | None:
    """Late event, or unledgered sale: as much less is shown as orders took that are not in the book.

    An order that a notification named came late. One that only the order API tells may still be heard of within the
    grace; until that is over it is called late, and looked at again.
    """
    sold = [order for order in case.clues.unseen if order.units > 0]
    if not sold or comparison.delta_units >= 0:
        return None
    if sum(order.units for order in case.clues.unseen) != -comparison.delta_units:
        return None
    evidence: Evidence = {
        "order_ids": [order.order_id for order in sold],
        "units": -comparison.delta_units,
        "ordered_at": iso(min(order.at for order in sold)),
        "unheard": sum(not order.heard for order in sold),
    }
    if all(order.heard for order in sold):
        return Named(Cause.LATE_EVENT, evidence)
    if case.clues.grace_is_over:
        return Named(Cause.UNLEDGERED_SALE, evidence)
    return Named(Cause.LATE_EVENT, evidence, look_again=True)


def own(case: Case, comparison: Comparison, freed: int) -> Named | None:
    """Late event: the number we pushed, less what the channel's own orders took since, where the target stayed.

    So it is with a cap, a percent or a floor: nothing was due, since nothing has changed, and the number is put back.
    What a cancel gives back stands above such a target as a sale stands below it.
    """
    last, sold = last_confirmed(case), sum(sale.units for sale in case.clues.sales)
    if last is None or not case.clues.sales or comparison.delta_units == 0:
        return None
    if last.units not in _may_have_shown(case, freed):
        return None
    return Named(
        Cause.LATE_EVENT, {"push_id": last.push_id, "pushed": last.units, "own_sales": sold}
    )


def _may_have_shown(case: Case, freed: int) -> set[int]:
    """What the channel may have shown when the number was pushed.

    Vendors stamp whole seconds: an order in the second of the push may have come before it, one in that of the reading
    after it.
    """
    sales, began = case.clues.sales, repeated(case)[-1].sent_at.replace(microsecond=0)
    read_in = case.reading.observed_at.replace(microsecond=0)
    newest = [sale.units for sale in sales if sale.at >= read_in]
    oldest = [sale.units for sale in reversed(sales) if sale.at < began + _SECOND]
    all_of_them = at_push(case, freed)
    return {
        all_of_them - after - before
        for after in accumulate(newest, initial=0)
        for before in accumulate(oldest, initial=0)
    }


def twice(case: Case, comparison: Comparison) -> Named | None:
    """Duplicate event: as much more is shown as an order took that stands in the book twice."""
    more = comparison.delta_units + sum(order.units for order in case.clues.unseen)
    if more <= 0:
        return None
    for one in case.clues.twice:
        if one.units == more:
            return Named(
                Cause.DUPLICATE_EVENT,
                {
                    "order_ids": [one.order_id],
                    "units": one.units,
                    "event_ids": [one.first_id, one.second_id],
                    "second_source": one.source,
                    "second_source_id": one.source_id,
                },
            )
    return None


def cancelled(case: Case, comparison: Comparison) -> Named | None:
    """Missed cancel or return: as much more is shown as the channel's orders put back that the book still lacks."""
    back = [order for order in case.clues.unseen if order.units < 0]
    if not back or comparison.delta_units <= 0:
        return None
    if -sum(order.units for order in case.clues.unseen) != comparison.delta_units:
        return None
    return Named(
        Cause.MISSED_CANCEL,
        {"order_ids": [order.order_id for order in back], "units": comparison.delta_units},
    )
