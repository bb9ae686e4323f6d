"""On-call drills of what a channel does: each page followed from the alert in Slack to the end of the incident."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from channels.simulators.serve import Running
from tests.channels.shopify_rig import CHANNEL
from tests.journeys.drill import ShopDrill, a_shop, a_shop_drill
from tests.servers import Database
from workers import casework
from workers.flows import ingest
from workers.flows.case_steps import AT_CHANNEL, ELSEWHERE
from workers.wiring import now


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with a_shop() as running:
        yield running


@pytest.fixture
def shop(running: Running, database: Database, valkey: str) -> Iterator[ShopDrill]:
    with a_shop_drill(running, database, valkey) as drill:
        yield drill


def test_drill_drift_open(shop: ShopDrill) -> None:
    shop.rig.drift("SKU-A", 20)
    shop.reconcile()

    shop.drill("drift.open", work=shop.work)

    assert shop.rig.shown("SKU-A") == 10


def test_drill_halt_standing(shop: ShopDrill) -> None:
    shop.rig.drift("SKU-A", 20)
    shop.reconcile()
    shop.halts()

    shop.drill("halt.standing", work=shop.work)

    assert shop.rig.shown("SKU-A") == 10
    assert shop.rig.sellable("SKU-A")


def test_drill_halt_stuck(shop: ShopDrill) -> None:
    shop.rig.do("fault", kind="server_error", rate=1.0)
    shop.run('lockstep halt set SKU --channel CHANNEL --reason "shows too much"')
    shop.halts()
    shop.older("halt", "set_at", 61)

    def mend() -> None:
        shop.rig.clear_faults()
        shop.desk.run("UPDATE halt SET run_at = :now", now=now())
        shop.halts()

    shop.drill("halt.stuck", mend=mend, sick=(0, 1, 3))

    assert not shop.rig.sellable("SKU-A")


def test_drill_push_parked(shop: ShopDrill) -> None:
    shop.rig.do("delete_product", sku="SKU-A")
    shop.fact(kind="receipt", id="in-1", sku="SKU-A", location="OSLO", units=5)
    shop.work()

    def mend() -> None:
        shop.rig.do("product", variants=[{"sku": "SKU-A", "stock": {"Oslo": 0, "Bergen": 0}}])

    shop.drill("push.parked", mend=mend, work=shop.work)
    shop.desk.run("UPDATE halt SET run_at = :now", now=now())
    shop.work()

    assert shop.rig.shown("SKU-A") == 15


def test_drill_channel_paused(shop: ShopDrill) -> None:
    good = shop.environment["LOCKSTEP_CHANNEL_SECRETS"]
    shop.environment["LOCKSTEP_CHANNEL_SECRETS"] = json.dumps({CHANNEL: {"token": "shpat_old"}})
    shop.desk.run(
        "UPDATE channel SET paused = true, paused_by = 'orders', paused_why = 'Unauthorised: 401'"
    )

    def mend() -> None:
        shop.environment["LOCKSTEP_CHANNEL_SECRETS"] = good

    shop.drill("channel.paused", mend=mend, work=shop.work, sick=(0, 1, 3))


def test_drill_subscription_unseen(shop: ShopDrill) -> None:
    shop.words["URI"] = "http://127.0.0.1:9/hooks/shopify"
    shop.desk.run("UPDATE channel SET hook_uri = :uri", uri=shop.words["URI"])
    for _ in range(3):
        shop.rig.order("SKU-B", 1)
    shop.poll()

    def a_call() -> None:
        order = shop.rig.order("SKU-B", 1)
        shop.deliver("orders/create", shop.rig.document(order), name="called")
        shop.drain()

    shop.drill("subscription.unseen", mend=a_call, after_s=61)


def test_drill_capture_late(shop: ShopDrill) -> None:
    for _ in range(3):
        shop.rig.order("SKU-B", 1)
    shop.poll()
    # The drain was a minute and a half behind.
    late = now() + timedelta(seconds=90)
    ingest.drain(shop.house.house, now=late)
    shop.desk.clock.now = late

    shop.drill("capture.late", after_s=901)


def test_drill_oversold_line(shop: ShopDrill) -> None:
    order = _sold_twice(shop)
    casework.look(shop.house)
    shop.words |= {"CASE": "1", "RESPONSE": "refund"}

    # A step of a person stays: `case run` has done what it could, and the case is closed by hand.
    shop.drill(
        "oversold.line",
        work=lambda: _work_cases(shop),
        not_here=("lockstep case run CASE",),
    )

    assert shop.desk.rows("SELECT state, response FROM oversold_case") == [("closed", "refund")]
    assert shop.desk.rows("SELECT kind, state FROM case_step ORDER BY position") == [
        ("hold", "done"),
        ("slack", "done"),
        ("email", "done"),
        ("hand", "by_hand"),
        ("release", "done"),
    ]
    (held,) = shop.desk.rows("SELECT action FROM audit WHERE action = 'case.hold.done'")
    shop.rig.attempt(f"gid://shopify/Order/{order}", "fulfil", "SKU-A", 10)
    assert held
    assert shop.rig.unfulfilled(f"gid://shopify/Order/{order}")["SKU-A"] == 0


def _sold_twice(shop: ShopDrill) -> str:
    """The shop sells its last ten while a till sale of one of them is on its way; returns the order's number."""
    order = shop.rig.order("SKU-A", 10)
    shop.poll()
    shop.fact(kind="ship", id="till-1", sku="SKU-A", location="OSLO", units=1)
    shop.drain()
    return order


def _work_cases(shop: ShopDrill) -> None:
    shop.work()
    casework.look(shop.house)
    casework.act(shop.house, (*AT_CHANNEL, *ELSEWHERE))
