"""Rows of the push queue are locked in one order, whatever became of each."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, text

from channels.base import Level, Unavailable
from tests.workers.shelf import House, settled
from tests.workers.waiting import until_somebody_waits
from workers.flows.push import PushReport, push

_ROW = "SELECT sku FROM push_due WHERE sku = :sku FOR UPDATE"


class Allocator:
    """Holds the first row of the queue from the moment of a call on, then wants the last."""

    def __init__(self, house: House, first: str, last: str) -> None:
        self._house, self._first, self._last = house, first, last
        self._connection: Connection | None = None

    def begin(self, _: Sequence[Level]) -> None:
        """As the call goes out, another transaction has the first row already."""
        if self._connection is None:
            self._connection = self._house.engine.connect()
            self._connection.execute(text(_ROW), {"sku": self._first})

    def end(self) -> None:
        """Take the last row, too; at once, or somebody holds it who waits for the first."""
        assert self._connection is not None
        try:
            self._connection.execute(text(_ROW + " NOWAIT"), {"sku": self._last})
        finally:
            self._connection.rollback()
            self._connection.close()


@contextmanager
def pushing(house: House) -> Iterator[list[PushReport]]:
    """Push in a thread; the block begins when it waits for a row, the value holds its report afterwards."""
    reports: list[PushReport] = []
    thread = threading.Thread(target=lambda: reports.append(push(house.lane)))
    thread.start()
    until_somebody_waits(house)
    try:
        yield reports
    finally:
        thread.join(10)


def test_confirmed_rows_and_those_left_out_are_locked_together(house: House) -> None:
    # C goes first, because it is sold out, and A is what the limit leaves out.
    settled(house).set(A=8, C=0)
    house.shelf.dry_after = 1
    other = Allocator(house, "A", "C")
    house.shelf.during = other.begin

    with pushing(house) as reports:
        other.end()

    assert (reports[0].confirmed, reports[0].not_sent) == (1, 1)


def test_rows_in_doubt_that_are_told_and_those_that_are_not_are_locked_together(
    house: House,
) -> None:
    settled(house).set(A=8, C=0)
    house.shelf.failures = [Unavailable("timeout")]
    push(house.lane)
    house.clock.advance(60)
    # A shows no number, so that only C is told.
    del house.shelf.numbers["A"]
    other = Allocator(house, "A", "C")
    house.shelf.reading = lambda: other.begin(())

    with pushing(house):
        other.end()

    assert set(house.queue()) == {"A"}
    assert house.shelf.numbers["C"] == 0
