"""One shop as its buyers, its clerks and bad luck see it: the control plane of a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

import requests

from console.local.layout import Played

_TIMEOUT_S = 20.0


class ShopSays(Exception):
    """The control plane answers no; `status` 409 is the shop's own no (sold out, shipped already)."""

    def __init__(self, verb: str, status: int, why: str) -> None:
        super().__init__(f"{verb}: {status} {why}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Placed:
    """An order a shop took.

    number    the vendor's id, as our book knows the order
    lines     (line id, SKU, units)
    """

    shop: str
    order: str
    number: str
    lines: tuple[tuple[str, str, int], ...]


class ControlPlane:
    """A played account behind its control plane; not to be shared between threads."""

    def __init__(self, played: Played) -> None:
        self.played = played
        self.name = played.name
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {played.control_token}"

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()

    def ask(self, verb: str, **facts: object) -> dict[str, Any]:
        """One operation of the control plane; see channels/simulators/README.md. Raises ShopSays."""
        url = f"{self.played.control_url}/{verb}"
        answer = self._session.post(url, json=facts, timeout=_TIMEOUT_S)
        if not answer.ok:
            raise ShopSays(verb, answer.status_code, _why(answer))
        told: dict[str, Any] = answer.json()
        return told

    def events(self) -> dict[str, list[dict[str, Any]]]:
        """Everything the account has written down, by kind; `at` is a time."""
        kinds: dict[str, list[dict[str, Any]]] = {}
        for entry in self.ask("events")["events"]:
            kinds.setdefault(entry["kind"], []).append(
                entry | {"at": datetime.fromisoformat(entry["at"])}
            )
        return kinds


class Shop(ControlPlane):
    """A played shop."""

    def order(self, lines: Sequence[tuple[str, int]], **more: object) -> Placed:
        """Buy. Raises ShopSays with 409 when something is sold out."""
        wanted = [{"sku": sku, "units": units} for sku, units in lines]
        told = self.ask("order", lines=wanted, **more)
        booked = tuple((_number(of["id"]), of["sku"], of["units"]) for of in told["lines"])
        return Placed(self.name, told["id"], _number(told["id"]), booked)

    def set_available(self, item: str, location: str, units: int) -> None:
        """Write a number through the shop's API with our own token, as a second program of ours would."""
        answer = requests.post(
            f"{self.played.base_url}/admin/api/2026-07/graphql.json",
            json={
                "query": _SET,
                "variables": {
                    "item": item,
                    "location": location,
                    "units": units,
                    "key": str(uuid4()),
                },
            },
            headers={"X-Shopify-Access-Token": self.played.token},
            timeout=_TIMEOUT_S,
        ).json()
        payload = (answer.get("data") or {}).get("inventorySetQuantities") or {}
        if answer.get("errors") or payload.get("userErrors"):
            raise ShopSays("inventorySetQuantities", 200, str(answer)[:300])

    def view(self) -> View:
        """Everything the shop shows now and everything it has written down."""
        state = self.ask("state")
        kinds = self.events()
        levels = {(of["sku"], of["location_id"]): of for of in state["levels"]}
        return View(
            levels=levels,
            waiting=int(state["deliveries_waiting"]),
            calls=kinds.get("api", []),
            deliveries=kinds.get("webhook", []),
            writes=kinds.get("stock", []),
        )

    def level(self, sku: str, location: str) -> dict[str, Any]:
        """What the shop shows of one SKU at one of its locations (its name)."""
        found: list[dict[str, Any]] = self.ask("state", sku=sku, location=location)["levels"]
        if not found:
            raise ShopSays("state", 404, f"{sku} at {location}")
        return found[0]


@dataclass(frozen=True, slots=True)
class View:
    """A shop's own testimony.

    levels       (SKU, vendor's location id) -> available, committed, policy, ...
    waiting      deliveries that are still to be sent
    calls        API calls: at, operation, rows, outcome, ...
    deliveries   attempts to deliver: at, topic, delivery_id, status, ...
    writes       numbers set through the API: at, sku, location, deltas, swallowed, available
    """

    levels: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    waiting: int = 0
    calls: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    writes: list[dict[str, Any]] = field(default_factory=list)


def _why(answer: requests.Response) -> str:
    """The reason of a refusal: its `error`, or what else the answer says."""
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:300]


def _number(gid: str) -> str:
    return gid.rsplit("/", 1)[-1]


_SET = """
mutation ($item: ID!, $location: ID!, $units: Int!, $key: String!) {
  inventorySetQuantities(input: {name: "available", reason: "correction",
    quantities: [{inventoryItemId: $item, locationId: $location, quantity: $units, changeFromQuantity: null}]})
    @idempotent(key: $key) { userErrors { code message } }
}
"""
