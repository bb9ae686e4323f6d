"""Webhooks: what is sent, how it is signed, and what happens when nobody answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from channels.simulators.shopify.simulator import PATIENCE, sign
from tests.channels.simulators.shopdesk import Desk, Mailbox


def subscribe(desk: Desk, box: Mailbox, *topics: str, **more: Any) -> None:
    for topic in topics:
        answer = desk.call("webhook", topic=topic, sub={"uri": box.url, "format": "JSON", **more})
        assert answer["data"]["webhookSubscriptionCreate"]["userErrors"] == []


def test_the_signature_is_the_vendors() -> None:
    body = (
        rb'{"inventory_item_id":271878346596884015,"location_id":24826418,"available":7,'
        rb'"updated_at":"2026-07-01T10:00:00-04:00","admin_graphql_api_id":'
        rb'"gid:\/\/shopify\/InventoryLevel\/24826418?inventory_item_id=271878346596884015"}'
    )

    assert sign(body, "hush-test-secret") == "eahrLKxu1kSE+/1kdFy4aZXHsaixAwQWXdou0obdI7s="


def test_an_order_is_told_with_the_vendors_headers(desk: Desk, box: Mailbox) -> None:
    subscribe(desk, box, "ORDERS_CREATE", "INVENTORY_LEVELS_UPDATE")

    order = desk.do("order", lines=[{"sku": "SKU-1", "units": 4}])
    box.wait_for(2)

    by_topic = {headers["x-shopify-topic"]: (headers, body) for headers, body in box.received}
    headers, raw = by_topic["orders/create"]
    secret = desk.simulator.secret.encode()
    signature = base64.b64encode(hmac.new(secret, raw, hashlib.sha256).digest()).decode()
    assert headers["x-shopify-hmac-sha256"] == signature
    assert headers["x-shopify-shop-domain"] == "lockstep-sim.myshopify.com"
    assert headers["x-shopify-api-version"] == "2026-07"
    assert headers["x-shopify-triggered-at"].startswith("2026-07-01T14:00:00.")
    assert headers["x-shopify-triggered-at"].endswith("Z")
    assert headers["user-agent"] == "Shopify-Captain-Hook"
    assert headers["content-type"] == "application/json"
    other, _ = by_topic["inventory_levels/update"]
    assert headers["x-shopify-event-id"] == other["x-shopify-event-id"], "one cause, one event"
    assert headers["x-shopify-webhook-id"] != other["x-shopify-webhook-id"]
    body = json.loads(raw)
    assert body["admin_graphql_api_id"] == order["id"]
    assert body["updated_at"] == "2026-07-01T09:00:00-05:00", "the shop's own time zone"
    assert [(n["sku"], n["quantity"], n["current_quantity"]) for n in body["line_items"]] == [
        ("SKU-1", 4, 4)
    ]


def test_a_level_is_told_with_its_five_facts_and_slashes_escaped(desk: Desk, box: Mailbox) -> None:
    subscribe(desk, box, "INVENTORY_LEVELS_UPDATE")

    desk.set(desk.row("SKU-1", 7))
    box.wait_for(1)

    raw = box.received[0][1]
    assert rb"gid:\/\/shopify\/InventoryLevel\/" in raw
    level = desk.shop.level("SKU-1", "Main")
    assert json.loads(raw) == {
        "inventory_item_id": level.item.number,
        "location_id": level.location.number,
        "available": 7,
        "updated_at": "2026-07-01T09:00:00-05:00",
        "admin_graphql_api_id": level.gid,
    }


def test_every_fourth_id_does_not_fit_into_a_double(desk: Desk) -> None:
    for number in range(8):
        desk.stock(f"ID-{number}", Main=1)

    numbers = [variant.item.number for variant in desk.shop.by_sku.values()]

    lost = [number for number in numbers if int(float(number)) != number]
    assert lost
    assert all(number > 2**53 for number in lost)


STORY: list[tuple[str, dict[str, Any], list[str]]] = [
    ("fulfil", {}, ["fulfillments/create", "orders/fulfilled", "orders/updated"]),
    (
        "cancel_order",
        {"restock": True},
        ["inventory_levels/update", "orders/cancelled", "orders/updated", "refunds/create"],
    ),
    ("cancel_order", {"restock": False}, ["orders/cancelled", "orders/updated", "refunds/create"]),
    (
        "edit_order",
        {"lines": [{"sku": "SKU-1", "units": 1}]},
        ["inventory_levels/update", "orders/edited", "orders/updated"],
    ),
    (
        "refund",
        {"lines": [{"sku": "SKU-1", "units": 1, "restock_type": "no_restock"}]},
        ["orders/updated", "refunds/create"],
    ),
]


@pytest.mark.parametrize(("verb", "facts", "topics"), STORY, ids=range(len(STORY)))
def test_each_act_tells_its_own_topics(
    desk: Desk, box: Mailbox, verb: str, facts: dict[str, Any], topics: list[str]
) -> None:
    order = desk.do("order", lines=[{"sku": "SKU-1", "units": 4}])
    subscribe(
        desk,
        box,
        *[
            "ORDERS_UPDATED",
            "ORDERS_EDITED",
            "ORDERS_CANCELLED",
            "ORDERS_FULFILLED",
            "REFUNDS_CREATE",
        ],
        *["FULFILLMENTS_CREATE", "INVENTORY_LEVELS_UPDATE"],
    )

    desk.do(verb, order=order["id"], **facts)
    box.wait_for(len(topics))
    desk.simulator.agenda.settle()

    assert sorted(box.topics()) == topics


def test_a_refund_says_what_came_back_and_where(desk: Desk, box: Mailbox) -> None:
    order = desk.do("order", lines=[{"sku": "SKU-1", "units": 4}])
    subscribe(desk, box, "REFUNDS_CREATE")

    lines = [
        {"sku": "SKU-1", "units": 1, "restock_type": "cancel"},
        {"sku": "SKU-1", "units": 1, "restock_type": "no_restock"},
    ]
    desk.do("refund", order=order["id"], lines=lines)
    box.wait_for(1)

    body = json.loads(box.received[0][1])
    main = desk.shop.location("Main").number
    told = [(x["restock_type"], x["quantity"], x["location_id"]) for x in body["refund_line_items"]]
    assert told == [("cancel", 1, main), ("no_restock", 1, None)]


def test_only_the_fields_asked_for_are_told(desk: Desk, box: Mailbox) -> None:
    subscribe(desk, box, "ORDERS_CREATE", includeFields=["id", "name"])

    desk.do("order", lines=[{"sku": "SKU-1", "units": 1}])
    box.wait_for(1)

    assert set(json.loads(box.received[0][1])) == {"id", "name"}


def test_a_failed_delivery_is_repeated_with_the_same_bytes_over_four_hours(
    desk: Desk, box: Mailbox
) -> None:
    subscribe(desk, box, "ORDERS_CREATE")
    box.status = 503
    desk.do("order", lines=[{"sku": "SKU-1", "units": 1}])
    box.wait_for(1)
    desk.simulator.agenda.settle()

    for attempt, wait_s in enumerate(PATIENCE.retry_after_s, start=2):
        assert desk.simulator.agenda.waiting() == 1
        desk.clock.advance(wait_s - 1)
        desk.simulator.agenda.settle()
        assert len(box.received) == attempt - 1, "not before its time"
        desk.clock.advance(1)
        box.wait_for(attempt)
        desk.simulator.agenda.settle()

    assert len(PATIENCE.retry_after_s) == 8
    assert sum(PATIENCE.retry_after_s) == 4 * 3600
    assert len({raw for _, raw in box.received}) == 1
    assert len({headers["x-shopify-webhook-id"] for headers, _ in box.received}) == 1
    assert desk.simulator.agenda.waiting() == 0
    assert desk.call("webhooks_list")["data"]["webhookSubscriptions"]["nodes"] == []


def test_a_success_in_between_keeps_the_subscription(desk: Desk, box: Mailbox) -> None:
    subscribe(desk, box, "ORDERS_CREATE")
    box.statuses = [500]
    desk.do("order", lines=[{"sku": "SKU-1", "units": 1}])
    box.wait_for(1)
    desk.simulator.agenda.settle()

    desk.clock.advance(PATIENCE.retry_after_s[0])
    box.wait_for(2)
    desk.simulator.agenda.settle()

    assert desk.simulator.agenda.waiting() == 0
    assert len(desk.call("webhooks_list")["data"]["webhookSubscriptions"]["nodes"]) == 1


def test_a_redirect_is_a_failure(desk: Desk, box: Mailbox) -> None:
    subscribe(desk, box, "ORDERS_CREATE")
    box.statuses = [302]

    desk.do("order", lines=[{"sku": "SKU-1", "units": 1}])
    box.wait_for(1)
    desk.simulator.agenda.settle()

    assert desk.simulator.agenda.waiting() == 1, "it will be tried again, at the same address"


def test_nobody_at_home_is_a_failure(desk: Desk) -> None:
    sub = {"uri": "http://127.0.0.1:9/none", "format": "JSON"}
    desk.call("webhook", topic="ORDERS_CREATE", sub=sub)

    desk.do("order", lines=[{"sku": "SKU-1", "units": 1}])
    desk.simulator.agenda.settle()

    (entry,) = desk.simulator.log.since(kind="webhook")
    assert entry.facts["status"] == 0
    assert desk.simulator.agenda.waiting() == 1


def test_a_deleted_subscription_hears_nothing_more(desk: Desk, box: Mailbox) -> None:
    subscribe(desk, box, "ORDERS_CREATE")
    (node,) = desk.call("webhooks_list")["data"]["webhookSubscriptions"]["nodes"]
    text = """mutation D($id: ID!) { webhookSubscriptionDelete(id: $id) {
      deletedWebhookSubscriptionId userErrors { message } } }"""

    answer = desk.call(text, id=node["id"])
    desk.do("order", lines=[{"sku": "SKU-1", "units": 1}])
    desk.simulator.agenda.settle()

    assert answer["data"]["webhookSubscriptionDelete"]["deletedWebhookSubscriptionId"] == node["id"]
    assert box.received == []
