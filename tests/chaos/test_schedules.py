"""Random schedules of the real flows: the short form of `lockstep chaos`, and mistakes that it must find.

In long: `make test-chaos`, which plays ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from console.chaos.plans import plan_of
from console.chaos.plants import PLANTS
from console.chaos.run import Server, Theatre, shortest
from console.chaos.types import CALM, Plan, Step
from tests.databases import Servers

#: Schedules of the short form, and how many at a time are one test.
SCHEDULES, AT_A_TIME = 60, 5
#: Mistakes that the suite makes; `lockstep chaos --plants` makes all of them.
MADE = ("lost-inbox-row", "no-sweep", "restock-on-cancel")
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


@pytest.fixture(scope="module")
def theatre(servers: Servers, template: str, worker_number: int) -> Iterator[Theatre]:
    server = Server(servers.superuser_url, servers.app_url)
    theatre = Theatre(server, f"chaos_test_{worker_number}", template)
    yield theatre
    theatre.close()


@pytest.mark.parametrize("first", range(0, SCHEDULES, AT_A_TIME))
def test_whatever_fails_every_promise_is_kept_in_the_end(theatre: Theatre, first: int) -> None:
    for seed in range(first, first + AT_A_TIME):
        outcome = theatre.play(plan_of(seed))

        assert not outcome.breaches, "\n".join([f"seed {seed}", *outcome.trace[-200:]])


def test_a_schedule_that_is_played_again_is_the_same_to_the_letter(theatre: Theatre) -> None:
    first = theatre.play(plan_of(21), keep_trace=True)
    theatre.play(plan_of(1))
    again = theatre.play(plan_of(21), keep_trace=True)

    assert any("dies" in line for line in first.trace)
    assert again.trace == first.trace
    assert again.digest == first.digest


@pytest.mark.parametrize("mistake", MADE)
def test_a_mistake_made_on_purpose_is_found(theatre: Theatre, mistake: str) -> None:
    plant = PLANTS[mistake]

    outcome = theatre.play(plan_of(plant.seed), plant=mistake)

    assert plant.breaks in {breach.invariant for breach in outcome.breaches}


def test_an_orders_file_that_comes_again_is_one_order_and_two_would_be_found(
    theatre: Theatre,
) -> None:
    purchase = {"partner": "depot", "sku": "A", "units": 2}
    again = {"partner": "depot", "nth": 0}
    steps = (Step(0, "purchase", purchase), Step(20, "purchase_again", again))
    plan = Plan(1, CALM, steps, cast="shop and partner", compared=False)

    once, twice = theatre.play(plan), theatre.play(plan, plant="doubled-850")

    assert once.breaches == ()
    assert "units are conserved" in {breach.invariant for breach in twice.breaches}


@pytest.mark.parametrize("by_s", [3600.0, -3600.0])
def test_a_clock_that_was_wrong_by_an_hour_leaves_nothing_behind(
    theatre: Theatre, by_s: float
) -> None:
    order = {"shop": "shop", "sku": "A", "place": "OSLO", "units": 1}
    steps = (
        Step(0, "set_clock", {"by_s": by_s}),
        Step(0, "order", order),
        Step(8, "receive", {"sku": "A", "place": "OSLO", "units": 4}),
        Step(4, "set_clock", {"by_s": -by_s}),
    )

    outcome = theatre.play(Plan(1, CALM, steps, cast="shop and till"))

    assert outcome.breaches == ()


#: What was found of a clock that was ahead and put right: seed -> the shortest form of its schedule.
FOUND_OF_CLOCKS = {
    1346: (
        Step(0, "set_clock", {"by_s": 3600.0}),
        Step(20, "set_clock", {"by_s": -3600.0}),
        Step(
            1, "human", {"sku": "A", "place": "OSLO", "shop": "shop", "units": -2, "silent": True}
        ),
    ),
    1377: (
        Step(1, "set_clock", {"by_s": 3600.0}),
        Step(20, "sale", {"sku": "B", "place": "BERGEN", "units": 2, "till": "till"}),
        Step(4, "set_clock", {"by_s": -3600.0}),
    ),
}


@pytest.mark.parametrize("seed", FOUND_OF_CLOCKS)
def test_what_was_found_of_a_clock_ahead_is_not_found_again(theatre: Theatre, seed: int) -> None:
    short = Plan(seed, CALM, FOUND_OF_CLOCKS[seed], "shop and till", sweep_s=10, compared=False)

    for plan in (plan_of(seed), short):
        assert theatre.play(plan).breaches == ()


def test_a_shop_that_refuses_the_copy_of_a_call_it_let_in_is_not_called_too_often(
    theatre: Theatre,
) -> None:
    outcome = theatre.play(plan_of(50370), keep_trace=True)

    assert any("fault shop=shop kind=throttle" in line for line in outcome.trace)
    assert outcome.breaches == ()


def test_a_number_that_a_person_changed_of_a_scarce_sku_is_put_right_whatever_is_computed(
    theatre: Theatre,
) -> None:
    assert theatre.play(plan_of(50278)).breaches == ()


def test_what_was_read_by_a_clock_that_is_put_back_is_judged_by_no_call_that_came_after_it(
    theatre: Theatre,
) -> None:
    steps = (
        Step(0, "order", {"sku": "A", "place": "OSLO", "units": 1, "shop": "shop"}),
        Step(0.1, "set_clock", {"by_s": 3600.0}),
        Step(2, "order", {"sku": "B", "place": "OSLO", "units": 3, "shop": "mall"}),
        Step(2, "set_clock", {"by_s": -3600.0}),
        Step(0.5, "write_off", {"sku": "A", "place": "BERGEN", "units": 2}),
    )
    weather = replace(CALM, bell_twice=0.054)
    short = Plan(61074, weather, steps, "two shops", sweep_s=3, compared=False)

    for plan in (plan_of(61074), short):
        assert theatre.play(plan).breaches == ()


def test_on_the_night_of_a_clock_change_a_season_begins_when_the_house_says(
    theatre: Theatre,
) -> None:
    goods = {"sku": "A", "place": "OSLO", "units": 4}
    plan = Plan(1, CALM, (Step(0, "receive", goods),), cast="autumn in Berlin")

    assert theatre.play(plan).breaches == ()


def test_the_page_tells_every_mistake_as_it_is() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]

    told = {
        f"| `{name}` | {plant.says} | {plant.seed} | {plant.breaks} |"
        for name, plant in PLANTS.items()
    }

    assert told <= set(rows)


def test_what_fails_is_made_shorter_and_still_fails(theatre: Theatre) -> None:
    order = {"shop": "shop", "sku": "A", "place": "OSLO", "units": 1}
    away = {"sku": "B", "place": "OSLO", "units": 1}
    plan = Plan(
        1,
        CALM,
        (
            Step(0, "write_off", away),
            Step(0, "order", order),
            Step(1, "cancel", {"shop": "shop", "nth": 0, "restock": False}),
            Step(0, "write_off", away),
        ),
    )

    short, outcome = shortest(theatre, plan, plant="restock-on-cancel")

    assert [step.verb for step in short.steps] == ["order", "cancel"]
    assert {breach.invariant for breach in outcome.breaches} == {"units are conserved"}
