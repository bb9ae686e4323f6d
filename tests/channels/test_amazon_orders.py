"""Amazon's orders in the ledger: told by notifications and by the order API, doubled, late, lost, in any order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.amazon.booking import still_open
from channels.amazon.lane import LANE
from channels.base import Unreadable
from channels.names import Names, Part, Unmapped
from ledger.events import Order, Ship
from tests.channels.amazon_life import (
    NAMES,
    SKUS,
    Document,
    Life,
    balance,
    booked,
    facts_of,
    held,
    is_in_doubt,
)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["pay", "ship", "ship", "ship all", "ask to cancel", "cancel line", "cancel"]
        ),
        st.integers(0, 2),
        st.integers(1, 3),
    ),
    max_size=7,
)
LIVES = st.tuples(
    st.lists(st.integers(1, 5), min_size=1, max_size=3), st.booleans(), st.booleans(), STEPS
)
TRIALS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def lived(plan: tuple[list[int], bool, bool, list[tuple[str, int, int]]]) -> Life:
    units, paid, by_amazon, steps = plan
    life = Life.begin(units, paid=paid, by_amazon=by_amazon)
    for verb, place, count in steps:
        life.step(verb, place, count)
    return life


def shuffled(data: st.DataObject, documents: list[Document], must: Document) -> list[Document]:
    """Some of the documents, some of them twice, in any order; `must` is among them."""
    some = data.draw(st.lists(st.sampled_from(documents), max_size=2 * len(documents)))
    return list(data.draw(st.permutations([*some, must])))


@TRIALS
@given(plan=LIVES, data=st.data())
def test_whatever_was_lost_doubled_or_late_the_newest_document_of_the_order_api_sets_it_right(
    plan: tuple[list[int], bool, bool, list[tuple[str, int, int]]], data: st.DataObject
) -> None:
    life = lived(plan)
    documents = [*life.notifications, *life.documents]

    told = shuffled(data, documents, life.documents[-1])

    assert held(booked(facts_of(document) for document in told)) == life.truth()


@TRIALS
@given(plan=LIVES, data=st.data())
def test_notifications_alone_tell_an_order_unless_they_ask_for_the_order_api(
    plan: tuple[list[int], bool, bool, list[tuple[str, int, int]]], data: st.DataObject
) -> None:
    life = lived(plan)

    told = shuffled(data, life.notifications, life.notifications[-1])
    lines = held(booked(facts_of(document) for document in told))

    truth = life.truth()
    if not is_in_doubt(life.notifications[-1]):
        assert lines == truth
    # In doubt too much is held rather than too little, and what left is never in doubt.
    for item, (open_units, shipped) in truth.items():
        assert lines[item][0] >= open_units
        assert lines[item][1] == shipped


@TRIALS
@given(plan=LIVES)
def test_both_ways_of_telling_an_order_give_the_same_facts_under_the_same_names(
    plan: tuple[list[int], bool, bool, list[tuple[str, int, int]]],
) -> None:
    life = lived(plan)
    named: dict[str, Any] = {}

    for document in [*life.notifications, *life.documents]:
        if is_in_doubt(document):
            continue
        for fact in facts_of(document):
            # Who tells first that a unit has left decides when; everything else is the same.
            said = fact.model_dump(exclude={"occurred_at"} if isinstance(fact, Ship) else set())
            assert named.setdefault(fact.id, said) == said


@TRIALS
@given(plan=LIVES, data=st.data())
def test_stock_leaves_the_shelf_of_whoever_ships_and_nowhere_else(
    plan: tuple[list[int], bool, bool, list[tuple[str, int, int]]], data: st.DataObject
) -> None:
    life = lived(plan)
    here, there = ("FBA-US", "OSLO") if plan[2] else ("OSLO", "FBA-US")
    told = shuffled(data, [*life.notifications, *life.documents], life.documents[-1])

    result = booked(facts_of(document) for document in told)

    for line in life.order.lines:
        gone = line.open + line.shipped
        assert balance(result, line.sku, here, "available") == -gone
        assert balance(result, line.sku, here, "committed") == line.open
        assert balance(result, line.sku, there, "available") == 0


# ---- one state after the other ----


def test_an_order_takes_its_units_while_its_payment_is_pending() -> None:
    life = Life.begin([3], paid=False)

    (fact,) = facts_of(life.notifications[0])

    assert isinstance(fact, Order)
    assert (fact.units, fact.location, fact.sku) == (3, "OSLO", "SKU-0")
    assert fact.id == f"order:{fact.order}:{fact.line}:{fact.as_of.isoformat()}"


def test_a_cancelled_order_gives_back_its_units_although_it_keeps_its_quantity() -> None:
    life = Life.begin([3], paid=True)
    life.step("cancel", 0, 0)
    body = json.loads(life.notifications[-1][1])
    items = body["Payload"]["OrderChangeNotification"]["Summary"]["OrderItems"]
    assert items[0]["Quantity"] == 3

    result = booked(map(facts_of, life.notifications))

    assert balance(result, "SKU-0", "OSLO", "available") == 0


def test_a_cancel_that_comes_before_its_order_is_not_undone_by_it() -> None:
    life = Life.begin([3], paid=True)
    life.step("cancel", 0, 0)

    result = booked(map(facts_of, reversed(life.notifications)))

    assert held(result) == life.truth() == {life.order.lines[0].item_id: (0, 0)}


def test_each_shipped_unit_is_a_fact_of_its_own() -> None:
    life = Life.begin([5], paid=True)
    for count in (2, 1):
        life.step("ship", 0, count)

    ships = [fact.id for fact in facts_of(life.notifications[-1]) if isinstance(fact, Ship)]

    order, item = life.order.order_id, life.order.lines[0].item_id
    assert ships == [f"ship:{order}:{item}:{number}" for number in (1, 2, 3)]


def test_a_pack_and_a_bundle_take_their_parts() -> None:
    life = Life.begin([2, 1], paid=True)
    life.step("ship", 0, 1)
    names = Names(
        skus={},
        locations=NAMES.locations,
        default_location="",
        taken={
            "SKU-0": (Part("BOTTLE", 6),),
            "SKU-1": (Part("BOTTLE", 1), Part("GLASS", 2)),
        },
    )

    result = booked([facts_of(life.notifications[-1], names)], names)

    items = [line.item_id for line in life.order.lines]
    assert held(result) == {
        items[0]: (6, 6),
        f"{items[1]}#BOTTLE": (1, 0),
        f"{items[1]}#GLASS": (2, 0),
    }


def test_a_partial_cancel_among_several_lines_asks_the_order_api() -> None:
    life = Life.begin([2, 3], paid=True)
    life.step("cancel line", 1, 0)

    notification, document = life.notifications[-1], life.documents[-1]

    assert (is_in_doubt(notification), is_in_doubt(document)) == (True, False)
    assert held(booked([facts_of(notification), facts_of(document)])) == life.truth()
    assert held(booked([facts_of(document), facts_of(notification)])) == life.truth()


@pytest.mark.parametrize(
    ("lines", "told", "expected"),
    [
        ([(3, 0), (2, 0)], 5, [3, 2]),
        ([(3, 0), (2, 0)], None, [3, 2]),
        ([(3, 1), (2, 2)], 1, [1, 0]),
        ([(3, 0), (2, 0)], 0, [0, 0]),
        ([(3, 0), (2, 0)], 4, [None, None]),
        ([(3, 0), (2, 2), (1, 0)], 3, [None, 0, None]),
        ([(3, 4)], 0, [0]),
        ([], 0, []),
    ],
)
def test_what_is_still_open_follows_from_what_amazon_counts_as_unshipped(
    lines: list[tuple[int, int]], told: int | None, expected: list[int | None]
) -> None:
    assert still_open(lines, told) == expected


# ---- names ----


def test_everything_without_a_name_of_ours_is_said_at_once() -> None:
    life = Life.begin([1, 1], paid=True, by_amazon=True)
    names = Names(skus={}, locations={"DEFAULT": "OSLO"}, default_location="OSLO")

    with pytest.raises(Unmapped) as unmapped:
        facts_of(life.notifications[0], names)

    assert unmapped.value.variants == {sku: sku for sku in SKUS[:2]}
    assert unmapped.value.locations == {"FBA"}


def test_what_the_seller_ships_has_a_usual_place_and_what_amazon_ships_has_none() -> None:
    names = Names(skus=NAMES.skus, locations={}, default_location="OSLO")

    (fact,) = facts_of(Life.begin([1], paid=True).notifications[0], names)
    with pytest.raises(Unmapped):
        facts_of(Life.begin([1], paid=True, by_amazon=True).notifications[0], names)

    assert isinstance(fact, Order)
    assert fact.location == "OSLO"


def changed(life: Life, **summary: object) -> Document:
    """The last notification of an order with something else in its summary."""
    topic, body = life.notifications[-1]
    document = json.loads(body)
    document["Payload"]["OrderChangeNotification"]["Summary"].update(summary)
    return topic, json.dumps(document).encode()


def test_a_supply_source_is_where_its_line_is_served() -> None:
    life = Life.begin([1], paid=True)
    body = json.loads(life.notifications[-1][1])
    items = body["Payload"]["OrderChangeNotification"]["Summary"]["OrderItems"]
    document = changed(life, OrderItems=[{**items[0], "SupplySourceId": "source-1"}])
    names = Names(NAMES.skus, {**NAMES.locations, "source-1": "BERGEN"}, "")

    (fact,) = facts_of(document, names)

    assert isinstance(fact, Order)
    assert fact.location == "BERGEN"
    assert "source-1" in LANE.read(*document).vendor_ids


def test_an_order_of_another_shop_that_amazon_ships_is_not_booked_twice() -> None:
    life = Life.begin([1], paid=True, by_amazon=True)
    topic, body = life.documents[-1]
    document = json.loads(body) | {"salesChannel": {"channelName": "NON_AMAZON"}}

    read = LANE.read(topic, json.dumps(document).encode())
    told = LANE.read(*changed(life, SalesChannel="Non-Amazon"))

    assert "another channel" in read.silent
    assert read.facts(source="s", channel="c", names=NAMES) == []
    assert told.silent == read.silent


def test_a_line_without_a_sku_of_the_seller_takes_no_stock() -> None:
    life = Life.begin([1], paid=True)
    document = changed(life, OrderItems=[{"OrderItemId": "1", "SellerSKU": "", "Quantity": 1}])

    read = LANE.read(*document)

    assert (read.silent, read.vendor_ids) == (
        "no line of it has a SKU of the seller",
        frozenset(),
    )


def test_one_item_told_alone_never_takes_back_what_others_know_better() -> None:
    life = Life.begin([2, 3], paid=True)
    life.step("cancel line", 1, 0)
    document = life.documents[-1]
    topic, body = changed(life, NumberOfItemsUnshipped=2)
    item = json.loads(body)
    change = item["Payload"]["OrderChangeNotification"]
    change["NotificationLevel"] = "OrderItemLevel"
    change["Summary"]["OrderItems"] = change["Summary"]["OrderItems"][1:]
    alone = (topic, json.dumps(item).encode())

    result = booked([facts_of(document), facts_of(alone)])

    assert held(result) == life.truth()


@pytest.mark.parametrize(
    ("summary", "field"),
    [
        ({"OrderStatus": None}, "orderstatus"),
        ({"FulfillmentType": "XYZ"}, "fulfillmenttype"),
        ({"OrderItems": None}, "orderitems"),
        ({"OrderItems": [{"OrderItemId": "1", "SellerSKU": "S", "Quantity": -1}]}, "quantity"),
        ({"OrderItems": [{"OrderItemId": "1", "SellerSKU": "S", "Quantity": 10_001}]}, "10001"),
    ],
)
def test_an_order_that_cannot_be_read_names_the_field(
    summary: dict[str, object], field: str
) -> None:
    document = changed(Life.begin([1], paid=True), **summary)

    with pytest.raises(Unreadable, match=field):
        LANE.read(*document)


def test_an_order_without_times_of_its_own_has_those_of_its_notification() -> None:
    life = Life.begin([1], paid=True)
    document = json.loads(changed(life, PurchaseDate=None)[1])
    change = document["Payload"]["OrderChangeNotification"]
    change["OrderChangeTrigger"]["TimeOfOrderChange"] = None

    (fact,) = facts_of(("ORDER_CHANGE", json.dumps(document).encode()))

    assert isinstance(fact, Order)
    assert (
        fact.revision
        == fact.occurred_at
        == life.order.created_at.replace(
            microsecond=life.order.created_at.microsecond // 1000 * 1000
        )
    )
