"""`fulfillmentOrderHold` and `fulfillmentOrderReleaseHold`: what is held is not shipped.

source    https://shopify.dev/docs/api/admin-graphql/2026-07/mutations/fulfillmentOrderHold; since 2025-01 one app may
          place up to ten holds on a fulfillment order, each under a handle of its own
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from channels.simulators.shopify.order_mutations import find_work
from channels.simulators.shopify.shop import Act, Shop
from channels.simulators.shopify.state import FulfillmentOrder, Hold
from channels.simulators.shopify.writes import UserError

_MOST: Final = 10
_HOLDABLE: Final = ("OPEN", "SCHEDULED", "ON_HOLD")
_MISSING: Final = UserError("FULFILLMENT_ORDER_NOT_FOUND", ("id",), "Fulfillment order not found.")


def hold(
    shop: Shop, act: Act, args: Mapping[str, Any]
) -> tuple[Hold | None, FulfillmentOrder | None, list[UserError]]:
    """Hold a whole fulfillment order; holding some of its lines only would split it, which this shop does not do."""
    work = find_work(shop, args["id"])
    if work is None:
        return None, None, [_MISSING]
    given = args["fulfillmentHold"]
    error = _refused(work, given)
    if error is not None:
        return None, None, [error]
    made = Hold(
        shop.ids.next("FulfillmentHold"),
        given["reason"],
        given.get("reasonNotes"),
        given.get("handle") or "",
    )
    work.holds.append(made)
    work.status, work.updated_at = "ON_HOLD", act.at
    return made, work, []


def _refused(work: FulfillmentOrder, given: Mapping[str, Any]) -> UserError | None:
    if given.get("fulfillmentOrderLineItems"):
        text = "The fulfillment order is not in a splittable state."
        return UserError("FULFILLMENT_ORDER_NOT_SPLITTABLE", ("id",), text)
    if work.status not in _HOLDABLE:
        return UserError(None, ("id",), f"Fulfillment order is {work.status} and cannot be held.")
    if any(held.handle == (given.get("handle") or "") for held in work.holds):
        text = "The handle provided for the fulfillment hold is already in use by this app."
        where = ("fulfillmentHold", "handle")
        return UserError("DUPLICATE_FULFILLMENT_HOLD_HANDLE", where, text)
    if len(work.holds) >= _MOST:
        text = (
            "The maximum number of fulfillment holds for this fulfillment order has been reached."
        )
        return UserError("FULFILLMENT_ORDER_HOLD_LIMIT_REACHED", ("id",), text)
    return None


def release(
    shop: Shop, act: Act, args: Mapping[str, Any]
) -> tuple[FulfillmentOrder | None, list[UserError]]:
    """Release the named holds, or all of them; it can be shipped again when none is left."""
    work = find_work(shop, args["id"])
    if work is None:
        return None, [_MISSING]
    named = args.get("holdIds")
    work.holds = [each for each in work.holds if named is not None and each.gid not in named]
    if not work.holds and work.status == "ON_HOLD":
        work.status = "OPEN"
    work.updated_at = act.at
    return work, []
