"""Buffers that go by the tier of a SKU, over the real flows: numbers follow when a forecast finds another tier."""

from __future__ import annotations

from datetime import timedelta

from allocation import outlook_store, store
from allocation.planning import level_store
from ledger.db import transaction
from tests.servers import Clock, Database
from tests.workers.shelf import RULES, House, a_house, apply
from workers.flows import forecasting
from workers.flows.explain import explain

QUIET = '[exposure]\non = false\nwhy = "numbers that can be told"\n'
TIERED = RULES + 'buffer_by_tier = { A = 8, B = 3, C = 1 }\nwhy = "fast ones"\n' + QUIET

RUN = """
    INSERT INTO forecast_run (until_day, stage, of_skus, skus, places, learned, began_at, moved_at, ended_at)
    VALUES (:now, 'done', 3, 3, 3, '{"series": 0, "parts": {}, "spreads": {}}', :now, :now, :now)
"""
LEVELS = """
    INSERT INTO reorder_level (sku, location, run_id, pack, minimum, service, review_days, lead_days, lead_sd_days,
                               lead_receipts, per_day, wanted_units, wanted_sd, shape, kind, model, folds,
                               reorder_point, order_up_to, lot_units, lost_per_hour, tier, look_at)
    SELECT sku, 'WH', run.id, 1, 0, 0.95, 7, 14, 0, 0, CASE sku WHEN 'A' THEN 100 WHEN 'B' THEN 20 ELSE 1 END, 28, 6,
           'normal', 'smooth', 'sma', 6, 5, 9, 0, NULL, 'C', :now
    FROM sku CROSS JOIN forecast_run AS run
"""
TARGETS = "SELECT sku, units FROM target ORDER BY sku"


def sorted_in(house: House, days: int = 0) -> list[str]:
    """What a run does with tiers when it is done, so many days later; the SKUs that moved."""
    now = house.clock.now + timedelta(days=days)
    with transaction(house.engine) as connection:
        moved = level_store.sort_into_tiers(connection, now)
        rules = store.current_rules(connection)[1]
        outlook_store.due_by_tier(connection, rules, moved, now)
    return moved


def paced(house: House, **per_day: int) -> None:
    for sku, units in per_day.items():
        house.run(
            "UPDATE reorder_level SET per_day = :units WHERE sku = :sku", sku=sku, units=units
        )


def a_paced_house(database: Database, clock: Clock, rules: str) -> House:
    house = a_house(database.engine, clock, "A", "B", "C", rules=rules)
    house.run(RUN, now=clock.now)
    house.run(LEVELS, now=clock.now)
    house.set(A=50, B=50, C=50)
    return house


def test_numbers_follow_the_tiers_that_a_forecast_finds(database: Database, clock: Clock) -> None:
    house = a_paced_house(database, clock, TIERED)
    before = dict(house.rows(TARGETS))

    moved = sorted_in(house)
    due = [sku for (sku,) in house.rows("SELECT sku FROM due ORDER BY sku")]
    house.allocate()

    assert before == {"A": 42, "B": 42, "C": 42}
    assert moved == due == ["A", "B", "C"]
    assert dict(house.rows(TARGETS)) == {"A": 42, "B": 47, "C": 49}


def test_a_sku_that_sells_fast_at_once_keeps_more_back_and_lets_it_go_after_two_weeks(
    database: Database, clock: Clock
) -> None:
    house = a_paced_house(database, clock, TIERED)
    sorted_in(house)
    house.allocate()
    paced(house, C=10_000)
    risen = sorted_in(house, 1)
    house.allocate()
    high = dict(house.rows(TARGETS))
    paced(house, C=0)

    shown = {}
    for day in range(2, 18):
        sorted_in(house, day)
        house.allocate()
        shown[day] = dict(house.rows(TARGETS))["C"]

    assert "C" in risen
    assert high["C"] == 42
    assert {day for day, units in shown.items() if units == 42} == set(range(2, 16))
    assert (shown[16], shown[17]) == (49, 49)


def test_without_buffers_by_tier_nothing_is_computed_again(
    database: Database, clock: Clock
) -> None:
    house = a_paced_house(database, clock, RULES + QUIET)

    moved = sorted_in(house)

    assert moved == ["A", "B", "C"]
    assert house.rows("SELECT sku FROM due") == []


def test_a_bundle_is_computed_again_when_its_part_moves(database: Database, clock: Clock) -> None:
    house = a_paced_house(database, clock, TIERED)
    house.run("INSERT INTO sku (sku) VALUES ('SET')")
    house.run("INSERT INTO bundle (sku, component, units) VALUES ('SET', 'B', 2)")
    house.run(
        "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
        " VALUES ('shop', 'SET', 'WH', 'item-SET', 'gid://1')"
    )
    house.run("INSERT INTO due (sku, since) VALUES ('SET', :now)", now=clock.now)
    house.allocate()
    before = dict(house.rows(TARGETS))["SET"]

    sorted_in(house)
    house.allocate()

    assert (before, dict(house.rows(TARGETS))["SET"]) == (25 - 8, 25 - 3)


def test_a_run_makes_what_moved_due_and_the_explanation_tells_the_tier(
    database: Database, clock: Clock
) -> None:
    house = a_paced_house(database, clock, TIERED)
    sorted_in(house)
    house.allocate()
    known = explain(house.engine, "C", "shop").explained

    # Nothing was sold in the book: the run finds no place to forecast, and so no tier of any SKU.
    forecasting.run(house.engine, lambda: clock.now)
    house.allocate()
    unknown = explain(house.engine, "C", "shop").explained

    assert known is not None
    assert unknown is not None
    assert [t.why for t in known.terms if t.name == "buffered"] == [
        "buffer 1 of tier C (fast ones)"
    ]
    (why,) = [term.why for term in unknown.terms if term.name == "buffered"]
    assert why.startswith("buffer 8, the largest of its tiers")
    assert dict(house.rows(TARGETS)) == {"A": 42, "B": 42, "C": 42}


def test_rules_by_tier_can_be_applied_and_taken_back(database: Database, clock: Clock) -> None:
    house = a_paced_house(database, clock, RULES + QUIET)
    sorted_in(house)
    house.allocate()

    with transaction(house.engine) as connection:
        apply(connection, TIERED, clock.now)
    house.allocate()
    tiered = dict(house.rows(TARGETS))
    with transaction(house.engine) as connection:
        apply(connection, RULES + QUIET, clock.now)
    house.allocate()

    assert tiered == {"A": 42, "B": 47, "C": 49}
    assert dict(house.rows(TARGETS)) == {"A": 50, "B": 50, "C": 50}
