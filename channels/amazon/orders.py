"""Orders read from the order API, each with nothing about its buyer.

searchOrders gives twenty pages of a hundred orders and then one page in three minutes: a sweep is one walk through
what changed. Its window ends two minutes before the call; what changed later is in the next one.

Source: https://developer-docs.amazon.com/sp-api/reference/searchorders
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import ValidationError

from channels.amazon import wire
from channels.amazon.api import SellingPartner
from channels.base import ChannelOrder, Unreadable

#: The order API does not tell the last two minutes (its model: lastUpdatedBefore).
LAG_S: Final = 120.0
_DATA: Final = "FULFILLMENT,CANCELLATION"
_A_PAGE: Final = 100


def orders_since(
    api: SellingPartner, mark: datetime, *, now: datetime, page: int = _A_PAGE
) -> Iterator[ChannelOrder]:
    """Orders changed from `mark` on, in the order in which Amazon tells them.

    raises    Throttled in the middle when the walk is longer than the limit; what came before stays good
    """
    if mark > now - timedelta(seconds=LAG_S):
        # Amazon's window ends before that: there is nothing to be had, and a call is worth three minutes.
        return
    query = {
        "marketplaceIds": api.marketplace_id,
        "lastUpdatedAfter": mark.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "includedData": _DATA,
        "maxResultsPerPage": str(page),
    }
    token = ""
    while True:
        asked = query | ({"paginationToken": token} if token else {})
        answer = api.ask("searchOrders", wire.Orders, query=asked)
        # As they come: the model promises no order, and a page put in order here would hide from the poll that its
        # newest change says nothing of the pages that the limit has cut off.
        for order in answer.orders:
            yield _channel_order(_told(order))
        token = answer.pagination.next_token or ""
        if not token:
            return


def _told(order: Mapping[str, object]) -> wire.Order | wire.Named:
    """An order; one that says too little by its name, so that the inbox refuses it in words and the page goes on.

    raises    Unreadable for one that has not even that
    """
    try:
        return wire.Order.model_validate(order)
    except ValidationError as error:
        problem = wire.first_problem(error)
    try:
        return wire.Named.model_validate({**order, "problem": problem})
    except ValidationError:
        raise Unreadable(
            "Amazon: searchOrders: an order without orderId or lastUpdatedTime"
        ) from None


def _channel_order(order: wire.Order | wire.Named) -> ChannelOrder:
    changed_at = order.last_updated_time.astimezone(UTC)
    # Read rightly one day it is another delivery, and booked.
    mark = ":unread" if isinstance(order, wire.Named) else ""
    return ChannelOrder(
        order_id=order.order_id,
        updated_at=changed_at,
        delivery_id=f"order:{order.order_id}:{changed_at.isoformat()}{mark}",
        topic=wire.ORDER_DOCUMENT,
        # Only what the model names: nothing about the buyer is kept.
        body=order.model_dump_json(by_alias=True, exclude_none=True).encode(),
    )
