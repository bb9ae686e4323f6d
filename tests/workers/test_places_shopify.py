"""One shop, several places of ours: each shows its own stock, is sold from on its own, and is repaired on its own."""

from __future__ import annotations

import pytest

from tests.channels.shopify_rig import ShopifyRig
from tests.servers import Database
from tests.workers.shopify_house import SKUS, ShopHouse, a_shop_house


@pytest.fixture
def house(rig: ShopifyRig, database: Database) -> ShopHouse:
    return a_shop_house(rig, database)


def shown(house: ShopHouse, sku: str) -> tuple[int, int]:
    return (
        house.rig.level(sku, "Oslo")["available"],
        house.rig.level(sku, "Bergen")["available"],
    )


def test_each_place_is_pushed_its_own_number(house: ShopHouse) -> None:
    house.fact(kind="receipt", id="r-1", sku="SKU-A", location="OSLO", units=7)
    house.fact(kind="write_off", id="w-1", sku="SKU-A", location="BERGEN", units=5, reason="broken")

    report = house.show()

    assert (report.confirmed, report.stale, report.rejected) == (2, 0, 0)
    assert shown(house, "SKU-A") == (17, 15)
    assert [shown(house, sku) for sku in SKUS[1:]] == [(10, 20), (10, 20)]


def test_stock_that_moves_between_places_moves_in_the_shop(house: ShopHouse) -> None:
    house.fact(kind="transfer_ship", id="t-1", sku="SKU-B", location="BERGEN", units=8)
    house.show()
    assert shown(house, "SKU-B") == (10, 12)

    house.fact(kind="transfer_receive", id="t-2", sku="SKU-B", location="OSLO", units=8)
    house.show()

    assert shown(house, "SKU-B") == (18, 12)


def test_a_sale_at_one_place_leaves_the_other_alone(house: ShopHouse) -> None:
    order = house.rig.do(
        "order", lines=[{"sku": "SKU-C", "units": 4}], location="Bergen", source="pos"
    )
    house.deliver("orders/create", house.rig.document(order["id"].rpartition("/")[2]))

    report = house.show()

    assert report.confirmed + report.stale + report.rejected == 0, "the shop knows it already"
    assert shown(house, "SKU-C") == (10, 16)


def test_drift_at_one_place_is_named_and_repaired_there(house: ShopHouse) -> None:
    house.rig.advance(3600)
    house.rig.do("drift", sku="SKU-C", location="Bergen", units=1)

    house.reconcile(sweep_above=100)
    house.show()

    assert house.rows("SELECT sku, location, expected, actual FROM drift") == [
        ("SKU-C", "BERGEN", 20, 21)
    ]
    assert shown(house, "SKU-C") == (10, 20)


def test_after_a_poll_an_edit_behind_our_back_is_called_by_its_name(house: ShopHouse) -> None:
    house.rig.advance(3600)
    house.rig.do("external_edit", sku="SKU-C", location="Bergen", available=17)
    house.rig.advance(60)
    house.poll()

    house.reconcile(sweep_above=100)

    assert house.rows("SELECT sku, location, cause FROM drift") == [
        ("SKU-C", "BERGEN", "external_edit")
    ]


def test_without_a_poll_it_may_have_been_an_order(house: ShopHouse) -> None:
    house.rig.advance(3600)
    house.rig.do("external_edit", sku="SKU-C", location="Bergen", available=17)
    house.rig.advance(60)

    house.reconcile(sweep_above=100)

    assert house.rows("SELECT cause FROM drift") == [("unknown",)]
