"""Multi-Channel Fulfillment over the network: ask Amazon to ship an order, and see what became of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from channels.amazon.api import Missing, SellingPartner
from channels.amazon.mcf import Address, Detailed, Listing, McfDetail, McfOrder, Wanted, request
from channels.base import Refused


def create(api: SellingPartner, wanted: Wanted, address: Address) -> McfDetail:
    """Ask Amazon to ship; the same id asks once, however often it is sent.

    raises    Refused when Amazon does not take it (too few units, an address it cannot serve) and has no such order;
              Unavailable when it is not known whether it did
    """
    try:
        api.call("createFulfillmentOrder", body=request(wanted, address, api.marketplace_id))  # type: ignore[arg-type]  # a dict of JSON values
    except Refused:
        # Amazon refuses an id that it knows: then the order is there, from an answer that got lost.
        found = show(api, wanted.seller_id)
        if found is None:
            raise
        return found
    found = show(api, wanted.seller_id)
    if found is None:
        raise Refused(
            f"Amazon took the MCF order {wanted.seller_id} and does not show it", code="NOT_SHOWN"
        )
    return found


def show(api: SellingPartner, seller_id: str) -> McfDetail | None:
    """One MCF order; None when Amazon has none of this id."""
    try:
        answer = api.ask(
            "getFulfillmentOrder", Detailed, path={"sellerFulfillmentOrderId": seller_id}
        )
    except Missing:
        return None
    return answer.detail


def changed_since(api: SellingPartner, since: datetime) -> Iterator[McfOrder]:
    """MCF orders whose status changed at or after `since`, whoever made them."""
    query = {"queryStartDate": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    while True:
        answer = api.ask("listAllFulfillmentOrders", Listing, query=query)
        yield from answer.orders
        if not answer.payload.next_token:
            return
        query = {**query, "nextToken": answer.payload.next_token}
