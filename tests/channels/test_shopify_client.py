"""The client against a stub that says what a live shop said or what no simulator would say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from channels.base import (
    ChannelError,
    Refused,
    Throttled,
    Unauthorised,
    Unavailable,
    Unreadable,
)
from channels.limits import Bucket
from channels.shopify import webhook, wire
from channels.shopify.client import Shopify
from tests.channels.shopify_stub import (
    NOW,
    TOKEN,
    a_binding,
    cost,
    failed,
    levels,
    set_answer,
)
from tests.channels.stub import Answer, Stub

MARK = datetime(2026, 7, 1, tzinfo=UTC)


class TestCalls:
    def test_a_call_goes_to_the_pinned_version_with_the_token(
        self, vendor: Stub, shop: Shopify
    ) -> None:
        vendor.says(set_answer())

        shop.push(levels(1), key="k")

        (heard,) = vendor.heard
        assert heard.path == "/admin/api/2026-07/graphql.json"
        assert heard.headers["x-shopify-access-token"] == TOKEN

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (failed("ACCESS_DENIED"), Unauthorised),
            (failed("INTERNAL_SERVER_ERROR"), Unavailable),
            (failed("BAD_REQUEST"), Refused),
            (failed("INVALID_FIELD_ARGUMENTS"), Refused),
            (failed("MAX_COST_EXCEEDED"), Refused),
            (failed(None), Refused),
            ({"errors": "Not Found"}, Refused),
            (failed("IDEMPOTENCY_CONCURRENT_REQUEST"), Throttled),
            ({"data": None}, Unreadable),
            ({"data": {"inventorySetQuantities": None}}, Unreadable),
            ({}, Unreadable),
            (Answer(b"<html>Shop is asleep"), Unreadable),
            (Answer(status=401), Unauthorised),
            (Answer(cut_after=-1), Unavailable),
        ],
    )
    def test_a_refused_call_is_one_of_our_errors(
        self,
        vendor: Stub,
        shop: Shopify,
        answer: Answer | dict[str, object],
        expected: type[ChannelError],
    ) -> None:
        vendor.says(answer)

        with pytest.raises(expected) as failure:
            shop.push(levels(1), key="k")

        assert TOKEN not in str(failure.value)
        assert len(vendor.heard) == 1

    @pytest.mark.parametrize(
        ("requested", "available", "wait_s"), [(513, 13, 5.0), (13, 12, 1.0), (13, 900, 1.0)]
    )
    def test_throttled_waits_by_the_vendors_own_numbers(
        self, vendor: Stub, shop: Shopify, requested: float, available: float, wait_s: float
    ) -> None:
        vendor.says({**failed("THROTTLED", "Throttled"), **cost(requested, available)})

        with pytest.raises(Throttled) as refusal:
            shop.push(levels(1), key="k")

        assert refusal.value.retry_after_s == wait_s

    def test_the_vendors_numbers_correct_the_bucket(
        self, vendor: Stub, shop: Shopify, bucket: Bucket
    ) -> None:
        vendor.says({**set_answer(), **cost(13, 40)})

        shop.push(levels(1), key="k")

        assert bucket.state().available < 60

    def test_the_price_of_a_document_is_learnt(
        self, vendor: Stub, shop: Shopify, bucket: Bucket
    ) -> None:
        vendor.says({**set_answer(), **cost(900, 100)})
        shop.push(levels(1), key="k")

        with pytest.raises(Throttled):
            shop.push(levels(1), key="other")

        assert len(vendor.heard) == 1

    def test_a_429_closes_the_door_for_everybody(
        self, vendor: Stub, shop: Shopify, bucket: Bucket
    ) -> None:
        vendor.says(Answer(status=429, headers={"Retry-After": "4"}))
        for _ in range(2):
            with pytest.raises(Throttled):
                shop.push(levels(1), key="k")

        assert len(vendor.heard) == 1
        assert bucket.state().closed_s > 3


class TestSnapshot:
    def test_what_means_nothing_is_unknown_and_never_zero(
        self, vendor: Stub, shop: Shopify
    ) -> None:
        vendor.says(
            {
                "data": {
                    "nodes": [
                        a_level(1, available=-2),
                        a_level(2, isActive=False),
                        a_level(3, item={"id": "gid://shopify/InventoryItem/3", "tracked": False}),
                        a_level(4, quantities=[]),
                        {},
                        None,
                    ]
                }
            }
        )

        readings = list(shop.snapshot([a_binding(number) for number in range(1, 7)]))

        assert [reading.units for reading in readings] == [-2, None, None, None, None, None]
        assert readings[0].committed == 4
        assert readings[0].updated_at == datetime(2026, 7, 1, 9, tzinfo=UTC)
        assert {reading.observed_at for reading in readings} == {NOW}

    def test_a_level_that_lacks_a_field_is_unreadable_not_absent(
        self, vendor: Stub, shop: Shopify
    ) -> None:
        level = a_level(1)
        del level["isActive"]
        vendor.says({"data": {"nodes": [level]}})

        with pytest.raises(Unreadable):
            list(shop.snapshot([a_binding(1)]))

    def test_two_hundred_and_fifty_are_read_at_once(self, vendor: Stub, shop: Shopify) -> None:
        vendor.says({"data": {"nodes": []}})

        readings = list(shop.snapshot([a_binding(number) for number in range(260)]))

        assert len(readings) == 260
        assert [len(heard.json["variables"]["ids"]) for heard in vendor.heard] == [250, 10]


def a_level(number: int, *, available: int = 7, **more: object) -> dict[str, object]:
    return {
        "id": f"gid://shopify/InventoryLevel/77?inventory_item_id={number}",
        "isActive": True,
        "updatedAt": "2026-07-01T10:00:00Z",
        "item": {"id": f"gid://shopify/InventoryItem/{number}", "tracked": True},
        "location": {"id": "gid://shopify/Location/77"},
        "quantities": [
            {"name": "committed", "quantity": 4, "updatedAt": None},
            {"name": "available", "quantity": available, "updatedAt": "2026-07-01T09:00:00Z"},
        ],
        **more,
    }


def a_page(*nodes: object, cursor: str | None = None) -> dict[str, object]:
    return {
        "pageInfo": {"hasNextPage": cursor is not None, "endCursor": cursor},
        "nodes": list(nodes),
    }


def a_gid(kind: str, number: int) -> dict[str, object]:
    return {"id": f"gid://shopify/{kind}/{number}"}


def an_order_line(number: int) -> dict[str, object]:
    item = {"id": f"gid://shopify/InventoryItem/{number}", "tracked": True}
    return {
        "id": f"gid://shopify/LineItem/{number}",
        "sku": "SKU",
        "quantity": 5,
        "currentQuantity": 5,
        "unfulfilledQuantity": 0,
        "isGiftCard": False,
        "variant": {"id": f"gid://shopify/ProductVariant/{number}", "inventoryItem": item},
    }


def a_parcel(lines: dict[str, object]) -> dict[str, object]:
    return {
        "id": "gid://shopify/Fulfillment/700",
        "status": "SUCCESS",
        "createdAt": "2026-07-01T11:00:00Z",
        "updatedAt": "2026-07-01T11:00:00Z",
        "location": None,
        "fulfillmentLineItems": lines,
    }


def carried(line: int, units: int) -> dict[str, object]:
    return {"quantity": units, "lineItem": a_gid("LineItem", line)}


def a_node(lines: dict[str, object], *parcels: dict[str, object]) -> dict[str, object]:
    return {
        "id": "gid://shopify/Order/500",
        "createdAt": "2026-07-01T10:00:00Z",
        "updatedAt": "2026-07-01T11:00:00Z",
        "cancelledAt": None,
        "retailLocation": None,
        "lineItems": lines,
        "fulfillments": list(parcels),
        "refunds": [],
    }


def a_change(*orders: dict[str, object]) -> dict[str, object]:
    """The vendor's page of changes that tells of these orders."""
    nodes = [{"id": order["id"], "updatedAt": order["updatedAt"]} for order in orders]
    return {"data": {"orders": a_page(*nodes)}}


class TestOrders:
    def test_an_order_that_does_not_fit_a_page_is_read_whole(
        self, vendor: Stub, shop: Shopify
    ) -> None:
        cut = a_node(a_page(an_order_line(1), cursor="c1"))
        parcel = a_parcel(a_page(carried(1, 5), carried(2, 5), cursor="p1"))
        vendor.says(
            a_change(cut),
            {"data": {"nodes": [cut]}},
            {"data": {"order": a_node(a_page(an_order_line(1), cursor="l1"), parcel)}},
            {"data": {"order": a_node(a_page(an_order_line(2), an_order_line(3)), parcel)}},
            {"data": {"node": {"fulfillmentLineItems": a_page(carried(3, 2))}}},
        )

        (found,) = shop.orders_since(MARK)

        parsed = webhook.parse(found.topic, found.body)
        assert webhook.vendor_ids(parsed) == {
            f"gid://shopify/ProductVariant/{n}" for n in (1, 2, 3)
        }
        assert isinstance(parsed, wire.Order)
        assert [line.quantity for line in parsed.fulfillments[0].line_items] == [5, 5, 2]
        asked = [heard.json["variables"] for heard in vendor.heard]
        assert asked[0]["search"] == "updated_at:>='2026-07-01T00:00:00Z'"
        assert [each.get("linesAfter") for each in asked[2:4]] == [None, "l1"]
        assert asked[4]["after"] == "p1"

    def test_an_order_deleted_while_we_read_is_left_out(self, vendor: Stub, shop: Shopify) -> None:
        cut = a_node(a_page(an_order_line(1), cursor="c1"))
        vendor.says(a_change(cut), {"data": {"nodes": [cut]}}, {"data": {"order": None}})

        assert list(shop.orders_since(MARK)) == []

    def test_a_parcel_with_a_line_the_order_does_not_have_is_unreadable(
        self, vendor: Stub, shop: Shopify
    ) -> None:
        order = a_node(a_page(an_order_line(1)), a_parcel(a_page(carried(9, 1))))
        vendor.says(a_change(order), {"data": {"nodes": [order]}})

        with pytest.raises(Unreadable, match="Order/500"):
            list(shop.orders_since(MARK))
