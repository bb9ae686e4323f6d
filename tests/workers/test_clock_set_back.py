"""The database's clock was an hour ahead and is put right: nothing waits for the hour that comes again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.servers import Clock, Database
from tests.workers.shelf import RULES, House, a_house, apply
from workers.flows import halts
from workers.flows.push import push
from workers.flows.reconcile import open_windows
from workers.flows.sweep import Waiting, sweep
from workers.flows.verify import verify

HOUR_S = 3600
SEASON = '\n[[overrides]]\nsku = "MUG-RED"\nfrom = {at}\ncap = 1\nwhy = "a season"\n'


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    return a_house(database.engine, clock, "MUG-RED")


def put_right(house: House) -> Waiting:
    """The clock is put right, and a sweep comes."""
    house.clock.advance(-HOUR_S)
    return sweep(house.engine, now=house.clock.now)


def test_a_number_that_was_put_off_is_due(house: House) -> None:
    house.clock.advance(HOUR_S)
    house.set(**{"MUG-RED": 5})

    assert put_right(house).pushes == ("shop",)


def test_a_halt_that_was_set_is_carried_out(house: House) -> None:
    house.clock.advance(HOUR_S)
    halts.halt(
        house.engine,
        channel="shop",
        sku="MUG-RED",
        reason="looks wrong",
        by="ann",
        now=house.clock.now,
    )

    assert put_right(house).halts == ("shop",)


def test_what_is_read_now_counts_for_more_than_what_was_read_then(house: House) -> None:
    house.clock.advance(HOUR_S)
    house.set(**{"MUG-RED": 5})
    house.clock.advance(2)
    push(house.lane)
    house.clock.advance(3)
    verify(house.lane)

    put_right(house)

    (read_at,) = house.rows("SELECT read_at FROM shown")[0]
    assert read_at <= house.clock.now


def test_orders_are_read_from_before_the_hour_that_comes_again(house: House) -> None:
    house.clock.advance(HOUR_S)
    house.set(**{"MUG-RED": 5})
    house.run("UPDATE channel SET orders_mark = :now", now=house.clock.now)

    put_right(house)

    (mark,) = house.rows("SELECT orders_mark FROM channel")[0]
    assert mark <= house.clock.now - timedelta(hours=1)


def test_windows_that_come_again_are_opened_again(house: House) -> None:
    house.clock.advance(HOUR_S)
    house.set(**{"MUG-RED": 5})
    open_windows(house.engine, now=house.clock.now, window_s=900)
    house.run("UPDATE run SET state = 'done'")

    put_right(house)
    house.clock.advance(HOUR_S)

    assert open_windows(house.engine, now=house.clock.now, window_s=900).opened


def test_a_season_that_began_too_early_begins_once_more(house: House) -> None:
    begins = house.clock.now + timedelta(minutes=30)
    with house.engine.begin() as connection:
        apply(connection, RULES + SEASON.format(at=begins.isoformat()), house.clock.now)
    house.clock.advance(HOUR_S)
    sweep(house.engine, now=house.clock.now)
    house.set(**{"MUG-RED": 5})
    assert house.rows("SELECT units FROM target") == [(1,)]

    put_right(house)
    house.allocate()
    assert house.rows("SELECT units FROM target") == [(5,)]

    house.clock.advance(HOUR_S)
    sweep(house.engine, now=house.clock.now)
    house.allocate()
    assert house.rows("SELECT units FROM target") == [(1,)]


def test_a_window_that_a_clock_ahead_wrote_off_is_opened_again(house: House) -> None:
    house.clock.advance(HOUR_S)
    open_windows(house.engine, now=house.clock.now, window_s=900)
    (window_at,) = house.rows("SELECT max(window_at) FROM run")[0]
    house.clock.advance(-HOUR_S)
    house.run(
        "UPDATE run SET window_at = :mine, state = 'missed', finished_at = :then",
        mine=window_at - timedelta(seconds=HOUR_S),
        then=window_at,
    )

    sweep(house.engine, now=house.clock.now)

    assert open_windows(house.engine, now=house.clock.now, window_s=900).opened == [
        ("shop", window_at - timedelta(seconds=HOUR_S))
    ]


def test_a_clock_that_was_ahead_while_nothing_was_pushed_is_found_by_what_sweeps_noted(
    house: House,
) -> None:
    house.clock.advance(HOUR_S)
    sweep(house.engine, now=house.clock.now)
    house.run("UPDATE channel SET orders_asked_at = :now", now=house.clock.now)

    assert put_right(house).asked == ("shop",)


def test_a_clock_that_was_ahead_between_two_sweeps_is_found_within_a_window(house: House) -> None:
    house.set(**{"MUG-RED": 5})
    push(house.lane)
    sweep(house.engine, now=house.clock.now)
    house.clock.advance(HOUR_S)
    verify(house.lane)

    house.clock.advance(900 - HOUR_S)
    sweep(house.engine, now=house.clock.now)

    (read_at,) = house.rows("SELECT read_at FROM shown")[0]
    assert read_at <= house.clock.now


def test_whoever_still_writes_by_the_wrong_clock_is_put_right_moments_later(house: House) -> None:
    house.set(**{"MUG-RED": 5})
    push(house.lane)
    house.clock.advance(HOUR_S)
    sweep(house.engine, now=house.clock.now)
    put_right(house)
    house.clock.advance(HOUR_S)
    verify(house.lane)

    house.clock.advance(15 - HOUR_S)
    sweep(house.engine, now=house.clock.now)

    (read_at,) = house.rows("SELECT read_at FROM shown")[0]
    assert read_at <= house.clock.now


def test_what_was_written_keeps_its_distances(house: House) -> None:
    house.clock.advance(HOUR_S)
    house.set(**{"MUG-RED": 5})
    house.clock.advance(40)
    house.run("UPDATE target SET set_at = :now", now=house.clock.now)

    put_right(house)

    (since, run_at) = house.rows("SELECT since, run_at FROM push_due")[0]
    assert house.clock.now - since == timedelta(seconds=40)
    assert run_at == house.clock.now


def test_a_clock_that_was_right_all_the_time_is_left_alone(house: House) -> None:
    house.set(**{"MUG-RED": 5})
    house.clock.advance(-5)
    later = house.clock.now + timedelta(hours=1)
    house.run("UPDATE channel SET next_call_at = :later, orders_asked_at = :later", later=later)
    before = house.rows("SELECT since, run_at FROM push_due")

    sweep(house.engine, now=house.clock.now)

    assert house.rows("SELECT since, run_at FROM push_due") == before
    assert house.rows("SELECT next_call_at, orders_asked_at FROM channel") == [(later, later)]
