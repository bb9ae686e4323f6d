"""What an order may take: as much as the rules leave its partner, in the order in which orders came."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from allocation import store
from allocation.document import read
from channels.edi.segments import segment
from tests.builders import balance
from tests.servers import Clock, Database
from tests.workers.edi_rig import RULES, Grocer, a_grocer, change, line, po
from workers.flows.allocate import allocate
from workers.flows.edi_fill import fill


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    return a_grocer(database.engine, clock, tmp_path)


def test_a_second_order_does_not_take_the_share_that_the_first_one_took(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    """The targets are computed anew only after both; what the rules hold back stays back all the same."""
    grocer = a_grocer(database.engine, clock, tmp_path, promise="share")
    rules = RULES.format(path=tmp_path, options='promise = "share"')
    rules = rules.replace('kind = "edi"', 'kind = "edi"\nbuffer = 40\nwhy = "forty stay"')
    with grocer.engine.begin() as connection:
        store.apply_rules(connection, rules, read(rules), "ann", "forty stay", clock.now)
    grocer.stock(MUG=100)
    allocate(grocer.engine, now=lambda: clock.now, rise_wait_s=0.0)
    grocer.send(po(line(1, 50), number="A"), po(line(1, 50), number="B"))
    grocer.run()

    assert (grocer.lines("A"), grocer.lines("B")) == ([("1", 50, 50, 0, 0)], [("1", 50, 10, 40, 0)])
    assert balance(grocer.engine, "MUG", "WH") == {"available": 40, "committed": 60}


def test_orders_that_can_get_nothing_do_not_keep_those_behind_them_waiting(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = a_grocer(database.engine, clock, tmp_path, partial="no")
    grocer.stock(MUG=1)
    for number in range(51):
        grocer.send(po(line(1, 50), number=f"OLD{number:02}"))
    grocer.visit()
    grocer.work()
    clock.now += timedelta(seconds=1)
    grocer.send(po(line(1, 3, item="22"), number="NEW"))
    grocer.visit()
    grocer.work()
    grocer.stock(TEE=10)

    filled = fill(grocer.house, now=clock.now)

    assert [(each.number, each.units) for each in filled] == [("NEW", 3)]


def test_a_line_that_is_added_without_a_number_takes_no_other_lines_place(grocer: Grocer) -> None:
    grocer.stock(MUG=20, TEE=20)
    grocer.send(po(line(2, 5), line(3, 5), line(4, 5)))
    grocer.send(change(segment("POC", "", "AI", "7", "", "EA", "9", "", "SK", "22")))
    grocer.run()

    assert grocer.lines() == [(number, 5, 5, 0, 0) for number in "234"] + [("5", 7, 7, 0, 0)]
    assert balance(grocer.engine, "MUG", "WH") == {"available": 5, "committed": 15}
    assert balance(grocer.engine, "TEE", "WH") == {"available": 13, "committed": 7}
