"""The whole way with the real Shopify client against the simulator over HTTP: stock, targets, push, sale, read-back."""

from __future__ import annotations

import itertools

import pytest

from channels import bindings
from ledger.db import transaction
from tests.channels.shopify_rig import CHANNEL, ShopifyRig
from tests.servers import Clock, Database
from tests.workers.shelf import House, Shelf, apply, list_skus
from workers.flows.lane import Lane
from workers.flows.push import push
from workers.flows.verify import verify

RULES = """\
[locations.WH]
[channels.{channel}]
kind = "shopify"
base_url = "https://lockstep-sim.myshopify.com"
locations = ["WH"]
hide_at_zero = true
[channels.{channel}.vendor_locations]
"{oslo}" = "WH"
"""


@pytest.fixture
def house(rig: ShopifyRig, database: Database, clock: Clock) -> House:
    oslo = rig.places["Oslo"]
    with transaction(database.engine) as connection:
        list_skus(connection, ("SKU-A", "SKU-B", "SKU-C"))
        apply(connection, RULES.format(channel=CHANNEL, oslo=oslo), rig.now())
        bindings.bind(connection, rig.channel.bindings({oslo: "WH"}), now=rig.now())
    return House(database.engine, clock, Shelf(clock))


@pytest.fixture
def lane(house: House, rig: ShopifyRig) -> Lane:
    numbers = itertools.count(1)
    return Lane(
        engine=house.engine,
        client=rig.channel,
        now=rig.now,
        chance=lambda: 0.5,
        new_key=lambda: f"key-{next(numbers)}",
        rise_wait_s=1.0,
        verify_after_s=2.0,
    )


def stock(house: House, rig: ShopifyRig, **units: int) -> None:
    house.clock.now = rig.now()
    house.set(**{sku.replace("_", "-"): number for sku, number in units.items()})


def test_targets_reach_the_shop_and_are_read_back(
    house: House, rig: ShopifyRig, lane: Lane
) -> None:
    stock(house, rig, SKU_A=7, SKU_B=3, SKU_C=0)

    report = push(lane)
    rig.advance(2)
    verified = verify(lane)

    assert (report.confirmed, report.stopped, report.hidden) == (3, "", 1)
    assert [rig.shown(sku) for sku in ("SKU-A", "SKU-B", "SKU-C")] == [7, 3, 0]
    assert (verified.read, verified.wrong) == (3, 0)
    assert house.queue() == {}


def test_what_the_shop_sold_itself_is_found_and_not_sent_again(
    house: House, rig: ShopifyRig, lane: Lane
) -> None:
    stock(house, rig, SKU_A=7, SKU_B=3, SKU_C=1)
    push(lane)
    changes = rig.changes("SKU-A")
    rig.order("SKU-A", 2)
    stock(house, rig, SKU_A=5)

    report = push(lane)

    assert (report.stale, report.arrived) == (1, 1)
    assert rig.shown("SKU-A") == 5
    assert rig.changes("SKU-A") == changes


def test_a_hidden_variant_that_oversold_before_does_so_again_after(
    house: House, rig: ShopifyRig, lane: Lane
) -> None:
    rig.channel.resume_sale(rig.bindings()["SKU-A"], {"policy": "CONTINUE"})
    stock(house, rig, SKU_A=0, SKU_B=1, SKU_C=1)
    push(lane)
    assert not rig.sellable("SKU-A")

    stock(house, rig, SKU_A=4)
    rig.advance(2)
    report = push(lane)

    assert report.resumed == 1
    assert rig.shown("SKU-A") == 4
    assert rig.channel.sale_state(rig.bindings()["SKU-A"])["policy"] == "CONTINUE"
