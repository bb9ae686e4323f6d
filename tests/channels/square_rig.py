"""Square's simulator over HTTP, our client of it, and the hands of the merchant, the till and the buyers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import requests

from channels.base import Binding
from channels.limits import Bucket
from channels.simulators.clock import Clock
from channels.simulators.square.serving import SquareRunning, start_square
from channels.square.client import VERSION, Square

CHANNEL = "till-no"
#: A version in which moves between locations are transfers.
OLDER = "2026-05-20"


class SquareRig:
    """One account with the locations Oslo and Bergen; see `contract.Rig`."""

    def __init__(self, running: SquareRunning, version: str = VERSION) -> None:
        self._running = running
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {running.facts.control_token}"
        self._monotonic_s = 0.0
        self.version = version
        self.do("reset")
        self.places = {name: self.do("location", name=name)["id"] for name in ("Oslo", "Bergen")}
        self.locations = {self.places["Oslo"]: "OSLO"}
        self.do(
            "items",
            items=[
                {"variations": [{"sku": sku, "stock": {"Oslo": 10, "Bergen": 20}}]}
                for sku in ("SKU-A", "SKU-B", "SKU-C")
            ],
        )
        self.channel = self.client(running.facts.token)

    def client(self, token: str, **more: Any) -> Square:
        """A client of ours that reads orders in small pages."""
        bucket = Bucket(
            None,
            CHANNEL,
            maximum=1000,
            restore_rate=100,
            alone_share=1,
            monotonic=lambda: self._monotonic_s,
        )
        facts = self._running.facts
        more = {"version": self.version, "order_page": 2, "read_s": 1.0, **more}
        clock = self._running.simulator.clock
        return Square(CHANNEL, facts.base_url, token, limiter=bucket, now=clock.now, **more)

    def close(self) -> None:
        """Give the connections back."""
        self.channel.close()
        self._session.close()

    def do(self, verb: str, **facts: Any) -> Any:
        """An operation of the control plane."""
        answer = self.ask(verb, **facts)
        assert answer.ok, answer.text
        return answer.json()

    def ask(self, verb: str, **facts: Any) -> requests.Response:
        """An operation of the control plane that may be refused."""
        return self._session.post(
            f"{self._running.facts.control_url}/{verb}", json=facts, timeout=5
        )

    def stranger(self) -> Square:
        return self.client("EAAA_nobody")

    def bindings(self) -> dict[str, Binding]:
        return {binding.sku: binding for binding in self.channel.bindings(self.locations)}

    def unknown(self, binding: Binding) -> Binding:
        return replace(binding, item_id="NOSUCHVARIATION", variant_id="NOSUCHVARIATION")

    def level(self, sku: str, place: str = "Oslo") -> dict[str, Any]:
        """What the account holds of a SKU in stock."""
        levels = self.do("state", sku=sku, location=place)["levels"]
        (level,) = [each for each in levels if each["state"] == "IN_STOCK"]
        found: dict[str, Any] = level
        return found

    def shown(self, sku: str) -> int:
        return int(self.level(sku)["quantity"])

    def sellable(self, sku: str) -> bool:
        """At the till, which sells below zero too."""
        sale = {"location": "Oslo", "lines": [{"sku": sku, "units": 1}]}
        return "refused" not in self.do("sales", sales=[sale])["sales"][0]

    def online(self, sku: str, units: int = 1) -> bool:
        """Whether the online shop takes an order; when it does, there is a pickup."""
        lines = [{"sku": sku, "units": units}]
        return self.ask("pickup", location="Oslo", lines=lines).ok

    def changes(self, sku: str) -> int:
        """Writes by applications; opening the shelves is the seller's own."""
        events = self.do("events", kind="stock")["events"]
        return sum(each["sku"] == sku and bool(each["reference_id"]) for each in events)

    def drift(self, sku: str, units: int) -> None:
        self.do("drift", sku=sku, location="Oslo", units=units)

    def fault(self, kind: str, **how: object) -> None:
        self.do("fault", kind=kind, operation="BatchChangeInventory", **how)

    def clear_faults(self) -> None:
        self.do("clear_faults")

    def advance(self, seconds: float) -> None:
        self._monotonic_s += seconds
        self.do("advance", seconds=seconds)

    def order(self, sku: str, units: int, place: str = "Oslo") -> str:
        """A sale at the till."""
        lines = [{"sku": sku, "units": units}]
        return str(self.do("sale", location=place, lines=lines)["id"])

    def pickup(self, *lines: dict[str, Any], place: str = "Oslo") -> str:
        """An online order to be picked up."""
        placed = self.do("pickup", location=place, lines=list(lines), oversell=True)
        return str(placed["id"])

    def api(self, method: str, path: str, body: object = None) -> Any:
        """A call of the account's API by another application."""
        facts = self._running.facts
        headers = {"Authorization": f"Bearer {facts.token}"}
        answer = requests.request(
            method, f"{facts.base_url}{path}", json=body, headers=headers, timeout=5
        )
        assert answer.ok, answer.text
        return answer.json()

    def catalogue(self, item_id: str) -> dict[str, Any]:
        """A catalogue object as the account holds it."""
        found: dict[str, Any] = self.api("GET", f"/v2/catalog/object/{item_id}")["object"]
        return found

    def place(
        self,
        item_id: str,
        *,
        everywhere: bool = True,
        present: Sequence[str] = (),
        absent: Sequence[str] = (),
    ) -> None:
        """A person says where a variation is sold."""
        seen = self.catalogue(item_id)
        said = {
            "present_at_all_locations": everywhere,
            "present_at_location_ids": list(present),
            "absent_at_location_ids": list(absent),
        }
        key = f"person-{seen['version']}"
        self.api("POST", "/v2/catalog/object", {"idempotency_key": key, "object": {**seen, **said}})

    def switch_off(self, subscription_id: str) -> None:
        """A person disables a webhook subscription."""
        path = f"/v2/webhooks/subscriptions/{subscription_id}"
        self.api("PUT", path, {"subscription": {"enabled": False}})

    def unsubscribe(self, subscription_id: str) -> None:
        """A person deletes a webhook subscription."""
        self.api("DELETE", f"/v2/webhooks/subscriptions/{subscription_id}")

    def calls(self, operation: str) -> list[dict[str, Any]]:
        """What the account was asked."""
        events = self.do("events", kind="api", limit=1000)["events"]
        return [each for each in events if each["operation"] == operation]

    def listen(self, uri: str, topics: Iterable[str]) -> None:
        """Let the account send its notifications to this address."""
        self.channel.subscribe(topics, uri)

    def delivered(self) -> None:
        """Wait until every notification has gone out."""
        assert self._running.simulator.agenda.settle(), "notifications are still on their way"

    def now(self) -> datetime:
        return datetime.fromisoformat(self.do("state", sku="-")["now"])


@contextmanager
def an_account() -> Iterator[SquareRunning]:
    """The simulator on a free port, its clock held."""
    running = start_square(clock=Clock.held())
    try:
        yield running
    finally:
        running.stop()
