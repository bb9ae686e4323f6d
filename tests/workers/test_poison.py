"""A delivery, and a number, that kills its worker each time: found by real deaths, set aside, the others go on."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from channels.base import Level
from channels.lane import Message
from channels.registry import LANES
from ledger import inbox
from ledger.context import Catalogue
from ledger.db import connect, transaction
from ledger.inbox import Delivery
from tests.builders import NOON, a_fact, deliver, inbox_states, minutes, stock_the_house
from tests.builders import a_house as an_ingest
from tests.servers import Clock, Database
from tests.workers.failed_rig import failed, the_one
from tests.workers.shelf import RULES, House, a_house, apply
from workers.failures.trials import Trial, is_poison, rows_to_take
from workers.flows import ingest
from workers.flows.ingest import drain
from workers.flows.push import push

_KILL = b"kill"


def deaths_until(
    done: Callable[[], bool], work: Callable[[datetime], None], clock: Clock, wait_s: float
) -> int:
    """Let children of our own do it one after the other until it is done; how many died."""
    forked = multiprocessing.get_context("fork")
    deaths = 0
    for _ in range(40):
        child = forked.Process(target=work, args=(clock.now,))
        child.start()
        child.join(60)
        assert child.exitcode in (0, -signal.SIGKILL)
        deaths += child.exitcode != 0
        clock.advance(wait_s)
        if done():
            return deaths
    raise AssertionError("it kills whoever takes it, for ever")


def _read(topic: str, body: bytes) -> Message:
    if body == _KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    return LANES["shopify"].read(topic, body)


def a_deadly_house(url: str, rows: int) -> ingest.House:
    """A drain that dies, as a process dies for want of memory, when it reads one body."""
    deadly = {"shopify": replace(LANES["shopify"], read=_read)}
    return ingest.House(connect(url, pool=2), deadly, Catalogue(), os.urandom, rows=rows)


def test_a_delivery_that_kills_its_worker_is_parked_and_all_others_are_booked(
    database: Database, clock: Clock
) -> None:
    stock_the_house(database.engine)
    with database.engine.begin() as connection:
        apply(connection, RULES, NOON)
    url = database.app_url
    facts = [a_fact("receipt", id=f"r{n}", units=1) for n in range(60)]
    deliver(database.engine, *facts[:40])
    with transaction(database.engine) as connection:
        inbox.keep(connection, [Delivery("shop", "bad", "orders/create", _KILL)], now=NOON)
    deliver(database.engine, *facts[40:])

    def work(now: datetime) -> None:
        drain(a_deadly_house(url, 64), now=now)

    def is_done() -> bool:
        return "pending" not in inbox_states(database.engine).values()

    deaths = deaths_until(is_done, work, clock, 11)
    drain(an_ingest(database.engine), now=clock.now)

    states = inbox_states(database.engine)
    assert states.pop("bad") == "parked"
    assert set(states.values()) == {"applied"}
    # 64, 8, and three times alone.
    assert deaths == 5
    row = the_one(database.engine)
    assert (row.kind, row.origin, row.channel) == ("bug", "inbox", "shop")
    assert "3 workers died" in row.error
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM trial")).scalar_one() == 0


def test_a_number_that_kills_its_worker_is_parked_and_all_others_are_shown(
    database: Database, clock: Clock
) -> None:
    skus = [f"S{n:02}" for n in range(40)]
    house = a_house(database.engine, clock, *skus)
    house.set(**dict.fromkeys(skus, 5))
    url = database.app_url

    def deadly(levels: Sequence[Level]) -> None:
        if any(level.binding.sku == "S23" for level in levels):
            os.kill(os.getpid(), signal.SIGKILL)

    def work(now: datetime) -> None:
        house.shelf.during = deadly
        push(House(connect(url, pool=2), clock, house.shelf).lane)

    def is_done() -> bool:
        return {sku: parked for sku, (_, parked, _) in house.queue().items()} == {"S23": True}

    deaths = deaths_until(is_done, work, clock, 121)

    assert deaths <= 6
    row = the_one(database.engine)
    assert (row.kind, row.object) == ("bug", "shop/S23/WH")
    assert "workers died" in row.error


def test_what_goes_well_leaves_no_trial_and_counts_nothing(
    database: Database, clock: Clock
) -> None:
    stock_the_house(database.engine)
    deliver(database.engine, *[a_fact("receipt", id=f"r{n}", units=1) for n in range(5)])

    drain(an_ingest(database.engine, rows=2), now=NOON)

    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM trial")).scalar_one() == 0
    assert failed(database.engine) == []


_WATCH = """
    CREATE TABLE waits (name text, said text);
    GRANT INSERT ON waits TO lockstep_app;
    CREATE FUNCTION say_wait() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO waits VALUES (TG_TABLE_NAME, current_setting('synchronous_commit')); RETURN NEW; END
    $$;
    CREATE TRIGGER say_wait BEFORE INSERT ON trial FOR EACH ROW EXECUTE FUNCTION say_wait();
    CREATE TRIGGER say_wait BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION say_wait();
"""


def test_only_the_mark_of_a_batch_does_without_the_disk_never_its_work(database: Database) -> None:
    stock_the_house(database.engine)
    deliver(database.engine, *[a_fact("receipt", id=f"r{n}", units=1) for n in range(2)])
    with database.owner.begin() as connection:
        connection.execute(text(_WATCH))
        # The server of the tests waits for no disk at all.
        name = database.owner.url.database
        connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = on'))
    engine = connect(database.app_url)

    drain(an_ingest(engine, rows=1), now=NOON)

    engine.dispose()

    with database.owner.connect() as connection:
        rows = connection.execute(text("SELECT DISTINCT name, said FROM waits ORDER BY name"))
        assert [tuple(row) for row in rows] == [("event", "on"), ("trial", "off")]


def test_a_number_that_is_answered_is_no_suspect_however_often_it_is_pushed(
    database: Database, clock: Clock
) -> None:
    house = a_house(database.engine, clock, "A")
    house.shelf.dry_after = 0
    house.set(A=5)
    for _ in range(8):
        push(house.lane)
        clock.advance(300)

    assert house.rows("SELECT begun, parked FROM push_due") == [(0, False)]


def test_an_error_nobody_thought_of_is_isolated_like_a_death(database: Database) -> None:
    stock_the_house(database.engine)
    with database.engine.begin() as connection:
        apply(connection, RULES, NOON)

    def read(topic: str, body: bytes) -> Message:
        raise AssertionError("no such thing")

    house = replace(
        an_ingest(database.engine), lanes={"shopify": replace(LANES["shopify"], read=read)}
    )
    with transaction(database.engine) as connection:
        inbox.keep(connection, [Delivery("shop", "bad", "orders/create", b"{}")], now=NOON)
    deliver(database.engine, a_fact("receipt", units=1))
    for n in range(4):
        with pytest.raises(AssertionError):
            drain(house, now=NOON + timedelta(seconds=20 * n))

    drain(house, now=NOON + minutes(5))

    states = inbox_states(database.engine)
    assert (states["bad"], states["receipt:1"]) == ("parked", "applied")


@pytest.mark.parametrize(("deaths", "expected"), [(0, 500), (1, 62), (2, 7), (3, 1), (9, 1)])
def test_each_death_leaves_an_eighth(deaths: int, expected: int) -> None:
    left = [Trial(1, 500, NOON)] * deaths

    assert rows_to_take(left, 7, 500, NOON + minutes(1)) == expected


def test_a_worker_that_has_only_just_begun_is_not_taken_for_dead() -> None:
    young = [Trial(7, 7, NOON)] * 5

    assert rows_to_take(young, 7, 500, NOON + timedelta(seconds=2)) == 500
    assert not is_poison(young, 7, NOON + timedelta(seconds=9))
    assert is_poison(young, 7, NOON + timedelta(seconds=10))
    assert not is_poison(young, 8, NOON + minutes(1))
