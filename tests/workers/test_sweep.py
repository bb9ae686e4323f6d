"""The sweep finds everything that waits, whoever forgot to ring for it; heartbeats say that a queue moves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from reconcile import halt_store
from tests.builders import NOON, a_fact, a_house, deliver, stock_the_house
from tests.servers import Clock, Database
from tests.workers.shelf import House
from tests.workers.shelf import a_house as a_house_with_a_shelf
from workers.flows import halts
from workers.flows.ingest import drain
from workers.flows.push import push
from workers.flows.reconcile import open_windows
from workers.flows.sweep import Waiting, beat, sweep
from workers.flows.verify import verify

NOTHING = Waiting(inbox=False, due=False, pushes=(), receipts=(), halts=(), runs=())


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    return a_house_with_a_shelf(database.engine, clock, "MUG-RED")


def found(database: Database, now: datetime) -> Waiting:
    return sweep(database.engine, now=now)


def test_in_a_house_at_rest_nothing_waits(database: Database) -> None:
    assert found(database, NOON) == NOTHING


def test_a_kept_delivery_waits_until_it_is_drained(database: Database) -> None:
    stock_the_house(database.engine)
    deliver(database.engine, a_fact("receipt", units=1))
    assert found(database, NOON).inbox

    drain(a_house(database.engine), now=NOON)

    assert not found(database, NOON).inbox
    assert found(database, NOON).due


def test_a_number_waits_until_it_is_shown_and_read_back(house: House, database: Database) -> None:
    house.set(**{"MUG-RED": 5})
    house.clock.advance(2)
    assert found(database, house.clock.now).pushes == ("shop",)

    push(house.lane)
    shown = found(database, house.clock.now).pushes
    house.clock.advance(3)
    to_be_read = found(database, house.clock.now).pushes
    verify(house.lane)

    assert (shown, to_be_read) == ((), ("shop",))
    assert found(database, house.later(60)).pushes == ()


def test_a_paused_channel_is_left_alone(house: House, database: Database) -> None:
    house.set(**{"MUG-RED": 5})
    house.run("UPDATE channel SET paused = true, paused_by = 'ann', paused_why = 'fire'")

    assert found(database, house.later(60)).pushes == ()


def test_a_halt_waits_until_it_is_carried_out(house: House, database: Database) -> None:
    halts.halt(
        database.engine, channel="shop", sku="MUG-RED", reason="x", by="ann", now=house.clock.now
    )

    assert found(database, house.clock.now).halts == ("shop",)

    halts.work_halts(database.engine, house.shelf, channel="shop", now=lambda: house.clock.now)
    assert found(database, house.clock.now).halts == ()
    with database.engine.connect() as connection:
        assert len(halt_store.open_halts(connection)) == 1


def test_what_nobody_could_push_or_read_back_rings_no_bell(
    house: House, database: Database
) -> None:
    house.set(**{"MUG-RED": 5})
    push(house.lane)
    halts.halt(
        database.engine, channel="shop", sku="MUG-RED", reason="x", by="ann", now=house.clock.now
    )
    halts.work_halts(database.engine, house.shelf, channel="shop", now=lambda: house.clock.now)
    house.set(**{"MUG-RED": 4})
    house.clock.advance(60)
    verify(house.lane)
    assert house.queue(), "the number waits for the halt to end"

    assert found(database, house.later(60)).pushes == ()
    halts.lift(
        database.engine, channel="shop", sku="MUG-RED", by="ann", reason="x", now=house.clock.now
    )
    halts.work_halts(database.engine, house.shelf, channel="shop", now=lambda: house.clock.now)
    assert found(database, house.later(60)).pushes == ("shop",)


def test_a_place_that_is_listed_no_more_rings_no_bell(house: House, database: Database) -> None:
    house.set(**{"MUG-RED": 5})
    house.run("DELETE FROM binding")

    assert found(database, house.later(60)).pushes == ()


def test_a_read_back_waits_for_the_answer_to_a_push_without_ringing(
    house: House, database: Database
) -> None:
    house.set(**{"MUG-RED": 5})
    push(house.lane)
    house.set(**{"MUG-RED": 4})
    house.run("UPDATE push_due SET push_key = 'asked', parked = true, error = 'a person looks'")

    assert found(database, house.later(60)).pushes == ()


def test_an_open_window_waits_for_a_worker(house: House, database: Database) -> None:
    now = house.clock.now
    windows = open_windows(database.engine, now=now, window_s=900)

    assert windows.opened == [("shop", now)]
    assert found(database, now).runs == (("shop", now),)


def test_of_many_clocks_one_opens_a_window(house: House, database: Database) -> None:
    opened = [
        open_windows(database.engine, now=house.later(seconds), window_s=900).opened
        for seconds in (0, 0, 1, 899, 900, 901)
    ]

    assert [len(each) for each in opened] == [1, 0, 0, 0, 1, 0]


def test_a_delivery_that_waited_a_week_is_parked_for_a_person(database: Database) -> None:
    stock_the_house(database.engine)
    deliver(database.engine, a_fact("order_cancel", units=1))
    drain(a_house(database.engine), now=NOON)

    sweep(database.engine, now=NOON + timedelta(days=6, hours=23))
    patient = states(database)
    sweep(database.engine, now=NOON + timedelta(days=7, minutes=1))

    assert patient == ["waiting"]
    assert states(database) == ["parked"]


def test_a_queue_has_one_heartbeat_that_moves_on(database: Database) -> None:
    for minute, worker in enumerate(("a@here", "b@here")):
        beat(
            database.engine,
            queue="push.shop",
            worker=worker,
            now=NOON + timedelta(minutes=minute),
        )

    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT queue, seen_at, worker FROM heartbeat")).all()
    assert [tuple(row) for row in rows] == [("push.shop", NOON + timedelta(minutes=1), "b@here")]


def states(database: Database) -> list[str]:
    with database.engine.connect() as connection:
        return list(connection.execute(text("SELECT state FROM inbox ORDER BY id")).scalars())
