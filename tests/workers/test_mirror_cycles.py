"""Amazon's own stock moves in steps: what a mirror shows halts when it stays wrong over cycles, never alone."""

from __future__ import annotations

import pytest

from reconcile import runs
from tests.reconcile.house import furnish, rows
from tests.servers import Clock, Database
from tests.workers.rounds import run_once, shows

HALTS = "SELECT sku FROM halt"


@pytest.mark.parametrize(
    ("cycles", "halted_in"),
    [
        # What each of the windows reads of thirty expected, and the window that halts.
        ((50, 30, 50), None),
        ((50, None, 30), None),
        ((50, 50, 50), 2),
        ((50, None, 50), 3),
        ((30, 50, 50), 3),
        # In steps, but too much each time.
        ((50, 44, 38), 2),
        # Too little halts nothing.
        ((10, 10, 10), None),
    ],
)
def test_a_mirror_halts_in_the_second_window_in_a_row_that_reads_too_much(
    database: Database, clock: Clock, cycles: tuple[int | None, ...], halted_in: int | None
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock, kind="mirror")
    halted: list[int] = []
    for window, units in enumerate(cycles, 1):
        run_once(database, shows(clock, TEA_1=units), clock)
        if rows(database.engine, HALTS) and not halted:
            halted.append(window)
        clock.advance(900)

    assert halted == ([] if halted_in is None else [halted_in])


def test_one_cycle_that_is_judged_again_and_again_is_one_cycle(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock, kind="mirror")
    window_at = runs.window_of(clock.now, 900)
    run_once(database, shows(clock, TEA_1=50), clock)
    for _ in range(3):
        # Its worker died, and another began again.
        with database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE run SET state = 'due', read_through = ''")
        run_once(database, shows(clock, TEA_1=50), clock, window_at=window_at)

    assert rows(database.engine, "SELECT times FROM drift") == [(1,)]
    assert rows(database.engine, HALTS) == []


def test_a_shop_of_ones_own_halts_at_once(database: Database, clock: Clock) -> None:
    furnish(database.engine, {"TEA-1": 30}, clock=clock)

    run_once(database, shows(clock, TEA_1=50), clock)

    assert rows(database.engine, HALTS) == [("TEA-1",)]
