"""A listing that the seller ships today and Amazon tomorrow, and the way back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from ledger import catalogue
from ledger.db import transaction
from tests.channels.amazon_rig import CHANNEL
from tests.servers import Database
from tests.workers.seller_house import SellerHouse, a_seller
from workers.flows.mapping import map_channel

BOUND = "SELECT location, vendor_location_id, read_only FROM binding WHERE sku = 'SKU-A' ORDER BY 1"


@pytest.fixture
def house(database: Database) -> Iterator[SellerHouse]:
    with a_seller(database) as made:
        with transaction(database.owner) as connection:
            catalogue.add_locations(connection, ["FBA-US"], kind="mirror")
            connection.execute(
                text(
                    "INSERT INTO channel_location (channel, vendor_location_id, location)"
                    " VALUES (:channel, 'FBA', 'FBA-US')"
                ),
                {"channel": CHANNEL},
            )
        made.show()
        made.settle()
        yield made


def turned(house: SellerHouse, **listing: object) -> None:
    """The merchant lists SKU-A anew, shipped by somebody else, and the channel is mapped again."""
    house.rig.do("delete_listing", sku="SKU-A")
    house.rig.do("listing", sku="SKU-A", **listing)
    house.rig.advance(10)
    mapped = map_channel(
        house.database.engine,
        house.rig.channel,
        channel=CHANNEL,
        now=house.rig.now(),
        dry_run=False,
        add_skus=False,
    )
    assert mapped.problems == []


def test_what_amazon_ships_now_is_bound_there_alone_and_never_pushed_again(
    house: SellerHouse,
) -> None:
    turned(house, fba={"fulfillable": 4})
    before = len(house.rig.called("patchListingsItem"))

    house.tell("receipt", "SKU-A", 5)
    report = house.show()

    assert house.rows(BOUND) == [("FBA-US", "FBA", True)]
    assert (report.confirmed, report.rejected) == (0, 0)
    assert len(house.rig.called("patchListingsItem")) == before


def test_what_the_seller_ships_again_is_bound_to_him_and_shown_its_number_though_it_is_the_old_one(
    house: SellerHouse,
) -> None:
    turned(house, fba={"fulfillable": 4})
    house.show()

    turned(house, units=0)
    house.show()
    house.settle()

    assert house.rows(BOUND) == [("OSLO", "DEFAULT", False)]
    assert house.rig.shown("SKU-A") == 10
