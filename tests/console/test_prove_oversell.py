"""The proof of the claim, in its short form: few SKUs, one made offer; and what its verdict says of other outcomes."""

from __future__ import annotations

from typing import Any

import click
import pytest

from allocation.simulate.types import Event, History, Line, Movement, Stream
from allocation.simulate.world import layout_of
from console.cli import prove
from console.prove import demand, lockstep, oversell, verdict
from console.prove.clockwork import Clockwork
from console.prove.demand import HOME
from console.prove.lockstep import Run
from console.prove.oversell import BEST, OURS, PACE, SCENARIOS, WEEK, Size
from console.prove.partner import PARTNER
from tests.databases import Shelf
from tests.reconcile.house import rows
from tests.servers import Database
from workers.settings import Settings

SMALL = Size(days=1, skus=8, week_skus=0, offers=1)


def nobody(done: int, of: int) -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="module")
def naive() -> dict[str, dict[str, Any]]:
    return oversell.naive(WEEK, 1, SMALL, nobody)


def row(accepted: int, oversold: int, sold: int = 1000) -> dict[str, Any]:
    return {
        "sold_units": sold,
        "accepted_lines": accepted,
        "oversold_lines": oversold,
        "oversold_rate": oversold / accepted,
        "oversold_units": oversold,
        "lost_units": 0,
        "cost_usd": [30 * oversold, 80 * oversold],
        "exception_hours": 0.0,
    }


def judged(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    return bool(
        verdict.verdict(
            {WEEK: {1: {OURS: ours, "point_to_point": theirs, BEST: row(1000, 0)}}}, SMALL
        )["passed"]
    )


@pytest.mark.timeout(300)
def test_an_offer_that_sells_out_is_oversold_by_the_naive_and_hardly_by_lockstep(
    database: Database, naive: dict[str, dict[str, Any]]
) -> None:
    ours = oversell.ours(database.engine, Settings(), WEEK, 1, SMALL, nobody)

    assert naive["point_to_point"]["oversold_lines"] >= 20
    assert ours["oversold_lines"] <= 1
    assert ours["demanded_lines"] == naive["point_to_point"]["demanded_lines"]
    assert ours["sold_units"] >= 0.9 * naive["omniscient"]["sold_units"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_runs_by_one_seed_agree_to_the_letter(shelf: Shelf, scenario: str) -> None:
    tiny = Size(days=1, skus=6, week_skus=2, offers=0)
    databases = [shelf.lend(), shelf.lend()]

    one, other = (
        oversell.ours(each.engine, Settings(), scenario, 3, tiny, nobody) for each in databases
    )

    assert one == other
    assert one["accepted_lines"] > 0
    for each in databases:
        shelf.take_back(each)


def played(database: Database, *events: Event) -> Run:
    """One SKU of which ten lie in the warehouse."""
    history = History(demand.WEEK_BEGINS, 3600.0, [Stream("TEE", {HOME: 10}, events)])
    layout = layout_of(oversell.rules_of_all())
    return lockstep.play(history, layout, database.engine, Settings(), PACE, 1, nobody)


def test_wholesale_orders_come_by_850_and_are_promised_answered_and_told(
    database: Database,
) -> None:
    run = played(
        database,
        Line(60.0, "PO1:1", PARTNER, HOME, 8),
        Line(1800.0, "PO2:1", PARTNER, HOME, 5),
    )

    documents = rows(
        database.engine,
        "SELECT direction, set_id, state, ack_state FROM edi_document WHERE set_id <> '997' ORDER BY id",
    )
    assert (run.tally.accepted_units, run.tally.sold_units, run.hand_work) == (10, 10, 0)
    assert documents.count(("in", "850", "applied", "none")) == 2
    assert documents.count(("out", "855", "posted", "accepted")) == 2
    assert {row for row in documents if row[1] == "846"} == {("out", "846", "posted", "accepted")}
    assert rows(database.engine, "SELECT known_units FROM edi_availability") == [(0,)]


def test_what_comes_in_is_told_as_what_it_was_written_down_as(database: Database) -> None:
    played(
        database,
        Movement(60.0, HOME, 3, kind="return"),
        Movement(120.0, HOME, 4, kind="receipt"),
        Movement(180.0, HOME, -2, kind="write_off"),
    )

    told = rows(database.engine, "SELECT kind FROM event ORDER BY seq")
    assert told == [("opening",), ("return",), ("receipt",), ("adjustment",)]
    assert rows(
        database.engine,
        "SELECT units FROM balance WHERE state = 'available' AND location = 'WH-MAIN'",
    ) == [(15,)]


def test_the_same_seed_brings_the_same_demand_and_another_brings_another() -> None:
    week = demand.black_friday_week(seed=1, skus=2, offers=1, stock_percent=85)

    assert week == demand.black_friday_week(seed=1, skus=2, offers=1, stock_percent=85)
    assert week != demand.black_friday_week(seed=2, skus=2, offers=1, stock_percent=85)


def test_the_month_leaves_out_what_amazon_sells_of_its_own_and_cuts_what_lies_there() -> None:
    whole = demand.month(seed=1, days=3, skus=5, stock_percent=100)
    tight = demand.month(seed=1, days=3, skus=5, stock_percent=50)

    lines = [e for s in whole.streams for e in s.events if isinstance(e, Line)]
    assert lines
    assert {line.channel for line in lines}.isdisjoint({"amazon_fba"})
    assert max(e.at for s in whole.streams for e in s.events) <= 3 * demand.DAY_S
    held = sum(sum(s.opening.values()) for s in whole.streams)
    assert 0.4 * held < sum(sum(s.opening.values()) for s in tight.streams) <= 0.5 * held


@pytest.mark.parametrize("asked_s", [(60.0, 5.0), (5.0, 60.0), (5.0, 5.0)])
def test_what_many_ask_for_happens_once_at_the_earliest_moment_asked_for(
    asked_s: tuple[float, float],
) -> None:
    works = Clockwork(demand.WEEK_BEGINS)
    answered: list[float] = []
    for after_s in asked_s:
        works.house_once("sweep", after_s, lambda: answered.append(works.now_s))

    works.run(iter(()), 100.0)

    assert answered == [5.0]


def test_what_is_asked_for_again_after_it_happened_happens_again() -> None:
    works = Clockwork(demand.WEEK_BEGINS)
    answered: list[float] = []

    def once_more() -> None:
        answered.append(works.now_s)
        if len(answered) < 2:
            works.house_once("sweep", 3.0, once_more)

    works.house_once("sweep", 1.0, once_more)
    works.run(iter(()), 100.0)

    assert answered == [1.0, 4.0]


def test_the_costs_are_those_of_the_claim(naive: dict[str, dict[str, Any]]) -> None:
    lines = naive["point_to_point"]["oversold_lines"]

    assert naive["point_to_point"]["cost_usd"] == [30 * lines, 80 * lines]


@pytest.mark.parametrize(
    ("ours", "theirs", "passes"),
    [
        (row(1000, 1), row(1000, 20), True),
        (row(1000, 1), row(1000, 19), False),  # 94.7 % fewer
        (row(1000, 2), row(1000, 400), False),  # 0.2 % is not below 0.2 %
        (row(1000, 0), row(1000, 0), True),
        (row(1000, 1), row(1000, 0), True),
        (row(960, 0, sold=970), row(1000, 20), True),
        (row(960, 0, sold=969), row(1000, 20), False),  # who sells nothing oversells nothing
    ],
)
def test_a_verdict_needs_the_drop_the_rate_and_what_was_sold(
    ours: dict[str, Any], theirs: dict[str, Any], *, passes: bool
) -> None:
    assert judged(ours, theirs) is passes


def test_without_the_two_that_are_compared_nothing_is_proved() -> None:
    assert not verdict.verdict({WEEK: {1: {"hub_15min": row(10, 0)}}}, SMALL)["passed"]


def test_many_seeds_are_told_with_the_least_the_middle_and_the_most() -> None:
    runs = {
        seed: {OURS: row(1000, ours), "point_to_point": row(1000, 50), BEST: row(1000, 0)}
        for seed, ours in ((4, 0), (5, 3), (6, 1))
    }

    told = verdict.verdict({WEEK: runs}, SMALL)["scenarios"][WEEK]

    assert told["seeds"] == [4, 5, 6]
    assert told["spread"]["oversold_rate"] == {"min": 0.0, "median": 0.001, "max": 0.003}
    assert told["spread"]["drop_against_point_to_point"] == {"min": 0.94, "median": 0.98, "max": 1}
    assert told["strategies"][OURS]["spread"]["oversold_lines"] == {"min": 0, "median": 1, "max": 3}
    assert told["seeds_that_miss_alone"] == [5]
    assert told["passed"]


def test_the_table_names_the_seeds_that_would_miss_a_goal_alone() -> None:
    rows = {OURS: row(1000, 3), "point_to_point": row(1000, 50), BEST: row(1000, 0)}
    lines: list[str] = []

    verdict.table(verdict.verdict({WEEK: {7: rows}}, SMALL), lines.append)

    assert any("miss a goal by themselves: 7" in line for line in lines)


@pytest.mark.parametrize(("said", "first", "last"), [("1", 1, 1), ("3", 1, 3), ("4:10", 4, 10)])
def test_seeds_are_so_many_or_from_one_to_another(said: str, first: int, last: int) -> None:
    asked = prove.oversell.make_context("oversell", ["--seeds", said])

    assert list(asked.params["seeds"]) == list(range(first, last + 1))


@pytest.mark.parametrize("said", ["0", "few", "5:4", "0:3", "1:", "1:101", "-1"])
def test_seeds_that_name_none_are_refused(said: str) -> None:
    with pytest.raises(click.BadParameter, match="names no seeds"):
        prove.oversell.make_context("oversell", [f"--seeds={said}"])
