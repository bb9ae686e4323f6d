"""Orders to be fetched in a store are committed there when they are accepted, not when somebody goes to the shelf."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from allocation import pickup_store
from ledger.db import transaction
from tests.channels.shopify_rig import ShopifyRig
from tests.servers import Database
from tests.workers.shelf import apply
from tests.workers.shopify_house import RULES, ShopHouse, a_shop_house

PICKUP = """
[locations.BERGEN.pickup]
hours = 0
loss_per_day = 0
why = "fetched the same day"
"""


@pytest.fixture
def house(rig: ShopifyRig, database: Database) -> ShopHouse:
    return a_shop_house(rig, database)


def promised(house: ShopHouse) -> int:
    """What Bergen may promise of SKU-A."""
    places = {"oslo": house.rig.places["Oslo"], "bergen": house.rig.places["Bergen"]}
    rules = RULES.format(channel="shopify", **places) + PICKUP
    with transaction(house.database.engine) as connection:
        version = apply(connection, rules, datetime.now(UTC))
        seen = pickup_store.look(connection, [("SKU-A", "BERGEN")])
        said = pickup_store.rules_of(connection, version)
    return pickup_store.numbers(seen, [("SKU-A", "BERGEN")], said, {})["SKU-A", "BERGEN"].units


def test_an_order_to_be_fetched_is_committed_in_its_store_at_acceptance(house: ShopHouse) -> None:
    """Only Bergen has so many: the shop assigns the order to it, which its webhook does not say and the poll reads."""
    assert promised(house) == 20
    order = house.rig.do("order", lines=[{"sku": "SKU-A", "units": 15}])
    house.deliver("orders/create", house.rig.document(order["id"].rpartition("/")[2]))
    house.rig.advance(30)

    house.poll()
    house.drain()

    assert house.balance("SKU-A") == {
        ("BERGEN", "available"): 5,
        ("BERGEN", "committed"): 15,
        ("OSLO", "available"): 10,
    }
    assert promised(house) == 5


def test_an_order_that_names_its_store_is_committed_there_at_once(house: ShopHouse) -> None:
    order = house.rig.do("order", lines=[{"sku": "SKU-A", "units": 4}], location="Bergen")

    house.deliver("orders/create", house.rig.document(order["id"].rpartition("/")[2]))

    assert house.balance("SKU-A")["BERGEN", "committed"] == 4
    assert promised(house) == 16


def test_fetching_it_lowers_nothing_again(house: ShopHouse) -> None:
    order = house.rig.do("order", lines=[{"sku": "SKU-A", "units": 4}], location="Bergen")
    number = order["id"].rpartition("/")[2]
    house.deliver("orders/create", house.rig.document(number))
    house.rig.do("fulfil", order=order["id"])

    house.deliver("orders/fulfilled", house.rig.document(number), name="d-2")

    assert house.balance("SKU-A") == {("BERGEN", "available"): 16, ("OSLO", "available"): 10}
    assert promised(house) == 16
