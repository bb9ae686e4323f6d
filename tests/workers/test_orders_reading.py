"""How much of a shop's orders a poll reads: what is known is told again by each, and paid for once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from channels.shopify.orders import SIZES
from tests.channels.shopify_rig import ShopifyRig
from tests.servers import Database
from tests.workers.shopify_house import ShopHouse, a_shop_house
from workers.flows.orders import LAG_S


@pytest.fixture
def house(rig: ShopifyRig, database: Database) -> ShopHouse:
    return a_shop_house(rig, database)


def test_a_shop_that_sells_a_lot_is_heard_whatever_is_told_twice(
    house: ShopHouse,
) -> None:
    """Five orders a second on the smallest plan: what a minute brings costs more than the bucket holds."""
    rig = house.rig
    client = rig.client(rig.token, sizes=SIZES)
    stock = {"Oslo": 1000, "Bergen": 0}
    rig.do("products", products=[{"variants": [{"sku": "SKU-FAST", "stock": stock}]}])
    for _ in range(24):
        rig.do("orders", orders=[{"lines": [{"sku": "SKU-FAST", "units": 1}]}] * 25)
        rig.advance(5)
        house.poll(client=client)
    client.close()

    ((mark, heard),) = house.rows(
        "SELECT (SELECT orders_mark FROM channel), (SELECT count(*) FROM inbox WHERE topic = 'orders/updated')"
    )
    assert rig.now() - mark <= timedelta(seconds=LAG_S + 5)
    assert heard == 24 * 25


def test_what_is_known_is_not_read_again(house: ShopHouse) -> None:
    house.rig.order("SKU-A", 1)
    house.rig.advance(30)
    house.poll()
    number = house.rig.order("SKU-B", 1)
    house.rig.advance(10)

    report = house.poll()

    assert (report.orders, report.fresh) == (1, 1), "the first is told again, and known"
    assert house.rows(
        "SELECT count(*) FROM inbox WHERE delivery_id LIKE :d", d=f"order:{number}:%"
    ) == [(1,)]
