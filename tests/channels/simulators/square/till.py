"""A simulated account with a held clock, and the few moves every test of it makes."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from channels.simulators.clock import Clock
from channels.simulators.square import SquareSimulator
from channels.simulators.square.control import Control
from channels.simulators.square.schema import NEWEST
from channels.simulators.square.state import stamp
from tests.channels.simulators.shopdesk import Mailbox
from tests.channels.simulators.square.contract import judge_answer, judge_event

START = datetime(2026, 8, 20, 14, 0, tzinfo=UTC)
OLDER = "2025-08-20"
"""A version in which moves between locations are transfers."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def codes(self) -> list[str]:
        return [error["code"] for error in self.body["errors"]]

    @property
    def fields(self) -> list[str | None]:
        return [error.get("field") for error in self.body["errors"]]


class Till:
    """An account with the locations Main and Second and SKU-1 .. SKU-3, ten of each at Main, SKU-3 untracked."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock.held(START)
        self.simulator = SquareSimulator(self.clock, **options)
        self.merchant = self.simulator.merchant
        self.control = Control(self.simulator)
        self._keys = itertools.count(1)
        self.do("location", name="Main")
        self.do("location", name="Second")
        for number in (1, 2, 3):
            stock = {"Main": 10} if number != 3 else {}
            variation = {"sku": f"SKU-{number}", "stock": stock, "tracked": number != 3}
            self.do("item", variations=[variation])

    def do(self, verb: str, **facts: Any) -> Any:
        """An operation of the control plane, in-process."""
        return self.control.verbs()[verb](facts)

    def call(
        self, method: str, path: str, body: Any = None, *, version: str = NEWEST, **query: str
    ) -> Answer:
        """A call with the right token; the answer is held against the vendor's schema."""
        reply = self.simulator.call(
            method, path, body, query=query, version=version, wait=lambda _: None
        )
        answer = Answer(reply.status, json.loads(reply.body), reply.headers)
        judge_answer(method, path, answer.status, answer.body, version)
        return answer

    def write(
        self, *changes: dict[str, Any], key: str | None = None, version: str = NEWEST, **more: Any
    ) -> Answer:
        """batch-create, with a fresh key unless one is given."""
        body = {"idempotency_key": key or f"key-{next(self._keys)}", "changes": list(changes)}
        path = "/v2/inventory/changes/batch-create"
        return self.call("POST", path, {**body, **more}, version=version)

    def counted(
        self, sku: str, units: str, place: str = "Main", ago_s: float = 0, **more: Any
    ) -> dict[str, Any]:
        """A PHYSICAL_COUNT of what is in stock."""
        count = {
            "catalog_object_id": self.variation(sku),
            "location_id": self.place(place),
            "state": "IN_STOCK",
            "quantity": units,
            "occurred_at": self.ago(ago_s),
        }
        return {"type": "PHYSICAL_COUNT", "physical_count": {**count, **more}}

    def moved(
        self, sku: str, units: str, before: str, after: str, ago_s: float = 0, **more: Any
    ) -> dict[str, Any]:
        """An ADJUSTMENT; places come with `more`."""
        adjustment = {
            "catalog_object_id": self.variation(sku),
            "from_state": before,
            "to_state": after,
            "quantity": units,
            "occurred_at": self.ago(ago_s),
        }
        return {"type": "ADJUSTMENT", "adjustment": {**adjustment, **more}}

    def counts(self, **asked: Any) -> list[dict[str, Any]]:
        """batch-retrieve counts, one page."""
        rows: list[dict[str, Any]] = self.call(
            "POST", "/v2/inventory/counts/batch-retrieve", asked
        ).body["counts"]
        return rows

    def units(self, sku: str, place: str = "Main", state: str = "IN_STOCK") -> str | None:
        """The quantity as the API reads it; None where there is no row."""
        asked = {
            "catalog_object_ids": [self.variation(sku)],
            "location_ids": [self.place(place)],
            "states": [state],
        }
        rows = self.counts(**asked)
        return rows[0]["quantity"] if rows else None

    def history(self, sku: str, version: str = NEWEST, **asked: Any) -> list[dict[str, Any]]:
        body = {"catalog_object_ids": [self.variation(sku)], **asked}
        path = "/v2/inventory/changes/batch-retrieve"
        rows: list[dict[str, Any]] = self.call("POST", path, body, version=version).body["changes"]
        return rows

    def variation(self, sku: str) -> str:
        return self.merchant.variation(sku).id

    def place(self, name: str = "Main") -> str:
        return self.merchant.location(name).id

    def ago(self, seconds: float) -> str:
        return stamp(self.clock.now() - timedelta(seconds=seconds))

    def subscribe(self, box: Mailbox, *types: str) -> dict[str, Any]:
        """A webhook subscription through the API."""
        asked = {"name": "ours", "event_types": list(types), "notification_url": box.url}
        answer = self.call("POST", "/v2/webhooks/subscriptions", {"subscription": asked})
        made: dict[str, Any] = answer.body["subscription"]
        return made

    def close(self) -> None:
        self.simulator.stop()


def notifications(box: Mailbox) -> list[dict[str, Any]]:
    """The bodies that came, each held against the vendor's schema."""
    bodies = [json.loads(raw) for _, raw in box.received]
    for body in bodies:
        judge_event(body)
    return bodies


def types(box: Mailbox) -> list[str]:
    return sorted(body["type"] for body in notifications(box))
