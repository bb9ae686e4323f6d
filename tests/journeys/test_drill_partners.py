"""On-call drills of partners and weights: no acknowledgement, programs, a weight that fits no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from allocation import program_store
from allocation.fit import WEEK, week_of
from allocation.programs import Ends
from tests.journeys.drill import Drill, a_drill
from tests.servers import Clock, Database
from tests.workers.edi_rig import PARTNER, Grocer, a_grocer, line, po
from tests.workers.fit_rig import a_trade
from tests.workers.program_rig import agreement
from workers.flows import fit, program_watch, programs
from workers.flows.programs import Asked
from workers.flows.sweep import sweep
from workers.wiring import now


@pytest.fixture
def drill(database: Database) -> Iterator[Drill]:
    with a_drill(database) as drill:
        drill.environment["LOCKSTEP_CHANNEL_SECRETS"] = json.dumps({PARTNER: {}})
        drill.words |= {"CHANNEL": PARTNER, "SKU": "MUG", "LOCATION": "WH", "PROGRAM": "SPRING"}
        yield drill


@pytest.fixture
def grocer(drill: Drill, tmp_path: Path) -> Grocer:
    clock = Clock(now())
    grocer = a_grocer(drill.house.engine, clock, tmp_path)
    grocer.stock(MUG=1000)
    return grocer


def test_drill_edi_overdue(drill: Drill, grocer: Grocer) -> None:
    grocer.send(po(line(1, 4)))
    grocer.run()
    drill.desk.run(
        "UPDATE edi_document SET due_at = due_at - interval '2 days' WHERE due_at IS NOT NULL"
    )
    sweep(grocer.engine, now=now())
    (number,) = grocer.rows("SELECT id FROM edi_document WHERE ack_state = 'overdue'")[0]
    drill.words["DOCUMENT"] = str(number)

    drill.drill("edi.overdue")

    assert ("855", "posted", "waiting") in grocer.documents("out")


def test_drill_program_pace(drill: Drill, grocer: Grocer) -> None:
    made = agreement(grocer, days=90)
    programs.reserve(grocer.house, made, [Asked("MUG", "WH", 400)], now=grocer.clock.now)
    grocer.send(po(line(1, 220)))
    grocer.run()
    program_watch.watch(grocer.engine, now=now())

    def over() -> None:
        with drill.house.engine.begin() as connection:
            (program,) = program_store.programs(connection, name="SPRING")
            program_watch.calm(connection, program, now())

    drill.words |= {"UNITS": "100", "DATE": f"{now() + timedelta(days=30):%Y-%m-%d}"}
    drill.drill("program.pace", mend=over)


def test_drill_program_over(drill: Drill, grocer: Grocer) -> None:
    grocer.clock.now = now() - timedelta(days=10)
    made = agreement(grocer, days=9, ends=Ends.HAND)
    programs.reserve(grocer.house, made, [Asked("MUG", "WH", 400)], now=grocer.clock.now)
    program_watch.watch(grocer.engine, now=now())

    drill.drill("program.over")

    assert grocer.rows("SELECT state FROM program") == [("ended",)]


def test_drill_alloc_fit(drill: Drill, database: Database) -> None:
    trade = a_trade(database.engine, Clock(now()), monday=week_of(datetime.now(UTC)) - 3 * WEEK)
    trade.receive(5000)
    for week in range(3):
        trade.at(week, hours=10)
        for channel, units in (("web", 42), ("market", 18), ("wholesale", 40)):
            trade.sell(channel, units)
    fit.watch(database.engine, now=now())

    def applied() -> None:
        trade.clock.now = now()
        trade.apply({"web": 42, "market": 18, "wholesale": 40})
        drill.desk.run("UPDATE fit_look SET looked_at = looked_at - interval '2 hours'")
        fit.watch(database.engine, now=now())

    drill.drill("alloc.fit", mend=applied)
