"""Multi-Channel Fulfillment: one pool of units, taken once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channels.simulators.amazon.seller import Answer, Seller

ORDERS = "/fba/outbound/2020-07-01/fulfillmentOrders"
ADDRESS = {"name": "A", "addressLine1": "1 Main St", "postalCode": "98109", "countryCode": "US"}


def create(seller: Seller, seller_id: str = "WEB-1", units: int = 3, **changes: Any) -> Answer:
    body = {
        "sellerFulfillmentOrderId": seller_id,
        "displayableOrderId": seller_id,
        "displayableOrderDate": "2026-07-01T14:00:00Z",
        "displayableOrderComment": "Thank you",
        "shippingSpeedCategory": "Standard",
        "destinationAddress": ADDRESS,
        "items": [{"sellerSku": "FBA-1", "sellerFulfillmentOrderItemId": "1", "quantity": units}],
        **changes,
    }
    return seller.call("POST", ORDERS, None, body)


def shown(seller: Seller, seller_id: str = "WEB-1") -> dict[str, Any]:
    found: dict[str, Any] = seller.call("GET", f"{ORDERS}/{seller_id}").body["payload"]
    return found


def status(seller: Seller, seller_id: str = "WEB-1") -> str:
    return str(shown(seller, seller_id)["fulfillmentOrder"]["fulfillmentOrderStatus"])


def stock(seller: Seller) -> tuple[int, int]:
    """Fulfillable and reserved units of FBA-1, as they truly are."""
    (row,) = seller.do("state", sku="FBA-1")["listings"]
    return row["fba"]["fulfillable"], row["fba"]["reserved_orders"]


def test_an_order_reserves_at_once_and_leaves_once(seller: Seller) -> None:
    assert create(seller).status == 200
    statuses, units = [status(seller)], [stock(seller)]

    for _ in range(4):
        seller.later(300)
        statuses.append(status(seller))
        units.append(stock(seller))

    assert statuses == ["New", "Received", "Planning", "Processing", "Complete"]
    assert units == [(17, 3)] * 4 + [(17, 0)]


def test_it_shows_up_as_an_order_of_another_channel_and_takes_nothing_more(seller: Seller) -> None:
    create(seller)
    seller.later(1200)
    seller.later(120)

    query = {"lastUpdatedAfter": "2026-07-01T00:00:00Z", "includedData": "FULFILLMENT"}
    (order,) = seller.search(**query).body["orders"]

    assert order["salesChannel"] == {"channelName": "NON_AMAZON"}
    assert order["orderAliases"] == [{"aliasId": "WEB-1", "aliasType": "SELLER_ORDER_ID"}]
    assert order["fulfillment"]["fulfillmentStatus"] == "SHIPPED"
    assert order["orderItems"][0]["quantityOrdered"] == 3
    assert stock(seller) == (17, 0)


def test_the_sellers_order_id_works_once(seller: Seller) -> None:
    create(seller)

    again = create(seller)

    assert (again.status, again.errors) == (400, ["InvalidInput"])
    assert stock(seller) == (17, 3)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_an_order_can_be_cancelled_until_picking_begins(seller: Seller, steps: int) -> None:
    create(seller)
    seller.later(300 * steps)

    assert seller.call("PUT", f"{ORDERS}/WEB-1/cancel").status == 200

    assert status(seller) == "Cancelled"
    assert shown(seller)["fulfillmentOrderItems"][0]["cancelledQuantity"] == 3
    assert stock(seller) == (20, 0)
    seller.later(3600)
    assert (status(seller), stock(seller)) == ("Cancelled", (20, 0))


def test_picked_units_cannot_be_called_back(seller: Seller) -> None:
    create(seller)
    seller.later(900)

    assert seller.call("PUT", f"{ORDERS}/WEB-1/cancel").errors == ["InvalidInput"]
    seller.later(300)
    assert (status(seller), stock(seller)) == ("Complete", (17, 0))


def test_a_short_order_is_killed_and_frees_its_units(seller: Seller) -> None:
    create(seller, units=21)

    assert stock(seller) == (20, 0)
    seller.later(300)
    assert status(seller) == "Invalid"
    assert shown(seller)["fulfillmentOrderItems"][0]["unfulfillableQuantity"] == 21


def test_a_short_order_that_takes_what_there_is_completes_in_part(seller: Seller) -> None:
    create(seller, units=21, fulfillmentPolicy="FillAllAvailable")

    assert stock(seller) == (0, 20)
    seller.later(1200)
    assert status(seller) == "CompletePartialled"
    (shipment,) = shown(seller)["fulfillmentShipments"]
    assert shipment["fulfillmentShipmentItem"][0]["quantity"] == 20


def test_a_held_order_stays_received_and_keeps_its_units(seller: Seller) -> None:
    create(seller, fulfillmentAction="Hold")

    seller.later(86_400)

    assert (status(seller), stock(seller)) == ("Received", (17, 3))


def test_two_orders_of_one_sku_in_one_request_ship_all_their_units(seller: Seller) -> None:
    items = [
        {"sellerSku": "FBA-1", "sellerFulfillmentOrderItemId": str(n), "quantity": n}
        for n in (1, 2)
    ]

    create(seller, items=items)
    seller.later(1200)

    assert (status(seller), stock(seller)) == ("Complete", (17, 0))
    order = next(iter(seller.account.orders.values()))
    assert order.status == "SHIPPED"


@pytest.mark.parametrize(
    "changes",
    [
        {"items": []},
        {"items": [{"sellerSku": "FBM-1", "sellerFulfillmentOrderItemId": "1", "quantity": 1}]},
        {"items": [{"sellerSku": "FBA-1", "sellerFulfillmentOrderItemId": "1", "quantity": 0}]},
        {"items": [{"sellerSku": "FBA-1", "quantity": 1}]},
        {"shippingSpeedCategory": "Tomorrow"},
        {"destinationAddress": {"name": "A"}},
        {"sellerFulfillmentOrderId": "x" * 41},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(seller: Seller, changes: dict[str, Any]) -> None:
    assert create(seller, **changes).errors == ["InvalidInput"]
    assert stock(seller) == (20, 0)


def test_orders_are_listed_by_their_last_change(seller: Seller) -> None:
    create(seller, "WEB-1", fulfillmentAction="Hold")
    seller.later(600)
    create(seller, "WEB-2")

    def ids(**query: str) -> list[str]:
        body = seller.call("GET", ORDERS, query).body
        return [one["sellerFulfillmentOrderId"] for one in body["payload"]["fulfillmentOrders"]]

    assert ids() == ["WEB-1", "WEB-2"]
    assert ids(queryStartDate="2026-07-01T14:06:00Z") == ["WEB-2"]


def test_many_orders_are_listed_page_by_page(seller: Seller) -> None:
    for number in range(52):
        seller.do("mcf", id=f"WEB-{number:02}", lines=[{"sku": "FBA-1", "units": 1}])

    first = seller.call("GET", ORDERS).body["payload"]
    second = seller.call("GET", ORDERS, {"nextToken": first["nextToken"]}).body["payload"]

    assert (len(first["fulfillmentOrders"]), len(second["fulfillmentOrders"])) == (50, 2)
    assert "nextToken" not in second
