"""A wholesale day comes from supply; what nothing covers is asked for, and taken back when it is there."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from channels.edi.documents import OrderAnswer
from ledger.verify import verify
from tests.builders import NOON, a_fact, a_house, balance, book, count, stock_the_house
from tests.servers import Clock, Database
from tests.workers.edi_rig import Grocer, a_grocer, change, changed, line, po
from workers.flows.edi_fill import fill
from workers.flows.promises import Pulled, pull_forward
from workers.flows.sweep import sweep

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    return a_grocer(database.engine, clock, tmp_path)


def expect(grocer: Grocer, units: int, due: str, *, sku: str = "MUG", name: str = "PO-S1") -> None:
    """A supplier's line is to come to WH; the clock moves, so that the next word about it is newer."""
    grocer.clock.advance(1)
    book(
        grocer.engine,
        {
            "kind": "expected",
            "source": "wms",
            "id": f"{name}:{sku}:{grocer.clock.now.isoformat()}",
            "occurred_at": grocer.clock.now.isoformat(),
            "sku": sku,
            "location": "WH",
            "units": units,
            "due_at": due,
            "reference": name,
        },
        now=grocer.clock.now,
    )


def later(found: list[Any]) -> list[tuple[int, str]]:
    """(backordered, day) of each line of the 855."""
    (answer,) = [each for each in found if isinstance(each, OrderAnswer)]
    return [
        (int(said.quantity or 0), str(said.day))
        for answered in answer.lines
        for said in answered.answers
        if said.status == "IB"
    ]


def requests(grocer: Grocer) -> list[tuple[Any, ...]]:
    """(SKU, order, line, units, day) of what is asked for."""
    return grocer.rows(
        "SELECT sku, order_id, line_id, units, CAST(due_at AT TIME ZONE 'UTC' AS date)::text"
        " FROM pull_forward WHERE units > 0 ORDER BY sku, order_id, line_id"
    )


def look(grocer: Grocer) -> Pulled:
    return pull_forward(grocer.house, now=grocer.clock.now, days=2)


def test_a_backorder_is_promised_for_the_day_its_supply_is_due(grocer: Grocer) -> None:
    grocer.stock(MUG=4)
    expect(grocer, 20, "2026-03-06")
    grocer.send(po(line(1, 10)))

    assert later(grocer.run()) == [(6, "2026-03-06")]
    assert requests(grocer) == []


def test_what_was_promised_before_is_not_promised_again(grocer: Grocer) -> None:
    expect(grocer, 10, "2026-03-06")
    expect(grocer, 10, "2026-03-20", name="PO-S2")
    grocer.send(po(line(1, 8)))
    grocer.run()
    grocer.send(po(line(1, 2), line(2, 5), number="PO2"))

    # Two of the first supply are left; the next five must wait for the second.
    assert later(grocer.run()) == [(2, "2026-03-06"), (5, "2026-03-20")]
    assert requests(grocer) == []


def test_without_supply_the_lead_time_is_promised_and_the_units_are_asked_for(
    grocer: Grocer,
) -> None:
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 12)))

    assert later(grocer.run()) == [(2, "2026-03-12")]
    assert requests(grocer) == [("MUG", "PO1", "1", 2, "2026-03-12")]
    assert balance(grocer.engine, "MUG", "WH") == {"committed": 10}
    assert verify(grocer.engine).clean


def test_supply_for_some_of_it_leaves_the_others_to_be_asked_for(grocer: Grocer) -> None:
    expect(grocer, 6, "2026-04-01")
    grocer.send(po(line(1, 10)))

    assert later(grocer.run()) == [(10, "2026-04-01")]
    assert requests(grocer) == [("MUG", "PO1", "1", 4, "2026-04-01")]


def test_supply_that_should_have_come_is_no_supply(grocer: Grocer) -> None:
    expect(grocer, 20, "2026-03-01")
    grocer.send(po(line(1, 10)))

    assert later(grocer.run()) == [(10, "2026-03-12")]
    assert requests(grocer) == [("MUG", "PO1", "1", 10, "2026-03-12")]


def test_units_that_are_there_and_held_back_by_a_share_are_not_asked_for(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, promise="share")
    grocer.stock(MUG=10)
    grocer.send(po(line(1, 3)))

    assert later(grocer.run()) == [(3, "2026-03-12")]
    assert requests(grocer) == []


def test_a_bundle_waits_for_the_part_that_comes_last(grocer: Grocer) -> None:
    with grocer.engine.begin() as connection:
        connection.execute(text("INSERT INTO sku (sku) VALUES ('SET')"))
        connection.execute(text("INSERT INTO bundle VALUES ('SET', 'MUG', 2), ('SET', 'TEE', 1)"))
        connection.execute(
            text(
                "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, variant_id)"
                " VALUES ('grocer', 'SET', 'WH', '33', 'DC1', '33')"
            )
        )
    grocer.stock(MUG=9)
    expect(grocer, 2, "2026-03-09", sku="TEE")
    grocer.send(po(line(1, 3, item="33")))

    # Three sets: the mugs are there, two shirts come on the ninth, one comes from nowhere.
    assert later(grocer.run()) == [(3, "2026-03-12")]
    assert requests(grocer) == [("TEE", "PO1", "1#TEE", 1, "2026-03-12")]


@pytest.mark.parametrize("end", ["filled", "cancelled", "less"])
def test_a_backorder_that_is_filled_or_cancelled_is_asked_for_no_longer(
    grocer: Grocer, end: str
) -> None:
    grocer.send(po(line(1, 12)))
    grocer.run()
    grocer.clock.advance(60)

    if end == "filled":
        grocer.stock(MUG=12)
        fill(grocer.house, now=grocer.clock.now)
    else:
        grocer.send(change(changed(1, "DI" if end == "cancelled" else "QD", 0), sequence="1"))
        grocer.run()

    assert requests(grocer) == []
    assert grocer.rows("SELECT units, reason FROM pull_forward") == [
        (0, "covered, filled or cancelled")
    ]
    assert look(grocer) == Pulled()


def test_supply_told_afterwards_covers_and_supply_called_off_uncovers(grocer: Grocer) -> None:
    grocer.send(po(line(1, 12)))
    grocer.run()

    expect(grocer, 9, "2026-03-11")
    assert look(grocer) == Pulled(asked=1)
    assert requests(grocer) == [("MUG", "PO1", "1", 3, "2026-03-12")]
    expect(grocer, 30, "2026-03-11")
    assert look(grocer) == Pulled(taken_back=1)
    assert look(grocer) == Pulled()
    expect(grocer, 0, "2026-03-11")
    assert look(grocer) == Pulled(asked=1)

    assert requests(grocer) == [("MUG", "PO1", "1", 12, "2026-03-12")]
    assert grocer.rows("SELECT count(*) FROM event WHERE kind = 'pull_forward'") == [(4,)]


def test_a_request_of_somebody_else_is_left_alone(grocer: Grocer) -> None:
    book(
        grocer.engine,
        a_fact("pull_forward", sku="MUG", location="WH", units=100, reason="summer"),
        now=NOON,
    )

    assert look(grocer) == Pulled()
    assert [row[3] for row in requests(grocer)] == [100]


# --- sold, and not there -----------------------------------------------------------------------------------------


def sell(database: Database, units: int, order: str, at: datetime = NOON) -> None:
    fact = a_fact("order", id=f"o:{order}", order=order, units=units, occurred_at=at)
    book(database.engine, fact, now=at)


def short(database: Database) -> list[tuple[str, str, int, date]]:
    with database.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT sku, location, units, due_at FROM pull_forward WHERE units > 0 ORDER BY 1")
        )
        return [(r[0], r[1], r[2], r[3].astimezone(UTC).date()) for r in rows]


def pull(database: Database, now: datetime = NOON, days: int = 2) -> Pulled:
    return pull_forward(a_house(database.engine), now=now, days=days)


def test_units_sold_and_not_there_are_asked_for_and_taken_back_when_they_come(
    database: Database,
) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=3))
    sell(database, 2, "1", NOON - timedelta(days=3))
    sell(database, 4, "2", NOON - timedelta(days=1))
    assert sweep(database.engine, now=NOON).promises

    assert pull(database) == Pulled(asked=1)

    # The order of yesterday found nothing: it is due two days after it was placed, 2026-03-03.
    assert short(database) == [("MUG-RED", "OSLO", 3, date(2026, 3, 3))]
    assert not sweep(database.engine, now=NOON).promises
    assert pull(database) == Pulled()
    book(database.engine, a_fact("receipt", id="r2", units=5))
    assert sweep(database.engine, now=NOON).promises
    assert pull(database) == Pulled(taken_back=1)
    assert short(database) == []
    assert not sweep(database.engine, now=NOON).promises
    assert verify(database.engine).clean


def test_a_shortage_that_grows_is_one_request_that_grows(database: Database) -> None:
    stock_the_house(database.engine)
    sell(database, 2, "1")
    pull(database)
    sell(database, 3, "2")
    pull(database)

    assert [row[2] for row in short(database)] == [5]
    with database.engine.connect() as connection:
        assert count(connection, "pull_forward") == 1


def test_a_shortage_without_an_order_is_due_today(database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("write_off", units=2))

    pull(database)

    assert short(database) == [("MUG-RED", "OSLO", 2, NOON.date())]


def test_a_day_that_has_passed_is_today(database: Database) -> None:
    stock_the_house(database.engine)
    sell(database, 2, "1", NOON - timedelta(days=30))

    pull(database)

    assert short(database) == [("MUG-RED", "OSLO", 2, NOON.date())]


def test_what_somebody_else_holds_and_what_is_a_bundle_cannot_be_made_here(
    database: Database,
) -> None:
    stock_the_house(database.engine)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE location SET kind = 'mirror' WHERE location = 'OSLO'"))
        connection.execute(text("INSERT INTO bundle VALUES ('MUG-BLUE', 'MUG-RED', 2)"))
    sell(database, 2, "1")
    book(database.engine, a_fact("ship", sku="MUG-BLUE", location="BERGEN", units=1))

    assert not sweep(database.engine, now=NOON).promises
    assert pull(database) == Pulled()


def test_the_same_moment_never_asks_twice(database: Database) -> None:
    stock_the_house(database.engine)
    for order in range(4):
        sell(database, 1, str(order))
        assert pull(database) == Pulled(asked=1)

    with database.engine.connect() as connection:
        ids = connection.execute(
            text("SELECT source_id FROM event WHERE kind = 'pull_forward' ORDER BY seq")
        ).scalars()
        assert len(set(ids)) == 4


def test_two_that_look_at_once_ask_once(database: Database) -> None:
    stock_the_house(database.engine)
    sell(database, 2, "1")

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: pull(database), range(4)))

    assert sum(each.asked for each in done) == 1
    assert [row[2] for row in short(database)] == [2]


def test_the_task_asks_for_what_is_short(database: Database, valkey: str) -> None:
    stock_the_house(database.engine)
    sell(database, 2, "1")

    subprocess.run(
        [sys.executable, "-c", "from workers import tasks; tasks.sweep(); tasks.work_promises()"],
        env={**os.environ, "LOCKSTEP_DATABASE_URL": database.app_url, "LOCKSTEP_REDIS_URL": valkey},
        cwd=ROOT,
        check=True,
        timeout=60,
    )

    assert [row[2] for row in short(database)] == [2]
