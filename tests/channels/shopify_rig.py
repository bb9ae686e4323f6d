"""Shopify's simulator over HTTP, our client of it, and the hands of the merchant and the buyers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import requests

from channels.base import Binding
from channels.limits import Bucket
from channels.shopify import orders, wire
from channels.shopify.client import Shopify
from channels.simulators.clock import Clock
from channels.simulators.serve import Running, start

CHANNEL = "shop-no"


class ShopifyRig:
    """One shop with the locations Oslo and Bergen; see `contract.Rig`."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {running.facts.control_token}"
        self._monotonic_s = 0.0
        self.do("reset")
        self.places = {name: self.do("location", name=name)["id"] for name in ("Oslo", "Bergen")}
        self.locations = {self.places["Oslo"]: "OSLO"}
        self.do(
            "products",
            products=[
                {"variants": [{"sku": sku, "stock": {"Oslo": 10, "Bergen": 20}}]}
                for sku in ("SKU-A", "SKU-B", "SKU-C")
            ],
        )
        self.bucket = self._bucket()
        self.token = running.facts.token
        self.channel = self.client(self.token)

    def _bucket(self) -> Bucket:
        return Bucket(
            None,
            CHANNEL,
            maximum=2000,
            restore_rate=100,
            alone_share=1,
            monotonic=lambda: self._monotonic_s,
        )

    def client(self, token: str, **more: Any) -> Shopify:
        """A client of ours."""
        more = {"sizes": orders.Sizes(changes=2, orders=2, lines=2, parts=3), **more}
        return Shopify(
            CHANNEL,
            self._running.facts.base_url,
            token,
            limiter=self.bucket,
            now=self.now,
            read_s=1.0,
            **more,
        )

    def close(self) -> None:
        """Give the connections back."""
        self.channel.close()
        self._session.close()

    def do(self, verb: str, **facts: Any) -> Any:
        """An operation of the control plane."""
        answer = self._session.post(
            f"{self._running.facts.control_url}/{verb}", json=facts, timeout=5
        )
        assert answer.ok, answer.text
        return answer.json()

    def attempt(self, order: str, verb: str, sku: str, units: int) -> None:
        """A step in an order's life; one the shop refuses has not happened."""
        line: dict[str, Any] = {"sku": sku, "units": units}
        facts: dict[str, Any] = {"order": order, "lines": [line]}
        if verb == "cancel_order":
            facts = {"order": order, "restock": units % 2 == 0}
        elif verb != "edit_order":
            if verb == "fulfil":
                line["units"] = min(units, self.unfulfilled(order)[sku])
            if line["units"] == 0:
                return
        if verb in ("cancel", "no_restock", "return"):
            line["restock_type"], verb = verb, "refund"
        answer = self._session.post(
            f"{self._running.facts.control_url}/{verb}", json=facts, timeout=5
        )
        assert answer.status_code in (200, 409), answer.text

    def unfulfilled(self, order: str) -> dict[str, int]:
        """SKU -> units of the order still to be fulfilled, as the shop says it."""
        lines = self.do("show_order", order=order)["line_items"]
        return {line["sku"]: line["fulfillable_quantity"] for line in lines}

    def listen(self, uri: str, topics: Iterable[str]) -> None:
        """Let the shop send its webhooks to this address."""
        self.channel.subscribe(topics, uri)

    def delivered(self) -> None:
        """Wait until every webhook has gone out."""
        assert self._running.simulator.agenda.settle(), "webhooks are still on their way"

    def stranger(self) -> Shopify:
        return self.client("shpat_nobody")

    def bindings(self) -> dict[str, Binding]:
        return {binding.sku: binding for binding in self.channel.bindings(self.locations)}

    def unknown(self, binding: Binding) -> Binding:
        return replace(
            binding,
            item_id="gid://shopify/InventoryItem/1",
            level_id=binding.level_id.partition("=")[0] + "=1",
        )

    def level(self, sku: str, place: str = "Oslo") -> dict[str, Any]:
        """A level as the shop holds it."""
        (level,) = self.do("state", sku=sku, location=place)["levels"]
        found: dict[str, Any] = level
        return found

    def shown(self, sku: str) -> int:
        return int(self.level(sku)["available"])

    def sellable(self, sku: str) -> bool:
        placed = self.do(
            "orders", orders=[{"lines": [{"sku": sku, "units": 1}], "location": "Oslo"}]
        )["orders"]
        return "refused" not in placed[0]

    def changes(self, sku: str) -> int:
        events = self.do("events", kind="stock")["events"]
        return sum(each["sku"] == sku and each["deltas"] != {"available": 0} for each in events)

    def drift(self, sku: str, units: int) -> None:
        self.do("drift", sku=sku, location="Oslo", units=units)

    def fault(self, kind: str, **how: object) -> None:
        self.do("fault", kind=kind, operation="inventorySetQuantities", **how)

    def clear_faults(self) -> None:
        self.do("clear_faults")

    def advance(self, seconds: float) -> None:
        self._monotonic_s += seconds
        self.do("advance", seconds=seconds)

    def order(self, sku: str, units: int) -> str:
        placed = self.do("order", lines=[{"sku": sku, "units": units}], location="Oslo")
        return str(wire.number_of(placed["id"]))

    def document(self, order: str) -> bytes:
        """The order's webhook body as it stands."""
        return json.dumps(self.do("show_order", order=f"gid://shopify/Order/{order}")).encode()

    def now(self) -> datetime:
        return datetime.fromisoformat(self.do("state", sku="-")["now"])


@contextmanager
def a_shop() -> Iterator[Running]:
    """The simulator on a free port, its clock held."""
    running = start("shopify", clock=Clock.held())
    try:
        yield running
    finally:
        running.stop()
