"""Programs under real threads: the last units go to one order, and nothing is reserved or released twice."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from allocation.programs import Policy
from channels.registry import LANES
from ledger.context import Catalogue
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, line, po
from tests.workers.program_rig import agreement, booked, days, held, reserve, standing
from workers.flows import program_watch, programs
from workers.flows.edi_work import work
from workers.flows.ingest import House
from workers.flows.programs import Asked, Refused


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.stock(MUG=100)
    return grocer


def at_once(*things: Callable[[], Any]) -> list[Any]:
    """Do all of these at once, each in a thread of its own."""
    start = threading.Barrier(len(things))

    def run(thing: Callable[[], Any]) -> Any:
        start.wait()
        return thing()

    with ThreadPoolExecutor(len(things)) as pool:
        return [done.result() for done in [pool.submit(run, thing) for thing in things]]


def a_house(grocer: Grocer) -> House:
    return House(grocer.engine, LANES, Catalogue(), os.urandom)


def works(grocer: Grocer) -> Callable[[], object]:
    return lambda: work(a_house(grocer), now=grocer.clock.now)


def test_orders_at_once_share_the_last_units_of_a_program(grocer: Grocer) -> None:
    reserve(grocer, 20)
    for number in range(8):
        grocer.send(po(line(1, 6), number=f"PO{number}"))
    grocer.visit()

    at_once(*[works(grocer) for _ in range(4)])

    assert grocer.rows("SELECT sum(accepted), sum(backordered) FROM edi_line") == [(20, 28)]
    assert (held(grocer), standing(grocer)) == ((80, 20, 0), (20, 0, 0))


def test_an_order_and_the_end_of_its_program_do_not_give_one_unit_to_two(grocer: Grocer) -> None:
    for turn in range(5):
        name = f"P{turn}"
        reserve(grocer, 10, name, days=1, policy=Policy.OVERFLOW)
        grocer.send(po(line(1, 4), number=f"PO{turn}"))
        grocer.visit()
        # Whoever looks at a clock that is ahead ends the program; who works the order may still draw on it.
        ahead = grocer.clock.now.replace(year=2027)

        at_once(
            works(grocer),
            partial(programs.expire, a_house(grocer), now=ahead),
            partial(programs.expire, a_house(grocer), now=ahead),
        )

        used, released, left = standing(grocer, name)
        assert (used + released, left, booked(grocer, name)) == (10, 0, 0)
        available, committed, reserved = held(grocer)
        assert (available, committed, reserved) == (100 - 4 * (turn + 1), 4 * (turn + 1), 0)


def test_two_who_reserve_the_last_units_get_them_once(grocer: Grocer) -> None:
    def takes(name: str) -> Callable[[], bool]:
        def take() -> bool:
            asked = [Asked("MUG", "WH", 60)]
            try:
                programs.reserve(
                    a_house(grocer), agreement(grocer, name), asked, now=grocer.clock.now
                )
            except Refused:
                return False
            return True

        return take

    won = at_once(takes("A"), takes("B"), takes("C"))

    assert sorted(won) == [False, False, True]
    assert held(grocer) == (40, 0, 60)


def test_two_who_look_at_a_pace_at_once_raise_one_alarm(grocer: Grocer) -> None:
    reserve(grocer, 20)
    grocer.send(po(line(1, 15)))
    grocer.run()
    days(grocer, 30)

    looked = at_once(
        *[lambda: program_watch.watch(grocer.engine, now=grocer.clock.now) for _ in range(3)]
    )

    assert sorted(len(raised) for raised in looked) == [0, 0, 1]
