"""Orders: what they do to stock, and what both versions of the API show of them."""

from __future__ import annotations

from typing import Any

import pytest

from channels.simulators.amazon.account import Refused
from tests.channels.simulators.amazon.seller import Seller

LONG_AGO = "2026-06-01T00:00:00Z"


def place(seller: Seller, sku: str = "FBM-1", units: int = 2, **facts: Any) -> str:
    return str(seller.do("order", lines=[{"sku": sku, "units": units}], **facts)["orderId"])


def found(seller: Seller, **query: Any) -> dict[str, str]:
    """Status by order id, of everything the search shows two minutes later."""
    seller.later(120)
    query = {"lastUpdatedAfter": LONG_AGO, "includedData": "FULFILLMENT", **query}
    orders = seller.search(**query).body["orders"]
    return {one["orderId"]: one["fulfillment"]["fulfillmentStatus"] for one in orders}


def test_an_unpaid_order_is_pending_and_takes_its_units_already(seller: Seller) -> None:
    order = place(seller, paid=False)

    assert seller.units("FBM-1") == {"DEFAULT": 8}
    assert found(seller) == {order: "PENDING"}


def test_an_order_goes_from_pending_to_shipped(seller: Seller) -> None:
    order = place(seller, paid=False)
    statuses = []
    for verb, facts in (
        ("pay_order", {}),
        ("ship_order", {"lines": [{"sku": "FBM-1", "units": 1}]}),
        ("ship_order", {}),
    ):
        seller.do(verb, order=order, **facts)
        statuses.append(found(seller)[order])

    assert statuses == ["UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED"]
    assert seller.units("FBM-1") == {"DEFAULT": 8}, "shipping takes nothing off the offer again"


def test_a_cancelled_order_keeps_the_units_that_were_ordered(seller: Seller) -> None:
    order = place(seller)

    seller.do("cancel_order", order=order)

    shown = seller.call(
        "GET",
        f"/orders/2026-01-01/orders/{order}",
        {"includedData": "FULFILLMENT,CANCELLATION"},
    ).body["order"]
    (item,) = shown["orderItems"]
    assert shown["fulfillment"]["fulfillmentStatus"] == "CANCELLED"
    assert item["quantityOrdered"] == 2
    assert item["fulfillment"] == {"quantityFulfilled": 0, "quantityUnfulfilled": 0}
    assert item["cancellation"]["cancellationExecution"]["cancelledBy"] == "BUYER"
    assert seller.units("FBM-1") == {"DEFAULT": 10}


def test_a_merchants_cancel_may_keep_the_units_off_the_offer(seller: Seller) -> None:
    order = place(seller)

    seller.do("cancel_order", order=order, by="MERCHANT", restock=False)

    assert seller.units("FBM-1") == {"DEFAULT": 8}


def test_some_lines_can_be_cancelled_and_the_rest_shipped(seller: Seller) -> None:
    lines = [{"sku": "FBM-1", "units": 2}, {"sku": "FBM-2", "units": 1}]
    order = seller.do("order", lines=lines)["orderId"]

    seller.do("cancel_order", order=order, skus=["FBM-1"])
    seller.do("ship_order", order=order)

    assert found(seller) == {order: "SHIPPED"}
    assert seller.units("FBM-1") == {"DEFAULT": 10}
    assert seller.units("FBM-2") == {"DEFAULT": 9}


def test_a_buyers_request_cancels_nothing(seller: Seller) -> None:
    order = place(seller)

    shown = seller.do("ask_to_cancel", order=order)

    assert shown["status"] == "UNSHIPPED"
    item = shown["orderItems"][0]
    assert item["cancellation"] == {
        "cancellationRequest": {"requester": "BUYER", "cancelReason": "NO_LONGER_NEEDED"}
    }


@pytest.mark.parametrize(
    "lines",
    [
        [{"sku": "FBM-1", "units": 11}],
        [{"sku": "FBM-1", "units": 1}, {"sku": "FBM-2", "units": 11}],
        [{"sku": "FBM-1", "units": 6}, {"sku": "FBM-1", "units": 6}],
        [{"sku": "FBA-1", "units": 21}],
    ],
)
def test_more_than_there_is_cannot_be_sold_and_takes_nothing(
    seller: Seller, lines: list[dict[str, Any]]
) -> None:
    with pytest.raises(Refused, match="on offer, not"):
        seller.do("order", lines=lines)

    assert seller.units("FBM-1") == {"DEFAULT": 10}
    assert seller.fba()["FBA-1"] == 20


def test_what_cannot_happen_to_an_order_is_refused(seller: Seller) -> None:
    order = place(seller, paid=False)
    with pytest.raises(Refused):
        seller.do("ship_order", order=order)
    seller.do("pay_order", order=order)
    with pytest.raises(Refused):
        seller.do("pay_order", order=order)
    with pytest.raises(Refused):
        seller.do("ship_order", order=order, lines=[{"sku": "FBM-1", "units": 3}])
    seller.do("ship_order", order=order)
    with pytest.raises(Refused):
        seller.do("cancel_order", order=order)


def test_a_search_ends_two_minutes_ago_and_can_be_resumed_there(seller: Seller) -> None:
    first = place(seller)
    seller.later(121)
    second = place(seller)

    answer = seller.search(lastUpdatedAfter=LONG_AGO).body
    seller.later(120)
    rest = seller.search(lastUpdatedAfter=answer["lastUpdatedBefore"]).body

    assert [one["orderId"] for one in answer["orders"]] == [first]
    assert answer["lastUpdatedBefore"] == "2026-07-01T14:00:01.000Z"
    assert [one["orderId"] for one in rest["orders"]] == [second]


def test_orders_are_found_by_status_shipper_and_marketplace(seller: Seller) -> None:
    mine = place(seller)
    theirs = place(seller, "FBA-1", paid=False)

    assert set(found(seller)) == {mine, theirs}
    assert set(found(seller, fulfilledBy="AMAZON")) == {theirs}
    assert set(found(seller, fulfillmentStatuses="UNSHIPPED,SHIPPED")) == {mine}
    assert found(seller, marketplaceIds="A1F83G8C2ARO7P") == {}


@pytest.mark.parametrize(
    "query",
    [
        {"createdAfter": LONG_AGO, "lastUpdatedAfter": LONG_AGO},
        {"lastUpdatedAfter": LONG_AGO, "createdBefore": LONG_AGO},
        {"lastUpdatedAfter": LONG_AGO, "lastUpdatedBefore": "2026-07-01T13:59:00Z"},
        {"lastUpdatedAfter": LONG_AGO, "lastUpdatedBefore": "2026-05-01T00:00:00Z"},
        {"lastUpdatedAfter": LONG_AGO, "maxResultsPerPage": "101"},
        {"lastUpdatedAfter": LONG_AGO, "maxResultsPerPage": "0"},
        {"lastUpdatedAfter": LONG_AGO, "fulfillmentStatuses": "Shipped"},
        {"paginationToken": "made-up"},
    ],
)
def test_a_search_that_makes_no_sense_is_refused(seller: Seller, query: dict[str, str]) -> None:
    assert seller.search(**query).errors == ["InvalidInput"]


def test_a_search_goes_through_its_pages(seller: Seller) -> None:
    placed = [place(seller, units=1) for _ in range(5)]
    seller.later(300)
    query: dict[str, str] = {"createdAfter": LONG_AGO, "maxResultsPerPage": "2"}
    seen: list[str] = []
    while True:
        body = seller.search(**query).body
        seen += [one["orderId"] for one in body["orders"]]
        if "pagination" not in body:
            break
        query = {"paginationToken": body["pagination"]["nextToken"]}

    assert sorted(seen) == sorted(placed)
    assert len(seen) == 5
    assert body["createdBefore"] == "2026-07-01T14:03:00.000Z"


def test_a_last_page_that_is_just_full_has_no_token(seller: Seller) -> None:
    for _ in range(2):
        place(seller, units=1)
    seller.later(300)

    body = seller.search(createdAfter=LONG_AGO, maxResultsPerPage="2").body

    assert len(body["orders"]) == 2
    assert "pagination" not in body


def test_a_page_token_of_the_search_lives_a_day(seller: Seller) -> None:
    for _ in range(2):
        place(seller, units=1)
    seller.later(300)
    first = seller.search(createdAfter=LONG_AGO, maxResultsPerPage="1").body
    token = first["pagination"]["nextToken"]

    seller.later(86_399)
    assert seller.search(paginationToken=token).status == 200
    seller.later(1)
    assert seller.search(paginationToken=token).status == 400


def test_without_data_sets_an_order_is_bare(seller: Seller) -> None:
    order = place(seller)

    bare = seller.call("GET", f"/orders/2026-01-01/orders/{order}").body["order"]

    assert not {"fulfillment", "packages", "proceeds", "buyer", "recipient"} & set(bare)
    assert bare["orderItems"][0]["product"]["sellerSku"] == "FBM-1"


def test_a_shipment_shows_as_a_package(seller: Seller) -> None:
    order = place(seller)
    seller.do("ship_order", order=order)

    (package,) = seller.do("show_order", order=order)["packages"]

    assert package["packageStatus"] == {"status": "SHIPPED"}
    assert package["packageItems"][0]["quantity"] == 2


def test_version_0_shows_the_same_orders_in_its_own_words(seller: Seller) -> None:
    mine, theirs = place(seller), place(seller, "FBA-1")
    seller.do("cancel_order", order=mine)
    seller.later(120)
    query = {"LastUpdatedAfter": LONG_AGO, "MarketplaceIds": "ATVPDKIKX0DER"}

    orders = seller.call("GET", "/orders/v0/orders", query).body["payload"]["Orders"]
    unshipped = seller.call("GET", "/orders/v0/orders", {**query, "OrderStatuses": "Unshipped"})
    items = seller.call("GET", f"/orders/v0/orders/{mine}/orderItems").body["payload"]

    shown = {o["AmazonOrderId"]: (o["OrderStatus"], o["FulfillmentChannel"]) for o in orders}
    assert shown == {mine: ("Canceled", "MFN"), theirs: ("Unshipped", "AFN")}
    assert [o["AmazonOrderId"] for o in unshipped.body["payload"]["Orders"]] == [theirs]
    assert items["OrderItems"][0]["QuantityOrdered"] == 2


def confirmation(seller: Seller, order: str, units: int) -> tuple[int, Any]:
    item = seller.account.order(order).lines[0].item_id
    package = {
        "packageReferenceId": "1",
        "carrierCode": "UPS",
        "trackingNumber": "1Z1",
        "shipDate": "2026-07-01T15:00:00Z",
        "orderItems": [{"orderItemId": item, "quantity": units}],
    }
    body = {"marketplaceId": "ATVPDKIKX0DER", "packageDetail": package}
    path = f"/orders/v0/orders/{order}/shipmentConfirmation"
    answer = seller.call("POST", path, None, body)
    return answer.status, answer.body


def test_a_confirmed_shipment_ships_the_order(seller: Seller) -> None:
    order = place(seller)

    assert confirmation(seller, order, 2) == (204, b"")
    assert seller.do("show_order", order=order)["status"] == "SHIPPED"
    assert confirmation(seller, order, 1)[0] == 400


def test_amazons_own_shipments_cannot_be_confirmed(seller: Seller) -> None:
    assert confirmation(seller, place(seller, "FBA-1"), 2)[0] == 400
