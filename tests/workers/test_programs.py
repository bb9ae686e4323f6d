"""Programs in the book: reserved out of what is available, used by orders first, free again when their time is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from allocation.programs import Ends, Policy
from ledger import verify
from tests.builders import a_fact, book
from tests.servers import Clock, Database
from tests.waits import waits
from tests.workers.edi_rig import Grocer, a_grocer, change, changed, line, po
from tests.workers.program_rig import agreement, booked, days, held, reserve, standing
from workers.flows import program_watch, programs
from workers.flows.edi_fill import fill
from workers.flows.programs import Asked, Refused


@pytest.fixture
def grocer(database: Database, clock: Clock, tmp_path: Path) -> Grocer:
    grocer = a_grocer(database.engine, clock, tmp_path)
    grocer.stock(MUG=1000)
    return grocer


def another(database: Database, clock: Clock, path: Path, **options: str) -> Grocer:
    grocer = a_grocer(database.engine, clock, path, **options)
    grocer.stock(MUG=1000)
    return grocer


def order(grocer: Grocer, units: int, number: str = "PO1") -> None:
    grocer.send(po(line(1, units), number=number))
    grocer.run()


def test_a_program_lives_from_its_reservation_to_its_end(grocer: Grocer) -> None:
    reserve(grocer, 400)
    assert held(grocer) == (600, 0, 400)

    order(grocer, 150)
    assert held(grocer) == (600, 150, 250)
    grocer.ship("PO1", "1", 150)
    assert held(grocer) == (600, 0, 250)
    days(grocer, 90)
    (freed,) = programs.expire(grocer.house, now=grocer.clock.now)

    assert (freed.units, freed.ended) == ({("MUG", "WH"): 250}, True)
    assert held(grocer) == (850, 0, 0)
    assert standing(grocer) == (150, 250, 0)
    assert booked(grocer) == 0
    assert programs.expire(grocer.house, now=grocer.clock.now) == []
    assert verify.verify(grocer.engine).clean


@pytest.mark.parametrize(
    ("policy", "options", "line_", "after"),
    [
        (Policy.CAP, {}, (300, 250, 50, 0), (600, 400, 0)),
        (Policy.CAP, {"backorder": "no"}, (300, 250, 0, 50), (600, 400, 0)),
        (Policy.OVERFLOW, {}, (300, 300, 0, 0), (550, 450, 0)),
    ],
)
def test_an_order_over_the_reservation_gets_what_the_policy_says(
    database: Database,
    clock: Clock,
    tmp_path: Path,
    policy: Policy,
    options: dict[str, str],
    line_: tuple[int, int, int, int],
    after: tuple[int, int, int],
) -> None:
    grocer = another(database, clock, tmp_path, **options)
    reserve(grocer, 400, policy=policy)
    order(grocer, 150, "PO1")
    order(grocer, 300, "PO2")

    assert grocer.lines("PO2") == [("1", *line_)]
    assert held(grocer) == after
    assert standing(grocer) == (400, 0, 0)


def test_an_overflow_goes_no_further_than_the_partners_share(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    grocer = another(database, clock, tmp_path, promise="share")
    reserve(grocer, 400, policy=Policy.OVERFLOW)
    with grocer.engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)
                VALUES ('grocer', 'MUG', 'WH', 30, 1, 1, :now)
            """),
            {"now": clock.now},
        )
    order(grocer, 500)

    assert grocer.lines() == [("1", 500, 430, 70, 0)]
    assert held(grocer) == (570, 430, 0)


def test_an_order_outside_of_the_window_or_of_the_location_leaves_a_program_alone(
    grocer: Grocer,
) -> None:
    reserve(grocer, 100, since=grocer.clock.now + timedelta(days=1))
    order(grocer, 10, "PO1")
    assert (held(grocer), standing(grocer)) == ((890, 10, 100), (0, 0, 100))

    days(grocer, 90)
    order(grocer, 10, "PO2")

    # The window is over, whether or not anybody has come to release it.
    assert (held(grocer), standing(grocer)) == ((880, 20, 100), (0, 0, 100))


def test_a_decrease_gives_back_free_units_first_and_reserved_ones_to_their_program(
    grocer: Grocer,
) -> None:
    reserve(grocer, 250, policy=Policy.OVERFLOW)
    order(grocer, 300)
    assert held(grocer) == (700, 300, 0)

    grocer.send(change(changed(1, "QD", 240), sequence="1"))
    grocer.run()

    assert held(grocer) == (750, 240, 10)
    assert (standing(grocer), booked(grocer)) == ((240, 0, 10), 10)


def test_a_cancelled_order_gives_everything_back_but_what_has_gone(grocer: Grocer) -> None:
    reserve(grocer, 400)
    order(grocer, 150)
    grocer.ship("PO1", "1", 60)
    grocer.send(po(line(1, 150), purpose="01"))
    grocer.run()

    assert held(grocer) == (600, 0, 340)
    assert standing(grocer) == (60, 0, 340)


def test_what_is_let_go_after_the_window_is_free(grocer: Grocer) -> None:
    reserve(grocer, 400)
    order(grocer, 150)
    days(grocer, 91)
    grocer.send(po(line(1, 150), purpose="01"))
    grocer.run()

    assert held(grocer) == (750, 0, 250)
    assert standing(grocer) == (0, 150, 250)
    programs.expire(grocer.house, now=grocer.clock.now)
    assert (held(grocer), standing(grocer)) == ((1000, 0, 0), (0, 400, 0))


def test_a_backorder_is_filled_from_what_comes_back_to_the_program(grocer: Grocer) -> None:
    reserve(grocer, 400)
    order(grocer, 400, "PO1")
    order(grocer, 50, "PO2")
    assert grocer.lines("PO2") == [("1", 50, 0, 50, 0)]
    assert fill(grocer.house, now=grocer.clock.now) == []

    grocer.send(po(line(1, 400), number="PO1", purpose="01"))
    grocer.run()
    (filled,) = fill(grocer.house, now=grocer.clock.advance(60))

    assert (filled.number, filled.units) == ("PO2", 50)
    assert (held(grocer), standing(grocer)) == ((600, 50, 350), (50, 0, 350))


def test_the_parts_of_a_bundle_come_from_the_programs_that_have_them(grocer: Grocer) -> None:
    grocer.stock(TEE=5)
    with grocer.engine.begin() as connection:
        connection.execute(text("INSERT INTO sku (sku) VALUES ('SET')"))
        connection.execute(text("INSERT INTO bundle VALUES ('SET', 'MUG', 2), ('SET', 'TEE', 1)"))
        connection.execute(
            text("""
                INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, variant_id)
                VALUES ('grocer', 'SET', 'WH', '33', 'DC1', '33')
            """)
        )
    reserve(grocer, 7)
    grocer.send(po(line(1, 4, item="33")))
    grocer.run()

    assert grocer.lines() == [("1", 4, 3, 1, 0)]
    assert (held(grocer), held(grocer, "TEE")) == ((993, 6, 1), (2, 3, 0))
    assert standing(grocer) == (6, 0, 1)


def test_two_programs_of_one_item_are_used_in_the_order_of_their_ends(grocer: Grocer) -> None:
    reserve(grocer, 100, "LATER", days=60, policy=Policy.OVERFLOW)
    reserve(grocer, 50, "SOON", days=30, policy=Policy.OVERFLOW)
    order(grocer, 70)

    assert (standing(grocer, "SOON"), standing(grocer, "LATER")) == ((50, 0, 0), (20, 0, 80))
    assert held(grocer) == (850, 70, 80)


def test_no_more_is_reserved_than_is_there_unless_a_part_is_welcome(grocer: Grocer) -> None:
    asked = [Asked("MUG", "WH", 1200)]
    with pytest.raises(Refused, match="MUG at WH has 1000 available and 1200 are asked for"):
        programs.reserve(grocer.house, agreement(grocer), asked, now=grocer.clock.now)
    assert (held(grocer), grocer.rows("SELECT count(*) FROM program")) == ((1000, 0, 0), [(0,)])

    made = programs.reserve(
        grocer.house,
        agreement(grocer),
        [Asked("MUG", "WH", 1200, partial=True)],
        now=grocer.clock.now,
    )

    assert made.lines[0].agreed == 1000
    assert made.lines[0].note == "1200, of which 1000 were there"
    assert held(grocer) == (0, 0, 1000)


def test_a_percent_is_frozen_whatever_comes_in_later(grocer: Grocer) -> None:
    asked = [Asked("MUG", "WH", percent=Decimal(40))]
    programs.reserve(grocer.house, agreement(grocer), asked, now=grocer.clock.now)
    grocer.clock.advance(60)
    grocer.stock(MUG=5000)

    assert held(grocer) == (5600, 0, 400)
    assert grocer.rows("SELECT agreed, note FROM program_line") == [(400, "40% of 1000 available")]


def test_a_percent_can_be_of_a_receipt(grocer: Grocer) -> None:
    fact = a_fact("receipt", id="asn:7", sku="MUG", location="WH", units=300)
    fact |= {"reference": "PO-77", "occurred_at": grocer.clock.now.isoformat()}
    book(grocer.engine, fact, now=grocer.clock.now)

    asked = [Asked("MUG", "WH", percent=Decimal(50), receipt="PO-77")]
    programs.reserve(grocer.house, agreement(grocer), asked, now=grocer.clock.now)

    assert held(grocer) == (1150, 0, 150)
    asked = [Asked("MUG", "WH", percent=Decimal(50), receipt="nothing")]
    with pytest.raises(Refused, match="is no whole unit"):
        programs.reserve(grocer.house, agreement(grocer, "B"), asked, now=grocer.clock.now)


@pytest.mark.parametrize(
    ("said", "asked", "why"),
    [
        ({"partner": "nobody"}, {}, "no channel 'nobody'"),
        ({"name": "TAKEN"}, {}, "a program TAKEN already"),
        ({"name": "x" * 65}, {}, "1 to 64 characters"),
        ({"days": -1}, {}, "must end after it begins"),
        ({"why": " "}, {}, "and why"),
        ({}, {"sku": "NONE"}, "unknown SKU 'NONE'"),
        ({}, {"location": "MOON"}, "unknown location 'MOON'"),
        ({}, {"units": None}, "either units or a percent"),
        ({}, {"units": 0}, "at least one unit"),
        ({}, {"units": None, "percent": Decimal(101)}, "at most 100"),
    ],
)
def test_a_program_that_cannot_be_is_refused_with_the_reason(
    grocer: Grocer, said: dict[str, Any], asked: dict[str, Any], why: str
) -> None:
    reserve(grocer, 10, "TAKEN")
    line_ = replace(Asked("MUG", "WH", 5), **asked)

    with pytest.raises(Refused, match=why):
        programs.reserve(grocer.house, agreement(grocer, **said), [line_], now=grocer.clock.now)

    assert held(grocer) == (990, 0, 10)


def test_a_step_frees_what_was_not_used_by_then(grocer: Grocer) -> None:
    now = grocer.clock.now
    steps = ((now + timedelta(days=30), 50), (now + timedelta(days=60), 10))
    asked = [Asked("MUG", "WH", 400, at_most=steps)]
    programs.reserve(grocer.house, agreement(grocer), asked, now=now)
    order(grocer, 100)
    days(grocer, 29)
    assert programs.expire(grocer.house, now=grocer.clock.now) == []

    days(grocer, 2)
    (freed,) = programs.expire(grocer.house, now=grocer.clock.now)
    assert (freed.units, freed.ended, standing(grocer)) == (
        {("MUG", "WH"): 100},
        False,
        (100, 100, 200),
    )
    # What comes back after a step is above it again: the next look frees it.
    grocer.send(po(line(1, 100), purpose="01"))
    grocer.run()
    assert standing(grocer) == (0, 100, 300)
    programs.expire(grocer.house, now=grocer.clock.now)
    assert standing(grocer) == (0, 200, 200)
    days(grocer, 30)
    programs.expire(grocer.house, now=grocer.clock.now)
    assert (standing(grocer), held(grocer), booked(grocer)) == ((0, 360, 40), (960, 0, 40), 40)


def test_units_are_released_by_hand_in_part_or_for_good(grocer: Grocer) -> None:
    reserve(grocer, 400)
    now = grocer.clock.now
    with pytest.raises(Refused, match="400 units left"):
        programs.release(grocer.house, "SPRING", units=500, by="ann", why="x", now=now)

    some = programs.release(grocer.house, "SPRING", units=100, by="ann", why="slow", now=now)
    assert (some.ended, held(grocer)) == (False, (700, 0, 300))
    rest = programs.release(grocer.house, "SPRING", by="ann", why="over", now=now)

    assert (rest.ended, held(grocer), standing(grocer)) == (True, (1000, 0, 0), (0, 400, 0))
    with pytest.raises(Refused, match="no open program"):
        programs.release(grocer.house, "SPRING", by="ann", why="again", now=now)
    assert grocer.rows("SELECT action, actor, reason FROM audit ORDER BY id") == [
        ("program.reserve", "ann", "agreed for spring"),
        ("program.release", "ann", "slow"),
        ("program.end", "ann", "over"),
    ]


def test_a_program_that_ends_by_hand_waits_for_one_with_an_alarm(grocer: Grocer) -> None:
    reserve(grocer, 400, ends=Ends.HAND)
    days(grocer, 91)

    assert programs.expire(grocer.house, now=grocer.clock.now) == []
    (raised,) = program_watch.watch(grocer.engine, now=grocer.clock.now)
    assert (raised.rule, raised.what, raised.detail["left"]) == (
        "program.over",
        "program:SPRING",
        400,
    )
    programs.release(grocer.house, "SPRING", by="ann", why="done", now=grocer.clock.now)

    assert held(grocer) == (1000, 0, 0)
    assert grocer.rows("SELECT rule FROM alarm WHERE resolved_at IS NULL") == []


def test_what_somebody_else_released_is_not_freed_twice(grocer: Grocer) -> None:
    reserve(grocer, 400)
    fact = a_fact("release", sku="MUG", location="WH", units=390, reference="SPRING")
    book(grocer.engine, fact | {"occurred_at": grocer.clock.now.isoformat()}, now=grocer.clock.now)
    order(grocer, 50)
    assert (grocer.lines(), held(grocer)) == ([("1", 50, 10, 40, 0)], (990, 10, 0))

    days(grocer, 90)
    (freed,) = programs.expire(grocer.house, now=grocer.clock.now)

    assert (dict(freed.units), freed.ended, held(grocer)) == ({}, True, (990, 10, 0))


def test_a_pace_is_looked_at_once_a_minute_and_raises_its_alarm_once(grocer: Grocer) -> None:
    reserve(grocer, 400)
    order(grocer, 220)
    days(grocer, 30)
    (raised,) = program_watch.watch(grocer.engine, now=grocer.clock.now)

    assert (raised.rule, raised.what) == ("program.pace", "program:SPRING/MUG@WH")
    assert (raised.detail["projected"], raised.detail["overrun"]) == (660, 260)
    assert program_watch.watch(grocer.engine, now=grocer.clock.advance(30)) == []
    assert program_watch.watch(grocer.engine, now=grocer.clock.advance(60)) == []
    ((since, last),) = grocer.rows("SELECT since, last_at FROM alarm")
    assert last - since == timedelta(seconds=90)

    days(grocer, 60)
    programs.expire(grocer.house, now=grocer.clock.now)
    assert grocer.rows("SELECT count(*) FROM alarm WHERE resolved_at IS NULL") == [(0,)]


def test_the_sweep_rings_for_a_program_that_is_due_or_was_not_looked_at(grocer: Grocer) -> None:
    def rings() -> bool:
        with grocer.engine.connect() as connection:
            return waits(connection, "programs", grocer.clock.now)

    assert not rings()
    reserve(grocer, 400)
    assert rings()
    program_watch.watch(grocer.engine, now=grocer.clock.now)
    assert not rings()
    grocer.clock.advance(61)
    assert rings()
    days(grocer, 90)
    program_watch.watch(grocer.engine, now=grocer.clock.now)
    assert rings()
    programs.expire(grocer.house, now=grocer.clock.now)
    assert not rings()
