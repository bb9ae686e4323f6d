"""Five hundred numbers fail because Amazon answers garbage; when that is over one command makes all right, once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.channels.amazon_rig import CHANNEL
from tests.console.command import lockstep, surroundings
from tests.servers import Database
from tests.workers.failed_rig import failed, mend
from tests.workers.seller_house import SellerHouse, a_seller
from workers.flows.push import push
from workers.wiring import now

#: Those that the house opens with, and as many more; F-... show nothing yet.
SKUS = [f"F-{n:03}" for n in range(497)] + ["SKU-A", "SKU-B", "SKU-C"]


@pytest.fixture
def house(database: Database) -> Iterator[SellerHouse]:
    with a_seller(database) as made:
        yield made


def shown(house: SellerHouse) -> dict[str, int]:
    """What Amazon truly shows."""
    listings = house.rig.do("state")["listings"]
    return {each["sku"]: each["units"] for each in listings if each["sku"] in SKUS}


def pushed(house: SellerHouse) -> None:
    """Push, wait for the feed, hear what became of it; until nothing is due."""
    for _ in range(8):
        push(house.lane)
        house.rig.advance(120)
        house.answers()
        if not house.rows("SELECT FROM push_due WHERE NOT parked LIMIT 1"):
            return


def test_five_hundred_refused_numbers_are_made_right_by_one_command_once(
    house: SellerHouse, database: Database
) -> None:
    here = surroundings(database)
    house.rig.do("fault", kind="invalid")
    house.open(dict.fromkeys(SKUS[:497], 10))
    house.show()
    pushed(house)

    # All of them stand in the list, and what failed has the vendor's own words.
    rows = failed(database.engine, channel=CHANNEL, kind="rejected", states=("open",))
    assert sorted(row.sku for row in rows) == SKUS
    assert all(row.payload["units"] == 10 for row in rows)
    assert {shown(house)[sku] for sku in SKUS[:497]} == {0}

    # Life goes on: the warehouse finds some more of one, and loses one of another; a retry must not send 10.
    house.tell("adjustment", SKUS[0], 5, reason="found")
    house.tell("write_off", SKUS[1], 3, reason="broken")
    house.rig.do("clear_faults")
    booked = house.rows("SELECT count(*) FROM event")

    retry = ("failed", "retry", "--channel", CHANNEL, "--class", "rejected", "--yes", "--json")
    done = lockstep(*retry, environment=here)
    again = lockstep(*retry, environment=here)
    # The command goes by the wall's clock, the account by its own.
    house.rig.advance((now() - house.rig.now()).total_seconds() + 1)
    house.show()
    pushed(house)
    sent = house.rows("SELECT sku FROM push WHERE outcome = 'confirmed' ORDER BY sku")
    mend(database.engine, house.rig.now())

    assert (done.code, done.read["state"], done.read["done"]) == (0, "done", 500)
    assert again.read["total"] == 0
    right = dict.fromkeys(SKUS, 10) | {SKUS[0]: 15, SKUS[1]: 7}
    assert shown(house) == right
    assert [sku for (sku,) in sent] == SKUS
    assert {row.state for row in failed(database.engine, channel=CHANNEL)} == {"resolved"}
    assert house.rows("SELECT count(*) FROM event") == booked
    shows = lockstep("op", "show", done.read["id"], "--json", environment=here)
    assert shows.read["failures"] == {"resolved": 500}
