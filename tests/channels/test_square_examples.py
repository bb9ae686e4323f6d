"""Every example body of the vendor is read, or refused for a reason that has a name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from pydantic import BaseModel, ValidationError

from channels.base import Unreadable
from channels.names import Names
from channels.square import lane, webhook, wire
from channels.square.history import Change, change_of

BODIES = Path(__file__).parent / "square_bodies"
EVENTS = sorted(path.stem for path in (BODIES / "events").glob("*.json"))

#: Answers of calls we make, and the model that reads them.
READ: Final[Mapping[str, type[BaseModel]]] = {
    "BatchRetrieveCatalogObjectsRequest": wire.Variations,
    "ListWebhookEventTypesResponse": wire.WebhookSubscriptions,
    "RetrieveInventoryChangesResponse": wire.Changes,
    "RetrieveWebhookSubscriptionResponse": wire.Subscribed,
    "SearchCatalogObjectsResponse": wire.Variations,
    "SearchOrdersResponse": wire.Orders,
}
_OURS = "a request: the simulator holds ours against the vendor's schema"
_NEVER = "an answer to a call we do not make"
#: Everything else, and why nobody reads it.
LEFT: Final[Mapping[str, str]] = {
    "BatchChangeInventoryRequest": _OURS,
    "BatchRetrieveInventoryChangesRequest": _OURS,
    "BatchRetrieveInventoryCountsRequest": _OURS,
    "CreateWebhookSubscriptionRequest": _OURS,
    "UpdateWebhookSubscriptionRequest": _OURS,
    "UpsertCatalogObjectRequest": _OURS,
    "BatchDeleteCatalogObjectsRequest": "we never delete what a seller sells",
    "BatchRetrieveOrdersRequest": "orders are read by search",
    "BatchUpsertCatalogObjectsRequest": "one object is written at a time",
    "CalculateOrderRequest": "we make no orders",
    "CatalogInfoResponse": _NEVER,
    "CatalogObject": "a template with placeholders, no object",
    "CloneOrderRequest": "we make no orders",
    "CreateOrderCustomAttributeDefinitionRequest": "we make no custom attributes",
    "CreateOrderRequest": "we make no orders",
    "DeleteCatalogObjectResponse": _NEVER,
    "ListLocationBookingProfilesResponse": _NEVER,
    "ListLocationCustomAttributesResponse": _NEVER,
    "ObtainTokenResponse": "the seller's token comes with the channel's secrets",
    "PayOrderRequest": "we take no money",
    "RefundPaymentResponse": _NEVER,
    "RetrieveCatalogObjectResponse": "an item: we read variations",
    "RetrieveInventoryPhysicalCountResponse": "counts are read from the history",
    "RetrieveLocationBookingProfileResponse": _NEVER,
    "RetrieveLocationCustomAttributeResponse": _NEVER,
    "RetrieveLocationSettingsResponse": _NEVER,
    "RetrieveOrderCustomAttributeResponse": _NEVER,
    "SearchCatalogItemsResponse": "variations are found by another search",
    "TestWebhookSubscriptionResponse": _NEVER,
    "UpdateOrderCustomAttributeDefinitionRequest": "we make no custom attributes",
    "UpdateOrderRequest": "a seller's orders are not ours to change",
    "UpdateWebhookSubscriptionSignatureKeyRequest": "keys are changed in Square's console",
}


def message(name: str) -> bytes:
    return (BODIES / "messages" / f"{name}.json").read_bytes()


def test_every_example_is_accounted_for() -> None:
    there = {path.stem for path in (BODIES / "messages").glob("*.json")}

    assert there == {*READ, *LEFT}
    assert all(LEFT.values())


@pytest.mark.parametrize("name", sorted(READ))
def test_an_answer_we_read_is_read(name: str) -> None:
    READ[name].model_validate_json(message(name))


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_routed_by_what_its_body_says_and_books_nothing(name: str) -> None:
    body = (BODIES / "events" / f"{name}.json").read_bytes()
    said = json.loads(body)

    delivery = webhook.routing({}, body)
    read = lane.read(delivery.topic, body)

    assert (delivery.topic, delivery.event_id) == (said["type"], said["event_id"])
    assert delivery.delivery_id == said["event_id"]
    assert delivery.account == said["merchant_id"]
    assert delivery.triggered_at is not None
    assert read.facts(source="s", channel="c", names=Names({}, {}, "MAIN")) == []
    assert read.silent
    assert "not a type Lockstep reads" not in read.silent


def test_only_orders_and_refunds_ask_for_a_look_and_only_counts_are_seen() -> None:
    asking, seeing = set(), set()
    for name in EVENTS:
        body = (BODIES / "events" / f"{name}.json").read_bytes()
        read = lane.read(json.loads(body)["type"], body)
        asking |= {read.topic} if read.asks_orders else set()
        seeing |= {read.topic} if read.sightings else set()

    assert asking == {"order.fulfillment.updated", "refund.created"}
    assert seeing == {"inventory.count.updated"}


def test_the_examples_history_is_a_sale() -> None:
    changes = wire.Changes.model_validate_json(message("RetrieveInventoryChangesResponse")).changes

    (change,) = [change_of(each) for each in changes]

    assert isinstance(change, Change)
    assert (change.kind, change.said) == ("adjustment", "3")
    assert (change.from_place, change.to_place) == (
        ("C6W5YS5QM06F5", "IN_STOCK"),
        ("C6W5YS5QM06F5", "SOLD"),
    )


@pytest.mark.parametrize("name", sorted(LEFT))
def test_what_is_no_order_is_refused_by_the_field_that_lacks(name: str) -> None:
    with pytest.raises(Unreadable, match="order"):
        lane.read("order.read", message(name))


def test_a_template_is_no_catalogue_object() -> None:
    document = json.loads(message("CatalogObject"))["catalog_object"]

    with pytest.raises(ValidationError):
        wire.Variation.model_validate(document)
