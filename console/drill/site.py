"""The house of the drill: one shop over HTTP on a clock of its own, worked as the workers work it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import requests
from sqlalchemy import Engine, text
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allocation import backlog, store
from allocation.document import read
from channels import bindings
from channels.base import Binding
from channels.limits import Bucket
from channels.registry import LANES
from channels.shopify.client import Shopify
from channels.simulators.clock import Clock
from channels.simulators.serve import Running, start
from channels.simulators.server import Server
from ledger import catalogue, inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from reconcile import pages
from reconcile.runs import window_of
from workers.flows import early_reads, orders, reconcile
from workers.flows.allocate import allocate
from workers.flows.halts import work_halts
from workers.flows.ingest import House, drain
from workers.flows.lane import Lane
from workers.flows.push import push
from workers.flows.receive import receive
from workers.flows.reconcile import RunReport, Terms
from workers.flows.verify import verify

CHANNEL: Final = "shop"
PLACES: Final = {"Oslo": "OSLO", "Bergen": "BERGEN"}
_RULES = """\
[locations.OSLO]
[locations.BERGEN]
[channels.{channel}]
kind = "shopify"
base_url = "{base_url}"
locations = ["OSLO", "BERGEN"]
show = "per_location"
[channels.{channel}.vendor_locations]
"{oslo}" = "OSLO"
"{bergen}" = "BERGEN"
"""
_TIMEOUT_S = 120


@dataclass
class Site:
    """An opened house and its shop; all times are the shop's.

    house    what the drain needs
    terms    how windows are judged
    """

    running: Running
    house: House
    client: Shopify
    terms: Terms
    session: requests.Session = field(default_factory=requests.Session)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    places: dict[str, str] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        return self.house.engine

    def now(self) -> datetime:
        return self.running.simulator.clock.now()

    def do(self, verb: str, **facts: Any) -> Any:
        """An operation of the shop's control plane, over HTTP. Raises AssertionError with the shop's words."""
        answer = self.session.post(
            f"{self.running.facts.control_url}/{verb}",
            json=facts,
            headers={
                "Authorization": f"Bearer {self.running.facts.control_token}",
                # A kept connection may be closed by the other side while this one is busy elsewhere.
                "Connection": "close",
            },
            timeout=_TIMEOUT_S,
        )
        if not answer.ok:
            raise AssertionError(f"{verb} {facts}: {answer.text}")
        return answer.json()

    def pass_time(self, seconds: float) -> None:
        """The clock moves on, and every webhook that is due by then is delivered."""
        self.do("advance", seconds=seconds)
        if not self.running.simulator.agenda.settle(30):
            raise AssertionError("webhooks of the simulated shop are stuck")

    def order(self, sku: str, units: int, place: str = "Oslo") -> str:
        """A buyer; returns the number of the order. Its webhook is delivered when it is due."""
        placed = self.do("order", lines=[{"sku": sku, "units": units}], location=place)
        return str(placed["id"]).rpartition("/")[2]

    def settled(self) -> None:
        """Every webhook that is due is delivered."""
        if not self.running.simulator.agenda.settle(30):
            raise AssertionError("webhooks of the simulated shop are stuck")

    def facts(self, facts: Sequence[Mapping[str, Any]]) -> None:
        """Facts of the warehouse, or of another system, come into the inbox."""
        deliveries = [
            Delivery(str(fact["source"]), str(fact["id"]), FACT_TOPIC, orjson.dumps(fact))
            for fact in facts
        ]
        with transaction(self.engine) as connection:
            inbox.keep(connection, deliveries, now=self.now())

    def stock(self, kind: str, sku: str, location: str, units: int) -> dict[str, Any]:
        """A fact of the warehouse."""
        fact: dict[str, Any] = {
            "kind": kind,
            "source": "wms",
            "id": f"{kind}:{next(self.numbers)}",
            "occurred_at": self.now().isoformat(),
            "sku": sku,
            "location": location,
            "units": units,
        }
        return fact | ({"reason": "breakage"} if kind in ("write_off", "adjustment") else {})

    def book(self) -> None:
        """What came in goes into the book, and targets follow."""
        drain(self.house, now=self.now())
        allocate(self.engine, now=self.now, rise_wait_s=0)

    def lane(self) -> Lane:
        return Lane(
            engine=self.engine,
            client=self.client,
            now=self.now,
            chance=lambda: 0.5,
            new_key=lambda: f"drill-{next(self.numbers)}",
            rise_wait_s=0,
            verify_after_s=self.terms.limits.settle.total_seconds(),
        )

    def show(self) -> None:
        """Numbers go out, and are read back some seconds later."""
        self.book()
        push(self.lane())
        self.pass_time(3)
        verify(self.lane())

    def hear(self) -> None:
        """The channel's orders are asked for."""
        orders.poll_orders(
            self.engine, self.client, channel=CHANNEL, now=self.now, overlap_s=60, lag_s=5
        )

    def window(self, at: datetime) -> RunReport:
        """The window that begins at `at`."""
        if self.now() < at:
            self.pass_time((at - self.now()).total_seconds())
        window_s = self.terms.window_s
        reconcile.open_windows(self.engine, now=self.now(), window_s=window_s)
        report = reconcile.reconcile(
            self.engine,
            self.client,
            channel=CHANNEL,
            window_at=window_of(self.now(), window_s),
            now=self.now,
            terms=self.terms,
            hear=self.hear,
        )
        if report.state != "done":
            raise AssertionError(f"the window did not end: {report.state} {report.error}")
        return report

    def look_again(self) -> None:
        """Readings that waited for their orders are judged, and what sells out soon is read."""
        early_reads.go(
            self.engine,
            self.client,
            channel=CHANNEL,
            now=self.now,
            terms=self.terms,
            hear=self.hear,
        )

    def next_window(self) -> datetime:
        """When the next window begins."""
        begun = window_of(self.now(), self.terms.window_s)
        return begun + timedelta(seconds=self.terms.window_s)

    def halts(self) -> None:
        """Halts are carried out."""
        work_halts(self.engine, self.client, channel=CHANNEL, now=self.now)

    def binding(self, sku: str, location: str) -> Binding:
        """What the shop calls a place of ours."""
        with transaction(self.engine) as connection:
            return next(
                b for b in pages.bindings_of(connection, CHANNEL, sku) if b.location == location
            )

    def rows(self, statement: str, **values: object) -> list[Any]:
        """What the database says."""
        with transaction(self.engine) as connection:
            return list(connection.execute(text(statement), values))


@contextmanager
def open_site(house: House, skus: Mapping[str, int], *, seed: int, terms: Terms) -> Iterator[Site]:
    """The shop with these SKUs, so many units of each at either place, all shown as they should be.

    house    with an empty, migrated database
    """
    with ExitStack() as stack:
        running = start(
            "shopify", seed=seed, clock=Clock.held(), bucket_size=20_000, restore_rate=2_000
        )
        stack.callback(running.stop)
        clock = running.simulator.clock
        limiter = Bucket(
            None,
            CHANNEL,
            maximum=20_000,
            restore_rate=2_000,
            alone_share=1,
            monotonic=lambda: clock.now().timestamp(),
        )
        client = Shopify(
            CHANNEL, running.facts.base_url, running.facts.token, limiter=limiter, now=clock.now
        )
        stack.callback(client.close)
        site = Site(running, house, client, terms)
        stack.callback(site.session.close)
        _open(site, skus)
        door = Server(_door(site))
        door.start()
        stack.callback(door.stop)
        client.subscribe(sorted(LANES["shopify"].topics), f"{door.url}/hooks/shopify")
        yield site


def _open(site: Site, skus: Mapping[str, int]) -> None:
    site.places = {name: site.do("location", name=name)["id"] for name in PLACES}
    site.do(
        "products",
        products=[
            {
                "variants": [
                    {"sku": sku, "stock": dict.fromkeys(PLACES, units), "policy": "CONTINUE"}
                ]
            }
            for sku, units in skus.items()
        ],
    )
    document = _RULES.format(
        channel=CHANNEL,
        base_url=site.running.facts.base_url,
        oslo=site.places["Oslo"],
        bergen=site.places["Bergen"],
    )
    mapped = {site.places[name]: ours for name, ours in PLACES.items()}
    listed = list(site.client.bindings(mapped))
    with transaction(site.engine) as connection:
        catalogue.add_skus(connection, dict.fromkeys(skus, ""))
        store.apply_rules(connection, document, read(document), "drill", "drill", site.now())
        backlog.allow_writes(connection, CHANNEL)
        bindings.bind(connection, listed, now=site.now())
    site.facts(
        [
            site.stock("opening", sku, location, units)
            for sku, units in skus.items()
            for location in PLACES.values()
        ]
    )
    site.show()


def _door(site: Site) -> Starlette:
    """What the shop's webhooks reach: the inbox, at the shop's time."""
    lane = LANES["shopify"]

    async def hook(request: Request) -> Response:
        body = await request.body()
        signed = lane.signed(request.headers)
        if not lane.verify(body, signed.signature, [site.running.facts.webhook_secret], ""):
            return Response(status_code=401)
        said = lane.routing(request.headers, body)
        await run_in_threadpool(
            receive,
            site.engine,
            CHANNEL,
            said.topic,
            said.delivery_id,
            dict(request.headers),
            body,
            now=site.now(),
        )
        return Response(status_code=200)

    return Starlette(routes=[Route("/hooks/shopify", hook, methods=["POST"])])
