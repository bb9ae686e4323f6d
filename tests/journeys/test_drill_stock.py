"""On-call drills of stock: a SKU that runs out, a rise that is held back, counts that are off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from allocation import alarms
from reconcile.counting.types import BAD
from tests.journeys.drill import Drill, a_drill
from tests.servers import Clock, Database
from tests.workers.count_rig import Store, a_store
from tests.workers.shelf import House, a_house, write_stock
from tests.workers.test_held_rises import a_round
from tests.workers.test_quotas import demand
from tests.workers.two_shops import TwoShops
from workers.flows import counts, held_watch
from workers.wiring import now


@pytest.fixture
def drill(database: Database) -> Iterator[Drill]:
    with a_drill(database) as drill:
        yield drill


@pytest.fixture
def house(drill: Drill) -> House:
    house = a_house(drill.house.engine, drill.desk.clock, "A", "B")
    drill.words |= {"SKU": "A", "LOCATION": "WH", "CHANNEL": "shop", "UNITS": "500"}
    return house


def test_drill_stock_low(drill: Drill, house: House) -> None:
    drill.desk.run(
        "INSERT INTO pace (sku, channel, location, slow_lines, slow_units, slow_squares, at, since)"
        " VALUES ('A', 'shop', 'WH', 280, 280, 280, :at, CAST(:at AS timestamptz) - interval '400 days')",
        at=now(),
    )
    house.stock(A=5)

    drill.drill("stock.low")

    assert "A  5 left · 10.0 a day · 0.5 days · best seller" in drill.told("stock.low")


def test_drill_rise_blocked(drill: Drill, database: Database) -> None:
    two = TwoShops(database, Clock(now() - timedelta(minutes=17)))
    two.open("A", 8)
    demand(two, "A", "shop", 90)
    demand(two, "A", "mall", 5)
    two.shelves["mall"].refuse.add("A")
    for seconds in (0, 240, 240, 240, 240):
        a_round(two, seconds)
    two.clock.now = now()
    held_watch.watch(database.engine, now=now())
    drill.words |= {"SKU": "A", "CHANNEL": "mall"}

    def let_go() -> None:
        two.shelves["mall"].refuse.clear()

    def work() -> None:
        two.settle(360)
        held_watch.watch(database.engine, now=two.clock.now)

    drill.drill("rise.blocked", mend=let_go, work=work)

    assert two.shown("A") == {"shop": 8, "mall": 0}


def test_drill_count_variance(drill: Drill, database: Database, tmp_path: Path) -> None:
    store = a_shelf(drill, database, tmp_path, {"MUG-RED": 23})
    drill.run("lockstep count submit FILE --by ann", codes=(0, 3, 4))
    look(store)
    counted(drill, tmp_path, {"MUG-RED": 22})

    drill.drill("count.variance", work=lambda: look(store), sick=(0, 3, 4))


def test_drill_count_cusum(drill: Drill, database: Database, tmp_path: Path) -> None:
    store = a_shelf(drill, database, tmp_path, {"MUG-RED": 394}, stock=400)
    for back_s, seen in ((10_800, 397), (3600, 394)):
        store.now = now() - timedelta(seconds=back_s)
        store.submit(("MUG-RED", "OSLO", seen))

    drill.drill("count.cusum", work=lambda: look(store), sick=(0, 3, 4))


def test_drill_count_bad(drill: Drill, database: Database, tmp_path: Path) -> None:
    store = a_shelf(drill, database, tmp_path, {"MUG-RED": 28})
    with drill.house.engine.begin() as connection:
        detail = {"counted": 40, "out_of_tolerance": 9, "next": "lockstep count accuracy"}
        alarms.raise_alarm(connection, BAD, "location:OSLO", detail, now())

    def later() -> None:
        with drill.house.engine.begin() as connection:
            alarms.resolve(connection, BAD, "location:OSLO", now())

    drill.drill("count.bad", mend=later, work=lambda: look(store))


def a_shelf(
    drill: Drill, database: Database, folder: Path, seen: dict[str, int], stock: int = 28
) -> Store:
    """A store with red mugs on its shelf for a day, and a filled sheet."""
    store = a_store(database)
    store.now = now() - timedelta(days=1)
    store.receive(stock, "MUG-RED")
    store.now = now()
    drill.words |= {"SKU": "MUG-RED", "LOCATION": "OSLO"}
    counted(drill, folder, seen)
    return store


def counted(drill: Drill, folder: Path, seen: dict[str, int]) -> None:
    """What somebody wrote on the next sheet."""
    file = folder / f"sheet-{len(list(folder.iterdir()))}.csv"
    rows = [f"{sku},OSLO,{units},miscount" for sku, units in seen.items()]
    file.write_text("\n".join(("sku,location,counted,reason", *rows, "")))
    drill.words["FILE"] = str(file)


def look(store: Store) -> None:
    counts.look(store.engine, store.terms, now=now())


def test_a_page_is_told_once_though_the_fault_comes_and_goes(drill: Drill, house: House) -> None:
    with drill.house.engine.begin() as connection:
        write_stock(connection, now(), {"A": 1})
    drill.desk.run(
        "INSERT INTO heartbeat VALUES ('ingest', CAST(:at AS timestamptz) - interval '130 s', 'w')",
        at=now(),
    )
    drill.look()
    for _ in range(3):
        drill.desk.run("UPDATE heartbeat SET seen_at = :at", at=drill.desk.now)
        drill.look(15)
        drill.desk.run(
            "UPDATE heartbeat SET seen_at = CAST(:at AS timestamptz) - interval '130 s'",
            at=drill.desk.now,
        )
        drill.look(5)

    assert len(drill.desk.slack.roots) == 1
    assert drill.desk.pagerduty.calls.count("resolve") == 0
