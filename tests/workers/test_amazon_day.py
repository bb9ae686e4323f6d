"""Days of a seller on Amazon: from the pipe over the relay into the book, and from the book to the offers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.db import transaction
from tests.channels.amazon_rig import CHANNEL, skus
from tests.servers import Database
from tests.waits import channels_of
from tests.workers.seller_house import SellerHouse, a_seller
from workers.flows.push import push


@pytest.fixture
def house(database: Database) -> Iterator[SellerHouse]:
    with a_seller(database) as made:
        yield made


def test_an_order_is_booked_by_its_notification_and_shipped_and_cancelled(
    house: SellerHouse,
) -> None:
    order = house.rig.do("order", lines=[{"sku": "SKU-A", "units": 3}], paid=False)["orderId"]
    house.listen()
    pending = house.book("SKU-A")

    house.rig.advance(1)
    house.rig.do("pay_order", order=order)
    house.rig.advance(1)
    house.rig.do("ship_order", order=order, lines=[{"sku": "SKU-A", "units": 2}])
    house.listen()
    shipped = house.book("SKU-A")
    house.rig.advance(1)
    house.rig.do("cancel_order", order=order)
    house.listen()

    assert pending == {"available": 7, "committed": 3}
    assert shipped == {"available": 7, "committed": 1}
    assert house.book("SKU-A") == {"available": 8}
    assert house.rows("SELECT DISTINCT state FROM inbox") == [("applied",)]


def test_what_no_notification_told_is_found_by_the_poll_and_booked_once(
    house: SellerHouse,
) -> None:
    house.poll()
    house.rig.do("fault", kind="webhook_drop", topic="ORDER_CHANGE", count=1)
    house.rig.advance(1)
    house.rig.do("order", lines=[{"sku": "SKU-A", "units": 3}])
    house.rig.advance(1)
    house.rig.do("order", lines=[{"sku": "SKU-B", "units": 2}])
    house.listen()
    lost, told = house.book("SKU-A"), house.book("SKU-B")

    early = house.poll()
    house.rig.advance(900)
    late = house.poll()

    assert (lost, told) == ({"available": 10}, {"available": 8, "committed": 2})
    assert (early.orders, late.orders) == (0, 2)
    assert house.book("SKU-A") == {"available": 7, "committed": 3}
    assert house.book("SKU-B") == {"available": 8, "committed": 2}


def test_a_cancel_that_the_notification_does_not_place_asks_the_order_api_once(
    house: SellerHouse,
) -> None:
    lines = [{"sku": "SKU-A", "units": 3}, {"sku": "SKU-B", "units": 2}]
    order = house.rig.do("order", lines=lines)["orderId"]
    house.poll()
    house.rig.advance(60)
    house.rig.do("cancel_order", order=order, skus=["SKU-B"])
    house.listen()
    with transaction(house.database.engine) as connection:
        at_once = channels_of(connection, "asked", house.rig.now())

    house.rig.advance(130)
    with transaction(house.database.engine) as connection:
        later = channels_of(connection, "asked", house.rig.now())
    house.poll()

    assert (at_once, later) == ([], [CHANNEL])
    assert house.book("SKU-A") == {"available": 7, "committed": 3}
    assert house.book("SKU-B") == {"available": 10}


def test_offers_show_the_book_and_their_own_sales_are_not_taken_off_twice(
    house: SellerHouse,
) -> None:
    house.show()
    house.settle()
    house.rig.do("order", lines=[{"sku": "SKU-A", "units": 3}])
    house.listen()

    house.show()
    house.settle()

    assert (house.rig.shown("SKU-A"), house.book("SKU-A")["available"]) == (7, 7)


def test_a_swallowed_write_is_found_seconds_later_and_repaired(house: SellerHouse) -> None:
    house.show()
    house.settle()
    house.tell("receipt", "SKU-A", 5)
    house.rig.do("fault", kind="swallow", sku="SKU-A", count=1)
    house.show()

    found = house.settle()
    house.rig.advance(60)
    house.show()
    house.settle()

    assert (found.read, found.wrong) == (1, 1)
    assert house.rig.shown("SKU-A") == 15


def test_a_whole_assortment_goes_up_in_one_feed(house: SellerHouse) -> None:
    names = skus(400)
    house.open(dict.fromkeys(names, 7))

    sent = house.show()
    for _ in range(8):
        house.rig.advance(15)
        house.answers()
    house.rig.advance(10)

    assert sent.accepted == 403
    assert len(house.rig.called("createFeed")) == 1
    assert {house.rig.shown(sku) for sku in names} == {7}
    assert house.rows("SELECT state FROM receipt") == [("answered",)]


def test_a_feed_that_is_stuck_gives_its_rows_back_and_they_go_one_by_one(
    house: SellerHouse,
) -> None:
    names = skus(30)
    house.rig.channel.direct_rows = 20
    house.open(dict.fromkeys(names, 7))
    house.rig.do("fault", kind="stuck_feed", count=1)
    house.show()
    for _ in range(35):
        house.rig.advance(60)
        house.answers()

    rounds = 0
    while house.rows("SELECT 1 FROM push_due LIMIT 1") and rounds < 50:
        rounds += 1
        house.rig.advance(2)
        push(house.lane)
    house.rig.advance(10)

    assert house.rows("SELECT state FROM receipt") == [("stuck",)]
    assert {house.rig.shown(sku) for sku in names} == {7}
    assert len(house.rig.called("createFeed")) == 1


def test_a_window_reads_an_assortment_back_in_many_attempts(house: SellerHouse) -> None:
    names = skus(130)
    house.rig.channel.direct_rows = 100
    house.open(dict.fromkeys(names, 7))
    house.show()
    for _ in range(8):
        house.rig.advance(15)
        house.answers()
    for _ in range(4):
        house.rig.advance(120)
        house.settle()
    house.rig.drift(names[-1], 4)
    house.rig.advance(900)
    house.listen()

    reports = [house.reconcile()]
    while reports[-1].state == "later":
        house.rig.advance(2)
        reports.append(house.reconcile())

    assert len(reports) > 1
    assert reports[-1].state == "done"
    assert reports[-1].counts.read == 133
    assert reports[-1].counts.drifted == 1


def test_a_forged_notification_is_turned_away(house: SellerHouse) -> None:
    house.rig.do("fault", kind="webhook_bad_hmac", count=10)
    house.rig.do("order", lines=[{"sku": "SKU-A", "units": 3}])

    house.listen()

    assert house.book("SKU-A") == {"available": 10}


def test_notifications_that_come_twice_late_and_mixed_up_book_once(house: SellerHouse) -> None:
    for kind in ("webhook_duplicate", "webhook_reorder"):
        house.rig.do("fault", kind=kind, rate=0.7, seed=3)
    placed = []
    for units in (1, 2, 3):
        placed.append(house.rig.do("order", lines=[{"sku": "SKU-A", "units": units}])["orderId"])
        house.rig.advance(2)
    house.rig.do("ship_order", order=placed[1])
    house.rig.do("cancel_order", order=placed[2])

    for _ in range(3):
        house.rig.advance(120)
        house.listen()

    assert house.book("SKU-A") == {"available": 7, "committed": 1}
