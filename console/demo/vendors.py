"""The other vendors of the demo as their buyers, clerks and bad luck see them, and what each testifies in the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.demo import goods
from console.demo.shop import ControlPlane

#: (SKU, the vendor's location) -> units shown, None where nothing is said.
Shown = dict[tuple[str, str], int | None]


@dataclass(frozen=True, slots=True)
class LaneView:
    """A vendor's own testimony.

    shown       what a buyer sees, without lag
    committed   units sold and not gone, by SKU
    held        units the vendor itself holds and can sell, by SKU (Amazon FBA)
    waiting     deliveries that are still to be sent
    calls       API calls: at, operation, outcome, ...
    deliveries  attempts to deliver: delivery_id, status, ...
    """

    shown: Shown
    committed: Counter[str] = field(default_factory=Counter)
    held: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    calls: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)


class Amazon(ControlPlane):
    """A seller's account."""

    def order(self, *lines: tuple[str, int], paid: bool = True) -> dict[str, Any]:
        """Buy; the order as Amazon's own API tells it."""
        wanted = [{"sku": sku, "units": units} for sku, units in lines]
        return self.ask("order", lines=wanted, paid=paid)

    def units(self, sku: str) -> int:
        """Units on the seller's own offer."""
        (listing,) = self.ask("state", sku=sku)["listings"]
        return int(listing["units"])

    def fulfillable(self, sku: str) -> int:
        """Units Amazon holds and can sell, without lag."""
        (listing,) = self.ask("state", sku=sku)["listings"]
        return int(listing["fba"]["fulfillable"])

    def view(self, orders: list[str]) -> LaneView:
        """Everything the account shows and has written down.

        orders   those that were placed in the day
        """
        state = self.ask("state")
        committed: Counter[str] = Counter()
        for number in orders:
            for line in self.ask("show_order", order=number)["orderItems"]:
                committed[line["product"]["sellerSku"]] += int(
                    line["fulfillment"]["quantityUnfulfilled"]
                )
        shown: Shown = {}
        held: dict[str, int] = {}
        for listing in state["listings"]:
            if listing["units"] is not None:
                shown[listing["sku"], "DEFAULT"] = int(listing["units"])
            if listing["fba"] is not None:
                held[listing["sku"]] = int(listing["fba"]["fulfillable"])
                shown[listing["sku"], "FBA"] = held[listing["sku"]]
        kinds = self.events()
        return LaneView(
            shown=shown,
            committed=+committed,
            held=held,
            waiting=int(state["deliveries_waiting"]),
            calls=kinds.get("api", []),
            deliveries=kinds.get("webhook", []),
            told={"mcf": state["mcf"]},
        )


class Till(ControlPlane):
    """A merchant's account with a till in each of its shops."""

    def sell(self, location: str, *lines: tuple[str, int]) -> dict[str, Any]:
        """A sale that is paid and gone."""
        return self.ask("sale", location=location, lines=_lines(lines))

    def pick_up(self, location: str, *lines: tuple[str, int]) -> dict[str, Any]:
        """An order to be picked up in a shop."""
        return self.ask("pickup", location=location, lines=_lines(lines))

    def in_stock(self, sku: str, location: str) -> int:
        """Units a shop's till counts; below zero where it sold more."""
        (level,) = self.ask("state", sku=sku, location=location)["levels"]
        return int(level["quantity"])

    def view(self, pickups: list[str]) -> LaneView:
        """Everything the account counts and has written down.

        pickups   orders to be picked up that were placed in the day
        """
        state = self.ask("state")
        committed: Counter[str] = Counter()
        for number in pickups:
            order = self.ask("show_order", order=number)
            if order["state"] == "OPEN":
                for line in order["line_items"]:
                    committed[line["name"]] += int(line["quantity"])
        kinds = self.events()
        return LaneView(
            shown={
                (level["sku"], level["location_id"]): int(level["quantity"])
                for level in state["levels"]
                if level["state"] == "IN_STOCK"
            },
            committed=+committed,
            waiting=int(state["deliveries_waiting"]),
            calls=kinds.get("api", []),
            deliveries=kinds.get("webhook", []),
        )


class Grocer(ControlPlane):
    """A wholesale partner behind its mailbox."""

    def purchase(self, *lines: tuple[str, int], **more: object) -> str:
        """Send a purchase order (850); its number."""
        return str(self.ask("purchase_order", lines=_lines(lines), **more)["order"])

    def about(self, order: str) -> dict[str, Any]:
        """What the partner knows of one of its orders."""
        found: dict[str, Any] = self.ask("state", order=order)["orders"][order]
        return found

    def complaints(self) -> list[dict[str, Any]]:
        """What it found wrong with our documents."""
        found: list[dict[str, Any]] = self.ask("complaints")["complaints"]
        return found

    def view(self) -> LaneView:
        """Everything the partner knows of us."""
        state = self.ask("state")
        shown: Shown = {}
        for sku, places in state["shown"].items():
            for place, numbers in places.items():
                shown[sku, place] = int(numbers["33"]) if "33" in numbers else None
        committed: Counter[str] = Counter()
        for order in state["orders"].values():
            for line in order["lines"]:
                committed[line["sku"]] += _accepted(line["promised"]) - int(line["shipped"])
        return LaneView(
            shown=shown,
            committed=+committed,
            told={
                "orders": state["orders"],
                "unacknowledged": state["unacknowledged"],
                "overdue": state["overdue"],
                "received": state["received"],
                "shipments": state["shipments"],
                "complaints": self.complaints(),
            },
        )


def _accepted(promised: dict[str, int]) -> int:
    """Units that our answer promised from stock."""
    return sum(units for status, units in promised.items() if status in ("IA", "AC", "IQ", "BP"))


def _lines(lines: tuple[tuple[str, int], ...]) -> list[dict[str, object]]:
    return [{"sku": sku, "units": units} for sku, units in lines]


def when(said: str) -> datetime:
    """A time as a control plane writes it."""
    return datetime.fromisoformat(said)


#: What each kind of account is, for the demo.
DESKS = {goods.AMAZON: Amazon, goods.TILL_LANE: Till, goods.GROCER: Grocer}
