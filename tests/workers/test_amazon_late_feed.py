"""A feed that Amazon works on when nobody waits for it any more, or that holds what must not be sold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.channels.amazon_rig import CHANNEL, skus
from tests.servers import Database
from tests.workers.seller_house import SellerHouse, a_seller
from workers.flows.halts import halt, work_halts
from workers.flows.push import push

NAMES = skus(30)
LATE = NAMES[0]


@pytest.fixture
def house(database: Database) -> Iterator[SellerHouse]:
    with a_seller(database) as made:
        made.rig.channel.direct_rows = 20
        made.open(dict.fromkeys(NAMES, 7))
        yield made


def until_late(house: SellerHouse) -> None:
    """A feed of sevens lies at Amazon for an hour; meanwhile five of `LATE` are gone, and it shows 2 by a patch."""
    house.rig.do("pace", apply_s=5, queue_s=20, work_s=3600, orders_s=120)
    house.show()
    for _ in range(31):
        house.rig.advance(60)
        house.answers()
    house.tell("adjustment", LATE, -5, reason="broken")
    house.show()
    for _ in range(20):
        house.rig.advance(3)
        push(house.lane)
    house.rig.advance(20)
    house.settle()
    house.listen()


def let_it_land(house: SellerHouse) -> None:
    house.rig.advance(1800)
    assert house.rig.shown(LATE) == 7


def test_a_late_feed_is_seen_by_its_own_notification_and_the_newest_number_wins(
    house: SellerHouse,
) -> None:
    until_late(house)
    before = house.rig.shown(LATE)

    let_it_land(house)
    house.listen()
    house.settle()
    house.show()
    house.settle()

    assert (before, house.rig.shown(LATE), house.rig.shown(NAMES[1])) == (2, 2, 7)
    assert house.rows("SELECT cause, expected, actual FROM drift") == [("stale_overwrite", 2, 7)]


def test_a_late_feed_that_nobody_told_of_is_found_by_reconciliation(house: SellerHouse) -> None:
    until_late(house)
    house.rig.do("fault", kind="webhook_drop", count=1000)

    let_it_land(house)
    house.rig.advance(900)
    house.listen()
    report = house.reconcile()

    assert (report.counts.drifted, report.counts.halted) == (1, 1)
    assert house.rows("SELECT sku, cause, expected, actual FROM drift") == [
        (LATE, "stale_overwrite", 2, 7)
    ]


@pytest.mark.parametrize("told", [True, False])
def test_what_was_halted_while_a_feed_held_it_is_halted_again_when_the_feed_has_landed(
    house: SellerHouse, told: bool
) -> None:
    house.show()
    house.rig.advance(1)
    if not told:
        house.rig.do("fault", kind="webhook_drop", count=1000)
    halt(
        house.database.engine,
        channel=CHANNEL,
        sku=LATE,
        reason="recalled",
        by="ann",
        now=house.rig.now(),
    )
    shown = []
    for _ in range(12):
        house.rig.advance(15)
        stop(house)
        house.answers()
        house.listen()
        house.settle()
        shown.append(house.rig.shown(LATE))
    stop(house)

    assert 7 in shown
    assert shown[-1] == 0
    assert house.rows("SELECT state FROM halt") == [("set",)]
    assert house.rig.shown(NAMES[1]) == 7


def stop(house: SellerHouse) -> None:
    """What is halted goes off sale."""
    work_halts(house.database.engine, house.rig.channel, channel=CHANNEL, now=house.rig.now)
