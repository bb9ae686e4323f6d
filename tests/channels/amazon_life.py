"""The life of one order at Amazon, and every document that told of it; the ledger's arithmetic fed with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from channels.amazon import wire
from channels.amazon.lane import LANE
from channels.amazon.notifications import ORDER_CHANGE
from channels.names import Names
from channels.simulators.amazon import notices, orders, orders_api, stock
from channels.simulators.amazon.account import Notice, Refused
from channels.simulators.amazon.simulator import AmazonSimulator
from channels.simulators.amazon.state import Order as TheirOrder
from channels.simulators.clock import Clock
from ledger.digest import Digest, Known, digest
from ledger.events import AnyFact
from ledger.postings import OrderLine

SKUS = ("SKU-0", "SKU-1", "SKU-2")
NAMES = Names(
    skus={sku: sku for sku in SKUS},
    locations={"DEFAULT": "OSLO", "FBA": "FBA-US"},
    default_location="",
)
#: topic and body of a delivery
Document = tuple[str, bytes]


@dataclass
class Life:
    """One order; `notifications` and `documents` tell each of its states, in order."""

    simulator: AmazonSimulator
    order: TheirOrder
    notifications: list[Document] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)

    @classmethod
    def begin(cls, units: Sequence[int], *, paid: bool, by_amazon: bool = False) -> Life:
        """An order of so many units of each SKU is placed."""
        simulator = AmazonSimulator(Clock.held())
        told: list[Notice] = []
        simulator.account.tell = told.extend
        wanted = [stock.Wanted(sku, n, None) for sku, n in zip(SKUS, units, strict=False)]
        with simulator.account.act(silent=True) as act:
            for sku in SKUS:
                fba = {"fulfillable": 1000} if by_amazon else None
                new = stock.NewListing(sku, units=None if fba else 1000, fba=fba)
                stock.create(simulator.account, act, new)
        with simulator.account.act() as act:
            order = orders.place(simulator.account, act, wanted, paid=paid)
        life = cls(simulator, order)
        life._heard(told)
        simulator.account.tell = life._heard
        life._document()
        return life

    def step(self, verb: str, place: int, units: int) -> None:
        """Something happens to the order; what Amazon refuses has not happened."""
        account, order = self.simulator.account, self.order
        line = order.lines[place % len(order.lines)]
        self.simulator.clock.advance(1)
        with suppress(Refused), account.act() as act:
            match verb:
                case "pay":
                    orders.pay(account, act, order)
                case "ship":
                    orders.ship(account, act, order, {line.item_id: min(units, line.open)})
                case "ship all":
                    orders.ship(account, act, order)
                case "ask to cancel":
                    orders.ask_to_cancel(account, act, order)
                case "cancel line":
                    orders.cancel(account, act, order, [line.sku])
                case "cancel":
                    orders.cancel(account, act, order)
        self._document()

    def truth(self) -> dict[str, tuple[int, int]]:
        """Item -> (units still to be shipped, units shipped)."""
        return {line.item_id: (line.open, line.shipped) for line in self.order.lines}

    def _document(self) -> None:
        body = orders_api.shown(
            self.order, ("FULFILLMENT", "CANCELLATION"), self.simulator.account.marketplace_id
        )
        self.documents.append((wire.ORDER_DOCUMENT, orjson.dumps(body)))

    def _heard(self, told: Iterable[Notice]) -> None:
        for notice in told:
            if notice.kind == ORDER_CHANGE:
                body = notices.envelope(
                    notice,
                    application_id="app",
                    subscription_id="sub",
                    notification_id=f"n{len(self.notifications)}",
                    sent=notice.at,
                )
                self.notifications.append((ORDER_CHANGE, orjson.dumps(body)))


def facts_of(document: Document, names: Names = NAMES) -> list[AnyFact]:
    """What a delivery says, through the lane's own door."""
    topic, body = document
    return LANE.read(topic, body).facts(source="amazon-us", channel="amazon-us", names=names)


def is_in_doubt(document: Document) -> bool:
    """Whether a delivery asks for the order API."""
    return LANE.read(*document).asks_orders


def booked(deliveries: Iterable[Sequence[AnyFact]], names: Names = NAMES) -> Digest:
    """What the ledger makes of deliveries, in the order given."""
    skus = {*SKUS, *(part.sku for parts in names.taken.values() for part in parts)}
    known = Known(skus, {"OSLO", "FBA-US", "BERGEN"}, {}, {})
    return digest(enumerate(deliveries), known)


def held(result: Digest) -> dict[str, tuple[int, int]]:
    """Line -> (units committed, units shipped) by the ledger."""
    lines: dict[Any, OrderLine] = dict(result.lines)
    return {key[2]: (line.open_units, line.shipped_units) for key, line in lines.items()}


def balance(result: Digest, sku: str, location: str, state: str) -> int:
    """The net units that postings put into a place."""
    return sum(
        move.units * ((move.to_location, move.to_state) == (location, state))
        - move.units * ((move.from_location, move.from_state) == (location, state))
        for entry in result.entries
        for move in entry.moves
        if move.sku == sku
    )
