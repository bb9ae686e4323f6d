"""An order that is placed and edited within one second of the shop's clock, which stamps whole ones."""

from __future__ import annotations

import pytest

from tests.channels.shopify_rig import ShopifyRig
from tests.servers import Database
from tests.workers.shopify_house import ShopHouse, a_shop_house


@pytest.fixture
def house(rig: ShopifyRig, database: Database) -> ShopHouse:
    return a_shop_house(rig, database)


def placed_and_edited(house: ShopHouse) -> tuple[bytes, bytes]:
    """The bodies of an order of one unit, and of the same order with three, of the same second."""
    order = house.rig.do("order", lines=[{"sku": "SKU-C", "units": 1}], location="Oslo")["id"]
    placed = house.rig.document(order.rpartition("/")[2])
    house.rig.do("edit_order", order=order, lines=[{"sku": "SKU-C", "units": 3}])
    return placed, house.rig.document(order.rpartition("/")[2])


def test_the_poll_puts_right_what_was_edited_in_the_second_it_was_placed_in(
    house: ShopHouse,
) -> None:
    placed, edited = placed_and_edited(house)
    house.deliver("orders/create", placed, name="d-1")
    house.deliver("orders/updated", edited, name="d-2")
    house.rig.advance(60)

    house.poll()
    house.drain()

    assert house.balance("SKU-C")["OSLO", "committed"] == 3


def test_a_notification_of_that_second_that_comes_after_the_poll_changes_nothing(
    house: ShopHouse,
) -> None:
    placed, edited = placed_and_edited(house)
    house.rig.advance(60)
    house.poll()
    house.drain()

    house.deliver("orders/updated", edited, name="d-2")
    house.deliver("orders/create", placed, name="d-1")

    assert house.balance("SKU-C")["OSLO", "committed"] == 3


def test_what_was_polled_in_that_very_second_is_not_the_last_word_of_it(house: ShopHouse) -> None:
    order = house.rig.do("order", lines=[{"sku": "SKU-C", "units": 1}], location="Oslo")["id"]
    house.poll()
    house.drain()
    assert house.balance("SKU-C")["OSLO", "committed"] == 1
    house.rig.do("edit_order", order=order, lines=[{"sku": "SKU-C", "units": 3}])
    house.rig.advance(60)

    house.poll()
    house.drain()

    assert house.balance("SKU-C")["OSLO", "committed"] == 3
