"""Alarms: one open row a rule and object, whoever raises it how often."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from allocation import alarms
from ledger.db import transaction
from tests.builders import NOON, minutes
from tests.servers import Database


def test_an_alarm_is_new_once_and_keeps_its_first_moment(database: Database) -> None:
    with transaction(database.engine) as connection:
        first = alarms.raise_alarm(connection, "pace", "program:A", {"left": 5}, NOON)
    with transaction(database.engine) as connection:
        again = alarms.raise_alarm(connection, "pace", "program:A", {"left": 4}, NOON + minutes(1))
        (found,) = alarms.open_alarms(connection)

    assert (first, again) == (True, False)
    assert (found.since, found.last_at, found.detail) == (NOON, NOON + minutes(1), {"left": 4})


def test_an_alarm_that_is_over_can_come_again(database: Database) -> None:
    with transaction(database.engine) as connection:
        alarms.raise_alarm(connection, "pace", "program:A", {}, NOON)
        assert alarms.resolve(connection, "pace", "program:A", NOON + minutes(1))
        assert not alarms.resolve(connection, "pace", "program:A", NOON + minutes(2))
        assert alarms.open_alarms(connection) == []
        assert alarms.raise_alarm(connection, "pace", "program:A", {}, NOON + minutes(3))
        assert [each.since for each in alarms.open_alarms(connection)] == [NOON + minutes(3)]


def test_alarms_are_told_apart_by_rule_and_object(database: Database) -> None:
    with transaction(database.engine) as connection:
        for number, (rule, what) in enumerate([("a", "x:1"), ("a", "x:2"), ("b", "x:1")]):
            alarms.raise_alarm(connection, rule, what, {}, NOON + timedelta(seconds=number))

        assert [(each.rule, each.object) for each in alarms.open_alarms(connection, "a")] == [
            ("a", "x:1"),
            ("a", "x:2"),
        ]


def test_of_many_who_raise_an_alarm_at_once_one_finds_it_new(database: Database) -> None:
    start = threading.Barrier(4)

    def shout() -> bool:
        start.wait()
        with transaction(database.engine) as connection:
            return alarms.raise_alarm(connection, "pace", "program:A", {}, NOON)

    with ThreadPoolExecutor(4) as pool:
        fresh = [done.result() for done in [pool.submit(shout) for _ in range(4)]]

    assert sorted(fresh) == [False, False, False, True]
