"""What a body of Shopify says about stock, fact by fact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from channels.names import Names, Unmapped
from channels.shopify import webhook
from channels.shopify.wire import LOCATION, VARIANT
from ledger.events import AnyFact, Order, OrderCancel, Return, Reversal, Ship
from tests.channels.shopify_builders import LATER, a_fulfillment, a_line, a_refund, an_order, back

BODIES = Path(__file__).parent / "shopify_bodies"

NAMES = Names(
    skus={f"{VARIANT}{number}": f"SKU-{number}" for number in (1, 2, 3)},
    locations={f"{LOCATION}77": "OSLO", f"{LOCATION}78": "BERGEN"},
    default_location="MAIN",
)


def facts(topic: str, document: Mapping[str, object], names: Names = NAMES) -> list[AnyFact]:
    parsed = webhook.parse(topic, json.dumps(document).encode())
    return webhook.facts(parsed, source="shop-no", channel="shop-no", names=names)


def held_committed(found: list[AnyFact]) -> int:
    """What the facts of one line leave committed: ordered less cancelled less shipped."""
    total = 0
    undone = {fact.reverses_id for fact in found if isinstance(fact, Reversal)}
    for fact in found:
        match fact:
            case Order():
                total += fact.units
            case OrderCancel():
                total -= fact.units
            case Ship() if fact.id not in undone:
                total -= fact.units
    return total


class TestOrders:
    def test_each_stocked_line_is_one_snapshot(self) -> None:
        order = an_order(a_line(11, variant=1, units=3), a_line(12, variant=2, units=1))

        found = facts("orders/create", order)

        assert [fact.model_dump(mode="json", exclude_defaults=True) for fact in found] == [
            {
                "source": "shop-no",
                "id": f"order:500:{line}:2026-07-01T10:00:00+00:00",
                "channel": "shop-no",
                "order": "500",
                "line": line,
                "sku": sku,
                "location": "MAIN",
                "location_is_guess": True,
                "units": units,
                "revision": "2026-07-01T10:00:00Z",
                "occurred_at": "2026-07-01T11:00:00+02:00",
            }
            for line, sku, units in (("11", "SKU-1", 3), ("12", "SKU-2", 1))
        ]

    def test_every_order_topic_says_the_same(self) -> None:
        order = an_order(a_line(11, variant=1, units=3))

        said = [facts(topic, order) for topic in sorted(webhook.ORDER_TOPICS)]

        assert len(said) == 6
        assert all(each == said[0] for each in said)

    def test_a_revision_has_one_id_whatever_offset_it_is_written_in(self) -> None:
        here = an_order(a_line(11, variant=1), updated_at="2026-07-01T12:00:00+02:00")
        there = an_order(a_line(11, variant=1), updated_at="2026-07-01T10:00:00Z")

        assert facts("orders/updated", here)[0].id == facts("orders/updated", there)[0].id

    def test_a_till_sale_is_served_where_the_till_stands(self) -> None:
        order = an_order(a_line(11, variant=1), location_id=77)

        (found,) = facts("orders/create", order)

        assert isinstance(found, Order)
        assert found.location == "OSLO"

    @pytest.mark.parametrize(
        "line",
        [
            a_line(11, variant=None),
            a_line(11, variant=1, gift_card=True),
            a_line(11, variant=99, variant_inventory_management=None),
        ],
    )
    def test_a_line_that_takes_no_stock_is_left_out(self, line: dict[str, object]) -> None:
        assert facts("orders/create", an_order(line)) == []

    def test_a_line_shopify_does_not_count_is_booked_when_we_count_it(self) -> None:
        order = an_order(a_line(11, variant=1, variant_inventory_management=None))

        assert len(facts("orders/create", order)) == 1

    def test_an_edit_upwards_raises_the_units(self) -> None:
        order = an_order(a_line(11, variant=1, units=5, current_quantity=5))

        (found,) = facts("orders/updated", order)

        assert isinstance(found, Order)
        assert found.units == 5

    def test_an_edit_downwards_that_shows_as_a_refund_is_booked_once(self) -> None:
        line = a_line(11, variant=1, units=3, current_quantity=1, fulfillable_quantity=1)
        order = an_order(line, refunds=[a_refund(900, back(91, line, 2, "cancel"))])

        found = facts("orders/updated", order)

        assert held_committed(found) == 1
        assert [type(fact) for fact in found] == [Order, OrderCancel]

    def test_an_edit_downwards_that_shows_nowhere_else_lowers_the_units(self) -> None:
        order = an_order(a_line(11, variant=1, units=3, current_quantity=1, fulfillable_quantity=1))

        (found,) = facts("orders/updated", order)

        assert isinstance(found, Order)
        assert found.units == 1

    def test_units_that_left_are_never_taken_off_the_order(self) -> None:
        line = a_line(11, variant=1, units=3, current_quantity=0, fulfillable_quantity=0)
        order = an_order(line, fulfillments=[a_fulfillment(700, line, units=3)])

        found = facts("orders/updated", order)

        assert held_committed(found) == 0
        assert isinstance(found[0], Order)
        assert found[0].units == 3

    def test_a_cancelled_order_without_refunds_releases_nothing(self) -> None:
        line = a_line(11, variant=1, units=3, current_quantity=0, fulfillable_quantity=0)
        order = an_order(line, cancelled_at=LATER)

        found = facts("orders/cancelled", order)

        assert held_committed(found) == 3

    def test_what_an_edit_removed_stays_removed_when_the_order_is_cancelled(self) -> None:
        gone = a_line(11, variant=1, units=3, current_quantity=0, fulfillable_quantity=0)
        kept = a_line(12, variant=2, units=2, current_quantity=0, fulfillable_quantity=0)
        refund = a_refund(900, back(91, kept, 2, "cancel"))

        found = facts(
            "orders/cancelled", an_order(gone, kept, cancelled_at=LATER, refunds=[refund])
        )

        assert held_committed(found) == 0

    def test_a_cancel_with_nothing_left_to_give_back_leaves_what_an_edit_removed(self) -> None:
        gone = a_line(11, variant=1, units=1, current_quantity=0, fulfillable_quantity=0)

        found = facts(
            "orders/cancelled", an_order(gone, cancelled_at=LATER, refunds=[a_refund(900)])
        )

        assert held_committed(found) == 0

    def test_an_edit_body_by_itself_yields_nothing(self) -> None:
        body = (BODIES / "docs_2026-04/orders.edited.json").read_bytes()

        parsed = webhook.parse("orders/edited", body)

        assert isinstance(parsed, webhook.Nothing)
        assert "orders/updated" in parsed.reason


class TestFulfillments:
    def test_what_left_is_a_ship_from_where_it_left(self) -> None:
        line = a_line(11, variant=1, units=3)
        order = an_order(line, fulfillments=[a_fulfillment(700, line, units=2, location_id=78)])

        ship = facts("orders/partially_fulfilled", order)[1]

        assert isinstance(ship, Ship)
        assert (ship.id, ship.units, ship.location) == ("fulfillment:700:11", 2, "BERGEN")
        assert (ship.order, ship.line) == ("500", "11")

    def test_its_own_body_says_the_same_as_the_orders(self) -> None:
        line = a_line(11, variant=1, units=3)
        fulfillment = a_fulfillment(700, line, units=2)

        alone = facts("fulfillments/create", fulfillment)

        assert alone == facts("orders/updated", an_order(line, fulfillments=[fulfillment]))[1:]

    @pytest.mark.parametrize("status", ["pending", "open", "error", "failure", None])
    def test_what_has_not_left_is_no_ship(self, status: str | None) -> None:
        fulfillment = a_fulfillment(700, a_line(11, variant=1), units=1, status=status)

        assert facts("fulfillments/update", fulfillment) == []

    def test_a_cancelled_fulfillment_is_reversed(self) -> None:
        line = a_line(11, variant=1, units=3)
        seen = facts("fulfillments/create", a_fulfillment(700, line, units=2))

        found = facts("fulfillments/update", a_fulfillment(700, line, units=2, status="cancelled"))

        (reversal,) = found
        assert isinstance(reversal, Reversal)
        assert reversal.if_known
        assert (reversal.id, reversal.reverses_source, reversal.reverses_id) == (
            "fulfillment:700:11:cancelled",
            "shop-no",
            seen[0].id,
        )

    def test_a_line_in_two_parcels_of_one_fulfillment_is_one_ship(self) -> None:
        line = a_line(11, variant=1, units=3)
        fulfillment = a_fulfillment(700, line, units=1)
        fulfillment["line_items"] = [{**line, "quantity": 1}, {**line, "quantity": 2}]

        (ship,) = facts("fulfillments/create", fulfillment)

        assert isinstance(ship, Ship)
        assert ship.units == 3


class TestRefunds:
    def test_cancelled_units_go_back_on_sale(self) -> None:
        line = a_line(11, variant=1, units=3, fulfillable_quantity=2)

        (found,) = facts("refunds/create", a_refund(900, back(91, line, 1, "cancel")))

        assert isinstance(found, OrderCancel)
        assert (found.id, found.units, found.disposition) == ("refund:900:91", 1, "restock")

    def test_units_that_came_back_are_a_return_where_they_were_received(self) -> None:
        line = a_line(11, variant=1, units=3, fulfillment_status="fulfilled")

        (found,) = facts(
            "refunds/create", a_refund(900, back(91, line, 2, "return", location_id=77))
        )

        assert isinstance(found, Return)
        assert (found.sku, found.location, found.units) == ("SKU-1", "OSLO", 2)
        assert (found.order, found.line) == ("500", "11")

    def test_refunded_units_that_will_not_ship_are_held_apart(self) -> None:
        line = a_line(11, variant=1, units=3, current_quantity=2, fulfillable_quantity=2)
        refund = a_refund(900, back(91, line, 1, "no_restock"))

        alone, in_order = (
            facts("refunds/create", refund),
            facts("orders/updated", an_order(line, refunds=[refund])),
        )

        assert alone == in_order[1:]
        assert isinstance(alone[0], OrderCancel)
        assert alone[0].disposition == "hold"
        assert held_committed(in_order) == 2

    def test_money_for_units_that_left_moves_nothing(self) -> None:
        line = a_line(
            11,
            variant=1,
            units=2,
            current_quantity=1,
            fulfillable_quantity=0,
            fulfillment_status="fulfilled",
        )
        refund = a_refund(900, back(91, line, 1, "no_restock"))
        order = an_order(line, fulfillments=[a_fulfillment(700, line, units=2)], refunds=[refund])

        assert facts("refunds/create", refund) == []
        assert [type(fact) for fact in facts("orders/updated", order)] == [Order, Ship]

    def test_of_a_line_half_gone_the_order_says_what_will_not_ship(self) -> None:
        line = a_line(
            11,
            variant=1,
            units=3,
            current_quantity=1,
            fulfillable_quantity=1,
            fulfillment_status="partial",
        )
        refund = a_refund(900, back(91, line, 2, "no_restock"))
        order = an_order(line, fulfillments=[a_fulfillment(700, line, units=1)], refunds=[refund])

        found = facts("orders/updated", order)

        assert facts("refunds/create", refund) == []
        assert [fact.units for fact in found if isinstance(fact, OrderCancel)] == [1]
        assert held_committed(found) == 1

    @pytest.mark.parametrize(
        ("status", "kind"), [(None, OrderCancel), ("partial", Return), ("fulfilled", Return)]
    )
    def test_an_old_restock_is_a_cancel_before_and_a_return_after_leaving(
        self, status: str | None, kind: type[AnyFact]
    ) -> None:
        line = a_line(11, variant=1, units=1, fulfillment_status=status)
        refund = a_refund(900, back(91, line, 1, "legacy_restock"))
        left = [a_fulfillment(700, line, units=1)] if status else []

        alone = facts("refunds/create", refund)

        assert [type(fact) for fact in alone] == [kind]
        in_order = facts("orders/updated", an_order(line, fulfillments=left, refunds=[refund]))
        assert alone[0] in in_order

    def test_a_cancelled_order_with_restock_ends_with_nothing_committed(self) -> None:
        line = a_line(11, variant=1, units=3, current_quantity=0, fulfillable_quantity=0)
        refund = a_refund(900, back(91, line, 3, "cancel"))

        found = facts("orders/cancelled", an_order(line, cancelled_at=LATER, refunds=[refund]))

        assert held_committed(found) == 0


class TestNames:
    def test_everything_unmapped_is_named_at_once_with_what_to_do(self) -> None:
        order = an_order(
            a_line(11, variant=41, sku="THEIR-41"), a_line(12, variant=42), location_id=79
        )

        with pytest.raises(Unmapped) as refusal:
            facts("orders/create", order)

        assert refusal.value.variants == {f"{VARIANT}41": "THEIR-41", f"{VARIANT}42": "SKU"}
        assert refusal.value.locations == {f"{LOCATION}79"}
        assert "lockstep channel map" in str(refusal.value)
        assert "THEIR-41" in str(refusal.value)

    def test_the_ids_to_look_up_are_all_that_the_document_mentions(self) -> None:
        line = a_line(11, variant=1)
        order = an_order(
            line,
            location_id=77,
            fulfillments=[a_fulfillment(700, line, units=1, location_id=78)],
            refunds=[a_refund(900, back(91, a_line(12, variant=2), 1, "return", location_id=79))],
        )

        ids = webhook.vendor_ids(webhook.parse("orders/updated", json.dumps(order).encode()))

        assert ids == {
            f"{VARIANT}1",
            f"{VARIANT}2",
            f"{LOCATION}77",
            f"{LOCATION}78",
            f"{LOCATION}79",
        }
