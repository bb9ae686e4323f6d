"""Why a line was oversold, what happened around it, and how many are."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.db import transaction
from reconcile.oversold import rates, store, timeline
from tests.servers import Clock, Database
from tests.workers.case_house import CaseHouse, a_case_house, choose, oversold
from workers.flows import cases


@pytest.fixture
def house(database: Database, clock: Clock) -> CaseHouse:
    return a_case_house(database.engine, clock)


@pytest.fixture
def short(database: Database, clock: Clock) -> CaseHouse:
    """Order 2 was accepted for nothing."""
    return oversold(database.engine, clock)


def cause(house: CaseHouse) -> tuple[str, dict[str, object]]:
    (case,) = house.cases()
    return case.cause, dict(case.evidence)


def test_two_shops_that_sold_the_last_unit_within_seconds_sold_at_once(house: CaseHouse) -> None:
    house.clock.advance(10)
    house.order("2", channel="till", at_s=-2)
    house.order("1", at_s=-4)
    house.look()

    found, evidence = cause(house)
    assert (found, evidence["late_s"]) == ("sold_at_once", 4)


def test_a_sale_that_was_booked_minutes_late_is_the_cause(house: CaseHouse) -> None:
    house.clock.advance(600)
    house.order("1", channel="till", at_s=-400)
    house.order("2", at_s=-5)
    house.look()

    found, evidence = cause(house)
    assert (found, evidence["late_s"]) == ("late_event", 400)


def test_a_drift_of_that_channel_at_that_time_is_the_cause_also_when_it_is_found_later(
    short: CaseHouse,
) -> None:
    before = cause(short)[0]
    short.rows(
        "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at)"
        " VALUES ('shop', 'MUG-RED', 'OSLO', 0, 5, 'swallowed_update', 're-push', :at, :at)",
        at=short.clock.now,
    )
    short.look(61)

    assert before == "unknown"
    assert cause(short) == ("swallowed_update", {"drift": 1})


def test_a_channel_that_had_said_it_shows_none_sold_below_it(house: CaseHouse) -> None:
    house.order("1")
    house.rows(
        "INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome)"
        " VALUES ('k', 'shop', 'MUG-RED', 'OSLO', 0, 2, :at, :at, 'confirmed')",
        at=house.clock.now,
    )
    house.order("2", at_s=1)
    house.look(2)

    assert cause(house) == ("sold_below_shown", {"push": 1, "units": 0})


def test_a_timeline_tells_everything_with_its_ids(short: CaseHouse) -> None:
    choose(short, "refund")
    short.act()
    short.rows(
        "INSERT INTO halt (channel, sku, reason, set_by, set_at, run_at)"
        " VALUES ('shop', 'MUG-RED', 'r', 'ann', :at, :at)",
        at=short.clock.now,
    )
    with transaction(short.engine) as connection:
        (case,) = store.read(connection, [1])
        told = timeline.timeline(connection, case, cases.RULE)

    assert [each.at for each in told] == sorted(each.at for each in told)
    whats = [each.what for each in told]
    assert {name: whats.count(name) for name in ("event", "halt", "step", "trail")} == {
        "event": 3,
        "halt": 1,
        "step": 4,
        "trail": 5,
    }
    (taken,) = [each.said for each in told if "(-1 left)" in each.said]
    assert taken.startswith("order 1 of MUG-RED shop 2 from OSLO available (-1 left) to committed")
    assert all(each.id for each in told)


# --- the rate ---------------------------------------------------------------------------------------------------------


def test_the_rate_counts_lines_at_their_acceptance_whatever_became_of_them(
    house: CaseHouse,
) -> None:
    house.stock(97)
    for number in range(98):
        house.order(f"ok-{number}")
    house.order("gone", at_s=1)
    house.look(2)
    choose(house, "refund")
    house.order("kept", channel="till", at_s=1)
    house.order("taken", channel="till")
    house.stock(2)
    house.look(2)
    house.fact("write_off", units=1)
    house.look(1)
    with transaction(house.engine) as connection:
        found, sum_ = rates.rates(connection, since=house.clock.now)

    assert [(each.channel, each.accepted, each.oversold, each.percent) for each in found] == [
        ("shop", 99, 1, 1.01),
        ("till", 2, 1, 50.0),
    ]
    assert (sum_.accepted, sum_.oversold, sum_.undecided) == (101, 2, 1)
    assert [sum_.cost, sum_.cost_low, sum_.cost_high] == [Decimal(12), Decimal(42), Decimal(92)]
