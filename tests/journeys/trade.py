"""A house that sells through four simulated vendors on one held clock: a shop, Amazon, tills over HTTP, EDI.

`pass_time` lets seconds go by as the clock's beats and the sweep see them: whatever waits is rung for and worked.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import requests
from sqlalchemy import text

from channels.base import Channel
from channels.edi.exchange import FolderExchange
from channels.registry import LANES
from channels.simulators.amazon.serving import AmazonRunning
from channels.simulators.clock import Clock
from channels.simulators.edi.serving import EdiRunning
from channels.simulators.serve import Running
from channels.simulators.square.serving import SquareRunning
from ledger import inbox
from ledger.context import Catalogue
from ledger.db import transaction
from tests.reconcile.house import rows
from tests.servers import Database
from tests.waits import channels_of
from workers.flows import (
    early_reads,
    edi_desk,
    edi_exchange,
    edi_work,
    halts,
    jobs,
    orders,
    reconcile,
    sweep,
)
from workers.flows.allocate import allocate
from workers.flows.ingest import House, drain
from workers.flows.lane import Lane
from workers.flows.push import push
from workers.flows.receipts import work_receipts
from workers.flows.verify import verify

#: The partner looks into its mailbox after each step.
NEVER_S = 1e9
SHOP, AMAZON, TILL, GROCER = "shop", "amazon", "till", "grocer"
WINDOW_S = 900


@dataclass
class Vendor:
    """One vendor's control plane, and our two clients of it: one that pushes, one that leaves the limit to pushes."""

    name: str
    control_url: str
    control_token: str
    session: requests.Session = field(default_factory=requests.Session)
    client: Channel | None = None
    reader: Channel | None = None

    def do(self, verb: str, **facts: Any) -> Any:
        """An operation of the control plane."""
        answer = self.session.post(
            f"{self.control_url}/{verb}",
            json=facts,
            headers={"Authorization": f"Bearer {self.control_token}"},
            timeout=10,
        )
        assert answer.ok, (verb, answer.text)
        return answer.json()

    def calls(self) -> list[dict[str, Any]]:
        """Everything the vendor was asked, as its own log has it."""
        found: list[dict[str, Any]] = self.do("events", kind="api")["events"]
        return found


@dataclass
class Trade:
    """The house and its vendors."""

    database: Database
    clock: Clock
    vendors: dict[str, Vendor]
    box: FolderExchange
    running: tuple[Running, AmazonRunning, SquareRunning, EdiRunning]
    terms: reconcile.Terms
    facts: int = 0
    keys: int = 0
    is_away: bool = False

    # -- what the world does -------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self.clock.now()

    def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        return rows(self.database.engine, statement, **values)

    def one(self, statement: str, **values: object) -> Any:
        return self.rows(statement, **values)[0][0]

    def tell(self, kind: str, sku: str, units: int, **more: Any) -> None:
        """The warehouse says what moved; it waits in the inbox."""
        self.facts += 1
        fact = {
            "kind": kind,
            "id": f"{kind}:{self.facts}",
            "source": "wms",
            "occurred_at": self.now().isoformat(),
            "sku": sku,
            "location": "OSLO",
            "units": units,
            **more,
        }
        with transaction(self.database.engine) as connection:
            delivery = inbox.Delivery("wms", str(fact["id"]), "fact", json.dumps(fact).encode())
            inbox.keep(connection, [delivery], now=self.now())

    def shown(self, name: str) -> dict[str, int]:
        """Units by SKU as a vendor holds them."""
        state = self.vendors[name].do("state")
        match name:
            case "shop":
                return {one["sku"]: int(one["available"]) for one in state["levels"]}
            case "till":
                levels = [one for one in state["levels"] if one["state"] == "IN_STOCK"]
                return {one["sku"]: int(one["quantity"]) for one in levels}
            case "amazon":
                return {one["sku"]: int(one["units"]) for one in state["listings"]}
        return {sku: int(of["0100"]["33"]) for sku, of in state["shown"].items()}

    def available(self) -> dict[str, int]:
        """Units free to sell by the book."""
        found = self.rows("SELECT sku, units FROM balance WHERE state = 'available'")
        return {sku: int(units) for sku, units in found}

    # -- what the house does -------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float, step_s: float = 5.0) -> None:
        """Let time go by; whatever waits is rung for after each step."""
        until = self.now() + timedelta(seconds=seconds)
        while self.now() < until:
            self.clock.advance(min(step_s, (until - self.now()).total_seconds()))
            self.work()

    def work(self) -> None:
        """One beat: windows are opened, the sweep looks, and each bell it rings is heard."""
        engine, at = self.database.engine, self.now()
        if not self.is_away:
            self.vendors[GROCER].do("collect")
        for one in self.running:
            one.simulator.agenda.settle()
        # The relay's clock is the wall's; this house lives some hours before it.
        with self.database.superuser.begin() as connection:
            connection.execute(
                text("UPDATE inbox SET received_at = :at WHERE received_at > :at"), {"at": at}
            )
        jobs.open_windows(engine, now=at, window_s=WINDOW_S, truth_hour=(at.hour + 12) % 24)
        reconcile.open_windows(engine, now=at, window_s=WINDOW_S)
        waiting = sweep.sweep(engine, now=at)
        self._listen(waiting, at)
        allocate(engine, now=self.now, rise_wait_s=1.0)
        for channel, window_at in waiting.runs:
            self._reconcile(channel, window_at)
        self._show(waiting, at)
        for channel in early_reads.waiting(engine, now=at):
            early_reads.go(
                engine,
                self.client(channel, reads=True),
                channel=channel,
                now=self.now,
                terms=self._terms(channel),
                hear=partial(self._poll, channel, None),
            )
        for channel in waiting.halts:
            halts.work_halts(engine, self.client(channel), channel=channel, now=self.now)

    def _listen(self, waiting: sweep.Waiting, at: datetime) -> None:
        """Orders and documents come in and are booked."""
        engine = self.database.engine
        for job, channel, window_at in sweep.jobs_to_do(engine, now=at):
            if job == jobs.ORDERS:
                self._poll(channel, window_at)
        for channel in waiting.asked:
            self._poll(channel, None)
        if waiting.partners:
            edi_exchange.visit(engine, self._partner(), self.box, now=self.now)
        drain(self._house(), now=self.now())
        edi_work.work(self._house(), now=self.now())

    def _show(self, waiting: sweep.Waiting, at: datetime) -> None:
        """Numbers go out and are read back."""
        with transaction(self.database.engine) as connection:
            due = channels_of(connection, "pushes", at)
        for channel in due:
            push(self._lane(channel))
            verify(self._lane(channel))
        for channel in waiting.receipts:
            work_receipts(self._lane(channel))

    def _poll(self, channel: str, window_at: datetime | None) -> None:
        orders.poll_orders(
            self.database.engine,
            self.client(channel),
            channel=channel,
            now=self.now,
            overlap_s=60,
            window_at=window_at,
            window_s=WINDOW_S,
            lag_s=LANES[self.kind(channel)].orders_lag_s,
        )
        drain(self._house(), now=self.now())

    def _reconcile(self, channel: str, window_at: datetime) -> None:
        reconcile.reconcile(
            self.database.engine,
            self.client(channel),
            channel=channel,
            window_at=window_at,
            now=self.now,
            terms=self._terms(channel),
        )

    def _terms(self, channel: str) -> reconcile.Terms:
        return replace(self.terms, orders_lag_s=LANES[self.kind(channel)].orders_lag_s)

    def kind(self, channel: str) -> str:
        return {SHOP: "shopify", TILL: "square", AMAZON: "amazon", GROCER: "edi"}[channel]

    def client(self, channel: str, *, reads: bool = False) -> Channel:
        vendor = self.vendors[channel]
        client = vendor.reader if reads else vendor.client
        assert client is not None
        return client

    def _partner(self) -> Any:
        with transaction(self.database.engine) as connection:
            return edi_desk.partner(connection, GROCER)

    def _house(self) -> House:
        return House(self.database.engine, LANES, Catalogue(), os.urandom)

    def _lane(self, channel: str) -> Lane:
        def key() -> str:
            self.keys += 1
            return f"key-{self.keys}"

        return Lane(
            engine=self.database.engine,
            client=self.client(channel),
            now=self.now,
            chance=lambda: 0.5,
            new_key=key,
            rise_wait_s=1.0,
            verify_after_s=2.0,
            reader=self.client(channel, reads=True),
        )

    # -- outages -------------------------------------------------------------------------------------------------------

    def go_away(self) -> None:
        """Shop, tills and Amazon answer 503, the partner's folder is not mounted."""
        self.vendors[SHOP].do("fault", kind="server_error", status=503)
        self.vendors[TILL].do("fault", kind="server_error", status=503)
        self.vendors[AMAZON].do("fault", kind="server_error", status=503)
        self.is_away = True
        inbound = self.running[3].simulator.root / "inbound"
        inbound.rename(inbound.with_name("inbound.unmounted"))

    def come_back(self) -> None:
        """All of them are there again."""
        for name in (SHOP, TILL, AMAZON):
            self.vendors[name].do("clear_faults")
        away = self.running[3].simulator.root / "inbound.unmounted"
        away.rename(away.with_name("inbound"))
        self.is_away = False
