"""Orders are dated by the vendor: where our clock is ahead of its, the mark goes by the vendor's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from channels import base
from channels.base import ChannelOrder
from tests.reconcile.house import furnish, rows
from tests.servers import Clock, Database
from tests.workers.test_orders_poll import Told, poll, the_mark
from workers.flows.orders import LAG_S


@dataclass
class Dated(Told):
    """A channel whose answers say what time it is there."""

    says: datetime | None = None

    @property
    def vendor_time(self) -> datetime | None:
        return self.says


@pytest.mark.parametrize(
    ("behind_s", "held_back_s"), [(3600, 3600), (61, 61), (60, 0), (2, 0), (0, 0), (-3600, 0)]
)
def test_orders_are_whole_up_to_the_vendors_clock_where_ours_is_ahead_of_it(
    database: Database, clock: Clock, behind_s: int, held_back_s: int
) -> None:
    furnish(database.engine, {"TEA-1": 1}, clock=clock)
    began = clock.now

    report = poll(database, Dated(clock, says=began - timedelta(seconds=behind_s)))

    assert the_mark(database) == report.mark == began - timedelta(seconds=LAG_S + held_back_s)


class Jumping(Told):
    """While it is asked, somebody puts our clock back by an hour."""

    def orders_since(
        self, mark: datetime, known: base.Known = base.nothing_known
    ) -> Iterator[ChannelOrder]:
        yield from super().orders_since(mark, known)
        self.clock.advance(-3600)


def test_a_poll_during_which_our_clock_is_put_back_claims_nothing_and_is_asked_for_again(
    database: Database, clock: Clock
) -> None:
    furnish(database.engine, {"TEA-1": 1}, clock=clock)
    before = the_mark(database)

    report = poll(database, Jumping(clock))

    assert (report.state, report.mark, the_mark(database)) == ("done", None, before)
    assert rows(database.engine, "SELECT orders_asked_at FROM channel") == [(clock.now,)]
