"""Listings at zero: off sale when nothing is left on a channel, and back exactly as they were when something is.

Order. Off: the zero is confirmed first, then sale stops. Back: the new number is confirmed first, then sale goes on. So
at no moment is a listing on sale with a number that is not its target.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TypeVar

from allocation import hidden
from channels.base import ChannelError
from ledger.db import transaction
from workers.flows.lane import Lane, binding_of, book_failure

_T = TypeVar("_T")


def hide(lane: Lane, skus: Collection[str]) -> int:
    """Take off sale those of `skus` that the channel shows as 0 everywhere, if its rule wants that; how many.

    raises    Stopped when the vendor does not let us go on; the next read-back of these SKUs asks again
    """
    if not skus:
        return 0
    with transaction(lane.engine) as connection:
        listings = hidden.to_hide(connection, lane.client.name, skus)
    count = 0
    for listing in listings:
        # Its number may have come back while the others were stopped, or while the channel was asked.
        if not _still_at_zero(lane, listing.sku):
            continue
        at = binding_of(listing)
        before = _asked(lane, partial(lane.client.sale_state, at))
        with transaction(lane.engine) as connection:
            if not hidden.to_hide(connection, lane.client.name, [listing.sku]):
                continue
            hidden.keep(connection, listing, before, lane.now())
        _asked(lane, partial(lane.client.stop_sale, at))
        with transaction(lane.engine) as connection:
            # Kept once more: who brought its number back meanwhile may have found nothing to undo, and forgotten it.
            hidden.keep(connection, listing, before, lane.now())
            hidden.stopped(connection, listing, lane.now())
        count += 1
    return count


def resume(lane: Lane) -> int:
    """Put back on sale every hidden listing whose new number is confirmed; how many.

    raises    Stopped when the vendor does not let us go on; `allocation.backlog.DUE_CHANNELS` names the channel again
    """
    with transaction(lane.engine) as connection:
        listings = hidden.to_resume(connection, lane.client.name)
    for listing in listings:
        _asked(lane, partial(lane.client.resume_sale, binding_of(listing), listing.undo))
        with transaction(lane.engine) as connection:
            hidden.forget(connection, listing)
    return len(listings)


def _still_at_zero(lane: Lane, sku: str) -> bool:
    with transaction(lane.engine) as connection:
        return bool(hidden.to_hide(connection, lane.client.name, [sku]))


def _asked(lane: Lane, call: Callable[[], _T]) -> _T:
    try:
        return call()
    except ChannelError as error:
        raise book_failure(lane, [], error) from error
