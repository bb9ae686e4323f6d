"""Orders against each other and against the drain: real threads, real crashes, and never a unit promised twice."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from channels.registry import LANES
from ledger.context import Catalogue
from tests.builders import a_fact, balance, deliver
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, change, changed, line, po
from workers.flows.edi_work import work
from workers.flows.ingest import House, drain


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    return a_grocer(database.engine, clock, tmp_path)


class Died(Exception):
    """The process ends here."""


def a_house(grocer: Grocer, *, dies: bool = False) -> House:
    """A house of its own; one that dies draws no random bytes for the events' ids."""

    def die(count: int) -> bytes:
        raise Died(f"{count} bytes were asked for")

    return House(grocer.engine, LANES, Catalogue(), die if dies else os.urandom)


def everything(grocer: Grocer) -> list[object]:
    tables = ("event", "order_line", "edi_order", "edi_line", "edi_document", "edi_interchange")
    return [grocer.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables]  # noqa: S608 - our own names


def test_a_death_in_the_middle_leaves_nothing_and_the_next_worker_does_it_all(
    grocer: Grocer,
) -> None:
    grocer.stock(MUG=10)
    before = everything(grocer)
    grocer.send(po(line(1, 4)))
    grocer.visit()

    with pytest.raises(Died):
        work(a_house(grocer, dies=True), now=grocer.clock.now)

    assert everything(grocer) == before
    assert balance(grocer.engine, "MUG", "WH") == {"available": 10}
    assert grocer.rows("SELECT state FROM inbox WHERE topic = 'x12'") == [("pending",)]
    grocer.work()
    assert balance(grocer.engine, "MUG", "WH") == {"available": 6, "committed": 4}
    assert [set_id for set_id, _, _ in grocer.documents("out")] == ["855", "997"]


def test_an_interchange_that_the_database_refuses_waits_and_the_next_goes_on(
    grocer: Grocer, database: Database
) -> None:
    with database.owner.begin() as connection:
        connection.execute(
            text("ALTER TABLE edi_interchange ADD CONSTRAINT odd CHECK (control <> '000000001')")
        )
    grocer.stock(MUG=10)
    grocer.control = 0
    grocer.send(po(line(1, 4)), control=1)
    grocer.send(po(line(1, 3), number="PO2"), control=2)
    with database.owner.begin() as connection:
        connection.execute(text("INSERT INTO edi_counter VALUES ('interchange/grocer', 10)"))

    grocer.visit()
    grocer.work()

    assert grocer.rows("SELECT state FROM inbox WHERE topic = 'x12' ORDER BY id") == [
        ("parked",),
        ("applied",),
    ]
    assert grocer.rows("SELECT number FROM edi_order") == [("PO2",)]


def test_workers_at_once_promise_the_last_units_once(grocer: Grocer) -> None:
    grocer.stock(MUG=10)
    for number in range(12):
        grocer.send(po(line(1, 3), number=f"PO{number}"))
    grocer.visit()
    start = threading.Barrier(4)

    def worker() -> None:
        start.wait()
        work(a_house(grocer), now=grocer.clock.now)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(worker) for _ in range(4)]:
            done.result()

    assert grocer.rows("SELECT sum(accepted), sum(backordered) FROM edi_line") == [(10, 26)]
    assert balance(grocer.engine, "MUG", "WH") == {"committed": 10}
    controls = grocer.rows("SELECT serial FROM edi_interchange WHERE direction = 'out' ORDER BY 1")
    assert controls == [(number,) for number in range(1, 25)]


def test_the_drain_and_an_order_do_not_promise_one_unit_to_two(grocer: Grocer) -> None:
    """The drain's sale is a fact and may go below zero; an order's promise is made of what is left."""
    grocer.stock(MUG=10)
    for number in range(10):
        deliver(
            grocer.engine,
            a_fact(
                "order",
                id=f"web:{number}",
                occurred_at=grocer.clock.now,
                order=f"web{number}",
                sku="MUG",
                location="WH",
                units=1,
            ),
            now=grocer.clock.now,
        )
        grocer.send(po(line(1, 2), number=f"PO{number}"))
    grocer.visit()
    start = threading.Barrier(2)

    def promises() -> None:
        start.wait()
        for _ in range(10):
            work(a_house(grocer), now=grocer.clock.now, most=1)

    def sales() -> None:
        house = House(grocer.engine, LANES, Catalogue(), os.urandom, rows=1)
        start.wait()
        drain(house, now=grocer.clock.now)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(promises), pool.submit(sales)]:
            done.result()

    (accepted,) = grocer.rows("SELECT sum(accepted) FROM edi_line")[0]
    held = balance(grocer.engine, "MUG", "WH")
    assert held.get("committed", 0) == accepted + 10
    assert held.get("available", 0) == 10 - accepted - 10
    # Each promise was made of what was there: only sales that came after it may have gone below zero.
    assert grocer.rows(
        "SELECT count(*) FROM posting AS p JOIN event AS e ON e.id = p.event_id"
        " WHERE e.channel = 'grocer' AND p.from_state = 'available' AND p.from_after < 0"
    ) == [(0,)]


def test_a_change_and_its_order_may_be_worked_by_two_at_once(grocer: Grocer) -> None:
    grocer.stock(MUG=50)
    for number in range(5):
        grocer.send(change(changed(1, "QI", 9), number=f"PO{number}"))
        grocer.send(po(line(1, 5), number=f"PO{number}"))
    grocer.visit()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(work, a_house(grocer), now=grocer.clock.now) for _ in range(3)]:
            done.result()

    assert balance(grocer.engine, "MUG", "WH") == {"available": 5, "committed": 45}
    assert grocer.rows("SELECT DISTINCT changes_seen FROM edi_order") == [(1,)]
