"""A worker is killed in the middle of a window, a halt or a repair: another ends it, and nothing is done twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.journeys.estate import Estate, Shop, an_estate, wait_for
from workers.flows import halts

pytestmark = [pytest.mark.slow, pytest.mark.battery, pytest.mark.timeout(500)]

WORKERS = ("worker-threads", "worker-prefork")
#: Calls of a worker that is to be killed take so long, in seconds of the wall.
SLOW_S = 4.0


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    # One window for the whole file, however slow the machine is.
    with an_estate("shop", reconcile_s=86_400) as estate:
        yield estate


@contextmanager
def killed_when(estate: Estate, operation: str, begun: str, **values: Any) -> Iterator[None]:
    """Calls of an operation are slow in this block; when `begun` holds, the workers are killed in such a call."""
    shop = estate.shops["shop"]
    shop.do("fault", kind="latency", seconds=SLOW_S, operation=operation)
    try:
        yield
        # A reading may wait for orders for a minute before it is judged.
        wait_for(lambda: bool(estate.one(begun, **values)), 120, estate.trouble)
        time.sleep(SLOW_S / 8)
        for name in WORKERS:
            estate.stack.supervisor.kill(name)
    finally:
        shop.do("clear_faults")
    # The minutes pass after which the dead are taken for dead; the shop may still be busy with their last call.
    for lease in (
        "UPDATE run SET leased_until = now() WHERE state = 'running'",
        "UPDATE push_due SET leased_until = now() WHERE leased_until IS NOT NULL",
        "UPDATE halt SET run_at = now() WHERE state IN ('setting', 'lifting')",
        "UPDATE early_read SET leased_until = now() WHERE leased_until IS NOT NULL",
    ):
        estate.do(lease)
    for name in WORKERS:
        estate.stack.supervisor.wait_ready(name)


def reopen(estate: Estate) -> None:
    """The window is due again, as if it had just been opened."""
    done = "SELECT count(*) FROM run WHERE job = 'reconcile' AND state = 'done'"
    wait_for(lambda: bool(estate.one(done)), 60, estate.trouble)
    estate.do("""
        UPDATE run SET state = 'due', attempts = 0, leased_until = NULL, started_at = NULL, finished_at = NULL,
            read_through = '', expected = 0, read = 0, unknown = 0, in_flight = 0, drifted = 0, repushed = 0,
            halted = 0, fixed = 0
        WHERE job = 'reconcile' AND channel = 'shop'
    """)


def level(shop: Shop, sku: str) -> dict[str, Any]:
    """A level as the shop holds it, its variant's policy included."""
    (found,) = [one for one in shop.do("state")["levels"] if one["sku"] == sku]
    return {name: value for name, value in found.items() if name != "updated_at"}


def repaired_twice(estate: Estate) -> list[tuple[Any, ...]]:
    """Numbers that the shop took more often than once and once more as a repair."""
    return estate.rows(
        "SELECT sku, number FROM push WHERE outcome = 'confirmed' GROUP BY sku, number HAVING count(*) > 2"
    )


def test_a_window_whose_worker_dies_is_ended_by_another_and_counted_once(estate: Estate) -> None:
    shop = estate.shops["shop"]
    for sku in estate.skus[:3]:
        shop.do("drift", sku=sku, location="WH", units=20)

    running = "SELECT EXISTS (SELECT FROM run WHERE job = 'reconcile' AND state = 'running')"
    with killed_when(estate, "nodes", running):
        reopen(estate)

    ended = "SELECT EXISTS (SELECT FROM run WHERE job = 'reconcile' AND state = 'done')"
    wait_for(lambda: bool(estate.one(ended)), 60, estate.trouble)
    (run,) = estate.rows(
        "SELECT attempts >= 2, expected, read, unknown FROM run WHERE job = 'reconcile'"
    )
    assert run == (True, len(estate.skus), len(estate.skus), 0)
    estate.settles(90)
    found = estate.rows("SELECT sku, count(*) FROM drift GROUP BY sku ORDER BY sku")
    assert found == [(sku, 1) for sku in estate.skus[:3]]
    assert estate.rows("SELECT sku FROM halt") == []
    assert repaired_twice(estate) == []
    assert estate.book_is_whole()


def test_a_halt_whose_worker_dies_is_set_by_another_and_undone_exactly(estate: Estate) -> None:
    shop, sku = estate.shops["shop"], estate.skus[5]
    before = level(shop, sku)

    taken = "SELECT EXISTS (SELECT FROM halt WHERE state = 'setting' AND attempts > 0)"
    with killed_when(estate, "inventorySetQuantities", taken):
        halts.halt(
            estate.engine,
            channel="shop",
            sku=sku,
            reason="a recall",
            by="ann",
            now=datetime.now(UTC),
        )

    wait_for(lambda: estate.rows("SELECT state FROM halt") == [("set",)], 90, estate.trouble)
    assert shop.shown()[sku] == 0
    halts.lift(
        estate.engine,
        channel="shop",
        sku=sku,
        by="ann",
        reason="it was another lot",
        now=datetime.now(UTC),
    )
    wait_for(lambda: estate.rows("SELECT state FROM halt") == [("lifted",)], 60, estate.trouble)
    estate.settles(60)

    assert level(shop, sku) == before
    trail = estate.rows("SELECT action FROM audit WHERE action LIKE 'halt.%' ORDER BY id")
    assert len(trail) == len(set(trail))


def test_a_repair_whose_worker_dies_is_ended_by_another_and_sent_once(estate: Estate) -> None:
    shop, sku = estate.shops["shop"], estate.skus[8]
    numbers = estate.one("SELECT number FROM target WHERE sku = :sku", sku=sku)
    shop.do("drift", sku=sku, location="WH", units=20)

    sent = "SELECT EXISTS (SELECT FROM push_due WHERE sku = :sku AND leased_until IS NOT NULL)"
    with killed_when(estate, "inventorySetQuantities", sent, sku=sku):
        reopen(estate)

    estate.settles(90)
    assert estate.one("SELECT number FROM target WHERE sku = :sku", sku=sku) == numbers
    assert estate.rows("SELECT count(*) FROM drift WHERE sku = :sku", sku=sku) == [(1,)]
    # The repair is the same number once more; it was taken once.
    (taken,) = estate.rows(
        "SELECT count(*) FROM push WHERE sku = :sku AND number = :number AND outcome = 'confirmed'",
        sku=sku,
        number=numbers,
    )
    assert taken[0] <= 2
    assert estate.book_is_whole()
