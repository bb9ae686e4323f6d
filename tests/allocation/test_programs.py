"""Programs as arithmetic: frozen units, release rules, who gives what, and how fast they are used up."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation import programs
from allocation.programs import Draw, Ends, Policy, Program, ProgramLine, Step
from tests.builders import NOON


def a_program(name: str = "SPRING", days: float = 90, **said: object) -> Program:
    """400 of MUG in the warehouse, from noon on."""
    program = Program(
        name=name,
        partner="grocer",
        policy=Policy.CAP,
        ends=Ends.ITSELF,
        since=NOON,
        until=NOON + timedelta(days=days),
        lines=(ProgramLine("MUG", "WH", 400),),
        made_by="ann",
        made_at=NOON,
        why="agreed",
    )
    return replace(program, **said)  # type: ignore[arg-type]  # a test's own words


def after(days: float) -> datetime:
    return NOON + timedelta(days=days)


def used(units: int, released: int = 0) -> ProgramLine:
    return ProgramLine("MUG", "WH", 400, used=units, released=released)


@pytest.mark.parametrize(
    ("percent", "base", "units"),
    [("40", 1000, 400), ("33.3", 100, 33), ("0.5", 100, 0), ("40", -5, 0), ("100", 7, 7)],
)
def test_a_percent_becomes_whole_units_once(percent: str, base: int, units: int) -> None:
    assert programs.frozen(Decimal(percent), base) == units


def test_a_pace_is_projected_to_the_end_of_the_window() -> None:
    burn = programs.burn(a_program(), used(220), after(30))

    assert burn.pace_per_day == pytest.approx(7.333333, abs=1e-6)
    assert (burn.projected, burn.overrun, burn.alarm) == (660.0, 260.0, True)
    assert burn.runs_out_at == after(30) + timedelta(days=180 / (220 / 30))


@pytest.mark.parametrize(
    ("units", "days", "alarm"),
    [
        (133, 30, False),
        (134, 30, True),
        # One order on the first day says nothing of a pace, unless it takes half of all.
        (100, 1, False),
        (200, 1, True),
        (0, 30, False),
        # Over is over.
        (400, 91, False),
    ],
)
def test_an_alarm_needs_a_pace_that_can_be_believed(units: int, days: float, alarm: bool) -> None:
    assert programs.burn(a_program(), used(units), after(days)).alarm is alarm


def test_an_alarm_that_is_on_stays_until_the_projection_is_well_below() -> None:
    line, program = used(130), a_program()

    assert not programs.burn(program, line, after(30)).alarm
    assert programs.burn(program, line, after(30), alarmed=True).alarm
    assert not programs.burn(program, line, after(33), alarmed=True).alarm


def test_an_overrun_shortens_the_cover_of_the_others_only_without_a_cap() -> None:
    burns = [
        programs.burn(a_program(policy=policy), used(220), after(30), free=600, others_per_day=10.0)
        for policy in Policy
    ]

    assert [round(each.cover_weeks or 0, 2) for each in burns] == [8.57, 8.57]
    assert [round(each.cover_weeks_after or 0, 2) for each in burns] == [8.57, 4.86]
    assert programs.burn(a_program(), used(220), after(30), free=600).cover_weeks is None


def test_the_end_of_a_window_frees_what_is_left_unless_a_hand_must() -> None:
    line = used(150)

    assert programs.surplus(a_program(), line, after(89)) == 0
    assert programs.surplus(a_program(), line, after(90)) == 250
    assert programs.surplus(a_program(ends=Ends.HAND), line, after(90)) == 0
    assert programs.surplus(a_program(ended_at=NOON), line, after(90)) == 0


def test_a_step_frees_what_is_above_it_and_takes_nothing_from_who_used_it() -> None:
    steps = (Step(after(30), 200), Step(after(60), 50))
    line = replace(used(100), steps=steps)

    assert [programs.surplus(a_program(), line, after(day)) for day in (29, 30, 60)] == [
        0,
        100,
        250,
    ]
    assert programs.surplus(a_program(), replace(used(300), steps=steps), after(30)) == 0


def test_the_program_that_ends_first_is_used_first_and_given_back_last() -> None:
    soon, later = a_program("SOON", 10), a_program("LATER", 20)

    took = programs.draw([later, soon], "WH", [Draw("1", "MUG", {}, 500, 500)], NOON)
    gave = programs.draw(
        [later, soon], "WH", [Draw("1", "MUG", {"SOON": 400, "LATER": 100}, 350, 350)], NOON
    )

    assert [(each.program, each.units) for each in took] == [("SOON", 400), ("LATER", 100)]
    assert [(each.program, each.units) for each in gave] == [("LATER", -100), ("SOON", -50)]


def test_what_one_line_lets_go_is_there_for_the_next() -> None:
    full = a_program(lines=(used(400),))
    draws = [Draw("1", "MUG", {"SPRING": 100}, 20, 20), Draw("2", "MUG", {}, 80, 80)]

    moved = programs.draw([full], "WH", draws, NOON)

    assert [(each.line, each.units, each.to_free) for each in moved] == [
        ("1", -80, False),
        ("2", 80, False),
    ]


def test_what_came_from_a_program_that_is_over_is_free_and_let_go_last() -> None:
    over, open_ = a_program("OVER", 1, lines=(used(60),)), a_program("OPEN", lines=(used(40),))
    was = {"OVER": 60, "OPEN": 40}

    some = programs.draw([over, open_], "WH", [Draw("1", "MUG", was, 70, 10)], after(2))
    all_ = programs.draw([over, open_], "WH", [Draw("1", "MUG", was, 0, 0)], after(2))

    assert [(each.program, each.units, each.to_free) for each in some] == [("OPEN", -30, False)]
    assert {(each.program, each.units, each.to_free) for each in all_} == {
        ("OPEN", -40, False),
        ("OVER", -60, True),
    }


@given(st.integers(0, 400), st.integers(0, 400), st.integers(-400, 400), st.booleans())
def test_a_program_never_gives_what_it_has_not(
    was: int, released: int, units: int, to_free: bool
) -> None:
    released = min(released, 400 - was)
    program = a_program(lines=(used(was, released),))
    drawn = programs.Drawn("1", "SPRING", "MUG", units, to_free and units < 0)

    try:
        line = programs.counted(program, "WH", drawn).lines[0]
    except ValueError:
        assert units > 400 - was - released or units < -was
        return
    assert line.used + line.released + line.left == 400
    assert min(line.used, line.released, line.left) >= 0
