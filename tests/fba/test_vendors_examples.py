"""Amazon's own examples, read: notifications of its models, answers of its static sandbox."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from channels.amazon import fba, health, wire
from channels.amazon.mcf import Detailed, Listing, may_name, own_id
from tests.channels import amazon_rig

BODIES = Path(amazon_rig.__file__).parent / "amazon_bodies"
US = "ATVPDKIKX0DER"


# Static sandbox answers of fulfillmentOutbound_2020-07-01.json, amzn/selling-partner-api-models 34dc93f (Apache-2.0),
# without addresses, comments and values. They lack the `payload` that the model has.
DETAIL = {
    "fulfillmentOrder": {
        "sellerFulfillmentOrderId": "FBATestOrder-1",
        "displayableOrderId": "TestOrder-FBAOutbound",
        "receivedDate": "2020-02-07T01:23:30Z",
        "fulfillmentOrderStatus": "PROCESSING",
        "statusUpdatedDate": "2020-02-07T02:33:31Z",
    },
    "fulfillmentOrderItems": [
        {
            "sellerSku": "PSMM-TEST-SKU-Jan-21_19_59_44-0738",
            "sellerFulfillmentOrderItemId": "OrderItemID2",
            "quantity": 1,
            "cancelledQuantity": 0,
            "unfulfillableQuantity": 0,
        },
        {
            "sellerSku": "CR-47K6-H6QN",
            "sellerFulfillmentOrderItemId": "OrderItemID1",
            "quantity": 3,
            "cancelledQuantity": 0,
            "unfulfillableQuantity": 0,
        },
    ],
}
LIST = {
    "fulfillmentOrders": [
        {
            "sellerFulfillmentOrderId": "902-6018020-0202003",
            "displayableOrderId": "mws-test-query-20100713023203751",
            "receivedDate": "2020-01-21T21:07:13Z",
            "fulfillmentOrderStatus": "RECEIVED",
            "statusUpdatedDate": "2020-01-21T21:07:30Z",
        },
        {
            "sellerFulfillmentOrderId": "601-2020200-12345678",
            "displayableOrderId": "TestOrder-FBAOutbound",
            "receivedDate": "2020-01-23T19:56:41Z",
            "fulfillmentOrderStatus": "COMPLETE",
            "statusUpdatedDate": "2020-01-24T15:28:27Z",
            "featureConstraints": None,
        },
    ]
}


def test_the_stock_notification_is_read_for_our_marketplace_only() -> None:
    body = (
        BODIES / "FBAInventoryAvailabilityChangeNotification__from_property_examples.json"
    ).read_bytes()
    notice = wire.notice(body)

    here = fba.told(notice.payload, datetime.fromisoformat(notice.event_time), US)
    elsewhere = fba.told(notice.payload, datetime.fromisoformat(notice.event_time), "X")

    assert here is not None
    assert here.parts == fba.Parts(
        fulfillable=50,
        pending_orders=10,
        transshipment=15,
        processing=5,
        inbound_shipped=5,
        inbound_receiving=10,
    )
    assert elsewhere is None


def test_the_offer_notification_is_read() -> None:
    notice = wire.notice((BODIES / "AnyOfferChangedNotification__0.json").read_bytes())

    seen = health.offer_seen(notice.payload, "111", US)

    assert seen is not None
    assert (seen.asin, seen.condition, seen.offers) == ("123", "new", 1)


def test_recorded_mcf_orders_are_read_in_their_own_spelling() -> None:
    detail = Detailed.model_validate(DETAIL).detail
    wrapped = Detailed.model_validate({"payload": DETAIL}).detail
    listed = Listing.model_validate(LIST).orders

    assert detail == wrapped
    assert detail.order.status == "Processing"
    assert [line.units for line in detail.lines] == [1, 3]
    assert [order.status for order in listed] == ["Received", "Complete"]


def test_an_own_id_is_always_the_same_and_never_too_long() -> None:
    plain, long = own_id("shopify", "1001"), own_id("shopify", "x" * 100)

    assert (plain, own_id("shopify", "1001")) == ("shopify-1001", plain)
    assert len(long) == 40
    assert long == own_id("shopify", "x" * 100) != own_id("shopify", "x" * 99)


def test_the_words_of_an_id_that_are_long_enough_may_name_an_order() -> None:
    _, order = Listing.model_validate(LIST).orders

    assert may_name(order) == (
        "601-2020200-12345678",
        "TestOrder-FBAOutbound",
        "2020200",
        "12345678",
        "TestOrder",
        "FBAOutbound",
    )
