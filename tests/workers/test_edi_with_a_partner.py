"""The house and a played partner over one folder: whole conversations, and not one complaint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.base import Binding, Level
from channels.edi.client import WholesalePartner
from channels.edi.shipping import Consignment, Packed
from channels.simulators.clock import Clock as PlayedClock
from channels.simulators.edi import EdiSimulator
from channels.simulators.edi.control import Control
from tests.builders import balance
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer
from workers.flows import edi_exchange
from workers.flows.edi_fill import fill
from workers.flows.edi_ship import ship


class Trade:
    """A partner GROCER that sells MUG and TEE in its own stores, and the house that serves it."""

    def __init__(self, grocer: Grocer) -> None:
        self.grocer = grocer
        self.clock = PlayedClock.held(grocer.clock.now)
        self.partner = EdiSimulator(
            self.clock, grocer.path, qualifier="12", partner_id="GROCER", our_id="LOCKSTEP"
        )
        self.control = Control(self.partner)
        self.do("item", sku="MUG", ids={"SK": "11", "IN": "900"})
        self.do("item", sku="TEE", ids={"SK": "22", "IN": "901"})
        for code in ("0100", "0201", "0202"):
            self.do("store", code=code)

    def do(self, verb: str, **facts: Any) -> Any:
        return self.control.verbs()[verb](facts)

    def turn(self, seconds: float = 60) -> None:
        """Time goes by, the house works, the partner looks into the mailbox, the house hears what it said."""
        for _ in range(2):
            self.grocer.clock.advance(seconds / 2)
            self.clock.advance(seconds / 2)
            self.grocer.run()
            self.partner.collect()

    def complaints(self) -> list[str]:
        return [f"{each['where']}: {each['text']}" for each in self.do("complaints")["complaints"]]

    def order(self, **facts: Any) -> str:
        return str(self.do("purchase_order", **facts)["order"])

    def state(self, order: str) -> dict[str, Any]:
        return dict(self.do("state", order=order)["orders"][order])

    def promised(self, order: str) -> list[dict[str, int]]:
        return [line["promised"] for line in self.state(order)["lines"]]


@pytest.fixture
def trade(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Trade]:
    grocer = a_grocer(database.engine, clock, tmp_path, company_prefix="0614141", measures="CA:12")
    trade = Trade(grocer)
    yield trade
    trade.partner.stop()


def test_an_order_its_changes_its_shipment_and_its_acknowledgements(trade: Trade) -> None:
    trade.grocer.stock(MUG=10, TEE=5)
    number = trade.order(lines=[{"sku": "MUG", "units": 8}, {"sku": "TEE", "units": 7}])
    trade.turn()

    assert trade.promised(number) == [{"IA": 8}, {"IA": 5, "IB": 2}]
    trade.do("change_order", order=number, lines=[{"sku": "MUG", "units": 6}])
    trade.turn()
    assert trade.promised(number)[0] == {"IA": 6}
    trade.grocer.stock(TEE=4)
    assert [each.units for each in fill(trade.grocer.house, now=trade.grocer.clock.now)] == [2]
    trade.turn()
    assert trade.promised(number) == [{"IA": 6}, {"IA": 7}]

    trade.grocer.ship(number, "1", 6)
    trade.grocer.ship(number, "2", 7)
    packed = [Packed("A", "1", 6), Packed("B", "2", 7)]
    ship(
        trade.grocer.engine,
        "grocer",
        number,
        packed=packed,
        consignment=Consignment("UPSN", "BOL1"),
        now=trade.grocer.clock.now,
    )
    trade.turn()

    assert trade.complaints() == []
    assert [line["shipped"] for line in trade.state(number)["lines"]] == [6, 7]
    assert {ack for set_id, _, ack in trade.grocer.documents("out") if set_id != "997"} == {
        "accepted"
    }
    assert trade.do("state")["overdue"] == []
    assert balance(trade.grocer.engine, "MUG", "WH") == {"available": 4}


def test_an_order_for_stores_is_promised_and_shipped_store_by_store(trade: Trade) -> None:
    trade.grocer.stock(MUG=20)
    stores = {"0201": 4, "0202": 5}
    number = trade.order(lines=[{"sku": "MUG", "units": 9, "stores": stores}])
    trade.turn()
    trade.grocer.ship(number, "1@0201", 4)
    trade.grocer.ship(number, "1@0202", 5)
    packed = [Packed("A", "1", 4, store="0201"), Packed("B", "1", 5, store="0202", pallet="P")]
    ship(trade.grocer.engine, "grocer", number, packed=packed, now=trade.grocer.clock.now)
    trade.turn()

    assert trade.complaints() == []
    (shipment,) = trade.do("state")["shipments"]
    assert [(each["store"], each["units"]) for each in shipment["items"]] == [
        ("0201", 4),
        ("0202", 5),
    ]
    assert len(shipment["cartons"]) == 3


@pytest.mark.parametrize(("by", "told"), [("860", {"ID": 0}), ("850", {"ID": 9})])
def test_a_cancelled_order_gives_its_units_back(
    trade: Trade, by: str, told: dict[str, int]
) -> None:
    trade.grocer.stock(MUG=20)
    number = trade.order(lines=[{"sku": "MUG", "units": 9}])
    trade.turn()
    trade.do("cancel_order", order=number, by=by)
    trade.turn()

    assert trade.complaints() == []
    assert trade.promised(number) == [told]
    assert balance(trade.grocer.engine, "MUG", "WH") == {"available": 20}


def test_a_replaced_order_is_answered_as_it_stands(trade: Trade) -> None:
    trade.grocer.stock(MUG=20, TEE=5)
    number = trade.order(lines=[{"sku": "MUG", "units": 9}, {"sku": "TEE", "units": 2}])
    trade.turn()
    trade.order(order=number, purpose="05", lines=[{"sku": "MUG", "units": 4}])
    trade.turn()

    assert trade.complaints() == []
    assert trade.promised(number) == [{"IA": 4}]
    assert balance(trade.grocer.engine, "TEE", "WH") == {"available": 5}


def test_a_partner_that_counts_in_cases_and_says_what_is_left(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, measures="CA:12", poc="left")
    trade = Trade(grocer)
    try:
        trade.do("guide", change_style="before")
        grocer.stock(MUG=60)
        number = trade.order(lines=[{"sku": "MUG", "units": 2, "measure": "CA"}])
        trade.turn()
        trade.do("change_order", order=number, lines=[{"sku": "MUG", "units": 6}])
        trade.turn()

        assert trade.promised(number) == [{"IA": 5, "IB": 1}]
        assert balance(grocer.engine, "MUG", "WH") == {"committed": 60}
        assert trade.complaints() == []
    finally:
        trade.partner.stop()


def test_availability_is_understood_place_by_place(trade: Trade) -> None:
    client = WholesalePartner(
        trade.grocer.partner, trade.grocer.engine, now=lambda: trade.grocer.clock.now
    )
    places = [
        Binding("grocer", "MUG", "WH", "11", "DC1"),
        Binding("grocer", "MUG", "SHOP", "11", "DC2"),
        Binding("grocer", "TEE", "WH", "22", "DC1"),
    ]
    client.push([Level(at, units, 1) for at, units in zip(places, (7, 2, 0), strict=True)], key="1")
    trade.turn()
    client.push([Level(places[1], 1, 2)], key="2")
    trade.turn()

    assert trade.complaints() == []
    shown = trade.do("state")["shown"]
    assert {place: said["33"] for place, said in shown["MUG"].items()} == {"DC1": 7, "DC2": 1}
    assert {place: said["33"] for place, said in shown["TEE"].items()} == {"DC1": 0}
    assert [reading.units for reading in client.snapshot(places)] == [7, 1, 0]


def test_files_that_come_twice_late_or_out_of_order_change_nothing(trade: Trade) -> None:
    trade.grocer.stock(MUG=50)
    trade.do("fault", kind="webhook_duplicate", rate=1.0)
    number = trade.order(lines=[{"sku": "MUG", "units": 5}])
    trade.do("change_order", order=number, lines=[{"sku": "MUG", "units": 7}])
    trade.do("change_order", order=number, lines=[{"sku": "MUG", "units": 3}])
    trade.do("duplicate", of=number)
    trade.turn()
    trade.turn()

    assert trade.promised(number) == [{"IA": 3}]
    assert balance(trade.grocer.engine, "MUG", "WH") == {"available": 47, "committed": 3}
    assert trade.complaints() == []


@pytest.mark.parametrize(
    "dirt", ["bom", "terminator", "unpadded_isa", "gs_date6", "crlf", "blank_lines", "text"]
)
def test_dirt_that_harms_nobody_is_read(trade: Trade, dirt: str) -> None:
    trade.grocer.stock(MUG=50)
    number = trade.order(lines=[{"sku": "MUG", "units": 5}], dirty=[dirt])
    trade.turn()

    assert trade.promised(number) == [{"IA": 5}]
    assert trade.complaints() == []


def test_a_number_used_twice_for_different_orders_is_refused(trade: Trade) -> None:
    trade.grocer.stock(MUG=50)
    number = trade.order(lines=[{"sku": "MUG", "units": 5}])
    trade.turn()
    trade.do("duplicate", of=number, other=True)
    trade.turn()

    assert trade.grocer.rows("SELECT count(*) FROM edi_interchange WHERE state = 'refused'") == [
        (1,)
    ]
    assert balance(trade.grocer.engine, "MUG", "WH") == {"available": 45, "committed": 5}


@pytest.mark.parametrize(
    ("policy", "ack_state"),
    [("R", "rejected"), ("never", "overdue")],
)
def test_what_the_partner_makes_of_our_answers_is_seen(
    trade: Trade, policy: str, ack_state: str
) -> None:
    trade.do("functional_ack", policy=policy)
    trade.grocer.stock(MUG=50)
    trade.order(lines=[{"sku": "MUG", "units": 5}])
    trade.turn()
    trade.grocer.clock.advance(86_400)
    edi_exchange.find_overdue(trade.grocer.engine, now=trade.grocer.clock.now)

    assert ("855", "posted", ack_state) in trade.grocer.documents("out")
