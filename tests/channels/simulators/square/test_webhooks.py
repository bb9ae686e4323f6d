"""Webhooks: what is told, how it is signed, what happens when nobody answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from channels.simulators.square import schema
from channels.simulators.square.simulator import PATIENCE, SquareSimulator, sign
from channels.simulators.square.subscriptions import EVENT_TYPES
from tests.channels.simulators.shopdesk import Mailbox
from tests.channels.simulators.square.contract import EVENTS
from tests.channels.simulators.square.till import Till, notifications, types

SUBSCRIPTIONS = "/v2/webhooks/subscriptions"
COUNT = "inventory.count.updated"


def test_the_signature_is_the_vendors() -> None:
    """The vector of square/square-python-sdk, tests of its webhooks helper."""
    made = sign("https://example.com/webhook", b'{"hello":"world"}', "asdf1234")

    assert made == "2kRE5qRU2tR+tBGlDwMEw2avJ7QM4ikPYD/PJ3bd9Og="


def test_a_count_is_told_with_a_signature_over_url_and_body(till: Till, box: Mailbox) -> None:
    subscription = till.subscribe(box, COUNT)

    till.write(till.counted("SKU-1", "7"))
    box.wait_for(1)

    headers, raw = box.received[0]
    key = subscription["signature_key"].encode()
    digest = hmac.new(key, box.url.encode() + raw, hashlib.sha256).digest()
    assert headers["x-square-hmacsha256-signature"] == base64.b64encode(digest).decode()
    assert headers["square-environment"] == "Production"
    assert headers["square-initial-delivery-timestamp"] == "2026-08-20T14:00:00.000Z"
    assert "square-retry-number" not in headers
    (body,) = notifications(box)
    assert body["merchant_id"] == till.merchant.id
    assert body["data"]["object"]["inventory_counts"] == till.counts(
        catalog_object_ids=[till.variation("SKU-1")]
    )


def test_a_change_of_state_is_told_with_both_counts(till: Till, box: Mailbox) -> None:
    till.subscribe(box, COUNT)

    till.write(till.moved("SKU-1", "2", "IN_STOCK", "WASTE", from_location_id=till.place()))
    box.wait_for(1)

    (body,) = notifications(box)
    counts = body["data"]["object"]["inventory_counts"]
    assert [(c["state"], c["quantity"]) for c in counts] == [("IN_STOCK", "8"), ("WASTE", "2")]


def test_a_notification_holds_at_most_a_hundred_counts(till: Till, box: Mailbox) -> None:
    till.subscribe(box, COUNT)

    till.do("item", variations=[{"sku": f"M-{n}", "stock": {"Main": n}} for n in range(120)])
    box.wait_for(2)

    sizes = [len(b["data"]["object"]["inventory_counts"]) for b in notifications(box)]
    assert sorted(sizes) == [20, 100]


def test_a_sale_is_told_twice_over_as_order_and_as_count(till: Till, box: Mailbox) -> None:
    till.subscribe(box, COUNT, "order.created", "order.updated")

    id = till.do("sale", location="Main", lines=[{"sku": "SKU-1", "units": 1}])["id"]
    box.wait_for(3)

    assert types(box) == [COUNT, "order.created", "order.updated"]
    created = next(b for b in notifications(box) if b["type"] == "order.created")
    assert created["data"]["object"]["order_created"]["order_id"] == id
    assert len({body["event_id"] for body in notifications(box)}) == 3


LINES = [{"sku": "SKU-1", "units": 1}]
STORY: list[tuple[str, dict[str, Any], list[str]]] = [
    ("fulfil", {"state": "RESERVED"}, ["order.fulfillment.updated", "order.updated"]),
    (
        "fulfil",
        {"state": "COMPLETED"},
        [COUNT, "order.fulfillment.updated", "order.updated"],
    ),
    ("cancel_order", {}, ["order.fulfillment.updated", "order.updated"]),
    ("refund", {"amount": 100}, ["order.updated", "refund.created", "refund.updated"]),
]


@pytest.mark.parametrize(("verb", "facts", "told"), STORY, ids=range(len(STORY)))
def test_each_act_tells_its_own_events(
    till: Till, box: Mailbox, verb: str, facts: dict[str, Any], told: list[str]
) -> None:
    order = till.do("pickup", location="Main", lines=LINES)["id"]
    till.subscribe(box, *EVENT_TYPES)

    till.do(verb, order=order, **facts)
    box.wait_for(len(told))
    till.simulator.agenda.settle()

    assert types(box) == told


def test_a_return_tells_its_order_its_refund_and_its_count(till: Till, box: Mailbox) -> None:
    sale = till.do("sale", location="Main", lines=LINES)["id"]
    till.subscribe(box, *EVENT_TYPES)

    till.do("give_back", order=sale, lines=LINES, restock=True)
    box.wait_for(6)

    assert types(box) == [
        COUNT,
        "order.created",
        "order.updated",
        "order.updated",
        "refund.created",
        "refund.updated",
    ]
    by_type = {body["type"]: body["data"]["object"] for body in notifications(box)}
    statuses = [by_type[f"refund.{name}"]["refund"]["status"] for name in ("created", "updated")]
    assert statuses == ["PENDING", "COMPLETED"]


def test_a_fulfillment_says_where_from_and_where_to(till: Till, box: Mailbox) -> None:
    order = till.do("pickup", location="Main", lines=LINES)["id"]
    till.subscribe(box, "order.fulfillment.updated")

    till.do("fulfil", order=order, state="PREPARED")
    box.wait_for(1)

    facts = notifications(box)[0]["data"]["object"]["order_fulfillment_updated"]
    (update,) = facts["fulfillment_update"]
    assert (update["old_state"], update["new_state"]) == ("PROPOSED", "PREPARED")
    assert (facts["version"], facts["state"]) == (2, "OPEN")


def shape(body: Any) -> Any:
    """Names without values."""
    if isinstance(body, dict):
        return {name: shape(value) for name, value in body.items()}
    return [shape(body[0])] if isinstance(body, list) and body else None


@pytest.mark.parametrize("type", sorted(set(EVENT_TYPES) - {"refund.created", "refund.updated"}))
def test_an_event_has_the_fields_of_the_vendors_example(
    till: Till, box: Mailbox, type: str
) -> None:
    till.subscribe(box, type)
    order = till.do("pickup", location="Main", lines=LINES)["id"]
    till.do("fulfil", order=order, state="COMPLETED")
    box.wait_for(1)

    assert shape(notifications(box)[0]) == shape(schema.schemas("")[EVENTS[type]]["example"])


def test_a_failed_delivery_is_repeated_eleven_times_in_a_day(till: Till, box: Mailbox) -> None:
    till.subscribe(box, COUNT)
    box.status = 503
    till.write(till.counted("SKU-1", "7"))
    box.wait_for(1)
    till.simulator.agenda.settle()

    for attempt, wait_s in enumerate(PATIENCE.retry_after_s, start=2):
        till.clock.advance(wait_s - 1)
        till.simulator.agenda.settle()
        assert len(box.received) == attempt - 1, "not before its time"
        till.clock.advance(1)
        box.wait_for(attempt)
        till.simulator.agenda.settle()

    assert len(PATIENCE.retry_after_s) == 11
    assert sum(PATIENCE.retry_after_s) == (2 * 60 + 3) * 60 + 22 * 3600
    assert till.simulator.agenda.waiting() == 0, "given up"
    headers = [headers for headers, _ in box.received]
    assert [h.get("square-retry-number") for h in headers] == [None, *map(str, range(1, 12))]
    assert {h.get("square-retry-reason") for h in headers[1:]} == {"http_error"}
    assert len({h["square-initial-delivery-timestamp"] for h in headers}) == 1
    assert len({raw for _, raw in box.received}) == 1
    assert len(till.call("GET", SUBSCRIPTIONS).body["subscriptions"]) == 1, "nothing is removed"


def test_a_dead_endpoint_is_named_when_it_lives_again(till: Till, box: Mailbox) -> None:
    till.subscribe(box, COUNT)
    (subscription,) = till.merchant.subscriptions.values()
    alive, subscription.notification_url = subscription.notification_url, "http://127.0.0.1:9/x"
    till.write(till.counted("SKU-1", "7"))
    till.simulator.agenda.settle()

    (attempt,) = till.do("events", kind="webhook")["events"]

    assert (attempt["status"], attempt["attempt"]) == (0, 1)
    assert till.simulator.agenda.waiting() == 1
    assert alive == box.url


@pytest.mark.parametrize(
    ("fault", "came"),
    [("webhook_drop", 0), ("webhook_duplicate", 2), ("webhook_bad_hmac", 1)],
)
def test_webhooks_go_astray_when_told(till: Till, box: Mailbox, fault: str, came: int) -> None:
    subscription = till.subscribe(box, COUNT)
    till.do("fault", kind=fault, count=1, topic=COUNT, sku="SKU-1")

    till.write(till.counted("SKU-1", "7"))
    box.wait_for(came)
    till.simulator.agenda.settle()

    assert len(box.received) == came
    assert len({json.loads(raw)["event_id"] for _, raw in box.received}) == min(came, 1)
    for headers, raw in box.received:
        right = sign(box.url, raw, subscription["signature_key"])
        signed = headers["x-square-hmacsha256-signature"] == right
        assert signed is (fault != "webhook_bad_hmac")


def test_webhooks_come_late_and_out_of_order_when_told(till: Till, box: Mailbox) -> None:
    till.subscribe(box, COUNT)
    till.do("fault", kind="webhook_reorder", count=1)
    till.write(till.counted("SKU-1", "7"))
    till.clock.advance(1)
    till.write(till.counted("SKU-1", "6"))
    box.wait_for(1)
    till.clock.advance(1)
    box.wait_for(2)
    till.do("fault", kind="webhook_late", seconds=60, count=1)
    till.write(till.counted("SKU-1", "5"))
    till.simulator.agenda.settle()
    before = len(box.received)
    till.clock.advance(60)
    box.wait_for(3)

    told = [b["data"]["object"]["inventory_counts"][0]["quantity"] for b in notifications(box)]

    assert (told, before) == (["6", "7", "5"], 2)


def test_drift_is_told_to_nobody(till: Till, box: Mailbox) -> None:
    till.subscribe(box, COUNT)

    till.do("drift", sku="SKU-1", location="Main", units="-0.5")
    till.simulator.agenda.settle()

    assert box.received == []
    assert till.units("SKU-1") == "9.5"


def test_an_external_edit_is_told(till: Till, box: Mailbox) -> None:
    till.subscribe(box, COUNT)

    till.do("external_edit", sku="SKU-1", location="Main", in_stock=4)
    box.wait_for(1)

    assert notifications(box)[0]["data"]["object"]["inventory_counts"][0]["quantity"] == "4"


# -- subscriptions ----------------------------------------------------------------------------------------------------


def test_a_subscription_lives_through_its_api(till: Till, box: Mailbox) -> None:
    made = till.subscribe(box, COUNT)
    path = f"{SUBSCRIPTIONS}/{made['id']}"

    changed = till.call("PUT", path, {"subscription": {"enabled": False}}).body["subscription"]
    enabled = till.call("GET", SUBSCRIPTIONS).body["subscriptions"]
    all_of_them = till.call("GET", SUBSCRIPTIONS, include_disabled="true").body["subscriptions"]
    rotated = till.call("POST", f"{path}/signature-key", {}).body["signature_key"]
    found = till.call("GET", path).body["subscription"]
    till.call("DELETE", path)

    assert made["signature_key"] == till.simulator.signature_key, "the first has the known key"
    assert (changed["enabled"], changed["event_types"]) == (False, [COUNT])
    assert (enabled, [one["id"] for one in all_of_them]) == ([], [made["id"]])
    assert found["signature_key"] == rotated != made["signature_key"]
    assert till.call("GET", path).status == 404


def test_a_second_subscription_has_a_key_of_its_own(till: Till, box: Mailbox) -> None:
    first, second = till.subscribe(box, COUNT), till.subscribe(box, COUNT)

    till.write(till.counted("SKU-1", "7"))
    box.wait_for(2)

    assert first["signature_key"] != second["signature_key"]
    assert len({h["x-square-hmacsha256-signature"] for h, _ in box.received}) == 2


def test_a_disabled_subscription_hears_nothing(till: Till, box: Mailbox) -> None:
    made = till.subscribe(box, COUNT)
    till.call("PUT", f"{SUBSCRIPTIONS}/{made['id']}", {"subscription": {"enabled": False}})

    till.write(till.counted("SKU-1", "7"))
    till.simulator.agenda.settle()

    assert box.received == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"notification_url": "our relay"}, "INVALID_VALUE"),
        ({"event_types": ["stock.changed"]}, "INVALID_VALUE"),
        ({"event_types": []}, "INVALID_VALUE"),
        ({"api_version": "newest"}, "INVALID_SQUARE_VERSION_FORMAT"),
    ],
)
def test_a_bad_subscription_is_refused(till: Till, wrong: dict[str, Any], code: str) -> None:
    good = {"event_types": [COUNT], "notification_url": "https://example.com/hook"}

    answer = till.call("POST", SUBSCRIPTIONS, {"subscription": {**good, **wrong}})

    assert answer.codes == [code]
    assert till.merchant.subscriptions == {}


def test_the_event_types_are_listed(till: Till) -> None:
    answer = till.call("GET", "/v2/webhooks/event-types")

    assert answer.body["event_types"] == list(EVENT_TYPES)


def test_a_notification_url_given_at_the_start_is_subscribed_after_a_reset_too() -> None:
    simulator = SquareSimulator(notification_url="https://example.com/hook", signature_key="k")

    simulator.reset()

    (subscription,) = simulator.merchant.subscriptions.values()
    assert subscription.notification_url == "https://example.com/hook"
    assert subscription.signature_key == "k"
    assert subscription.event_types == list(EVENT_TYPES)
    simulator.stop()
