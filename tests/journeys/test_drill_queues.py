"""On-call drills of what waits in the house: numbers, deliveries and queues."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from channels.simulators.serve import Running
from ledger import catalogue
from ledger.db import transaction
from tests.channels.shopify_rig import CHANNEL
from tests.journeys.drill import ShopDrill, a_shop, a_shop_drill
from tests.servers import Database
from workers.clock import Clock as MachineClock
from workers.clock import Watch
from workers.failures import mending
from workers.flows import sweep
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


def test_drill_push_stuck(shop: ShopDrill) -> None:
    shop.fact(kind="write_off", id="gone", sku="SKU-A", location="OSLO", units=4, reason="wet")
    allocate(shop.house.engine, now=now, rise_wait_s=0)
    shop.older("push_due", "since", 301)

    shop.drill("push.stuck")

    assert shop.rig.shown("SKU-A") == 6
    assert "1 of them should be lower" in shop.told("push.stuck")


def test_drill_inbox_stuck(shop: ShopDrill) -> None:
    order = shop.rig.order("SKU-A", 2)
    shop.deliver("orders/create", shop.rig.document(order))
    shop.older("inbox", "received_at", 61)

    shop.drill("inbox.stuck")

    shop.work()
    assert shop.desk.rows("SELECT state FROM inbox WHERE delivery_id = 'd-1'") == [("applied",)]


def test_drill_inbox_parked(shop: ShopDrill) -> None:
    fact = {
        "kind": "receipt",
        "source": "wms",
        "id": "new",
        "occurred_at": now().isoformat(),
        "sku": "SKU-NEW",
        "location": "OSLO",
        "units": 3,
    }
    shop.deliver("fact", json.dumps(fact).encode(), source="wms", name="new")
    shop.drain()
    (number,) = shop.desk.rows("SELECT id FROM inbox WHERE state = 'parked'")[0]
    shop.words |= {"SOURCE": "wms", "DELIVERY": str(number), "SKU": "SKU-NEW"}
    unmapped = ("lockstep channel unmapped SOURCE",)

    shop.drill("inbox.parked", work=shop.work, not_here=unmapped)

    found = shop.desk.rows(
        "SELECT units FROM balance WHERE sku = 'SKU-NEW' AND state = 'available'"
    )
    assert found == [(3,)]


def test_drill_work_failed(shop: ShopDrill) -> None:
    for n in range(21):
        fact = {
            "kind": "order",
            "source": CHANNEL,
            "id": f"order:{n}",
            "occurred_at": now().isoformat(),
            "channel": CHANNEL,
            "order": str(n),
            "line": "1",
            "sku": "SKU-NEW",
            "location": "OSLO",
            "units": 1,
        }
        shop.deliver("fact", json.dumps(fact).encode(), source="wms", name=f"order:{n}")
    shop.drain()
    sweep.beat(shop.house.engine, queue="ingest", worker="w1", now=shop.desk.now)
    shop.words |= {"QUEUE": "ingest"}

    def mend() -> None:
        with transaction(shop.house.engine) as connection:
            catalogue.add_skus(connection, {"SKU-NEW": ""})

    def work() -> None:
        shop.work()
        with transaction(shop.house.engine) as connection:
            mending.mend(connection, now())

    shop.drill("work.failed", mend=mend, work=work)

    found = shop.desk.rows(
        "SELECT units FROM balance WHERE sku = 'SKU-NEW' AND state = 'committed'"
    )
    assert found == [(21,)]


def test_drill_queue_silent(shop: ShopDrill) -> None:
    def beats() -> None:
        sweep.beat(shop.house.engine, queue="ingest", worker="w1", now=shop.desk.now)

    beats()
    shop.older("heartbeat", "seen_at", 121)
    shop.words["QUEUE"] = "ingest"
    shop.staying = beats

    shop.drill("queue.silent")


def test_drill_clock_differs(shop: ShopDrill) -> None:
    """A relay's machine is an hour ahead; somebody puts it right."""
    ahead = [timedelta(hours=1)]
    clock = MachineClock(lambda: datetime.now(UTC) + ahead[0], time.monotonic)
    watch = Watch(clock, "relay here/1", time.monotonic)

    def look() -> None:
        watch.look_again(shop.house.engine, 0.0)
        # The desk's clock is not the database's.
        shop.desk.run("UPDATE clock_off SET seen_at = :at", at=shop.desk.now)

    look()

    def mend() -> None:
        ahead[0] = timedelta(0)
        look()

    shop.drill("clock.differs", mend=mend)
