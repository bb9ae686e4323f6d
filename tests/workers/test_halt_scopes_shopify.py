"""Everything off sale at a simulated shop in a few calls, and back exactly as it was."""

from __future__ import annotations

import pytest

from reconcile.halt_scopes import Scope
from tests.channels.shopify_rig import CHANNEL, ShopifyRig
from tests.servers import Database
from tests.workers.shopify_house import SKUS, ShopHouse, a_shop_house
from workers.flows.halt_scopes import lift_scope, set_scope
from workers.flows.halts import HaltsReport, work_halts

PLACES = ("Oslo", "Bergen")


@pytest.fixture
def house(rig: ShopifyRig, database: Database) -> ShopHouse:
    return a_shop_house(rig, database)


def _work(house: ShopHouse) -> HaltsReport:
    house.rig.advance(10)
    return work_halts(house.database.engine, house.rig.channel, channel=CHANNEL, now=house.rig.now)


def _shown(house: ShopHouse) -> dict[tuple[str, str], int]:
    return {
        (sku, place): int(house.rig.level(sku, place)["available"])
        for sku in SKUS
        for place in PLACES
    }


def _policies(house: ShopHouse) -> dict[str, str]:
    states = {sku: house.rig.channel.sale_state(at) for sku, at in house.rig.bindings().items()}
    return {sku: state["policy"] for sku, state in states.items()}


def test_everything_goes_off_sale_and_comes_back_as_it_was(house: ShopHouse) -> None:
    shown, policies = _shown(house), _policies(house)
    engine = house.database.engine

    set_scope(engine, Scope(), reason="flood", by="ann", now=house.rig.now())
    stopped = _work(house)

    assert (stopped.set, stopped.later) == (SKUS, ())
    assert set(_shown(house).values()) == {0}
    assert not any(house.rig.sellable(sku) for sku in SKUS)
    undone = house.rows("SELECT undo -> 'OSLO' ->> 'units', undo -> 'BERGEN' ->> 'units' FROM halt")
    assert undone == [("10", "20")] * 3

    lift_scope(engine, Scope(), reason="dry", by="ann", now=house.rig.now())
    lifted = _work(house)
    house.show()

    assert lifted.lifted == SKUS
    assert (_shown(house), _policies(house)) == (shown, policies)


def test_a_halt_of_the_channel_leaves_what_was_halted_before_as_it_was(house: ShopHouse) -> None:
    engine, channel = house.database.engine, Scope(channel=CHANNEL)
    set_scope(engine, Scope(sku="SKU-B"), reason="recall", by="cid", now=house.rig.now())
    _work(house)
    set_scope(engine, channel, reason="flood", by="ann", now=house.rig.now())
    _work(house)

    lift_scope(engine, channel, reason="dry", by="ann", now=house.rig.now())
    _work(house)
    house.show()

    assert [house.rig.sellable(sku) for sku in SKUS] == [True, False, True]
