"""A channel that sold has lowered its own number: nothing needs to be sent to it, everything to the others."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from ledger import inbox
from ledger.db import transaction
from tests.builders import a_fact, balance, deliver
from tests.builders import a_house as an_inbox_house
from tests.servers import Clock, Database
from tests.workers.shelf import HIDING, SHOWN, House, a_house
from tests.workers.waiting import until_somebody_waits
from workers.flows.ingest import drain
from workers.flows.push import push
from workers.flows.verify import verify


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    """A shop that shows 100 of A, confirmed a minute ago."""
    made = a_house(database.engine, clock, "A")
    made.set(A=100)
    clock.advance(5)
    push(made.lane)
    assert made.shelf.numbers == {"A": 100}
    clock.advance(60)
    made.shelf.calls.clear()
    return made


def sells(
    house: House, units: int, *, name: str = "1", seconds_ago: float = 0, channel: str = "shop"
) -> None:
    """An order as the channel tells it, booked and allocated."""
    at = house.clock.now - timedelta(seconds=seconds_ago)
    fact = a_fact(
        "order",
        id=name,
        order=name,
        units=units,
        sku="A",
        location="WH",
        channel=channel,
        occurred_at=at,
    )
    deliver(house.engine, fact, now=house.clock.now)
    drain(an_inbox_house(house.engine), now=house.clock.now)
    house.allocate()


def test_a_sale_of_the_channel_itself_costs_no_call(house: House) -> None:
    house.shelf.numbers["A"] -= 3

    sells(house, 3)
    push(house.lane)

    assert house.shelf.calls == []
    assert house.queue() == {}
    assert house.rows(SHOWN)[0][0] == 97


def test_a_sale_elsewhere_is_pushed(house: House) -> None:
    sells(house, 3, channel="till")
    push(house.lane)

    assert house.shelf.calls == [{"A": (97, 100)}]


@pytest.mark.parametrize("line", ["7#A", None])
def test_a_bundle_that_the_channel_sold_leaves_the_listings_of_its_parts_as_they_were(
    house: House, line: str | None
) -> None:
    order = a_fact("order", id="7", order="7", line="7#A", units=2, sku="A", location="WH")
    back = a_fact("return", id="r#A", units=2, sku="A", location="WH", disposition="sellable")
    fact = order if line else back
    fact |= {"channel": "shop", "occurred_at": house.clock.now.isoformat()}

    deliver(house.engine, fact, now=house.clock.now)
    drain(an_inbox_house(house.engine), now=house.clock.now)
    house.allocate()
    house.clock.advance(2)
    push(house.lane)

    # It still shows 100 of A: what became of A is to be pushed, and compared with that.
    assert house.shelf.calls == [{"A": (98 if line else 102, 100)}]


def test_a_sale_before_the_last_confirmation_is_left_to_the_compare_and_set(house: House) -> None:
    sells(house, 3, seconds_ago=70)
    push(house.lane)

    # The shop took 100 after that sale: it must be told 97.
    assert house.shelf.calls == [{"A": (97, 100)}]
    assert house.shelf.numbers == {"A": 97}


def test_a_belief_that_is_wrong_heals_by_itself(house: House) -> None:
    sells(house, 3)
    sells(house, 2, name="2", channel="till")

    push(house.lane)
    house.clock.advance(5)
    push(house.lane)

    # We believed 97 and it showed 100 (its own sale was undone behind our back): stale, read back, put right.
    assert house.shelf.numbers == {"A": 95}


def test_a_cancel_of_the_channel_itself_raises_what_it_shows(house: House) -> None:
    house.shelf.numbers["A"] -= 3
    sells(house, 3)
    cancel = a_fact(
        "order_cancel", channel="shop", order="1", line="1", units=2, occurred_at=house.clock.now
    )

    deliver(house.engine, cancel, now=house.clock.now)
    drain(an_inbox_house(house.engine), now=house.clock.now)
    house.allocate()

    assert balance(house.engine, "A", "WH")["committed"] == 1
    assert house.rows(SHOWN)[0][0] == 99
    assert house.queue() == {}


def test_a_channel_that_sold_its_last_one_goes_off_sale(database: Database, clock: Clock) -> None:
    house = a_house(database.engine, clock, "A", rules=HIDING)
    house.set(A=3)
    clock.advance(5)
    push(house.lane)
    clock.advance(60)
    verify(house.lane)
    clock.advance(60)
    house.shelf.numbers["A"] -= 3

    sells(house, 3)
    push(house.lane)
    verify(house.lane)

    assert house.shelf.off_sale == {"A": "CONTINUE"}


def test_a_sale_and_a_sighting_of_one_batch_lock_what_is_shown_in_one_order(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A", "B")
    house.set(A=10, B=10)
    push(house.lane)
    clock.advance(60)
    house.run(
        "UPDATE binding SET item_id = 'gid://shopify/InventoryItem/7',"
        " vendor_location_id = 'gid://shopify/Location/1' WHERE sku = 'A'"
    )
    at = clock.now.isoformat()
    sale = a_fact("order", id="9", order="9", sku="B", units=1, location="WH", channel="shop")
    deliver(house.engine, sale | {"occurred_at": at}, now=clock.now)
    told = {"inventory_item_id": 7, "location_id": 1, "available": 10, "updated_at": at}
    with transaction(house.engine) as connection:
        body = json.dumps(told).encode()
        inbox.keep(
            connection,
            [inbox.Delivery("shop", "d1", "inventory_levels/update", body)],
            now=clock.now,
        )
    drains = threading.Thread(
        target=drain, args=(an_inbox_house(house.engine),), kwargs={"now": clock.now}
    )

    # Somebody settles both: A first, as everybody does, then B.
    with house.engine.begin() as other:
        other.execute(text("SELECT FROM shown WHERE sku = 'A' FOR UPDATE"))
        drains.start()
        until_somebody_waits(house)
        other.execute(text("SELECT FROM shown WHERE sku = 'B' FOR UPDATE NOWAIT"))
    drains.join(10)

    found = house.rows("SELECT sku, units, read_units FROM shown ORDER BY sku")
    assert found == [("A", 10, 10), ("B", 9, None)]
