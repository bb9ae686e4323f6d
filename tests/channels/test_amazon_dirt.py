"""Documents of Amazon's that are not as its models say: read as far as they go, or refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.amazon import orders, wire
from channels.amazon.lane import LANE
from channels.base import Unreadable
from channels.names import Names
from ledger.digest import Digest, Known, digest
from ledger.events import AnyFact, Order
from tests.channels.amazon_life import balance

NAMES = Names({"SKU-A": "SKU-A"}, {"DEFAULT": "OSLO", "FBA": "FBA-US"}, "")
LINE = {"OrderItemId": "1", "SellerSKU": "SKU-A", "Quantity": 2, "QuantityShipped": 0}
AT = "2026-11-27T10:00:00Z"


def notification(kind: str, payload: Mapping[str, Any]) -> bytes:
    """A notification in Amazon's envelope."""
    return json.dumps(
        {
            "NotificationType": kind,
            "EventTime": AT,
            "Payload": payload,
            "NotificationMetadata": {"NotificationId": "n1", "PublishTime": AT},
        }
    ).encode()


def change(*lines: Mapping[str, Any], trigger: object = None, **summary: object) -> bytes:
    """An ORDER_CHANGE of an order of these lines."""
    told = {
        "NotificationLevel": "OrderLevel",
        "AmazonOrderId": "111-1",
        "OrderChangeTrigger": trigger,
        "Summary": {
            "OrderStatus": "Unshipped",
            "FulfillmentType": "MFN",
            "PurchaseDate": AT,
            "OrderItems": lines or (LINE,),
            **summary,
        },
    }
    return notification("ORDER_CHANGE", {"OrderChangeNotification": told})


def booked(body: bytes, topic: str = "ORDER_CHANGE") -> list[AnyFact]:
    """What a delivery says, through the lane's own door."""
    return list(LANE.read(topic, body).facts(source="amazon", channel="amazon", names=NAMES))


def ordered(body: bytes) -> dict[str, int]:
    """Line -> units."""
    return {fact.line: fact.units for fact in booked(body) if isinstance(fact, Order)}


@pytest.mark.parametrize("told", [[5, 5], {}, [], True, 10**30, "7", 1.5, None])
def test_what_is_no_number_of_units_is_no_sighting(told: object) -> None:
    here = {"MarketplaceId": "M", "FulfillmentInventory": {"Fulfillable": told}}
    network = {"SKU": "SKU-A", "FulfillmentInventoryByMarketplace": [here]}
    offer = {"Sku": "SKU-A", "FulfillmentChannelCode": "DEFAULT", "Quantity": told}

    for kind, payload in (
        ("FBA_INVENTORY_AVAILABILITY_CHANGES", network),
        ("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", offer),
    ):
        (seen,) = LANE.read(kind, notification(kind, payload)).sightings
        assert seen.units is None


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_no_other_zone_can_tell_is_refused_by_name(at: str) -> None:
    document = {
        "orderId": "111-1",
        "createdTime": AT,
        "lastUpdatedTime": at,
        "fulfillment": {"fulfillmentStatus": "UNSHIPPED", "fulfilledBy": "MERCHANT"},
        "orderItems": [{"orderItemId": "1", "quantityOrdered": 1, "product": {"sellerSku": "S"}}],
    }

    with pytest.raises(Unreadable, match="timeoforderchange"):
        booked(change(trigger={"TimeOfOrderChange": at}))
    with pytest.raises(Unreadable, match="lastUpdatedTime"):
        booked(json.dumps(document).encode(), wire.ORDER_DOCUMENT)


@pytest.mark.parametrize("status", ["PendingAvailability", "PENDING_AVAILABILITY", "pending"])
def test_what_waits_for_its_payment_takes_its_units_however_it_is_spelt(status: str) -> None:
    assert ordered(change(OrderStatus=status, NumberOfItemsUnshipped=0)) == {"1": 2}


def test_a_line_without_a_sku_hides_no_other() -> None:
    service = {"OrderItemId": "9", "SellerSKU": None, "Quantity": 1}

    assert ordered(change(service, LINE)) == {"1": 2}


def test_an_id_that_is_told_as_a_number_is_that_id() -> None:
    assert ordered(change({**LINE, "OrderItemId": 68828574383266})) == {"68828574383266": 2}


class Page:
    """An order API that tells one page of these orders."""

    marketplace_id = "M"

    def __init__(self, *told: object) -> None:
        self._told = told

    def ask(self, name: str, model: type[wire.Orders], *, query: object) -> wire.Orders:
        return model.model_validate({"orders": self._told, "pagination": None})


def test_an_order_that_cannot_be_read_hides_no_other_of_its_page() -> None:
    good = {
        "orderId": "111-2",
        "createdTime": AT,
        "lastUpdatedTime": "2026-11-27T10:05:00Z",
        "buyer": {"buyerName": "Ada"},
        "fulfillment": {"fulfillmentStatus": "UNSHIPPED", "fulfilledBy": "MERCHANT"},
        "orderItems": [{"orderItemId": "1", "quantityOrdered": 1, "product": None}],
    }
    bad = {**good, "orderId": "111-1", "fulfillment": {"fulfilledBy": "ROBOT"}}
    mark, now = datetime(2026, 11, 27, 9, tzinfo=UTC), datetime(2026, 11, 27, 11, tzinfo=UTC)

    read = list(orders.orders_since(Page(bad, good), mark, now=now))  # type: ignore[arg-type]  # a page of its own

    assert [order.order_id for order in read] == ["111-1", "111-2"]
    assert b"Ada" not in b"".join(order.body for order in read)
    with pytest.raises(Unreadable, match=r"111-1: fulfillment\.fulfilledBy"):
        booked(read[0].body, wire.ORDER_DOCUMENT)
    assert booked(read[1].body, wire.ORDER_DOCUMENT) == []


def test_orders_come_as_they_are_told_so_that_a_cut_walk_claims_nothing_it_has_not_read() -> None:
    told = [
        {
            "orderId": f"111-{minute}",
            "createdTime": AT,
            "lastUpdatedTime": f"2026-11-27T10:0{minute}:00Z",
        }
        for minute in (5, 3, 1)
    ]
    mark, now = datetime(2026, 11, 27, 9, tzinfo=UTC), datetime(2026, 11, 27, 11, tzinfo=UTC)

    read = list(orders.orders_since(Page(*told), mark, now=now))  # type: ignore[arg-type]  # a page of its own

    assert [order.order_id for order in read] == ["111-5", "111-3", "111-1"]


@pytest.mark.parametrize("sku", ["\ud800", "A\udfff"])
def test_half_a_character_is_refused_before_it_reaches_the_book(sku: str) -> None:
    body = change({**LINE, "SellerSKU": sku})

    assert LANE.routing({}, body).topic == ""
    with pytest.raises(Unreadable, match="not JSON"):
        booked(body)


@pytest.mark.parametrize("at", [AT, "2026-11-27T10:05:00Z"])
@pytest.mark.parametrize("is_polled_first", [True, False])
def test_the_order_api_that_knows_no_supply_source_moves_no_line_away_from_it(
    at: str, is_polled_first: bool
) -> None:
    names = Names({"SKU-A": "SKU-A"}, {"DEFAULT": "OSLO", "S-1": "BERGEN"}, "")
    told = change({**LINE, "SupplySourceId": "S-1"}, trigger={"TimeOfOrderChange": AT})
    item = {"orderItemId": "1", "quantityOrdered": 2, "product": {"sellerSku": "SKU-A"}}
    polled = {
        "orderId": "111-1",
        "createdTime": AT,
        "lastUpdatedTime": AT if is_polled_first else at,
        "fulfillment": {"fulfillmentStatus": "UNSHIPPED", "fulfilledBy": "MERCHANT"},
        "orderItems": [item],
    }
    deliveries = [("ORDER_CHANGE", told), (wire.ORDER_DOCUMENT, json.dumps(polled).encode())]

    result = booked_in_turn(deliveries[::-1] if is_polled_first else deliveries, names)

    assert {line.location for line in result.lines.values()} == {"BERGEN"}
    assert balance(result, "SKU-A", "BERGEN", "committed") == 2
    assert balance(result, "SKU-A", "OSLO", "committed") == 0


def booked_in_turn(deliveries: Sequence[tuple[str, bytes]], names: Names) -> Digest:
    """What the ledger makes of deliveries, in this order."""
    facts = [
        LANE.read(*one).facts(source="amazon", channel="amazon", names=names) for one in deliveries
    ]
    return digest(enumerate(facts), Known({"SKU-A"}, {"OSLO", "BERGEN"}, {}, {}))


def test_a_nul_is_refused_at_the_door_before_it_stops_the_mirror() -> None:
    body = notification("FBA_INVENTORY_AVAILABILITY_CHANGES", {"SKU": "A\x00"})

    assert LANE.routing({}, body).topic == ""
    with pytest.raises(Unreadable, match="NUL"):
        LANE.read("FBA_INVENTORY_AVAILABILITY_CHANGES", body)
