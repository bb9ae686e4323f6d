"""A halt at a shop that says yes to its zero and does nothing: the next try must not be the same call again."""

from __future__ import annotations

import pytest

from tests.channels.shopify_rig import CHANNEL, ShopifyRig
from tests.servers import Database
from tests.workers.shopify_house import ShopHouse, a_shop_house
from workers.flows import halts


@pytest.fixture
def house(rig: ShopifyRig, database: Database) -> ShopHouse:
    return a_shop_house(rig, database)


def test_a_zero_that_was_swallowed_is_set_by_the_next_try(house: ShopHouse) -> None:
    engine, rig = house.database.engine, house.rig
    halts.halt(engine, channel=CHANNEL, sku="SKU-A", reason="r", by="ann", now=rig.now())
    rig.do("fault", kind="swallow", sku="SKU-A", count=1)
    first = halts.work_halts(engine, rig.channel, channel=CHANNEL, now=rig.now)
    assert first.later
    assert not first.set

    rig.advance(60)
    second = halts.work_halts(engine, rig.channel, channel=CHANNEL, now=rig.now)

    assert second.set == ("SKU-A",)
    assert rig.level("SKU-A", "Oslo")["available"] == 0
