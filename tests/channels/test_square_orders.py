"""Orders of the order API: found once a state, booked alike whenever they are seen, ending where the shelf does."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.base import ChannelOrder, Unreadable
from channels.names import Names
from channels.simulators.square.serving import SquareRunning
from channels.square import lane, webhook, wire
from channels.square.client import VERSION, Square
from ledger.events import AnyFact, Order, OrderCancel, Return, Ship
from tests.channels.square_builders import a_line, an_order
from tests.channels.square_rig import OLDER, SquareRig
from tests.channels.square_stub import NOW, a_client
from tests.channels.stub import Stub

SKUS = ("SKU-A", "SKU-B", "SKU-C")


@pytest.fixture
def till(vendor: Stub) -> Iterator[Square]:
    client = a_client(vendor)
    yield client
    client.close()


def names_of(square: SquareRig) -> Names:
    bound = square.channel.bindings(square.locations)
    return Names(
        skus={each.variant_id: each.sku for each in bound},
        locations={place: name.upper() for name, place in square.places.items()},
        default_location="MAIN",
    )


def booked(orders: Iterable[ChannelOrder], names: Names) -> list[AnyFact]:
    return [
        fact
        for order in orders
        for fact in lane.read(order.topic, order.body).facts(
            source="s", channel="till-no", names=names
        )
    ]


class Shelf:
    """What a book holds after facts in any order: each once, of a line's snapshots the newest."""

    def __init__(self, facts: Iterable[AnyFact]) -> None:
        self.committed: Counter[tuple[str, str]] = Counter()
        self.gone: Counter[tuple[str, str]] = Counter()
        once = {fact.id: fact for fact in facts}
        self._lines = newest_of(once.values())
        for order in self._lines.values():
            self.committed[order.sku, order.location] += order.units
        for fact in once.values():
            self._book(fact)

    def _book(self, fact: AnyFact) -> None:
        match fact:
            case Ship() | OrderCancel():
                line = self._lines[str(fact.order), str(fact.line)]
                self.committed[line.sku, line.location] -= fact.units
                if isinstance(fact, Ship):
                    self.gone[line.sku, line.location] += fact.units
            case Return(disposition="sellable"):
                self.gone[fact.sku, fact.location] -= fact.units


def newest_of(facts: Iterable[AnyFact]) -> dict[tuple[str, str], Order]:
    """Order and line -> its newest snapshot."""
    lines: dict[tuple[str, str], Order] = {}
    for fact in facts:
        if isinstance(fact, Order):
            known = lines.setdefault((fact.order, fact.line), fact)
            lines[fact.order, fact.line] = fact if fact.as_of > known.as_of else known
    return lines


def test_a_sale_is_found_with_what_it_leaves_open(square: SquareRig) -> None:
    mark = square.now()
    square.do("item", variations=[{"sku": "COFFEE", "tracked": False}])
    square.advance(2)
    square.do(
        "sale",
        location="Oslo",
        lines=[{"sku": "SKU-A", "units": 2}, {"sku": "COFFEE", "units": "0.3"}],
    )

    (order,) = square.channel.orders_since(mark)

    document = json.loads(order.body)
    assert sorted(document["catalogue"].values(), key=str) == [
        {"sku": "COFFEE", "tracked": False},
        {"sku": "SKU-A", "tracked": True},
    ]
    facts = booked([order], names_of(square))
    assert [(fact.kind, getattr(fact, "units", None)) for fact in facts] == [
        ("order", 2),
        ("ship", 2),
    ]


def test_what_is_read_of_an_order_names_no_customer(square: SquareRig) -> None:
    mark = square.now()
    square.do("pickup", location="Oslo", lines=[{"sku": "SKU-A", "units": 1}], recipient="Ada L")

    (order,) = square.channel.orders_since(mark)

    assert b"Ada" not in order.body


def test_every_location_is_read_however_many_there_are(square: SquareRig) -> None:
    mark = square.now()
    names = [f"Shop {number}" for number in range(23)]
    for name in names:
        square.do("location", name=name)
    made = []
    for name in random.Random(1).sample(names, 23):
        square.advance(1)
        made.append(square.order("SKU-A", 1, place=name))

    assert [order.order_id for order in square.channel.orders_since(mark)] == made
    assert {call["status"] for call in square.calls("SearchOrders")} == {200}


def test_only_the_locations_that_were_named_are_read(
    square: SquareRig, simulated_account: SquareRunning
) -> None:
    mark = square.now()
    square.advance(1)
    square.order("SKU-A", 1, place="Bergen")
    oslo = square.order("SKU-A", 1, place="Oslo")
    client = square.client(simulated_account.facts.token, only=[square.places["Oslo"]])

    assert [order.order_id for order in client.orders_since(mark)] == [oslo]
    client.close()


@pytest.mark.parametrize("version", [OLDER, VERSION])
@pytest.mark.parametrize(("restock", "disposition"), [(True, "sellable"), (False, "hold")])
def test_what_came_back_is_told_by_its_adjustment_in_either_era(
    simulated_account: SquareRunning, version: str, restock: bool, disposition: str
) -> None:
    square = SquareRig(simulated_account, version=version)
    sale = square.order("SKU-A", 3)
    square.advance(2)
    mark = square.now()
    square.do(
        "give_back",
        order=sale,
        lines=[{"sku": "SKU-A", "units": 2}],
        restock=restock,
        location="Bergen",
    )

    facts = booked(square.channel.orders_since(mark), names_of(square))

    (back,) = [fact for fact in facts if isinstance(fact, Return)]
    assert (back.sku, back.location, back.units) == ("SKU-A", "BERGEN", 2)
    assert (back.disposition, back.order) == (disposition, sale)
    square.close()


def test_goods_put_back_later_are_another_delivery_of_the_same_order(
    vendor: Stub, till: Square
) -> None:
    back = {
        "source_order_id": "SALE",
        "return_line_items": [a_line("r", item="V1", units="2")],
    }
    order = an_order(state="COMPLETED", returns=[back], refunds=[{"id": "REFUND"}])
    order["location_id"] = "OSLO-ID"
    there = {"locations": [{"id": "OSLO-ID"}]}
    adjustment = {
        "id": "ADJ",
        "catalog_object_id": "V1",
        "from_state": "SOLD",
        "to_state": "IN_STOCK",
        "quantity": "2",
        "location_id": "OSLO-ID",
        "refund_id": "REFUND",
        "occurred_at": "2026-08-20T12:05:00Z",
    }
    others = {**adjustment, "id": "OTHER", "refund_id": "ELSE"}
    sold = {**adjustment, "id": "SOLD", "to_state": "SOLD"}
    changes = [{"type": "ADJUSTMENT", "adjustment": each} for each in (adjustment, others, sold)]
    found = []
    for told in ([], changes):
        vendor.says(there, {"orders": [order]}, {"objects": []}, {"changes": told})
        found += list(till.orders_since(NOW))

    assert [len(json.loads(each.body)["restocked"]) for each in found] == [0, 1]
    assert len({each.delivery_id for each in found}) == 2
    assert all(each.delivery_id.startswith("order:ORDER:2026-08-20") for each in found)


def test_an_order_that_cannot_be_read_is_named_by_its_field(vendor: Stub, till: Square) -> None:
    vendor.says({"locations": [{"id": "OSLO-ID"}]}, {"orders": [{"id": "ORDER"}]})

    with pytest.raises(Unreadable, match="location_id"):
        list(till.orders_since(NOW))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"location_id": None}, "location_id"),
        ({"line_items": [{"uid": "L", "quantity": None}]}, r"line_items\.0\.quantity"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "created_at"),
    ],
)
def test_an_order_that_cannot_be_read_hides_no_other_of_its_page(
    vendor: Stub, till: Square, wrong: dict[str, object], named: str
) -> None:
    good = {
        "id": "GOOD",
        "location_id": "OSLO-ID",
        "created_at": "2026-08-20T12:00:00Z",
        "updated_at": "2026-08-20T12:00:01Z",
    }
    bad = {**good, "id": "BAD", "updated_at": "2026-08-20T12:00:00Z", "customer_id": "ADA", **wrong}
    vendor.says({"locations": [{"id": "OSLO-ID"}]}, {"orders": [bad, good]})

    found = list(till.orders_since(NOW))

    assert [each.order_id for each in found] == ["BAD", "GOOD"]
    assert b"ADA" not in found[0].body
    with pytest.raises(Unreadable, match=f"order BAD: {named}"):
        webhook.parse(found[0].topic, found[0].body)
    assert isinstance(webhook.parse(found[1].topic, found[1].body), wire.OrderDocument)


def test_an_account_without_locations_has_no_orders(vendor: Stub, till: Square) -> None:
    vendor.says({})

    assert list(till.orders_since(NOW)) == []
    assert len(vendor.heard) == 1


# ---- the model: whatever happens, however it is told, the book ends where Square's shelf does ----

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "sale",
                "offline",
                "pickup",
                "go",
                "go",
                "go",
                "cancel",
                "back",
                "back",
                "money",
                "loose",
            ]
        ),
        st.integers(0, 10_000),
        st.sampled_from(["Oslo", "Bergen"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=14,
)


class Merchant:
    """A day in two shops; a step that the account refuses has not happened."""

    def __init__(self, square: SquareRig) -> None:
        self.square = square
        self.orders: list[str] = []

    def step(self, verb: str, number: int, place: str, restock: bool) -> None:
        self.square.advance(1 + number % 3)
        lines = [{"sku": SKUS[number % 3], "units": 1 + number % 2}]
        facts = self._facts(verb, number, place, restock, lines)
        if facts is None:
            return
        answer = self.square.ask(facts.pop("verb"), **facts)
        assert answer.status_code in (200, 404, 409), answer.text
        if answer.ok and verb in ("sale", "offline", "pickup"):
            self.orders.append(answer.json()["id"])

    def _facts(
        self, verb: str, number: int, place: str, restock: bool, lines: list[dict[str, Any]]
    ) -> dict[str, Any] | None:
        some = {"location": place, "lines": lines}
        if verb == "sale":
            return {"verb": "sale", **some, "lines": [*lines, {"sku": "SKU-C", "units": 1}]}
        if verb == "offline":
            return {"verb": "sale", **some, "ago_s": 2}
        if verb == "pickup":
            return {"verb": "pickup", **some, "oversell": True}
        if verb == "loose":
            return {"verb": "give_back_unlinked", **some}
        if not self.orders:
            return None
        order = self.orders[number % len(self.orders)]
        states = ["RESERVED", "PREPARED", "COMPLETED", "CANCELED", "FAILED", "COMPLETED"]
        told: dict[str, dict[str, Any]] = {
            "go": {"verb": "fulfil", "order": order, "state": states[number % 6]},
            "cancel": {"verb": "cancel_order", "order": order},
            "back": {"verb": "give_back", "order": order, **some, "restock": restock},
            "money": {"verb": "refund", "order": order, "amount": 100},
        }
        return told[verb]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS, seed=st.integers(0, 2**32), version=st.sampled_from([OLDER, VERSION]))
def test_the_book_ends_where_the_shelf_does_however_often_late_and_mixed_up_it_is_told(
    simulated_account: SquareRunning,
    steps: list[tuple[str, int, str, bool]],
    seed: int,
    version: str,
) -> None:
    square = SquareRig(simulated_account, version=version)
    # A till that was offline tells sales of before; those of before the shelf was counted are in the count.
    square.advance(10)
    dice = random.Random(seed)
    mark, names, merchant = square.now(), names_of(square), Merchant(square)
    seen: list[ChannelOrder] = []
    for step in steps:
        merchant.step(*step)
        if dice.random() < 0.5:
            seen += square.channel.orders_since(mark)
    seen += square.channel.orders_since(mark)
    dice.shuffle(seen)

    shelf = Shelf(booked(seen, names))

    begun = {"OSLO": 10, "BERGEN": 20}
    for sku in SKUS:
        for place, location in (("Oslo", "OSLO"), ("Bergen", "BERGEN")):
            in_stock = int(square.level(sku, place)["quantity"])
            assert begun[location] - shelf.gone[sku, location] == in_stock, (sku, location)
            assert shelf.committed[sku, location] == waiting(square, merchant, sku, place)
    square.close()


def waiting(square: SquareRig, merchant: Merchant, sku: str, place: str) -> int:
    """Units of a SKU in orders that are still open at a location."""
    told = [square.do("show_order", order=order) for order in merchant.orders]
    item = next(b.item_id for b in square.channel.bindings(square.locations) if b.sku == sku)
    return sum(
        int(line["quantity"])
        for order in told
        for line in order["line_items"]
        if order["location_id"] == square.places[place]
        and line["catalog_object_id"] == item
        and order["state"] == "OPEN"
        and order["fulfillments"][0]["state"] not in ("CANCELED", "FAILED")
    )
