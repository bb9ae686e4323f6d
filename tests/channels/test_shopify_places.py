"""Where an order is served, and what comes of goods that come back: what only the order API tells."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.base import Sighting
from channels.names import Names, Part
from channels.shopify import webhook
from channels.shopify.lane import LANE
from channels.shopify.wire import VARIANT
from ledger.events import AnyFact, Order, OrderCancel, Return, Ship
from ledger.postings import OrderLine, order
from tests.channels.shopify_builders import a_fulfillment, a_line, a_refund, an_order, back
from tests.channels.shopify_rig import ShopifyRig
from tests.channels.test_shopify_booking import facts
from tests.channels.test_shopify_orders import booked, names_of

PACKS = Names(
    skus={},
    locations={},
    default_location="MAIN",
    taken={f"{VARIANT}1": (Part("CUP", 6),), f"{VARIANT}2": (Part("CUP", 1), Part("POT", 2))},
)


def polled(rig: ShopifyRig) -> list[AnyFact]:
    """The facts of the only order, as a poll finds them."""
    (found,) = rig.channel.orders_since(rig.now().replace(year=2000))
    return booked(found.topic, found.body, names_of(rig))


def served(found: list[AnyFact]) -> dict[str, tuple[str, bool]]:
    return {
        fact.sku: (fact.location, fact.location_is_guess)
        for fact in found
        if isinstance(fact, Order)
    }


def test_a_webhook_guesses_where_an_order_is_served_and_a_poll_knows(rig: ShopifyRig) -> None:
    lines = [{"sku": "SKU-A", "units": 2}, {"sku": "SKU-B", "units": 15}]
    number = rig.do("order", lines=lines)["id"].rpartition("/")[2]

    guessed = booked("orders/create", rig.document(number), names_of(rig))

    assert served(guessed) == {"SKU-A": ("MAIN", True), "SKU-B": ("MAIN", True)}
    assert served(polled(rig)) == {"SKU-A": ("OSLO", False), "SKU-B": ("BERGEN", False)}


def test_an_order_to_be_fetched_is_held_where_it_is_fetched(rig: ShopifyRig) -> None:
    rig.places["Corner"] = rig.do("location", name="Corner", pickup=True)["id"]
    rig.do("product", variants=[{"sku": "SKU-D", "stock": {"Corner": 3, "Oslo": 9}}])

    rig.do("order", lines=[{"sku": "SKU-D", "units": 1}], location="Corner", source="web")

    assert served(polled(rig)) == {"SKU-D": ("CORNER", False)}


def test_a_line_shared_by_two_places_is_held_where_most_of_it_is(rig: ShopifyRig) -> None:
    rig.do("order", lines=[{"sku": "SKU-A", "units": 25}])

    assert served(polled(rig)) == {"SKU-A": ("BERGEN", False)}


def test_what_was_shipped_counts_for_the_place_only_when_nothing_is_left(rig: ShopifyRig) -> None:
    order_id = rig.do("order", lines=[{"sku": "SKU-A", "units": 25}])["id"]
    rig.do("fulfil", order=order_id, location="Bergen")

    assert served(polled(rig)) == {"SKU-A": ("OSLO", False)}


class TestTheBookMovesALine:
    def a_line_in_the_book(self, found: Order) -> OrderLine:
        return order(found, None)[1]

    def test_from_the_guess_to_the_place_that_the_poll_knows(self, rig: ShopifyRig) -> None:
        number = rig.do("order", lines=[{"sku": "SKU-A", "units": 2}])["id"].rpartition("/")[2]
        (guess,) = booked("orders/create", rig.document(number), names_of(rig))
        (known,) = polled(rig)
        assert isinstance(guess, Order)
        assert isinstance(known, Order)

        moves, line = order(known, self.a_line_in_the_book(guess))

        assert (line.location, line.ordered_units) == ("OSLO", 2)
        assert [(m.from_location, m.from_state, m.to_state, m.units) for m in moves] == [
            ("MAIN", "committed", "available", 2),
            ("OSLO", "available", "committed", 2),
        ]

    def test_and_a_later_guess_leaves_it_there(self, rig: ShopifyRig) -> None:
        order_id = rig.do("order", lines=[{"sku": "SKU-A", "units": 2}])["id"]
        (known,) = polled(rig)
        rig.advance(5)
        rig.do("edit_order", order=order_id, lines=[{"sku": "SKU-A", "units": 3}])
        (guess,) = booked(
            "orders/updated", rig.document(order_id.rpartition("/")[2]), names_of(rig)
        )
        assert isinstance(known, Order)
        assert isinstance(guess, Order)

        moves, line = order(guess, self.a_line_in_the_book(known))

        assert (line.location, line.ordered_units) == ("OSLO", 3)
        assert [(m.from_location, m.units) for m in moves] == [("OSLO", 1)]

    def test_a_guess_of_the_same_moment_changes_nothing(self, rig: ShopifyRig) -> None:
        number = rig.do("order", lines=[{"sku": "SKU-A", "units": 2}])["id"].rpartition("/")[2]
        (guess,) = booked("orders/create", rig.document(number), names_of(rig))
        (known,) = polled(rig)
        assert isinstance(known, Order)
        assert isinstance(guess, Order)
        line = self.a_line_in_the_book(known)

        assert order(guess, line) == ([], line)
        assert order(known, line) == ([], line)


def a_return(rig: ShopifyRig, *, refund: bool, **dispositions: str) -> str:
    """Three of each SKU shipped from Oslo; one of each named SKU comes back to Bergen."""
    skus = ("SKU-A", "SKU-B")
    lines = [{"sku": sku, "units": 3} for sku in skus]
    order_id = str(rig.do("order", lines=lines, location="Oslo")["id"])
    rig.do("fulfil", order=order_id)
    rig.advance(5)
    rig.do(
        "bring_back",
        order=order_id,
        refund=refund,
        lines=[
            {"sku": sku.replace("_", "-"), "units": 1, "disposition": how, "location": "Bergen"}
            for sku, how in dispositions.items()
        ],
    )
    return order_id.rpartition("/")[2]


def returned(found: list[AnyFact]) -> list[tuple[str, str, int, str]]:
    return [
        (fact.sku, fact.location, fact.units, fact.disposition)
        for fact in found
        if isinstance(fact, Return)
    ]


@pytest.mark.parametrize("refund", [True, False], ids=["paid back", "not paid back"])
def test_goods_of_a_return_come_back_once_as_they_were_disposed_of(
    rig: ShopifyRig, refund: bool
) -> None:
    a_return(rig, refund=refund, SKU_A="restocked", SKU_B="processing_required")

    assert returned(polled(rig)) == [
        ("SKU-A", "BERGEN", 1, "sellable"),
        ("SKU-B", "BERGEN", 1, "hold"),
    ]


def test_goods_that_were_thrown_away_or_never_came_are_not_on_the_shelf(rig: ShopifyRig) -> None:
    a_return(rig, refund=True, SKU_A="not_restocked", SKU_B="missing")

    assert returned(polled(rig)) == []


def test_the_refund_of_a_return_only_pays() -> None:
    line = a_line(11, variant=1, units=2)
    refund = a_refund(9, back(1, line, 1, "return", location_id=77))

    alone = facts("refunds/create", refund)
    of_a_return = facts("refunds/create", {**refund, "return": {"id": 5}})

    assert [type(fact) for fact in alone] == [Return]
    assert of_a_return == []


def test_what_a_webhook_cannot_tell_is_asked_for(rig: ShopifyRig) -> None:
    line = a_line(11, variant=1)
    refund: dict[str, Any] = a_refund(9, back(1, line, 1, "return"))

    def asks(topic: str, document: object) -> bool:
        return LANE.read(topic, json.dumps(document).encode()).asks_orders

    assert asks("refunds/create", {**refund, "return": {"id": 5}})
    assert not asks("refunds/create", refund)
    assert asks("reverse_fulfillment_orders/dispose", {"dispositions": []})
    assert asks("fulfillment_orders/moved", {})
    assert asks("returns/process", {})
    assert asks("app/uninstalled", {"id": 1})
    assert not asks("fulfillment_orders/line_items_prepared_for_pickup", {})
    assert not asks("returns/request", {})
    assert not asks("locations/update", {})


def test_what_a_level_s_webhook_says_is_seen_and_never_booked() -> None:
    body = (
        b'{"inventory_item_id":271878346596884000,"location_id":24826418,"available":-7,'
        b'"updated_at":"2026-07-01T10:00:00-04:00","admin_graphql_api_id":'
        b'"gid:\\/\\/shopify\\/InventoryLevel\\/24826418?inventory_item_id=271878346596884015"}'
    )

    message = LANE.read("inventory_levels/update", body)

    (seen,) = message.sightings
    assert seen == Sighting(
        "gid://shopify/InventoryItem/271878346596884015",
        "gid://shopify/Location/24826418",
        -7,
        datetime(2026, 7, 1, 14, tzinfo=UTC),
    )
    assert message.facts(source="s", channel="s", names=PACKS) == []
    assert LANE.read("inventory_levels/update", b"{}").sightings == ()


class TestPacksAndBundles:
    def book(self, topic: str, document: dict[str, Any]) -> list[AnyFact]:
        return facts(topic, document, PACKS)

    def test_a_pack_takes_its_units_under_the_line_s_own_name(self) -> None:
        line = a_line(11, variant=1, units=2)

        (found,) = self.book("orders/create", an_order(line))

        assert isinstance(found, Order)
        assert (found.sku, found.units, found.line) == ("CUP", 12, "11")

    def test_a_bundle_is_a_line_for_each_of_its_parts(self) -> None:
        line = a_line(12, variant=2, units=3)

        found = self.book("orders/create", an_order(line))

        assert [
            (f.sku, f.units, f.line, f.id.partition("+00:00")[2])
            for f in found
            if isinstance(f, Order)
        ] == [("CUP", 3, "12#CUP", "#CUP"), ("POT", 6, "12#POT", "#POT")]

    def test_what_ships_and_comes_back_of_a_bundle_is_its_parts(self) -> None:
        line = a_line(12, variant=2, units=3)
        whole = an_order(
            {**line, "fulfillable_quantity": 1, "current_quantity": 1},
            fulfillments=[a_fulfillment(7, line, units=2)],
            refunds=[
                a_refund(8, back(1, line, 1, "return"), back(2, line, 1, "cancel")),
            ],
        )

        found = self.book("orders/updated", whole)

        ships = {(f.line, f.units) for f in found if isinstance(f, Ship)}
        cancels = {(f.line, f.units) for f in found if isinstance(f, OrderCancel)}
        backs = {(f.sku, f.units, f.id) for f in found if isinstance(f, Return)}
        assert ships == {("12#CUP", 2), ("12#POT", 4)}
        assert cancels == {("12#CUP", 1), ("12#POT", 2)}
        assert backs == {("CUP", 1, "refund:8:1#CUP"), ("POT", 2, "refund:8:1#POT")}
        assert len({f.id for f in found}) == len(found)


def test_every_topic_of_the_lane_is_one_the_vendor_has() -> None:
    from channels.simulators.shopify.schema import load_schema

    enum = load_schema().type_map["WebhookSubscriptionTopic"]

    known = set(enum.values)  # type: ignore[attr-defined]  # an enum of the schema
    assert {topic.upper().replace("/", "_") for topic in webhook.KNOWN_TOPICS} <= known
