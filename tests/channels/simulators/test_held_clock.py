"""A clock that somebody moves: where it stands is the same, however its way was gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from channels.simulators.clock import Clock

BEGINS = datetime(2026, 3, 2, 9, tzinfo=UTC)
MOMENT = BEGINS + timedelta(seconds=1, microseconds=300)


def test_a_clock_that_creeps_stands_where_as_many_steps_bring_it() -> None:
    creeping, stepping = Clock.held(BEGINS), Clock.held(BEGINS)

    creeping.creep(0.001, MOMENT)
    while stepping.now() < MOMENT:
        stepping.advance(0.001)

    assert creeping.now() == stepping.now() >= MOMENT
    assert creeping.advance(0.5) == stepping.advance(0.5)


def test_a_clock_does_not_creep_to_what_is_over() -> None:
    clock = Clock.held(BEGINS)

    clock.creep(0.001, BEGINS)

    assert clock.now() == BEGINS
