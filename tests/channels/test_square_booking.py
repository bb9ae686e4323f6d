"""What an order of Square says about stock, fact by fact."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from channels.base import Unreadable
from channels.names import Names, Part, Unmapped
from channels.square import lane
from ledger.events import AnyFact, Order, OrderCancel, Return, Ship
from tests.channels.square_builders import (
    CLOSED,
    CREATED,
    PICKED_UP,
    Document,
    a_document,
    a_fulfillment,
    a_line,
    a_return,
    an_entry,
    an_order,
    restocked,
)

NAMES = Names(
    skus={f"V{number}": f"SKU-{number}" for number in (1, 2, 3)},
    locations={"OSLO-ID": "OSLO", "BERGEN-ID": "BERGEN"},
    default_location="MAIN",
)


def facts(document: Document, names: Names = NAMES) -> list[AnyFact]:
    message = lane.read("order.read", json.dumps(document).encode())
    assert message.silent == ""
    return message.facts(source="till-no", channel="till-no", names=names)


def told(found: Iterable[AnyFact]) -> list[tuple[str, str, object]]:
    return [(fact.kind, fact.id, getattr(fact, "units", None)) for fact in found]


def held(found: Iterable[AnyFact]) -> int:
    """What facts leave committed: ordered less cancelled less shipped."""
    signs = {"order": 1, "order_cancel": -1, "ship": -1}
    return sum(signs.get(fact.kind, 0) * getattr(fact, "units", 0) for fact in found)


class TestSales:
    def test_a_till_sale_is_an_order_that_left_at_once(self) -> None:
        order = an_order(a_line("a", item="V1", units="3"), state="COMPLETED")

        found = facts(a_document(order))

        assert [fact.model_dump(mode="json", exclude_unset=True) for fact in found] == [
            {
                "source": "till-no",
                "id": "order:ORDER:a:2026-08-20T12:05:00+00:00",
                "occurred_at": CREATED.replace(".000", ""),
                "channel": "till-no",
                "order": "ORDER",
                "line": "a",
                "sku": "SKU-1",
                "location": "OSLO",
                "units": 3,
                "revision": "2026-08-20T12:05:00Z",
            },
            {
                "source": "till-no",
                "id": "order:ORDER:a:sold",
                "occurred_at": CLOSED.replace(".500", ".500000"),
                "channel": "till-no",
                "order": "ORDER",
                "line": "a",
                "units": 3,
            },
        ]

    def test_an_open_ticket_is_held(self) -> None:
        found = facts(a_document(an_order(a_line("a", item="V1", units="3.00000"))))

        assert [type(fact) for fact in found] == [Order]
        assert held(found) == 3

    def test_a_draft_holds_nothing(self) -> None:
        assert facts(a_document(an_order(a_line("a", item="V1"), state="DRAFT"))) == []

    def test_a_cancelled_ticket_lets_go_of_everything(self) -> None:
        found = facts(a_document(an_order(a_line("a", item="V1", units="3"), state="CANCELED")))

        assert told(found)[1] == ("order_cancel", "order:ORDER:a:released", 3)
        assert isinstance(found[1], OrderCancel)
        assert found[1].disposition == "restock"

    def test_a_cancelled_ticket_that_was_only_a_refund_of_money_moves_nothing(self) -> None:
        sale = an_order(a_line("a", item="V1", units="3"), state="COMPLETED")
        refunded = {**sale, "refunds": [{"id": "REFUND"}]}

        assert facts(a_document(refunded)) == facts(a_document(sale))

    @pytest.mark.parametrize(
        "line",
        [
            a_line("a", item=None),
            a_line("a", item=None, item_type="CUSTOM_AMOUNT"),
            a_line("a", item="V1", item_type="GIFT_CARD"),
        ],
    )
    def test_a_line_that_takes_no_stock_is_left_out(self, line: Document) -> None:
        assert facts(a_document(an_order(line, state="COMPLETED"))) == []

    def test_what_square_does_not_count_and_we_do_not_know_takes_no_stock(self) -> None:
        order = an_order(a_line("a", item="COFFEE", units="0.3"), a_line("b", item="V1"))

        found = facts(a_document(order, COFFEE={"tracked": False}))

        assert [fact.line for fact in found if isinstance(fact, Order)] == ["b"]

    def test_what_square_does_not_count_is_booked_when_we_count_it(self) -> None:
        order = an_order(a_line("a", item="V1"))

        assert len(facts(a_document(order, V1={"tracked": False}))) == 1

    def test_a_quantity_by_measure_is_refused_by_name_and_never_rounded(self) -> None:
        order = an_order(a_line("a", item="V1", units="2.25", name="Cheese"))

        with pytest.raises(
            Unreadable, match=r"order ORDER, line a \(Cheese\): 2.25 is not a whole"
        ):
            facts(a_document(order))

    def test_what_is_sold_by_measure_and_stays_unmapped_keeps_nothing_else_of_its_order_back(
        self,
    ) -> None:
        order = an_order(a_line("a", item="CHEESE", units="2.25"), a_line("b", item="V1"))

        found = facts(a_document(order, CHEESE={"tracked": True}))

        assert [fact.line for fact in found if isinstance(fact, Order)] == ["b"]

    def test_a_pack_takes_its_units_and_a_bundle_each_of_its_parts(self) -> None:
        names = Names(
            skus={"V1": "BEER", "V2": "SET"},
            locations=NAMES.locations,
            default_location="MAIN",
            taken={"V1": (Part("BEER", 6),), "V2": (Part("CUP", 2), Part("TRAY", 1))},
        )
        order = an_order(
            a_line("a", item="V1", units="2"), a_line("b", item="V2", units="3"), state="COMPLETED"
        )

        found = facts(a_document(order), names)

        ordered = {fact.line: (fact.sku, fact.units) for fact in found if isinstance(fact, Order)}
        assert ordered == {"a": ("BEER", 12), "b#CUP": ("CUP", 6), "b#TRAY": ("TRAY", 3)}
        assert [(fact.id, fact.line, fact.units) for fact in found if isinstance(fact, Ship)] == [
            ("order:ORDER:a:sold", "a", 12),
            ("order:ORDER:b:sold#CUP", "b#CUP", 6),
            ("order:ORDER:b:sold#TRAY", "b#TRAY", 3),
        ]
        assert held(found) == 0


class TestPickups:
    @pytest.mark.parametrize("state", ["PROPOSED", "RESERVED", "PREPARED"])
    def test_a_pickup_on_its_way_keeps_its_units(self, state: str) -> None:
        order = an_order(
            a_line("a", item="V1", units="2"), fulfillments=[a_fulfillment(state)], version=3
        )

        found = facts(a_document(order))

        assert [type(fact) for fact in found] == [Order]
        assert held(found) == 2

    def test_a_pickup_that_was_fetched_has_left_when_it_was_fetched(self) -> None:
        fetched = a_fulfillment("COMPLETED", pickup_details={"picked_up_at": PICKED_UP})
        order = an_order(
            a_line("a", item="V1", units="2"), state="COMPLETED", fulfillments=[fetched]
        )

        found = facts(a_document(order))

        assert told(found)[1:] == [("ship", "fulfillment:ORDER:F:a", 2)]
        assert found[1].model_dump(mode="json")["occurred_at"] == "2026-08-20T12:04:00Z"

    @pytest.mark.parametrize("state", ["CANCELED", "FAILED"])
    def test_a_pickup_that_was_not_fetched_is_on_sale_again(self, state: str) -> None:
        order = an_order(a_line("a", item="V1", units="2"), fulfillments=[a_fulfillment(state)])

        cancel = facts(a_document(order))[1]

        assert isinstance(cancel, OrderCancel)
        assert (cancel.id, cancel.units) == ("fulfillment:ORDER:F:a:released", 2)
        assert cancel.disposition == "restock"

    def test_a_shipment_that_failed_may_be_anywhere(self) -> None:
        failed = a_fulfillment("FAILED", type="SHIPMENT")

        cancel = facts(a_document(an_order(a_line("a", item="V1"), fulfillments=[failed])))[1]

        assert isinstance(cancel, OrderCancel)
        assert cancel.disposition == "hold"

    def test_a_cancelled_order_lets_go_once_whether_its_pickup_says_so_yet_or_not(self) -> None:
        line = a_line("a", item="V1", units="2")
        early, late = (
            an_order(line, state="CANCELED", fulfillments=[a_fulfillment(state)])
            for state in ("PREPARED", "CANCELED")
        )

        assert facts(a_document(early)) == facts(a_document(late))
        assert held(facts(a_document(early))) == 0

    def test_each_fulfillment_carries_its_own_entries_and_the_till_the_rest(self) -> None:
        entries = [an_entry("a", "2"), an_entry("a", "1"), an_entry("b", "1")]
        order = an_order(
            a_line("a", item="V1", units="5"),
            a_line("b", item="V2", units="1"),
            state="COMPLETED",
            fulfillments=[
                a_fulfillment("COMPLETED", uid="F1", entries=entries),
                a_fulfillment("CANCELED", uid="F2", entries=[an_entry("a", "1")]),
            ],
        )

        found = facts(a_document(order))

        assert told(found)[2:] == [
            ("ship", "fulfillment:ORDER:F1:a", 3),
            ("ship", "fulfillment:ORDER:F1:b", 1),
            ("order_cancel", "fulfillment:ORDER:F2:a:released", 1),
            ("ship", "order:ORDER:a:sold", 1),
        ]
        assert held(found) == 0

    def test_a_pickup_never_carries_more_than_was_ordered(self) -> None:
        order = an_order(
            a_line("a", item="V1", units="2"),
            state="COMPLETED",
            fulfillments=[a_fulfillment("COMPLETED", entries=[an_entry("a", "9")])],
        )

        assert held(facts(a_document(order))) == 0

    def test_an_entry_for_a_line_without_stock_is_nothing(self) -> None:
        order = an_order(
            a_line("a", item=None),
            fulfillments=[a_fulfillment("COMPLETED", entries=[an_entry("a", "1.5")])],
        )

        assert facts(a_document(order)) == []


class TestReturns:
    BACK = a_return(a_line("r", item="V1", units="2", source_line_item_uid="a"))

    def order(self, **more: object) -> Document:
        return an_order(state="COMPLETED", returns=[self.BACK], **more)

    def test_goods_put_back_in_stock_are_a_return_where_they_were_put(self) -> None:
        document = a_document(self.order(), restocked("ADJ", "V1", "2", to_location_id="BERGEN-ID"))

        (back,) = facts(document)

        assert isinstance(back, Return)
        assert (back.id, back.sku, back.location) == ("return:ADJ", "SKU-1", "BERGEN")
        assert (back.units, back.disposition) == (2, "sellable")
        assert (back.order, back.line, back.reference) == ("SALE", "a", "ORDER")

    def test_the_older_era_says_the_place_once(self) -> None:
        older = restocked("ADJ", "V1", "2", location_id="BERGEN-ID")
        del older["from_location_id"], older["to_location_id"]

        (back,) = facts(a_document(self.order(), older))

        assert isinstance(back, Return)
        assert back.location == "BERGEN"

    def test_goods_that_are_back_and_not_for_sale_are_kept_apart(self) -> None:
        (back,) = facts(
            a_document(self.order(), restocked("ADJ", "V1", "2", "RETURNED_BY_CUSTOMER"))
        )

        assert isinstance(back, Return)
        assert back.disposition == "hold"

    def test_money_alone_moves_nothing(self) -> None:
        assert facts(a_document(self.order(refunds=[{"id": "REFUND"}]))) == []

    def test_a_return_without_a_receipt_names_no_sale(self) -> None:
        order = an_order(state="COMPLETED", returns=[a_return(a_line("r", item="V1"), source=None)])

        (back,) = facts(a_document(order, restocked("ADJ", "V1", "1")))

        assert isinstance(back, Return)
        assert (back.order, back.line) == (None, None)

    def test_an_exchange_is_a_return_and_a_sale(self) -> None:
        order = an_order(a_line("n", item="V2"), state="COMPLETED", returns=[self.BACK])

        found = facts(a_document(order, restocked("ADJ", "V1", "2")))

        assert [type(fact) for fact in found] == [Order, Ship, Return]

    def test_a_bundle_comes_back_as_its_parts(self) -> None:
        parts = (Part("CUP", 2), Part("TRAY", 1))
        names = Names({"V1": "SET"}, NAMES.locations, "MAIN", {"V1": parts})

        found = facts(a_document(self.order(), restocked("ADJ", "V1", "2")), names)

        assert told(found) == [("return", "return:ADJ#CUP", 4), ("return", "return:ADJ#TRAY", 2)]


class TestNames:
    def test_everything_unmapped_is_named_at_once_with_what_to_do(self) -> None:
        order = an_order(a_line("a", item="V41"), a_line("b", item="V42"), location_id="ROME-ID")

        with pytest.raises(Unmapped) as refusal:
            facts(a_document(order, V41={"sku": "THEIR-41", "tracked": True}))

        assert refusal.value.variants == {"V41": "THEIR-41", "V42": ""}
        assert refusal.value.locations == {"ROME-ID"}
        assert "lockstep channel map" in str(refusal.value)

    def test_the_ids_to_look_up_are_all_that_the_document_mentions(self) -> None:
        order = an_order(
            a_line("a", item="V1"), returns=[a_return(a_line("r", item="V2"))], state="COMPLETED"
        )
        document = a_document(order, restocked("ADJ", "V2", "1", to_location_id="BERGEN-ID"))

        message = lane.read("order.read", json.dumps(document).encode())

        assert message.vendor_ids == {"V1", "V2", "OSLO-ID", "BERGEN-ID"}

    def test_an_order_elsewhere_without_stock_of_ours_asks_for_nothing(self) -> None:
        order = an_order(a_line("a", item=None), state="COMPLETED", location_id="ROME-ID")

        assert facts(a_document(order)) == []
