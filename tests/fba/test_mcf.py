"""Orders of other shops that Amazon ships: its stock falls once, the merchant's own stock not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from channels.amazon import mcf_store, outbound
from channels.amazon.mcf import Detailed, McfShipped
from channels.base import Unavailable
from ledger.db import transaction
from tests.channels.amazon_rig import CHANNEL
from tests.fba.house import FBA, OSLO, SHOP, FbaHouse, told
from workers.flows import mcf
from workers.flows.mcf import CannotShip, parse_address

ADDRESS = parse_address(
    '{"name": "A. Buyer", "addressLine1": "1 Main Street", "city": "Seattle", "stateOrRegion": "WA",'
    ' "postalCode": "98109", "countryCode": "US"}'
)


def create(fba: FbaHouse, order: str) -> str:
    detail = mcf.create(
        fba.engine,
        fba.rig.channel.api,
        channel=CHANNEL,
        of=(SHOP, order),
        address=ADDRESS,
        now=fba.rig.now,
    )
    return detail.order.seller_id


def until_shipped(fba: FbaHouse) -> None:
    """Each of Amazon's steps takes five minutes."""
    for _ in range(4):
        fba.go()


@pytest.fixture
def stocked(fba: FbaHouse) -> FbaHouse:
    fba.at_amazon("A-1", fulfillable=20)
    fba.post("opening", id="oslo", source="wms", sku="A-1", location=OSLO, units=50)
    fba.go()
    return fba


def test_a_shop_order_shipped_by_amazon_lowers_amazons_stock_once_and_own_stock_not_at_all(
    stocked: FbaHouse,
) -> None:
    with told(stocked, {"ORDER_CHANGE": "", "FBA_INVENTORY_AVAILABILITY_CHANGES": ""}) as box:
        stocked.shop_order("5550001112223", "A-1", 3)
        seller_id = create(stocked, "5550001112223")
        promised = stocked.held("A-1")
        until_shipped(stocked)
        box.wait_for(4)
        stocked.deliver(box)
        stocked.reported()
        again = stocked.reported()

    assert seller_id == "shopify-5550001112223"
    assert promised == (17, 3, 0)
    assert stocked.held("A-1") == (17, 0, 0)
    assert stocked.held("A-1", OSLO) == (50, 0, 0)
    assert stocked.truth("A-1")["fulfillable"] == 17
    assert stocked.rows(
        "SELECT kind, sum(units) FROM event JOIN posting ON event_id = event.id"
        " WHERE from_location = 'FBA-US' GROUP BY kind ORDER BY kind"
    ) == [("order", 3), ("ship", 3)]
    assert (again.off, again.rows, stocked.drifts()) == (0, 0, [])
    assert stocked.rows("SELECT event, state FROM fba_row WHERE units < 0") == [
        ("Shipments", "order")
    ]
    assert stocked.rows("SELECT sum(mcf), sum(sale), sum(rest) FROM fba_change") == [(-3, 0, 0)]


def test_asking_twice_asks_amazon_once(stocked: FbaHouse) -> None:
    stocked.shop_order("1001", "A-1", 2)

    first, second = create(stocked, "1001"), create(stocked, "1001")

    assert first == second == "shopify-1001"
    assert stocked.truth("A-1")["reserved_orders"] == 2
    assert stocked.rows("SELECT role, of_channel, of_order, ours FROM mcf_order") == [
        ("matched", SHOP, "1001", True)
    ]


def test_an_answer_that_got_lost_leaves_one_order(stocked: FbaHouse) -> None:
    stocked.shop_order("1001", "A-1", 2)
    stocked.rig.do("fault", kind="reset_after_apply", operation="createFulfillmentOrder", limit=1)

    with pytest.raises(Unavailable):
        create(stocked, "1001")
    stocked.go()

    assert stocked.rows("SELECT status, role FROM mcf_order") == [("Processing", "matched")]
    assert stocked.held("A-1") == (18, 2, 0)


def test_an_order_that_amazon_cannot_fill_is_refused_with_the_reason(stocked: FbaHouse) -> None:
    stocked.shop_order("1001", "A-1", 2, location=OSLO)

    with pytest.raises(CannotShip, match="nothing open at Amazon's location"):
        create(stocked, "1001")
    with pytest.raises(CannotShip, match="no order"):
        create(stocked, "9999")


def test_a_foreign_mcf_order_is_booked_once_after_the_shop_had_time_to_tell(
    stocked: FbaHouse,
) -> None:
    stocked.rig.do("mcf", id="CONSUMER-77", lines=[{"sku": "A-1", "units": 4}])

    stocked.go()
    waiting = stocked.held("A-1")
    for _ in range(4):
        stocked.go()
    stocked.reported()

    assert waiting == (16, 0, 4)
    assert stocked.held("A-1") == (16, 0, 0)
    assert stocked.rows(
        "SELECT kind, channel, order_id FROM event WHERE order_id IS NOT NULL ORDER BY seq"
    ) == [
        ("order", CHANNEL, "CONSUMER-77"),
        ("ship", CHANNEL, "CONSUMER-77"),
    ]
    assert stocked.drifts() == []


def test_a_cancelled_foreign_order_gives_its_units_back(stocked: FbaHouse) -> None:
    stocked.rig.do("mcf", id="HELD-1", lines=[{"sku": "A-1", "units": 4}], hold=True)
    for _ in range(4):
        stocked.go()
    booked = stocked.held("A-1")
    _cancel(stocked, "HELD-1")
    stocked.reported()

    assert booked == (16, 4, 0)
    assert stocked.held("A-1") == (20, 0, 0)
    assert stocked.rows("SELECT status FROM mcf_order") == [("Cancelled",)]


def test_an_order_made_by_another_app_is_recognised_by_the_number_in_its_id(
    stocked: FbaHouse,
) -> None:
    stocked.shop_order("5550001112223", "A-1", 3)
    stocked.rig.do("mcf", id="app-5550001112223-1", lines=[{"sku": "A-1", "units": 3}])

    until_shipped(stocked)
    stocked.reported()

    assert stocked.rows("SELECT role, of_order, ours FROM mcf_order") == [
        ("matched", "5550001112223", False)
    ]
    assert stocked.held("A-1") == (17, 0, 0)
    assert stocked.drifts() == []


def test_a_shop_that_tells_its_order_late_takes_the_foreign_one_over(stocked: FbaHouse) -> None:
    stocked.rig.do("mcf", id="app-5550001112223-1", lines=[{"sku": "A-1", "units": 3}])
    for _ in range(5):
        stocked.go()
    alone = stocked.rows("SELECT role FROM mcf_order")
    stocked.shop_order("5550001112223", "A-1", 3)
    stocked.go()
    stocked.reported()

    assert alone == [("foreign",)]
    assert stocked.rows("SELECT role FROM mcf_order") == [("matched",)]
    assert stocked.held("A-1") == (17, 0, 0)
    assert stocked.drifts() == []


def test_units_promised_from_the_own_house_come_back_when_amazon_ships_them(
    stocked: FbaHouse,
) -> None:
    stocked.shop_order("5550001112223", "A-1", 3, location=OSLO)
    stocked.rig.do("mcf", id="5550001112223", lines=[{"sku": "A-1", "units": 3}])

    stocked.go()
    meanwhile = stocked.held("A-1", OSLO), stocked.held("A-1")
    until_shipped(stocked)
    stocked.reported()

    assert meanwhile == ((47, 3, 0), (17, 0, 3))
    assert stocked.held("A-1", OSLO) == (50, 0, 0)
    assert stocked.held("A-1") == (17, 0, 0)
    assert stocked.drifts() == []


@pytest.mark.parametrize("shop_first", [True, False])
@pytest.mark.parametrize("where", [FBA, OSLO])
def test_a_shop_that_tells_the_shipment_itself_changes_nothing(
    stocked: FbaHouse, shop_first: bool, where: str
) -> None:
    def fulfilled_in_the_shop() -> None:
        stocked.post(
            "ship", id="f:1", channel=SHOP, order="5550001112223", line="1", units=3, location=where
        )

    stocked.shop_order("5550001112223", "A-1", 3, location=where)
    stocked.rig.do("mcf", id="5550001112223", lines=[{"sku": "A-1", "units": 3}])
    if shop_first:
        fulfilled_in_the_shop()
    until_shipped(stocked)
    if not shop_first:
        fulfilled_in_the_shop()
    stocked.go()
    stocked.reported()

    assert stocked.held("A-1") == (17, 0, 0)
    assert stocked.held("A-1", OSLO) == (50, 0, 0)
    assert stocked.drifts() == []


def _cancel(fba: FbaHouse, seller_id: str) -> None:
    """As the seller does it in his console."""
    simulator = fba.rig.running.simulator
    answer = simulator.call("PUT", f"/fba/outbound/2020-07-01/fulfillmentOrders/{seller_id}/cancel")
    assert answer.status == 200, answer


def test_a_shipment_of_an_item_that_its_order_does_not_have_is_told_and_stops_no_other(
    stocked: FbaHouse,
) -> None:
    stocked.rig.do("mcf", id="odd", lines=[{"sku": "A-1", "units": 3}])
    detail = outbound.show(stocked.rig.channel.api, "odd")
    assert detail is not None
    strange = McfShipped("S-9", "another", 1, stocked.now)
    with transaction(stocked.engine) as connection:
        kept = replace(detail, shipped=(strange,))
        mcf_store.keep(connection, CHANNEL, kept, now=stocked.now)
    stocked.pass_time(mcf.PATIENCE.total_seconds())
    report = mcf.McfReport()

    mcf.settle(stocked.engine, channel=CHANNEL, now=stocked.now, report=report)

    assert list(report.problems) == ["odd"]
    assert "item another" in report.problems["odd"]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("COMPLETE_PARTIAL", "CompletePartialled"),
        ("COMPLETE_PARTIALLED", "CompletePartialled"),
        ("CompletePartialled", "CompletePartialled"),
        ("UNFULFILLABLE", "Unfulfillable"),
    ],
)
def test_an_order_has_ended_however_its_status_is_spelt(said: str, status: str) -> None:
    order = {
        "sellerFulfillmentOrderId": "F1",
        "displayableOrderId": "D1",
        "fulfillmentOrderStatus": said,
        "receivedDate": "2026-11-27T10:00:00Z",
        "statusUpdatedDate": "2026-11-27T10:05:00Z",
    }

    detail = Detailed.model_validate({"fulfillmentOrder": order}).detail

    assert (detail.order.status, detail.ended) == (status, True)
