"""On-call drills of what the clock asks for, and of what reconciliation gives up to a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from channels.simulators.serve import Running
from ledger.db import transaction
from reconcile import halt_store, runs
from tests.channels.shopify_rig import CHANNEL
from tests.journeys.drill import ShopDrill, a_shop, a_shop_drill
from tests.servers import Database
from workers.flows import jobs, reconcile
from workers.flows.allocate import allocate
from workers.wiring import now


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with a_shop() as running:
        yield running


@pytest.fixture
def shop(running: Running, database: Database, valkey: str) -> Iterator[ShopDrill]:
    with a_shop_drill(running, database, valkey) as drill:
        yield drill


def open_window(shop: ShopDrill, back_s: float) -> None:
    at = now() - timedelta(seconds=back_s)
    reconcile.open_windows(shop.house.engine, now=at, window_s=900)


def test_drill_missed_window(shop: ShopDrill) -> None:
    open_window(shop, 900)
    open_window(shop, 0)

    shop.drill("missed_window")

    assert "no worker came before the window ended" in shop.told("missed_window")


def test_drill_overrun_window(shop: ShopDrill) -> None:
    open_window(shop, 900)
    before = now() - timedelta(seconds=900)
    with transaction(shop.house.engine) as connection:
        window_at = runs.window_of(before, 900)
        assert runs.claim_run(connection, "reconcile", CHANNEL, window_at, before, 1000)
    open_window(shop, 0)

    def its_worker_dies() -> None:
        shop.desk.run("UPDATE run SET leased_until = :now WHERE state = 'running'", now=now())

    shop.drill("overrun_window", mend=its_worker_dies)


def test_drill_job_missed(shop: ShopDrill) -> None:
    for back_s in (1800, 900):
        at = now() - timedelta(seconds=back_s)
        jobs.open_windows(shop.house.engine, now=at, window_s=900, truth_hour=at.hour - 5)
    shop.desk.as_superuser("DELETE FROM run WHERE job <> 'orders'")
    shop.desk.run("UPDATE run SET state = 'missed'")

    def polled() -> None:
        shop.desk.run("UPDATE run SET state = 'done' WHERE job = 'orders'")
        shop.poll()

    shop.staying = polled
    shop.drill("job.missed")


def test_drill_mapping(shop: ShopDrill) -> None:
    # The listings of the two were exchanged: each is written what is meant for the other.
    for sku, other in (("SKU-A", "SKU-B"), ("SKU-B", "SKU-A")):
        shop.rig.do("fault", kind="crossed", sku=sku, other=other)
    shop.fact(kind="receipt", id="few", sku="SKU-A", location="OSLO", units=3)
    shop.fact(kind="receipt", id="more", sku="SKU-B", location="OSLO", units=7)
    allocate(shop.house.engine, now=now, rise_wait_s=0)
    shop.push()
    assert (shop.rig.shown("SKU-A"), shop.rig.shown("SKU-B")) == (17, 13)
    shop.reconcile()

    def mended() -> None:
        shop.rig.clear_faults()
        with transaction(shop.house.engine) as connection:
            for sku in ("SKU-A", "SKU-B"):
                with suppress(halt_store.NothingToLift):
                    halt_store.lift_halt(connection, CHANNEL, sku, "ann", "bound anew", now())

    shop.drill("mapping", mend=mended, work=lambda: turn(shop))

    assert (shop.rig.shown("SKU-A"), shop.rig.shown("SKU-B")) == (13, 17)


def test_drill_quarantine(shop: ShopDrill) -> None:
    shop.rig.do("fault", kind="swallow", rate=1.0)
    shop.rig.drift("SKU-A", 1)
    for _ in range(20):
        turn(shop)
        if shop.desk.rows("SELECT FROM alarm WHERE rule = 'quarantine'"):
            break

    shop.drill("quarantine", mend=shop.rig.clear_faults, work=lambda: turn(shop))

    assert shop.rig.shown("SKU-A") == 10


def turn(shop: ShopDrill) -> None:
    """What waits for its time has its time, the workers do it, and a window goes by."""
    for table in ("halt", "push_due"):
        shop.desk.run(f"UPDATE {table} SET run_at = :now", now=now())  # noqa: S608 - constants
    shop.work()
    shop.settle()
    shop.reconcile()
