"""What the order's own webhook says and what the order API says must book alike, and end where the shop stands."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.names import Names
from channels.shopify import webhook
from channels.simulators.serve import Running
from ledger.events import AnyFact, Order, OrderCancel, Return, Reversal, Ship
from tests.channels.shopify_rig import ShopifyRig
from tests.channels.stub import Heard, Stub, a_stub


def names_of(rig: ShopifyRig) -> Names:
    bound = rig.channel.bindings(rig.locations)
    return Names(
        skus={each.variant_id: each.sku for each in bound},
        locations={place: name.upper() for name, place in rig.places.items()},
        default_location="MAIN",
    )


def placed_by_nobody(facts: Iterable[AnyFact]) -> list[AnyFact]:
    """The facts without what only the order API knows of their place, and without its being the later word."""
    return [
        fact.model_copy(
            update={
                "id": fact.id.partition("@")[0],
                "location_is_guess": True,
                "revision": fact.as_of.replace(microsecond=0),
            }
        )
        if isinstance(fact, Order)
        else fact
        for fact in facts
    ]


def booked(topic: str, body: bytes, names: Names) -> list[AnyFact]:
    return webhook.facts(webhook.parse(topic, body), source="s", channel="c", names=names)


def committed(facts: Iterable[AnyFact]) -> dict[str, int]:
    """Line -> what the book holds committed after these facts, each once, the newest snapshot of a line counting."""
    once: dict[str, AnyFact] = {}
    for fact in facts:
        once.setdefault(fact.id, fact)
    undone = {fact.reverses_id for fact in once.values() if isinstance(fact, Reversal)}
    newest: dict[str, Order] = {}
    held: dict[str, int] = {}
    for fact in once.values():
        match fact:
            case Order():
                known = newest.get(fact.line)
                if known is None or fact.as_of > known.as_of:
                    newest[fact.line] = fact
            case OrderCancel():
                held[fact.line] = held.get(fact.line, 0) - fact.units
            case Ship() if fact.id not in undone:
                held[str(fact.line)] = held.get(str(fact.line), 0) - fact.units
    return {line: order.units + held.get(line, 0) for line, order in newest.items()}


def a_busy_order(rig: ShopifyRig) -> str:
    """Ordered in Oslo's till, edited up and down, partly shipped, partly refunded in every way."""
    number = str(
        rig.do(
            "order",
            lines=[{"sku": sku, "units": 6} for sku in ("SKU-A", "SKU-B", "SKU-C")],
            location="Oslo",
        )["id"]
    ).rpartition("/")[2]
    order = f"gid://shopify/Order/{number}"
    steps: list[tuple[str, dict[str, Any]]] = [
        ("edit_order", {"lines": [{"sku": "SKU-A", "units": 8}, {"sku": "SKU-B", "units": 4}]}),
        ("fulfil", {"lines": [{"sku": "SKU-A", "units": 3}, {"sku": "SKU-C", "units": 6}]}),
        ("refund", {"lines": [{"sku": "SKU-A", "units": 1, "restock_type": "cancel"}]}),
        ("refund", {"lines": [{"sku": "SKU-B", "units": 2, "restock_type": "no_restock"}]}),
        (
            "refund",
            {
                "lines": [
                    {"sku": "SKU-C", "units": 1, "restock_type": "return", "location": "Bergen"},
                    {"sku": "SKU-C", "units": 2, "restock_type": "no_restock"},
                ]
            },
        ),
        ("fulfil", {"lines": [{"sku": "SKU-A", "units": 1}]}),
    ]
    for verb, facts in steps:
        rig.advance(3)
        rig.do(verb, order=order, **facts)
    return number


def test_both_roads_book_the_same_facts(rig: ShopifyRig) -> None:
    mark = rig.now()
    number, names = a_busy_order(rig), names_of(rig)

    (found,) = rig.channel.orders_since(mark)

    by_api = booked(found.topic, found.body, names)
    by_webhook = booked("orders/updated", rig.document(number), names)
    assert placed_by_nobody(by_api) == by_webhook
    assert {type(fact) for fact in by_api} == {Order, Ship, OrderCancel, Return}
    (came_back,) = (fact for fact in by_api if isinstance(fact, Return))
    assert (came_back.sku, came_back.location, came_back.units) == ("SKU-C", "BERGEN", 1)


def test_a_busy_order_ends_where_the_shop_stands(rig: ShopifyRig) -> None:
    number, names = a_busy_order(rig), names_of(rig)

    held = committed(booked("orders/updated", rig.document(number), names))

    assert held == unfulfilled(rig, number)
    assert sorted(held.values()) == [0, 2, 3]


def test_an_order_cancelled_with_restock_ends_with_nothing_held(rig: ShopifyRig) -> None:
    number, names = rig.order("SKU-A", 4), names_of(rig)
    rig.advance(3)

    rig.do("cancel_order", order=f"gid://shopify/Order/{number}", restock=True)

    found = booked("orders/cancelled", rig.document(number), names)
    assert set(committed(found).values()) == {0}
    assert [fact.disposition for fact in found if isinstance(fact, OrderCancel)] == ["restock"]


def test_an_order_cancelled_without_restock_is_held_apart(rig: ShopifyRig) -> None:
    number, names = rig.order("SKU-A", 4), names_of(rig)
    rig.advance(3)

    rig.do("cancel_order", order=f"gid://shopify/Order/{number}", restock=False)

    found = booked("orders/cancelled", rig.document(number), names)
    assert set(committed(found).values()) == {0}
    assert [fact.disposition for fact in found if isinstance(fact, OrderCancel)] == ["hold"]


def unfulfilled(rig: ShopifyRig, number: str) -> dict[str, int]:
    lines = json.loads(rig.document(number))["line_items"]
    return {
        line["admin_graphql_api_id"].rpartition("/")[2]: line["fulfillable_quantity"]
        for line in lines
    }


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["edit_order", "fulfil", "cancel", "no_restock", "return", "cancel_order"]),
        st.sampled_from(["SKU-A", "SKU-B"]),
        st.integers(0, 4),
    ),
    max_size=7,
)


@pytest.fixture(scope="module")
def relay() -> Iterator[Stub]:
    with a_stub() as stub:
        yield stub


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, seed=st.integers(0, 2**16))
def test_any_life_of_an_order_in_any_order_of_arrival_ends_where_the_shop_stands(
    simulated_shop: Running, relay: Stub, steps: list[tuple[str, str, int]], seed: int
) -> None:
    rig = ShopifyRig(simulated_shop)
    try:
        names = names_of(rig)
        number, heard = live(rig, relay, steps)
        random.Random(seed).shuffle(heard)

        arrived = [fact for each in heard for fact in booked_from(each, simulated_shop, names)]

        assert committed(arrived) == unfulfilled(rig, number)
        last_state = booked("orders/updated", rig.document(number), names)
        assert committed(last_state) == unfulfilled(rig, number)
    finally:
        rig.close()


def booked_from(heard: Heard, shop: Running, names: Names) -> list[AnyFact]:
    """What the relay would do with a delivery."""
    delivery = webhook.routing(heard.headers)
    assert webhook.verify(heard.body, delivery.signature, [shop.facts.webhook_secret])
    assert delivery.account == shop.facts.shop
    assert delivery.delivery_id
    return booked(delivery.topic, heard.body, names)


def live(
    rig: ShopifyRig, relay: Stub, steps: list[tuple[str, str, int]]
) -> tuple[str, list[Heard]]:
    """Let an order live; returns its number and every webhook the shop sent about it."""
    relay.heard.clear()
    rig.listen(relay.url, webhook.TOPICS)
    lines = [{"sku": sku, "units": 4} for sku in ("SKU-A", "SKU-B")]
    placed = rig.do("order", lines=lines, location="Oslo")["id"]
    for verb, sku, units in steps:
        rig.advance(2)
        rig.attempt(placed, verb, sku, units)
    rig.delivered()
    return placed.rpartition("/")[2], list(relay.heard)
