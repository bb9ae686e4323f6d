"""A run of the forecast: page by page, one at a time, going on where it was; and the levels it leaves behind."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from allocation.planning import forecast_store, level_store, terms_store
from allocation.planning.forecast_store import AtWork
from allocation.planning.mixing import BELIEVED, USUAL
from allocation.planning.ordering import Said
from allocation.planning.powers import CHOICES
from allocation.planning.terms_store import HOUSE, SKU, SUPPLIER, Stated
from ledger.db import transaction
from tests.builders import NOON, a_fact, book, stock_the_house
from tests.servers import Clock, Database
from workers.flows import forecasting, planning, retention

SKUS = tuple(f"SKU-{number:03}" for number in range(130))
WEEKS = 20


def trade(skus: tuple[str, ...] = SKUS) -> Iterator[dict[str, Any]]:
    dice = random.Random(5)
    for sku in skus:
        yield a_fact(
            "receipt", id=f"r:{sku}", sku=sku, units=2_000, occurred_at=NOON - timedelta(weeks=30)
        )
        for week in range(1, WEEKS + 1):
            if dice.random() < 0.8:
                at, name = NOON - timedelta(weeks=week), f"{sku}:{week}"
                yield a_fact(
                    "order", id=name, order=name, sku=sku, units=dice.randint(1, 9), occurred_at=at
                )


@pytest.fixture
def engine(database: Database, clock: Clock) -> Engine:
    stock_the_house(database.engine, skus=SKUS)
    book(database.engine, *trade(), now=NOON)
    clock.now = NOON
    return database.engine


def said_by(engine: Engine, run: int) -> list[Any]:
    with transaction(engine) as connection:
        return list(
            connection.execute(
                text("""SELECT sku, location, model, weights, folds, per_day, sd_per_week, units, quantiles
                        FROM forecast WHERE run_id = :run ORDER BY sku, location"""),
                {"run": run},
            )
        )


def levels(engine: Engine) -> dict[str, tuple[int, int]]:
    with transaction(engine) as connection:
        return {
            of.level.sku: (of.level.reorder_point, of.level.order_up_to)
            for of in level_store.every(connection)
        }


class Killed(Exception):
    """What ends a run in a test."""


def test_a_run_that_is_killed_after_any_page_goes_on_there_and_says_the_same(
    engine: Engine, clock: Clock
) -> None:
    whole = forecasting.run(engine, lambda: clock.now)
    pages = []

    def die(ran: forecasting.Ran) -> None:
        pages.append((ran.run, ran.stage, ran.skus))
        raise Killed

    for _ in range(20):
        try:
            forecasting.run(engine, lambda: clock.now, progress=die)
        except Killed:
            if pages[-1][1] == "done":
                break

    assert len({run for run, _, _ in pages}) == 1
    assert pages == sorted(
        pages, key=lambda page: ("reading", "forecasting", "done").index(page[1])
    )
    assert len(pages) == len(set(pages))
    assert pages[-1][0] > whole.run
    assert whole.places == len(SKUS)
    again = said_by(engine, pages[-1][0])
    assert len(again) == len(SKUS)
    assert again == said_by(engine, whole.run)


def test_only_one_works_at_a_run(engine: Engine, clock: Clock) -> None:
    with forecast_store.alone(engine), pytest.raises(AtWork, match="a forecast is being run"):
        forecasting.run(engine, lambda: clock.now)

    assert forecasting.run(engine, lambda: clock.now).done


def test_a_run_that_was_left_for_days_is_begun_anew(engine: Engine, clock: Clock) -> None:
    first = forecasting.run(engine, lambda: clock.now, until=clock.now)
    clock.now = NOON + timedelta(days=3)

    second = forecasting.run(engine, lambda: clock.now)

    assert not first.done
    assert second.run > first.run
    with transaction(engine) as connection:
        newest = forecast_store.newest(connection)
    assert newest is not None
    assert newest.until_day == clock.now.date()


def test_until_a_run_is_done_the_one_before_holds(engine: Engine, clock: Clock) -> None:
    before = forecasting.run(engine, lambda: clock.now)

    forecasting.run(engine, lambda: clock.now, until=clock.now)

    with transaction(engine) as connection:
        found = planning.reorder(connection, clock.now, all_lines=True)
    assert found.run is not None
    assert found.run.id == before.run
    assert len(found.lines) == len(SKUS)


def test_before_any_run_the_list_is_empty_and_says_so(engine: Engine, clock: Clock) -> None:
    with transaction(engine) as connection:
        found = planning.reorder(connection, clock.now)

    assert (found.lines, found.run) == ([], None)


def test_what_all_places_teach_is_kept_with_the_run(engine: Engine, clock: Clock) -> None:
    forecasting.run(engine, lambda: clock.now)

    with transaction(engine) as connection:
        newest = forecast_store.newest(connection)

    assert newest is not None
    assert newest.learned.series == len(SKUS)
    assert all(newest.learned.pool(weeks).errors != BELIEVED for weeks in (1, 2, 4))
    assert {pool.powers for pool in newest.learned.pools.values()} <= set(CHOICES)
    spread = newest.learned.spread(1, "any")
    assert spread is not None
    assert spread.at(0.95) > spread.at(0.75)
    with transaction(engine) as connection:
        shapes = {of.level.shape for of in level_store.every(connection)}
    assert shapes == {"learned"}


def test_a_run_of_before_that_kept_no_powers_is_read_with_the_usual_ones(
    engine: Engine, clock: Clock
) -> None:
    forecasting.run(engine, lambda: clock.now)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE forecast_run SET learned = learned - 'powers'"))
        newest = forecast_store.newest(connection)

    assert newest is not None
    assert {pool.powers for pool in newest.learned.pools.values()} == {USUAL}


def test_a_service_that_is_stated_moves_the_levels_of_whom_it_concerns(
    engine: Engine, clock: Clock
) -> None:
    forecasting.run(engine, lambda: clock.now)
    before = levels(engine)
    acme = [Stated(SKU, sku, Said(supplier="Acme")) for sku in SKUS[:3]]

    concerned = planning.state_terms(
        engine,
        [*acme, Stated(SUPPLIER, "Acme", Said(lead_days=42.0))],
        by="ann",
        now=clock.now,
    )

    after = levels(engine)
    assert concerned == 3
    assert all(after[sku] > before[sku] for sku in SKUS[:3])
    assert all(after[sku] == before[sku] for sku in SKUS[3:])
    house = planning.state_terms(
        engine, [Stated(HOUSE, "", Said(service=0.5))], by="ann", now=clock.now
    )
    assert house == len(SKUS)
    assert sum(point for point, _ in levels(engine).values()) < sum(
        point for point, _ in after.values()
    )
    with transaction(engine) as connection:
        assert terms_store.terms(connection, SKUS[:1])[SKUS[0]].lead.days == 42


def test_a_place_that_falls_to_its_reorder_point_is_told_once(engine: Engine, clock: Clock) -> None:
    forecasting.run(engine, lambda: clock.now)
    assert planning.look(engine, clock.now) == []
    gone = a_fact("write_off", id="gone", sku=SKUS[7], units=1_950, occurred_at=NOON)
    book(engine, gone, now=NOON)
    clock.now = NOON + timedelta(days=1)

    fell = planning.look(engine, clock.now)

    assert [sku for sku, _ in fell] == [SKUS[7]]
    clock.now = NOON + timedelta(days=2)
    assert planning.look(engine, clock.now) == []
    with transaction(engine) as connection:
        (line,) = planning.reorder(connection, clock.now).lines
    assert line.advice.level.sku == SKUS[7]
    assert line.low_since == NOON + timedelta(days=1)


def test_what_costs_most_to_be_without_is_looked_at_most_often(
    engine: Engine, clock: Clock
) -> None:
    with transaction(engine) as connection:
        connection.execute(
            text(
                "INSERT INTO sku_worth (sku, price, set_at, set_by) SELECT sku, 1, :now, 'ann' FROM sku"
            ),
            {"now": NOON},
        )
        connection.execute(
            text("UPDATE sku_worth SET price = 9000 WHERE sku = :sku"), {"sku": SKUS[4]}
        )
    forecasting.run(engine, lambda: clock.now)
    planning.look(engine, clock.now)

    with transaction(engine) as connection:
        rows = connection.execute(
            text(
                "SELECT sku, tier, look_at - CAST(:now AS timestamptz) AS wait FROM reorder_level"
            ),
            {"now": NOON},
        ).all()
    first = {row.sku for row in rows if row.wait <= timedelta(minutes=15)}
    assert first == {row.sku for row in rows if row.tier == "A"} == {SKUS[4]}


def test_an_order_that_is_cancelled_leaves_every_level_as_it_was(
    engine: Engine, clock: Clock
) -> None:
    forecasting.run(engine, lambda: clock.now)
    before = levels(engine)
    spike = {"order": "spike", "sku": SKUS[0], "units": 80_995}
    at = NOON - timedelta(days=4)
    book(
        engine,
        a_fact("order", id="spike", occurred_at=at, **spike),
        a_fact("order_cancel", id="spike:gone", occurred_at=at + timedelta(minutes=12), **spike),
        now=NOON,
    )

    forecasting.run(engine, lambda: clock.now)

    assert levels(engine) == before


def test_a_run_is_begun_at_night_once_and_gone_on_with_at_any_hour(
    engine: Engine, clock: Clock
) -> None:
    def due(hour: int) -> bool:
        with transaction(engine) as connection:
            return forecasting.is_due(connection, NOON.replace(hour=hour), 3)

    assert [hour for hour in range(24) if due(hour)] == [4, 5, 6, 7, 8, 9]
    forecasting.run(engine, lambda: clock.now, until=clock.now)
    assert due(15)
    forecasting.run(engine, lambda: clock.now)
    assert not due(5)
    assert not due(15)


def test_runs_are_forgotten_after_their_time_but_never_the_one_that_holds(
    engine: Engine, clock: Clock
) -> None:
    first = forecasting.run(engine, lambda: clock.now)
    clock.now += timedelta(days=1)
    second = forecasting.run(engine, lambda: clock.now)

    retention.forget(engine, before=clock.now + timedelta(days=1))

    with transaction(engine) as connection:
        kept = list(connection.execute(text("SELECT id FROM forecast_run")).scalars())
    assert kept == [second.run]
    assert said_by(engine, first.run) == []
    assert len(said_by(engine, second.run)) == len(SKUS)


def test_a_best_seller_rises_at_once_and_falls_only_after_two_weeks(
    engine: Engine, clock: Clock
) -> None:
    def sells(sku: str, per_day: float) -> None:
        with transaction(engine) as connection:
            connection.execute(
                text("UPDATE reorder_level SET per_day = :per_day WHERE sku = :sku"),
                {"per_day": per_day, "sku": sku},
            )

    def tiers(days: int) -> dict[str, str]:
        with transaction(engine) as connection:
            level_store.sort_into_tiers(connection, NOON + timedelta(days=days))
            rows = connection.execute(text("SELECT sku, tier FROM velocity_tier"))
            return {row.sku: row.tier for row in rows}

    forecasting.run(engine, lambda: clock.now)
    slow = [sku for sku, tier in tiers(0).items() if tier == "C"]
    old, new = slow[0], slow[1]
    sells(old, 10_000)
    first = tiers(1)
    sells(old, 0)
    sells(new, 10_000)
    second, third, last = tiers(2), tiers(15), tiers(16)

    assert (first[old], first[new]) == ("A", "C")
    assert (second[old], second[new]) == ("A", "A")
    assert (third[old], last[old]) == ("A", "C")
    assert set(last) == set(SKUS)
