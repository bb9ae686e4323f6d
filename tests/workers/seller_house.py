"""A seller on Amazon in the house: the simulated account behind the relay, the book, and the flows between them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from channels import bindings
from channels.amazon.lane import LANE
from channels.base import Binding
from ledger import inbox
from ledger.db import connect, transaction
from tests.builders import a_house as drain_house
from tests.builders import may_write
from tests.channels.amazon_rig import CHANNEL, AmazonRig, an_account
from tests.console.door import a_door
from tests.reconcile.house import rows
from tests.servers import Database
from tests.workers.shelf import apply, list_skus
from workers.flows import orders
from workers.flows import reconcile as reconciling
from workers.flows.allocate import allocate
from workers.flows.ingest import drain
from workers.flows.lane import Lane
from workers.flows.push import PushReport, push
from workers.flows.receipts import ReceiptReport, work_receipts
from workers.flows.reconcile import RunReport, Terms
from workers.flows.verify import VerifyReport, verify
from workers.settings import Settings

RULES = """\
[locations.OSLO]
[locations."FBA-US"]
[channels.{channel}]
kind = "amazon"
base_url = "https://sellingpartnerapi-na.amazon.com"
locations = ["OSLO"]
[channels.{channel}.vendor_locations]
DEFAULT = "OSLO"
"""
SKUS = ("SKU-A", "SKU-B", "SKU-C")


@dataclass
class SellerHouse:
    """The house; its clock is the account's."""

    database: Database
    rig: AmazonRig

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        return rows(self.database.engine, statement, **values)

    def open(self, units: dict[str, int]) -> None:
        """Listings of the seller, their SKUs known and bound, so many units of each in stock."""
        self.rig.listed({sku: 0 for sku in units if sku not in SKUS})
        now = self.rig.now()
        with transaction(self.database.engine) as connection:
            list_skus(connection, units)
            found = [binding for sku in units for binding in self.bound(sku)]
            bindings.bind(connection, found, now=now)
            may_write(connection)
            openings = [
                {"kind": "opening", "id": sku, "sku": sku, "location": "OSLO", "units": n}
                for sku, n in units.items()
            ]
            said = {"source": "wms", "occurred_at": now.isoformat()}
            inbox.keep(
                connection,
                [
                    inbox.Delivery("wms", str(fact["id"]), "fact", json.dumps(said | fact).encode())
                    for fact in openings
                ],
                now=now,
            )
        self.drain()

    def bound(self, sku: str) -> list[Binding]:
        return [Binding(CHANNEL, sku, "OSLO", sku, "DEFAULT", sku)]

    def drain(self) -> None:
        drain(drain_house(self.database.engine), now=self.rig.now())

    @property
    def lane(self) -> Lane:
        names = iter(f"key-{self.rig.now().isoformat()}-{n}" for n in range(10_000))
        return Lane(
            engine=self.database.engine,
            client=self.rig.channel,
            now=self.rig.now,
            chance=lambda: 0.5,
            new_key=lambda: next(names),
            rise_wait_s=0,
            verify_after_s=2.0,
        )

    def show(self) -> PushReport:
        """Compute the targets and push what is due now."""
        self.rig.advance(1)
        allocate(self.database.engine, now=self.rig.now, rise_wait_s=0)
        return push(self.lane)

    def settle(self) -> VerifyReport:
        """Let writes be applied, and read them back."""
        self.rig.advance(self.rig.channel.settle_s + 1)
        return verify(self.lane)

    def answers(self) -> ReceiptReport:
        return work_receipts(self.lane)

    def listen(self) -> None:
        """Notifications in, and everything booked."""
        assert self.rig.running.simulator.agenda.settle(), "notifications are still on their way"
        self.drain()

    def poll(self) -> orders.PollReport:
        report = orders.poll_orders(
            self.database.engine,
            self.rig.channel,
            channel=CHANNEL,
            now=self.rig.now,
            overlap_s=60,
            lag_s=LANE.orders_lag_s,
        )
        self.drain()
        return report

    def reconcile(self) -> RunReport:
        engine = self.database.engine
        reconciling.open_windows(engine, now=self.rig.now(), window_s=900)
        ((window_at,),) = self.rows("SELECT max(window_at) FROM run WHERE job = 'reconcile'")
        return reconciling.reconcile(
            engine,
            self.rig.channel,
            channel=CHANNEL,
            window_at=window_at,
            now=self.rig.now,
            terms=Terms(),
        )

    def book(self, sku: str, location: str = "OSLO") -> dict[str, int]:
        """State -> units, without the zeros."""
        found = self.rows(
            "SELECT state, units FROM balance WHERE sku = :sku AND location = :place AND units <> 0",
            sku=sku,
            place=location,
        )
        return {state: int(units) for state, units in found}

    def tell(self, kind: str, sku: str, units: int, **more: str) -> None:
        """The warehouse says what moved; booked."""
        at = self.rig.now().isoformat()
        fact = {
            "kind": kind,
            "id": f"{kind}:{sku}:{at}",
            "source": "wms",
            "occurred_at": at,
            "sku": sku,
            "location": "OSLO",
            "units": units,
            **more,
        }
        with transaction(self.database.engine) as connection:
            delivery = inbox.Delivery("wms", str(fact["id"]), "fact", json.dumps(fact).encode())
            inbox.keep(connection, [delivery], now=self.rig.now())
        self.drain()


@contextmanager
def a_seller(database: Database) -> Iterator[SellerHouse]:
    """Three SKUs with ten units each, bound, certified, and notified through the real relay."""
    # The relay's clock is the wall's, and what happens in its future is not booked.
    with an_account(datetime.now(UTC) - timedelta(hours=6)) as running:
        yield from _open(AmazonRig(running, apply_s=5), database)


def _open(rig: AmazonRig, database: Database) -> Iterator[SellerHouse]:
    secrets = {
        CHANNEL: {
            "client_id": "c",
            "client_secret": "s",
            "refresh_token": "r",
            "webhook_secrets": [rig.running.facts.hook_secret],
        }
    }
    settings = Settings.model_validate({"channel_secrets": json.dumps(secrets)})
    engine = connect(database.app_url)
    with a_door(settings, engine, database, channels_s=0) as door:
        with transaction(database.engine) as connection:
            apply(connection, RULES.format(channel=CHANNEL), rig.now())
        made = SellerHouse(database, rig)
        made.open(dict.fromkeys(SKUS, 10))
        rig.channel.subscribe(sorted(LANE.topics), f"{door.url}/hooks/amazon")
        rig.do("pipe", url=f"{door.url}/hooks/amazon", wrapped=True)
        yield made
        rig.do("pipe", url=None)
        rig.close()
    engine.dispose()
