"""Workers that take turns and die, and schedules that are made shorter."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from console.chaos.mortal import mortal_engine
from console.chaos.plans import plan_of, shrunk
from console.chaos.stage import NotOver, Stage, Worker
from console.chaos.types import CALM, Plan, Step, Weather
from ledger import catalogue
from ledger.db import transaction
from tests.builders import count
from tests.servers import Database


@pytest.mark.parametrize(("point", "kept"), [(1, 0), (2, 1), (3, 1), (4, 2), (None, 2)])
def test_who_dies_at_a_commit_leaves_what_was_committed(
    database: Database, point: int | None, kept: int
) -> None:
    stage = Stage()
    engine = mortal_engine(database.app_url, stage)

    def work() -> None:
        for sku in ("TEA", "JAM"):
            with transaction(engine) as connection:
                catalogue.add_skus(connection, {sku: ""})

    worker = Worker("adds", work, dies_at=point)
    stage.enter(worker)
    while not worker.over:
        stage.go_on(worker)

    assert worker.dead == (point is not None)
    with transaction(engine) as connection:
        assert count(connection, "sku") == kept
    engine.dispose()


def test_the_connection_is_everybodys_whoever_died_of_it(database: Database) -> None:
    stage = Stage()
    engine = mortal_engine(database.app_url, stage)

    def work() -> None:
        with transaction(engine) as connection:
            catalogue.add_skus(connection, {"TEA": ""})

    def server_process() -> int:
        with transaction(engine) as connection:
            number: int = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            return number

    before = server_process()
    for point in (1, 2):
        stage.enter(worker := Worker("adds", work, dies_at=point))
        while not worker.over:
            stage.go_on(worker)
        assert worker.dead
    assert server_process() == before
    engine.dispose()


def test_workers_hand_over_between_their_transactions_and_never_inside(database: Database) -> None:
    stage = Stage()
    engine = mortal_engine(database.app_url, stage)
    seen: list[str] = []

    def work(name: str) -> None:
        for _ in range(2):
            with transaction(engine) as connection:
                seen.append(f"{name} begins")
                count(connection, "sku")
                stage.hand_over("in the middle of it")
                seen.append(f"{name} ends")

    workers = [Worker(name, partial(work, name)) for name in "ab"]
    for worker in workers:
        stage.enter(worker)
    while stage.workers:
        for worker in list(stage.workers):
            stage.go_on(worker)

    assert seen == ["a begins", "a ends", "b begins", "b ends"] * 2
    engine.dispose()


def test_a_call_inside_a_transaction_is_refused(database: Database) -> None:
    stage = Stage()
    engine = mortal_engine(database.app_url, stage)

    def work() -> None:
        with transaction(engine) as connection:
            count(connection, "sku")
            stage.refuse_inside_transaction()

    worker = Worker("calls", work)
    stage.enter(worker)
    while not worker.over:
        stage.go_on(worker)

    assert isinstance(worker.error, NotOver)
    engine.dispose()


def test_what_was_asked_can_be_asked_again_after_a_part_was_taken_back(database: Database) -> None:
    engine = mortal_engine(database.app_url, Stage())

    with transaction(engine) as connection:
        catalogue.add_skus(connection, {"TEA": ""})
        part = connection.begin_nested()
        catalogue.add_skus(connection, {"JAM": ""})
        part.rollback()
        catalogue.add_skus(connection, {"RYE": ""})
        kept = count(connection, "sku")

    assert kept == 2
    engine.dispose()


def test_a_transaction_that_only_reads_binds_the_next_one_to_nothing(database: Database) -> None:
    engine = mortal_engine(database.app_url, Stage())

    with transaction(engine) as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        count(connection, "sku")
    with transaction(engine) as connection:
        catalogue.add_skus(connection, {"TEA": ""})

    with transaction(engine) as connection:
        assert count(connection, "sku") == 1
    engine.dispose()


def test_what_the_server_refuses_is_told_as_everywhere(database: Database) -> None:
    engine = mortal_engine(database.app_url, Stage())

    with pytest.raises(IntegrityError), transaction(engine) as connection:
        connection.execute(text("INSERT INTO sku (sku) VALUES (:sku), (:sku)"), {"sku": "TEA"})

    with transaction(engine) as connection:
        assert count(connection, "sku") == 0
    engine.dispose()


def test_a_schedule_follows_from_its_seed() -> None:
    assert plan_of(7) == plan_of(7)
    assert len({str(plan_of(seed)) for seed in range(50)}) == 50


def test_what_is_not_needed_to_fail_is_left_out() -> None:
    verbs = ["order", "count", "cancel", "rules", "fulfil", "order"]
    plan = Plan(
        1,
        Weather(dies=0.5, call_lost=0.5),
        tuple(Step(0, verb, {"n": n}) for n, verb in enumerate(verbs)),
    )

    def fails(shorter: Plan) -> bool:
        left = [step.verb for step in shorter.steps]
        return "count" in left and "fulfil" in left and shorter.weather.dies > 0

    short = shrunk(plan, fails)

    assert [step.verb for step in short.steps] == ["count", "fulfil"]
    assert short.weather == Weather(dies=0.5)
    assert shrunk(Plan(1, CALM, ()), fails).steps == ()
