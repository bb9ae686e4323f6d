"""Weeks measured from the real book and the real history of targets, and the look that raises and ends alarms."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from allocation import alarms, fit_store, store
from allocation.fit import WEEK, Week
from ledger.db import transaction
from tests.servers import Clock, Database
from tests.workers.fit_rig import FIRST, MONDAY, Trade, a_trade
from workers.flows import fit


@pytest.fixture
def trade(database: Database, clock: Clock) -> Trade:
    return a_trade(database.engine, clock, "MUG", "CUP")


def measured(trade: Trade, weeks: int = 1) -> dict[tuple[str, int], Week]:
    """By channel and number of the week."""
    with transaction(trade.engine) as connection:
        _, rules = store.current_rules(connection)
        found = fit_store.weeks(connection, rules, MONDAY, MONDAY + weeks * WEEK)
    assert [(w.channel, w.week) for w in found] == [
        (name, MONDAY + n * WEEK) for name in FIRST for n in range(weeks)
    ]
    return {(week.channel, (week.week - MONDAY) // WEEK): week for week in found}


def sold(trade: Trade, weeks: int = 1) -> dict[tuple[str, int], int]:
    return {key: week.sold for key, week in measured(trade, weeks).items() if week.sold}


def test_an_order_counts_in_the_week_it_was_placed_less_what_was_cancelled(trade: Trade) -> None:
    trade.receive(1000)
    trade.at(0, hours=167.99)
    order = trade.sell("web", 10)
    trade.at(1)
    trade.sell("web", 7)
    trade.sell("wholesale", 4, sku="CUP")

    trade.book("order_cancel", "MUG", units=3, channel="web", order=order)

    assert sold(trade, 2) == {("web", 0): 7, ("web", 1): 7, ("wholesale", 1): 4}


def test_a_newer_state_of_an_order_stays_in_the_week_of_the_order(trade: Trade) -> None:
    trade.receive(1000)
    trade.at(0, hours=1)
    order = trade.sell("web", 10)
    trade.at(1)

    trade.book("order", "MUG", units=12, channel="web", order=order)

    assert sold(trade, 2) == {("web", 0): 12}
    with transaction(trade.engine) as connection:
        _, rules = store.current_rules(connection)
        later = fit_store.weeks(connection, rules, MONDAY + WEEK, MONDAY + 2 * WEEK)
    assert all(week.sold == 0 for week in later)


def test_what_leaves_without_an_order_counts_for_its_channel_until_it_is_undone(
    trade: Trade,
) -> None:
    trade.receive(1000)
    trade.at(0, hours=1)
    for name in ("ship:1", "ship:2"):
        trade.book("ship", "MUG", id=name, units=5, channel="web")
    trade.book("ship", "MUG", id="gift", units=9)
    assert sold(trade) == {("web", 0): 10}

    trade.book("reversal", "", reverses_source="wms", reverses_id="ship:2", reason="typo")

    assert sold(trade) == {("web", 0): 5}


def test_stock_is_the_mean_over_the_time_of_the_week(trade: Trade) -> None:
    trade.receive(100)
    assert trade.shows() == {"web": 60, "market": 25, "wholesale": 15}
    trade.at(0, hours=84)
    trade.receive(100)
    trade.at(1, hours=42)
    trade.receive(40, sku="CUP")
    trade.at(2, hours=1)
    trade.receive(1000)

    found = measured(trade, 2)

    assert [found["web", n].shown for n in (0, 1)] == pytest.approx([60 * 1.5, 120 + 24 * 0.75])
    assert [found["wholesale", n].shown for n in (0, 1)] == pytest.approx([22.5, 30 + 6 * 0.75])


def test_numbers_from_before_the_history_count_as_they_stood(
    trade: Trade, database: Database
) -> None:
    trade.receive(100)
    with database.superuser.begin() as connection:
        connection.execute(text("TRUNCATE target_history"))
    trade.at(1)
    trade.receive(40, sku="CUP")

    found = measured(trade)

    shown = {name: week.shown for (name, _), week in found.items()}
    assert shown == pytest.approx({"web": 60, "market": 25, "wholesale": 15})
    assert all(week.starved_minutes == 0 for week in found.values())


def test_a_channel_that_shows_nothing_of_a_pool_that_has_something_starves(trade: Trade) -> None:
    """A pace of 8 units a day, then two days of 0 while 2 units lie there: 16 lost, 2 of them could have been sold."""
    trade.receive(10)
    assert trade.shows() == {"web": 6, "market": 3, "wholesale": 1}
    trade.at(0, hours=-11)
    for _ in range(8):
        trade.sell("wholesale", 1)
    assert trade.shows() == {"web": 1, "market": 1, "wholesale": 0}
    trade.at(0, hours=48)
    trade.sell("market", 1)
    trade.sell("web", 1)

    found = measured(trade)
    dry, rest = found["wholesale", 0], [found["web", 0], found["market", 0]]

    assert dry.starved_minutes == pytest.approx(48 * 60)
    assert dry.regret == 0
    assert [week.starved_minutes for week in rest] == pytest.approx([0, 0])


@pytest.mark.parametrize(("left", "regret"), [(2, 2), (1, 1)])
def test_what_could_not_be_sold_is_at_most_what_was_left(
    trade: Trade, left: int, regret: int
) -> None:
    trade.receive(10)
    for _ in range(8):
        trade.sell("wholesale", 1)
    trade.at(0, hours=24)
    if left == 1:
        trade.sell("market", 1)

    found = measured(trade)

    assert sum(week.regret for week in found.values()) == pytest.approx(regret)
    assert found["wholesale", 0].starved_minutes == pytest.approx(7 * 24 * 60)


def test_a_slow_channel_loses_no_more_than_its_pace_times_the_time(trade: Trade) -> None:
    """One unit, a day before: a pace of one a day for half a day, with two units that nobody bought."""
    trade.receive(3)
    trade.sell("wholesale", 1)
    trade.at(0, hours=12)
    trade.receive(100)

    found = measured(trade)["wholesale", 0]

    assert (found.starved_minutes, found.regret) == pytest.approx((720, 0.5), rel=0.02)


@pytest.mark.parametrize("rule", ["cut_off = 5", "exclude = true"])
def test_a_rule_that_lets_nothing_be_shown_starves_nobody(
    database: Database, clock: Clock, rule: str
) -> None:
    trade = a_trade(database.engine, clock)
    trade.receive(3)
    assert trade.shows() == {"web": 2, "market": 1, "wholesale": 0}

    trade.apply(FIRST | {"wholesale": f"15\n{rule}"})

    assert trade.shows()["wholesale"] == 0
    assert {week.starved_minutes for week in measured(trade).values()} == {0}


def flagged(trade: Trade) -> list[tuple[str, object]]:
    with transaction(trade.engine) as connection:
        found = alarms.open_alarms(connection, fit.FIT)
    return [(alarm.object, alarm.since) for alarm in found]


def a_week_of_trade(trade: Trade, week: int, wholesale: int = 40) -> None:
    trade.at(week, hours=10)
    for channel, units in (("web", 42), ("market", 18), ("wholesale", wholesale)):
        trade.sell(channel, units)


def test_weights_are_looked_at_once_an_hour(trade: Trade) -> None:
    """The second look is too early to see what the book has meanwhile been told."""
    trade.receive(5000)
    for week in range(3):
        a_week_of_trade(trade, week, wholesale=40 if week else 5)
    trade.at(3)
    assert fit.watch(trade.engine, now=trade.clock.now) == []
    late = MONDAY + timedelta(hours=20)
    trade.book("order", "MUG", units=35, channel="wholesale", order="late", occurred_at=late)

    trade.clock.advance(3599)
    assert fit.watch(trade.engine, now=trade.clock.now) == []
    trade.clock.advance(1)
    raised = fit.watch(trade.engine, now=trade.clock.now)

    assert [(each.rule, each.what) for each in raised] == [
        ("alloc.fit", "channel:web"),
        ("alloc.fit", "channel:wholesale"),
    ]
    assert flagged(trade) == [(each.what, trade.clock.now) for each in raised]
    trade.clock.advance(7200)
    assert fit.watch(trade.engine, now=trade.clock.now) == []
    assert {since for _, since in flagged(trade)} == {trade.clock.now - timedelta(hours=2)}


def test_nobody_looks_before_the_rules_have_seen_the_end_of_a_week(trade: Trade) -> None:
    def waits() -> bool:
        with transaction(trade.engine) as connection:
            return fit.waits(connection, trade.clock.now)

    assert not waits()
    trade.at(0)
    assert waits()
    fit.watch(trade.engine, now=trade.clock.now)
    assert not waits()
    trade.clock.advance(3600)
    assert waits()


def test_two_workers_look_once(trade: Trade) -> None:
    trade.receive(5000)
    for week in range(3):
        a_week_of_trade(trade, week)
    trade.at(3)
    start, raised = threading.Barrier(4), []

    def look() -> None:
        start.wait()
        raised.extend(fit.watch(trade.engine, now=trade.clock.now))

    workers = [threading.Thread(target=look) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(raised) == len(flagged(trade)) == 2


def test_the_alarm_of_a_channel_that_is_no_more_ends(trade: Trade) -> None:
    trade.receive(5000)
    for week in range(3):
        a_week_of_trade(trade, week)
    trade.at(3)
    fit.watch(trade.engine, now=trade.clock.now)

    trade.apply({"web": 70, "market": 30})
    trade.clock.advance(3600)
    fit.watch(trade.engine, now=trade.clock.now)

    assert flagged(trade) == []


def test_a_look_writes_nothing_and_says_what_will_be_flagged(trade: Trade) -> None:
    trade.receive(5000)
    for week in range(4):
        a_week_of_trade(trade, week)
    trade.at(4, hours=30)

    found = fit.look(trade.engine, now=trade.clock.now, weeks=2)
    again = fit.look(trade.engine, now=trade.clock.now, weeks=13)

    assert found.flagged == again.flagged == {"web": None, "wholesale": None}
    assert [len(each.weeks) for each in (*found.fits, *again.fits)] == [2] * 3 + [5] * 3
    assert flagged(trade) == []
    assert found.until == MONDAY + 4 * WEEK
