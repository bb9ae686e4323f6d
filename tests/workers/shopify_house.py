"""A house in front of a simulated shop with two places of ours, Oslo and Bergen: what the Shopify journeys stand on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from channels import bindings
from channels.shopify.lane import LANE
from ledger import inbox
from ledger.db import transaction
from tests.builders import a_house as drain_house
from tests.channels.shopify_rig import CHANNEL, ShopifyRig
from tests.reconcile.house import rows
from tests.servers import Database
from tests.workers.shelf import apply, list_skus
from workers.flows import jobs, orders, subscriptions, truth
from workers.flows import reconcile as reconciling
from workers.flows.allocate import allocate
from workers.flows.ingest import Drained, drain
from workers.flows.lane import Lane
from workers.flows.orders import PollReport
from workers.flows.push import PushReport, push
from workers.flows.reconcile import RunReport, Terms
from workers.flows.subscriptions import WatchReport

RULES = """\
[locations.OSLO]
[locations.BERGEN]
[channels.{channel}]
kind = "shopify"
base_url = "https://lockstep-sim.myshopify.com"
locations = ["OSLO", "BERGEN"]
show = "per_location"
[channels.{channel}.vendor_locations]
"{oslo}" = "OSLO"
"{bergen}" = "BERGEN"
"""
SKUS = ("SKU-A", "SKU-B", "SKU-C")
TOPICS = LANE.topics


@dataclass
class ShopHouse:
    """The house; its clock is the shop's."""

    database: Database
    rig: ShopifyRig

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        return rows(self.database.engine, statement, **values)

    def fact(self, **fact: Any) -> Drained:
        """A fact of the warehouse, booked."""
        body = {"source": "wms", "occurred_at": self.rig.now().isoformat(), **fact}
        return self.deliver("fact", json.dumps(body).encode(), source="wms", name=fact["id"])

    def deliver(
        self, topic: str, body: bytes, *, source: str = CHANNEL, name: str = "d-1"
    ) -> Drained:
        """A delivery kept and booked."""
        with transaction(self.database.engine) as connection:
            delivery = inbox.Delivery(source, name, topic, body)
            inbox.keep(connection, [delivery], now=self.rig.now())
        return self.drain()

    def drain(self) -> Drained:
        return drain(drain_house(self.database.engine), now=self.rig.now())

    def show(self) -> PushReport:
        """Compute the targets and push them."""
        # A key names a moment here, so each push has one of its own.
        self.rig.advance(1)
        allocate(self.database.engine, now=self.rig.now, rise_wait_s=0)
        names = iter(f"key-{self.rig.now().isoformat()}-{n}" for n in range(10_000))
        lane = Lane(
            engine=self.database.engine,
            client=self.rig.channel,
            now=self.rig.now,
            chance=lambda: 0.5,
            new_key=lambda: next(names),
            rise_wait_s=0,
            verify_after_s=2.0,
        )
        return push(lane)

    def poll(self, *, windowed: bool = False, **more: Any) -> PollReport:
        """A poll; of the window that is open now, or because somebody asked."""
        return orders.poll_orders(
            self.database.engine,
            more.pop("client", self.rig.channel),
            channel=CHANNEL,
            now=self.rig.now,
            overlap_s=60,
            window_at=self.window(jobs.ORDERS) if windowed else None,
            **more,
        )

    def watch(self, **more: Any) -> WatchReport:
        return subscriptions.watch(
            self.database.engine,
            more.pop("client", self.rig.channel),
            channel=CHANNEL,
            topics=more.pop("topics", TOPICS),
            window_at=self.window(jobs.WATCH),
            now=self.rig.now,
            bulk=self.rig.channel,
        )

    def read_truth(self, **more: Any) -> RunReport:
        return truth.read_truth(
            self.database.engine,
            more.pop("client", self.rig.channel),
            more.pop("bulk", self.rig.channel),
            channel=CHANNEL,
            window_at=self.window(jobs.TRUTH),
            now=self.rig.now,
            terms=Terms(),
        )

    def reconcile(self, **more: Any) -> RunReport:
        """The window that is open now, with the sweep of what changed."""
        engine = self.database.engine
        reconciling.open_windows(engine, now=self.rig.now(), window_s=900)
        (window_at,) = self.rows(
            "SELECT max(window_at) FROM run WHERE job = 'reconcile' AND channel = :c", c=CHANNEL
        )[0]
        return reconciling.reconcile(
            engine,
            more.pop("client", self.rig.channel),
            channel=CHANNEL,
            window_at=window_at,
            now=self.rig.now,
            terms=Terms(sweep_above=more.pop("sweep_above", 0)),
            bulk=self.rig.channel,
        )

    def window(self, job: str) -> Any:
        """The newest window of a job, opened now if it is time for another."""
        hour = self.rig.now().hour
        jobs.open_windows(self.database.engine, now=self.rig.now(), window_s=900, truth_hour=hour)
        return self.rows(
            "SELECT max(window_at) FROM run WHERE job = :job AND channel = :c", job=job, c=CHANNEL
        )[0][0]

    def balance(self, sku: str) -> dict[tuple[str, str], int]:
        """(location, state) -> units, without the zeros."""
        found = self.rows(
            "SELECT location, state, units FROM balance WHERE sku = :sku AND units <> 0"
            " AND location NOT IN ('OUTSIDE') ORDER BY 1, 2",
            sku=sku,
        )
        return {(location, state): units for location, state, units in found}

    def mark(self) -> Any:
        return self.rows("SELECT orders_mark FROM channel WHERE channel = :c", c=CHANNEL)[0][0]


def a_shop_house(rig: ShopifyRig, database: Database, *, stocked: bool = True) -> ShopHouse:
    """The shop's three SKUs, 10 in Oslo and 20 in Bergen as the shop has them, and shown."""
    rig.do("advance", seconds=1)
    rules = RULES.format(channel=CHANNEL, oslo=rig.places["Oslo"], bergen=rig.places["Bergen"])
    mapped = {rig.places["Oslo"]: "OSLO", rig.places["Bergen"]: "BERGEN"}
    with transaction(database.engine) as connection:
        list_skus(connection, SKUS)
        apply(connection, rules, rig.now())
        bindings.bind(connection, rig.channel.bindings(mapped), now=rig.now())
    rows(database.engine, "UPDATE channel SET writes = true RETURNING 1")
    house = ShopHouse(database, rig)
    if stocked:
        for sku in SKUS:
            for location, units in (("OSLO", 10), ("BERGEN", 20)):
                house.fact(
                    kind="opening", id=f"{sku}@{location}", sku=sku, location=location, units=units
                )
        house.show()
        rig.advance(30)
    return house
