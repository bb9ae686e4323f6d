"""Orders are dated by the vendor: where our clock is ahead of its, the mark goes by the vendor's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from tests.reconcile.house import furnish
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
