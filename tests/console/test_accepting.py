"""Deliveries that come at the same time share a commit, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.exc import DataError

from console.accepting import Accepting, Fate
from ledger import inbox
from ledger.db import transaction
from ledger.inbox import Delivery, Kept
from tests.builders import NOON
from tests.servers import Database


def a_delivery(name: str, body: bytes = b"{}") -> Delivery:
    return Delivery("shop", name, "orders/create", body)


async def all_at_once(door: Accepting, *deliveries: Delivery) -> list[Fate | BaseException]:
    return await asyncio.gather(*map(door.keep, deliveries), return_exceptions=True)


class Disk:
    """The inbox, counting its commits."""

    def __init__(self, database: Database) -> None:
        self.commits = 0
        self._engine = database.engine

    def keep(self, deliveries: list[Delivery]) -> Kept:
        self.commits += 1
        with transaction(self._engine) as connection:
            return inbox.keep(connection, deliveries, now=NOON)


def test_many_that_come_together_share_few_commits(database: Database) -> None:
    disk = Disk(database)

    fates = asyncio.run(
        all_at_once(Accepting(disk.keep), *(a_delivery(str(n)) for n in range(200)))
    )

    assert fates == ["fresh"] * 200
    assert disk.commits < 10


def test_one_that_comes_alone_is_committed_alone(database: Database) -> None:
    disk = Disk(database)

    assert asyncio.run(Accepting(disk.keep).keep(a_delivery("1"))) == "fresh"
    assert disk.commits == 1


def test_each_is_told_what_became_of_it_even_when_one_id_comes_twice_in_a_commit(
    database: Database,
) -> None:
    door = Accepting(Disk(database).keep)
    # The first goes alone; the others wait for it and share the next commits.
    said = asyncio.run(
        all_at_once(
            door,
            *(a_delivery(f"before {n}") for n in range(2)),
            a_delivery("a", b"1"),
            a_delivery("a", b"1"),
            a_delivery("a", b"2"),
            a_delivery("b", b"1"),
        )
    )

    assert said == ["fresh", "fresh", "fresh", "repeated", "differing", "fresh"]


def test_one_that_the_database_refuses_takes_none_of_the_others_with_it(
    database: Database,
) -> None:
    refused = replace(a_delivery("bad"), topic="a\x00topic")

    said = asyncio.run(
        all_at_once(
            Accepting(Disk(database).keep),
            *(a_delivery(str(n)) for n in range(3)),
            refused,
            a_delivery("last"),
        )
    )

    assert [fate for fate in said if fate == "fresh"] == ["fresh"] * 4
    assert isinstance(said[3], DataError)


def test_a_database_that_is_away_is_told_to_everybody_who_waits() -> None:
    class Away(Exception):
        pass

    def keep(_: list[Delivery]) -> Kept:
        raise Away

    said = asyncio.run(all_at_once(Accepting(keep), *(a_delivery(str(n)) for n in range(5))))

    assert [type(each) for each in said] == [Away] * 5


@pytest.mark.parametrize("waits", [1, 50])
def test_a_sender_that_hangs_up_takes_nobody_with_him(database: Database, waits: int) -> None:
    async def play() -> list[Fate | BaseException]:
        door = Accepting(Disk(database).keep)
        gone = asyncio.create_task(door.keep(a_delivery("gone")))
        others = [asyncio.create_task(door.keep(a_delivery(str(n)))) for n in range(waits)]
        await asyncio.sleep(0)
        gone.cancel()
        return await asyncio.gather(*others, return_exceptions=True)

    assert asyncio.run(play()) == ["fresh"] * waits
