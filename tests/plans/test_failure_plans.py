"""Failed work goes by its indexes with ten thousand failures among a hundred thousand that have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import plan_of
from tests.servers import FIRST_NOW
from workers.failures import mending, store
from workers.failures.types import Cursor, Filter

_SEED = """
    INSERT INTO failure (origin, object, class, channel, sku, location, order_id, task, error, state, first_seen,
                         last_seen, settled_at)
    SELECT 'push', 'shop/S' || n || '/WH', 'rejected', CASE WHEN n % 3 = 0 THEN 'shop' ELSE 'till' END, 'S' || n, 'WH',
           'O' || n, 'workers.tasks.push', 'no', CASE WHEN n % 10 = 0 THEN 'open' ELSE 'resolved' END,
           CAST(:now AS timestamptz) - make_interval(secs => n), CAST(:now AS timestamptz) - make_interval(secs => n),
           CASE WHEN n % 10 <> 0 THEN CAST(:now AS timestamptz) END
    FROM generate_series(1, 100000) n
"""


@pytest.fixture(scope="module")
def stocked(shelf: Shelf) -> Iterator[Engine]:
    """Ten thousand open failures, ninety thousand that have ended."""

    def fill(connection: Connection) -> None:
        connection.execute(text(_SEED), {"now": FIRST_NOW})

    with filled(shelf, fill) as engine:
        yield engine


DAY = FIRST_NOW - timedelta(days=1)


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(since=DAY, states=("open", "retrying")),
        Filter(since=DAY, states=("open",), channel="shop", kind="rejected"),
        Filter(sku="S500"),
        Filter(order="O500"),
        Filter(task="workers.tasks.push", states=("open",)),
    ],
)
def test_a_page_is_read_without_the_whole_table(full: Connection, wanted: Filter) -> None:
    before = None if wanted.sku or wanted.order else Cursor(FIRST_NOW - timedelta(hours=2), 7200)
    _no_scan(full, lambda: store.page(full, wanted, before=before))


def test_a_batch_of_bulk_work_goes_by_id(full: Connection) -> None:
    wanted = Filter(channel="shop", states=("open",))

    _no_scan(full, lambda: store.in_order(full, wanted, after=40_000, upto=100_000, most=200))


def test_counts_and_mending_read_what_is_open_alone(full: Connection) -> None:
    _no_scan(full, lambda: store.counts(full))
    _no_scan(full, lambda: mending.mend(full, FIRST_NOW))


def _no_scan(connection: Connection, work: Callable[[], object]) -> None:
    nodes: list[dict[str, Any]] = plan_of(connection, work)
    scanned = {n.get("Relation Name") for n in nodes if n["Node Type"] == "Seq Scan"}
    assert "failure" not in scanned
