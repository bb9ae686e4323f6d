"""How far a channel is behind: told orders, pushes, read-backs and what waits, under a held clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allocation import lag_store
from allocation.lags import Measured, on_grid
from allocation.store import standing
from allocation.types import Lag
from channels.base import Unavailable
from tests.builders import a_fact, deliver
from tests.builders import a_house as an_inbox_house
from tests.servers import Clock, Database
from tests.workers.shelf import RULES, House, a_house
from workers.flows.ingest import drain
from workers.flows.measure import measure
from workers.flows.push import push
from workers.flows.verify import verify

SECOND = """
[channels.outlet]
kind = "shopify"
base_url = "https://outlet.example"
locations = ["WH"]
vendor_locations = { "gid://2" = "WH" }
"""


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    return a_house(database.engine, clock, "A", "B", "C")


def found(house: House) -> Measured:
    measure(house.engine, now=house.clock.now)
    with house.engine.connect() as connection:
        return lag_store.known(connection)["shop"]


def hears(house: House, number: int, *, after_s: float, occurred_s: float = 0.3) -> None:
    """An order that the shop tells so much later."""
    at = house.clock.now + timedelta(seconds=occurred_s)
    house.clock.advance(occurred_s + after_s)
    name = str(number)
    fact = a_fact(
        "order",
        id=name,
        order=name,
        channel="shop",
        sku="A",
        location="WH",
        units=1,
        occurred_at=at,
    )
    deliver(house.engine, fact, now=house.clock.now)
    drain(an_inbox_house(house.engine), now=house.clock.now)


def lowers(
    house: House, units: int, *, wait_s: float, call_s: float, seen_s: float, sku: str = "A"
) -> None:
    """A number that waits, is sent, confirmed and read back."""
    house.set(**{sku: units})
    house.clock.advance(wait_s)

    def takes(levels: object) -> None:
        house.clock.advance(call_s)

    house.shelf.during = takes
    push(house.lane)
    house.clock.advance(seen_s)
    verify(house.lane)


def test_orders_are_heard_so_much_later(house: House) -> None:
    hears(house, 0, after_s=9000)
    for number in range(1, 6):
        hears(house, number, after_s=2.5 * number)

    lag = found(house)

    # The first one was placed before anybody listened.
    assert lag.stages == {"detect": 12.5}
    assert lag.samples["detect"] == 5


def test_a_time_in_whole_seconds_may_have_been_rounded_up(house: House) -> None:
    for number in range(6):
        hears(house, number, after_s=2, occurred_s=1)

    assert found(house).stages["detect"] == 2.5


def test_a_later_edit_of_an_order_is_no_slow_news(house: House) -> None:
    for number in range(6):
        hears(house, number, after_s=1)
    placed = house.clock.now - timedelta(seconds=1)
    house.clock.advance(3600)
    edit = a_fact("order", id="5b", order="5", channel="shop", sku="A", location="WH", units=3)
    edit |= {"occurred_at": placed.isoformat(), "revision": house.clock.now.isoformat()}
    deliver(house.engine, edit, now=house.clock.now)
    drain(an_inbox_house(house.engine), now=house.clock.now)

    assert found(house).stages["detect"] == 1


def test_imported_history_says_nothing_of_a_lag(house: House) -> None:
    for number in range(9):
        name = str(number)
        fact = a_fact("order", source="history:x", id=name, order=name, channel="shop", sku="A")
        at = house.clock.advance(1)
        fact |= {"location": "WH", "units": 1, "occurred_at": at.isoformat()}
        deliver(house.engine, fact, now=at)
        drain(an_inbox_house(house.engine), now=at)

    assert found(house).stages == {}


def test_a_number_waits_is_sent_and_is_seen(house: House) -> None:
    lowers(house, 100, wait_s=3, call_s=1, seen_s=2)
    for number in range(6):
        lowers(house, 90 - number, wait_s=3 + number, call_s=0.5, seen_s=4)

    lag = found(house)

    assert lag.stages == {"queue": 8, "push": 1, "visible": 4}
    assert lag.assumed == ("detect",)
    assert lag.in_use == Lag(hear_s=on_grid(15), show_s=on_grid(13))


def test_a_number_that_nobody_has_read_back_yet_was_not_seen_at_once(house: House) -> None:
    for number in range(6):
        house.set(A=90 - number)
        push(house.lane)

    assert found(house).assumed == ("detect", "visible")


def test_a_rise_that_waits_is_not_late(house: House) -> None:
    for number in range(6):
        lowers(house, 90 + number, wait_s=500, call_s=1, seen_s=4)

    # The first is no rise: nothing was shown before.
    assert found(house).samples["queue"] <= 1


def test_a_sku_that_never_rests_is_not_late_since_it_began_to_sell(house: House) -> None:
    house.set(A=1000)
    push(house.lane)

    def sells_on(levels: object) -> None:
        house.clock.advance(1)
        if len(house.shelf.calls) < 30:
            house.set(A=990 - len(house.shelf.calls))

    house.shelf.during = sells_on
    house.set(A=999)
    for _ in range(30):
        push(house.lane)

    assert len(house.shelf.calls) >= 30
    assert found(house).stages["queue"] <= 2


def test_staleness_grows_while_a_channel_does_not_answer_and_ends_with_its_answer(
    house: House,
) -> None:
    for number in range(30):
        lowers(house, 90 - number, wait_s=1, call_s=1, seen_s=4)
    usual = found(house)
    assert usual.stale_s == 0
    house.shelf.during = lambda levels: None

    stale: list[float] = []
    shows: list[float] = []
    house.set(A=40)
    for _ in range(4):
        house.shelf.failures = [Unavailable("503")] * 9
        push(house.lane)
        house.clock.advance(600)
        lag = found(house)
        stale.append(lag.stale_s)
        shows.append(lag.show_s or 0.0)
    assert stale == pytest.approx([600 * n - 2 for n in (1, 2, 3, 4)])
    assert shows == sorted(shows)

    house.shelf.failures = []
    for _ in range(6):
        house.clock.advance(900)
        push(house.lane)
    house.clock.advance(4)
    verify(house.lane)
    assert house.shelf.numbers["A"] == 40
    back = found(house)
    assert back.stale_s == 0
    house.clock.advance(3600)
    for number in range(30):
        lowers(house, 39 - number, wait_s=1, call_s=1, seen_s=4)
    assert found(house).in_use == usual.in_use


def test_a_paused_channel_shows_old_numbers(house: House) -> None:
    lowers(house, 50, wait_s=1, call_s=1, seen_s=4)
    house.run("UPDATE channel SET paused = true, paused_why = 'stocktaking'")
    house.set(A=40)
    house.clock.advance(7200)

    assert found(house).stale_s > 7000


@pytest.mark.parametrize(
    "excuse",
    [
        "UPDATE push_due SET parked = true, error = 'refused'",
        "UPDATE channel SET writes = false",
        "DELETE FROM binding",
        "INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at)"
        " VALUES ('shop', 'A', 'r', 'ann', now(), now())",
    ],
)
def test_what_waits_for_something_else_is_not_stale(house: House, excuse: str) -> None:
    house.set(A=40)
    house.run(excuse)
    house.clock.advance(7200)

    assert found(house).stale_s == 0


def test_one_row_that_always_fails_does_not_make_its_channel_late(house: House) -> None:
    house.set(A=40)
    house.shelf.failures = [Unavailable("503")]
    push(house.lane)
    house.run("UPDATE push_due SET attempts = 5, run_at = :at", at=house.later(9000))
    house.clock.advance(60)
    lowers(house, 40, wait_s=1, call_s=1, seen_s=4, sku="B")
    house.clock.advance(3600)

    assert house.queue().keys() == {"A"}
    assert found(house).stale_s == 0


def test_a_lag_that_moves_by_much_makes_the_skus_due_that_sell_on_several_channels(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A", "B", "C", rules=RULES + SECOND)
    house.run("DELETE FROM binding WHERE sku = 'B' AND channel = 'outlet'")
    for number, sku in enumerate(["A", "B"]):
        fact = a_fact("order", id=sku, order=sku, channel="shop", sku=sku, location="WH", units=1)
        at = clock.advance(1 + number)
        deliver(house.engine, fact | {"occurred_at": at.isoformat()}, now=at)
        drain(an_inbox_house(house.engine), now=at)
    house.run("DELETE FROM due")
    for _ in range(6):
        clock.advance(1)
        house.run(
            "INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome)"
            " VALUES ('k', 'shop', 'A', 'WH', 1, 1, :at, :at, 'confirmed')",
            at=clock.now,
        )

    assert measure(house.engine, now=clock.now) == {"shop"}
    # B sells on one channel only, C never sold.
    assert house.rows("SELECT sku FROM due") == [("A",)]
    house.run("DELETE FROM due")
    assert measure(house.engine, now=clock.now) == set()
    assert house.rows("SELECT sku FROM due") == []


def test_a_second_measuring_at_once_ends_without_waiting(house: House) -> None:
    with house.engine.begin() as first:
        assert lag_store.take_turn(first)
        assert measure(house.engine, now=house.clock.now) == set()
    assert house.rows("SELECT channel FROM lag") == []
    measure(house.engine, now=house.clock.now)
    assert house.rows("SELECT channel FROM lag") == [("shop",)]


def test_the_engine_is_told_of_channels_that_were_measured(house: House) -> None:
    measure(house.engine, now=house.clock.now)
    with house.engine.connect() as connection:
        assert standing(connection)[2] == {}
    for number in range(6):
        lowers(house, 90 - number, wait_s=1, call_s=1, seen_s=4)
    measure(house.engine, now=house.clock.now)
    with house.engine.connect() as connection:
        assert standing(connection)[2].keys() == {"shop"}
