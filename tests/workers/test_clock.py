"""One clock counts for all workers: the database's, wherever a machine's own differs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import create_engine

from ledger.db import transaction
from tests.servers import Database
from workers.clock import TOLERATED, Clock, Watch
from workers.flows import reconcile


class Machine:
    """A machine whose clock somebody sets.

    then    what happens right after one of the next readings of its clock, by their number
    """

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.seconds = 100.0
        self.then: dict[int, Callable[[], None]] = {}

    def wall(self) -> datetime:
        read = datetime.now(UTC) + self.ahead
        self.then = {number - 1: does for number, does in self.then.items()}
        self.then.pop(0, lambda: None)()
        return read

    def runs_s(self) -> float:
        return self.seconds

    def clock(self) -> Clock:
        return Clock(self.wall, self.runs_s)


def look(clock: Clock, database: Database) -> None:
    with transaction(database.engine) as connection:
        clock.set_by(connection)
    clock.looked()


def is_right(clock: Clock) -> bool:
    return abs(clock.now() - datetime.now(UTC)) < TOLERATED


@pytest.mark.parametrize("hours", [1, -1])
def test_a_machine_that_is_an_hour_off_goes_by_the_database(database: Database, hours: int) -> None:
    machine = Machine()
    machine.ahead = timedelta(hours=hours)
    clock = machine.clock()
    assert not is_right(clock)

    look(clock, database)

    assert is_right(clock)


def test_a_clock_that_is_set_while_a_task_runs_does_not_jump_under_it(database: Database) -> None:
    machine = Machine()
    clock = machine.clock()
    look(clock, database)

    machine.ahead = timedelta(hours=1)
    assert is_right(clock)
    # The database does not answer.
    clock.looked()
    assert is_right(clock)
    look(clock, database)

    assert is_right(clock)


@pytest.mark.parametrize("reading", range(1, 7))
def test_a_clock_that_is_set_in_the_middle_of_a_look_misleads_nobody(
    database: Database, reading: int
) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.then = {reading: partial(setattr, machine, "ahead", timedelta(hours=1))}

    for _ in range(3):
        look(clock, database)

        assert is_right(clock)


def test_a_task_that_looked_before_the_clock_was_set_does_not_undo_what_another_saw_after(
    database: Database,
) -> None:
    machine = Machine()
    clock = machine.clock()
    look(clock, database)

    def another() -> None:
        machine.ahead = timedelta(hours=1)
        look(clock, database)

    machine.then = {1: another}
    look(clock, database)

    assert is_right(clock)


def test_a_process_that_was_frozen_in_the_middle_of_a_look_learns_nothing_from_it(
    database: Database,
) -> None:
    machine = Machine()
    clock = machine.clock()

    def frozen() -> None:
        machine.seconds += 20

    machine.then = {1: frozen}
    with transaction(database.engine) as connection:
        clock.set_by(connection)

    assert clock.is_doubtful(1.0)


def test_a_machine_that_is_put_right_goes_by_itself_again(database: Database) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.ahead = timedelta(hours=1)
    look(clock, database)
    machine.ahead = timedelta(0)

    look(clock, database)

    assert is_right(clock)


def test_what_differs_by_a_second_is_left_alone(database: Database) -> None:
    machine = Machine()
    machine.ahead = timedelta(seconds=1)
    clock = machine.clock()

    look(clock, database)

    assert abs(clock.now() - machine.wall()) < timedelta(milliseconds=500)


def test_a_clock_is_in_doubt_when_it_was_set_and_when_time_has_gone_by(database: Database) -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.is_doubtful(1.0)
    look(clock, database)
    assert not clock.is_doubtful(1.0)

    machine.ahead = timedelta(hours=1)
    assert clock.is_doubtful(1.0)
    # Before the database was asked it stays so.
    clock.looked()
    assert clock.is_doubtful(1.0)
    look(clock, database)
    assert not clock.is_doubtful(1.0)

    machine.seconds += 1.0
    assert clock.is_doubtful(1.0)


def rows(database: Database) -> list[tuple[str, int]]:
    with database.owner.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT process, round(ahead_s) FROM clock_off ORDER BY 1"
        )
        return [(process, int(ahead_s)) for process, ahead_s in found]


def test_a_machine_that_is_off_is_named_until_it_is_put_right(database: Database) -> None:
    machine = Machine()
    clock = machine.clock()
    watch = Watch(clock, "relay here/1", machine.runs_s)
    watch.look_again(database.engine, 1.0)
    before = rows(database)
    machine.ahead = -timedelta(hours=1)

    watch.look_again(database.engine, 1.0)
    during = rows(database)
    machine.ahead = timedelta(0)
    watch.look_again(database.engine, 1.0)

    assert (before, during, rows(database)) == ([], [("relay here/1", -3600)], [])


def test_a_machine_that_stays_off_says_so_twice_a_minute(database: Database) -> None:
    machine = Machine()
    machine.ahead = timedelta(hours=1)
    watch = Watch(machine.clock(), "api here/2", machine.runs_s)
    watch.look_again(database.engine, 1.0)
    with database.owner.begin() as connection:
        connection.exec_driver_sql("DELETE FROM clock_off")

    said = []
    for seconds in (29.0, 1.0):
        machine.seconds += seconds
        watch.look_again(database.engine, 1.0)
        said.append(rows(database))

    assert said == [[], [("api here/2", 3600)]]


def test_a_door_looks_when_it_opens_and_again_while_it_is_open(database: Database) -> None:
    machine = Machine()
    machine.ahead = timedelta(hours=1)
    clock = machine.clock()

    with Watch(clock, "relay here/3", machine.runs_s).kept(database.engine, 0.01):
        assert is_right(clock)
        machine.ahead = timedelta(0)
        while rows(database):
            pass

    assert clock.ahead_s == 0


def test_a_database_that_is_away_leaves_the_clock_as_it_is() -> None:
    machine = Machine()
    clock = machine.clock()
    nowhere = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")

    Watch(clock, "relay here/4", machine.runs_s).look_again(nowhere, 1.0)

    assert is_right(clock)


def test_a_worker_that_is_ahead_opens_no_window_of_the_future(database: Database) -> None:
    with database.owner.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO channel (channel, kind, base_url, writes) VALUES ('web', 'shopify', 'http://x', true)"
        )
    machine = Machine()
    machine.ahead = timedelta(hours=1)
    clock = machine.clock()
    look(clock, database)

    opened = reconcile.open_windows(database.engine, now=clock.now(), window_s=900).opened

    assert len(opened) == 1
    assert opened[0][1] <= datetime.now(UTC)
