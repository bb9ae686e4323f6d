"""Notifications: who may subscribe to what, what is told, and how it comes over the pipe."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from channels.simulators.amazon import notices
from channels.simulators.amazon.pipe import sign
from channels.simulators.clock import Clock
from tests.channels.simulators.amazon.seller import BUS, QUEUE, START, Seller, conforms, schema
from tests.channels.simulators.shopdesk import Mailbox, mailbox

DESTINATIONS = "/notifications/v1/destinations"
SUBSCRIPTIONS = "/notifications/v1/subscriptions"


@pytest.fixture
def box(seller: Seller) -> Iterator[Mailbox]:
    """The merchant's endpoint at the end of the pipe."""
    with mailbox() as made:
        seller.do("pipe", url=made.url)
        yield made
        seller.simulator.agenda.settle()


def bodies(seller: Seller, box: Mailbox, count: int) -> list[dict[str, Any]]:
    """The first `count` notifications, and not one more; in the order of their times."""
    seller.simulator.agenda.settle()
    assert len(box.received) == count
    found = [json.loads(body) for _, body in box.received]
    return sorted(found, key=lambda one: str(one.get("EventTime", one.get("eventTime"))))


def payload(body: dict[str, Any]) -> Any:
    """The kind of a notification and the innermost payload, whatever its spelling."""
    inner = body.get("Payload", body.get("payload"))
    assert isinstance(inner, dict)
    return next(iter(inner.values())) if len(inner) == 1 else inner


# -- subscribing --------------------------------------------------------------------------------------------------


def test_a_destination_is_a_queue_or_a_bus_and_made_once(seller: Seller) -> None:
    token = seller.grantless()

    def make(resource: dict[str, Any]) -> int:
        body = {"name": "d", "resourceSpecification": resource}
        return seller.call("POST", DESTINATIONS, None, body, token=token).status

    assert [make(QUEUE), make(BUS), make(QUEUE)] == [200, 200, 409]
    assert [make({}), make({**QUEUE, **BUS})] == [400, 400]


def test_the_quantity_change_only_goes_to_an_event_bus(seller: Seller) -> None:
    seller.subscribe("ORDER_CHANGE")
    queue = seller.call("GET", DESTINATIONS, token=seller.grantless()).body["payload"][0]
    body = {"payloadVersion": "1.0", "destinationId": queue["destinationId"]}

    answer = seller.call("POST", f"{SUBSCRIPTIONS}/{notices.MFN_UNITS}", None, body)

    assert (answer.status, answer.errors) == (400, ["InvalidInput"])
    assert seller.subscribe(notices.MFN_UNITS)


@pytest.mark.parametrize(
    ("kind", "version"),
    [("ORDER_STATUS_CHANGE", "1.0"), ("ORDER_CHANGE", "2.0"), ("FEED_PROCESSING_FINISHED", "1.0")],
)
def test_removed_types_and_wrong_versions_are_refused(
    seller: Seller, kind: str, version: str
) -> None:
    seller.subscribe("ANY_OFFER_CHANGED")
    queue = seller.call("GET", DESTINATIONS, token=seller.grantless()).body["payload"][0]
    body = {"payloadVersion": version, "destinationId": queue["destinationId"]}

    assert seller.call("POST", f"{SUBSCRIPTIONS}/{kind}", None, body).status == 400


def test_a_subscription_lives_until_it_is_deleted(seller: Seller) -> None:
    made = seller.subscribe("ORDER_CHANGE")
    path, token = f"{SUBSCRIPTIONS}/ORDER_CHANGE", seller.grantless()
    destination = seller.call("GET", path).body["payload"]["destinationId"]

    assert seller.call("GET", f"{path}/{made}", token=token).status == 200
    listed = seller.call("GET", SUBSCRIPTIONS, {"notificationTypes": "ORDER_CHANGE"})
    assert len(listed.body["payload"]["subscriptions"]) == 1
    body = {"payloadVersion": "1.0", "destinationId": destination}
    assert seller.call("POST", path, None, body).status == 409
    kept = seller.call("DELETE", f"{DESTINATIONS}/{destination}", token=token)
    assert kept.status == 409

    assert seller.call("DELETE", f"{path}/{made}", token=token).status == 200
    assert seller.call("GET", path).status == 404
    seller.later(5)
    assert seller.call("DELETE", f"{DESTINATIONS}/{destination}", token=token).status == 200
    assert seller.call("GET", f"{DESTINATIONS}/{destination}", token=token).status == 404


# -- what is told -------------------------------------------------------------------------------------------------


def test_every_step_of_an_order_is_told_with_its_stock(seller: Seller, box: Mailbox) -> None:
    seller.subscribe("ORDER_CHANGE")
    order = seller.do("order", lines=[{"sku": "FBM-1", "units": 2}], paid=False)["orderId"]
    for verb in ("pay_order", "ask_to_cancel", "cancel_order"):
        seller.later(1)
        seller.do(verb, order=order)

    told = bodies(seller, box, 4)

    for body in told:
        conforms(body, schema("ORDER_CHANGE"))
    changes = [payload(body) for body in told]
    assert [c["Summary"]["OrderStatus"] for c in changes] == [
        "Pending", "Unshipped", "Unshipped", "Canceled",
    ]  # fmt: skip
    assert [c["OrderChangeType"] for c in changes] == [
        "OrderStatusChange", "OrderStatusChange", "BuyerRequestedChange", "OrderStatusChange",
    ]  # fmt: skip
    assert {c["AmazonOrderId"] for c in changes} == {order}
    (item,) = changes[3]["Summary"]["OrderItems"]
    assert (item["SellerSKU"], item["Quantity"], item["IsBuyerRequestedCancel"]) == (
        "FBM-1",
        2,
        True,
    )


def test_our_write_and_a_sale_and_an_edit_are_told_as_quantity_changes(
    seller: Seller, box: Mailbox
) -> None:
    seller.subscribe(notices.MFN_UNITS)
    seller.patch("FBM-1", 4)
    seller.later(6)
    seller.do("order", lines=[{"sku": "FBM-1", "units": 1}])
    seller.later(1)
    seller.do("external_edit", sku="FBM-1", units=9)

    told = bodies(seller, box, 3)

    for body in told:
        conforms(body, schema(notices.MFN_UNITS))
    assert [body["Payload"]["Quantity"] for body in told] == [4, 3, 9]
    assert told[0]["EventTime"] == "2026-07-01T14:00:05.000Z"


def test_what_changes_nothing_or_silently_is_not_told(seller: Seller, box: Mailbox) -> None:
    seller.subscribe(notices.MFN_UNITS)
    seller.subscribe(notices.FBA_UNITS)
    seller.patch("FBM-1", 10)
    seller.later(5)
    seller.do("drift", sku="FBM-1", units=-3)
    seller.do("drift", sku="FBA-1", part="fulfillable", units=-3)

    bodies(seller, box, 0)
    assert (seller.units("FBM-1"), seller.fba()["FBA-1"]) == ({"DEFAULT": 7}, 17)


def test_amazons_stock_is_told_part_by_part(seller: Seller, box: Mailbox) -> None:
    seller.subscribe(notices.FBA_UNITS)
    seller.do("order", lines=[{"sku": "FBA-1", "units": 3}])

    (body,) = bodies(seller, box, 1)

    conforms(body, schema(notices.FBA_UNITS))
    here = body["Payload"]["FulfillmentInventoryByMarketplace"][0]["FulfillmentInventory"]
    assert (body["Payload"]["SKU"], here["Fulfillable"]) == ("FBA-1", 17)
    assert here["ReservedQuantityBreakdown"]["PendingCustomerOrder"] == 3


def test_offers_are_told_with_their_winner(seller: Seller, box: Mailbox) -> None:
    seller.subscribe(notices.ANY_OFFER)
    rival = {"seller": "A2RIVAL", "price": 18.5, "featured": True, "by_amazon": True}
    seller.do("offers", sku="FBM-1", offers=[{"price": 19.99}, rival])

    (body,) = bodies(seller, box, 1)

    conforms(body, schema(notices.ANY_OFFER))
    change = payload(body)
    assert {o["SellerId"]: o["IsBuyBoxWinner"] for o in change["Offers"]} == {
        seller.account.seller_id: False,
        "A2RIVAL": True,
    }
    assert change["Summary"]["BuyBoxPrices"][0]["ListingPrice"]["Amount"] == 18.5


def test_the_end_of_feeds_and_reports_is_told_in_camel_case(seller: Seller, box: Mailbox) -> None:
    seller.subscribe(notices.FEED_DONE)
    seller.subscribe(notices.REPORT_DONE)
    feed = seller.send_feed(seller.upload(b"not json"))
    seller.later(60)
    seller.report("GET_RESERVED_INVENTORY_DATA")

    fed, reported = bodies(seller, box, 2)

    conforms(fed, schema(notices.FEED_DONE))
    conforms(reported, schema(notices.REPORT_DONE))
    assert payload(fed)["feedId"] == feed
    assert payload(fed)["processingStatus"] == "FATAL"
    assert fed["notificationMetadata"]["notificationId"]
    assert payload(reported)["reportDocumentId"]


# -- how it comes -------------------------------------------------------------------------------------------------


def test_the_pipe_signs_the_raw_body(seller: Seller, box: Mailbox) -> None:
    seller.subscribe("ORDER_CHANGE")
    seller.do("order", lines=[{"sku": "FBM-1", "units": 1}])
    bodies(seller, box, 1)

    ((headers, raw),) = box.received

    secret = seller.simulator.hook_secret.encode()
    wanted = base64.b64encode(hmac.new(secret, raw, hashlib.sha256).digest()).decode()
    assert headers["x-pipe-signature"] == wanted
    assert headers["x-pipe-source"] == "sqs"
    assert json.loads(raw)["NotificationMetadata"]["NotificationId"] == headers["x-pipe-message-id"]


def test_an_event_bus_can_wrap_its_notifications(seller: Seller, box: Mailbox) -> None:
    seller.do("pipe", url=box.url, wrapped=True)
    seller.subscribe(notices.MFN_UNITS)
    seller.do("external_edit", sku="FBM-1", units=3)

    seller.simulator.agenda.settle()
    ((headers, raw),) = box.received

    event = json.loads(raw)
    assert headers["x-pipe-source"] == "eventBridge"
    assert event["detail-type"] == notices.MFN_UNITS
    conforms(event["detail"], schema(notices.MFN_UNITS))


def order_once(seller: Seller, units: int = 1) -> None:
    seller.do("order", lines=[{"sku": "FBM-1", "units": units}])
    seller.simulator.agenda.settle()


def ids(box: Mailbox) -> list[str]:
    return [headers["x-pipe-message-id"] for headers, _ in box.received]


def test_a_message_can_come_twice_with_the_same_id(seller: Seller, box: Mailbox) -> None:
    seller.subscribe("ORDER_CHANGE")
    seller.do("fault", kind="webhook_duplicate", topic="ORDER_CHANGE", count=1)

    order_once(seller)

    assert len(ids(box)) == 2
    assert len(set(ids(box))) == 1


def test_a_message_can_be_lost_late_or_overtaken(seller: Seller, box: Mailbox) -> None:
    seller.subscribe("ORDER_CHANGE")
    seller.do("fault", kind="webhook_drop", count=1)
    order_once(seller)
    assert ids(box) == []

    seller.do("fault", kind="webhook_late", seconds=60, count=1)
    order_once(seller)
    assert ids(box) == []
    seller.later(60)
    seller.simulator.agenda.settle()
    assert len(ids(box)) == 1

    seller.do("fault", kind="webhook_reorder", count=1)
    order_once(seller, units=1)
    order_once(seller, units=2)
    seller.later(1)
    seller.simulator.agenda.settle()
    units = [
        payload(json.loads(raw))["Summary"]["OrderItems"][0]["Quantity"]
        for _, raw in box.received[1:]
    ]
    assert units == [2, 1]


def test_a_forged_message_has_a_wrong_signature(seller: Seller, box: Mailbox) -> None:
    seller.subscribe("ORDER_CHANGE")
    seller.do("fault", kind="webhook_bad_hmac", count=1)
    order_once(seller)

    ((headers, raw),) = box.received

    assert headers["x-pipe-signature"] != sign(raw, seller.simulator.hook_secret)


def test_a_failed_message_comes_again_every_half_minute_ten_times(
    seller: Seller, box: Mailbox
) -> None:
    box.status = 503
    seller.subscribe("ORDER_CHANGE")
    order_once(seller)
    counts = [len(box.received)]
    for _ in range(12):
        seller.later(30)
        seller.simulator.agenda.settle()
        counts.append(len(box.received))

    assert counts == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10]
    assert len(set(ids(box))) == 1
    log = seller.do("events", kind="webhook")["events"]
    assert log[-1]["dead_letter"] is True


def test_without_a_pipe_nothing_is_sent(seller: Seller) -> None:
    seller.subscribe("ORDER_CHANGE")

    order_once(seller)

    assert seller.do("events", kind="webhook")["events"] == []


def test_on_a_running_clock_writes_are_applied_and_told_by_themselves() -> None:
    running = Seller(clock=Clock(START, scale=50), stocked=False)
    running.do("listing", sku="FBM-1", units=10)
    with mailbox() as box:
        running.do("pipe", url=box.url)
        running.subscribe(notices.MFN_UNITS)

        running.patch("FBM-1", 4)
        box.wait_for(1)

        assert json.loads(box.received[0][1])["Payload"]["Quantity"] == 4
        running.simulator.agenda.settle()
    running.close()
