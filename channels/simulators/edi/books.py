"""A trading partner's books: everything it knows, and small questions to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from channels.simulators.edi.state import (
    Complaint,
    Item,
    Line,
    Order,
    Received,
    Sent,
    Severity,
    Shipment,
    Shipped,
    Shown,
)

Say = Callable[[str, str], None]
"""(segment, words): a business complaint about the document at hand."""


@dataclass(slots=True)
class Rules:
    """What the partner's guide says.

    ack_due_hours          an 855 (or 865) is expected within this time
    functional_due_hours   a 997 is
    change_style           `new`: POC03 is the new quantity; `before`: POC03 is the old one, POC04 the new
    sscc_days              an SSCC is not used again within
    """

    ack_due_hours: float = 24.0
    functional_due_hours: float = 24.0
    change_style: str = "new"
    sscc_days: int = 365


@dataclass(slots=True)
class Books:
    """Everything the partner knows. Change it under the simulator's lock only."""

    rules: Rules = field(default_factory=Rules)
    items: dict[str, Item] = field(default_factory=dict)
    stores: dict[str, str] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    shipments: dict[str, Shipment] = field(default_factory=dict)
    shown: dict[tuple[str, str], Shown] = field(default_factory=dict)
    cartons: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    controls: dict[str, bytes] = field(default_factory=dict)

    def complain(
        self, at: datetime, severity: Severity, document: str, where: str, text: str
    ) -> Complaint:
        """Write a complaint down."""
        made = Complaint(len(self.complaints) + 1, at, severity, document, where, text)
        self.complaints.append(made)
        return made

    def item_of(self, pairs: list[tuple[str, str]]) -> Item | None:
        """The item that any of these ids names, among those the partner knows."""
        for item in self.items.values():
            if any(pair in item.ids for pair in pairs):
                return item
        return None

    def line_of(self, order: Order, number: str, pairs: list[tuple[str, str]]) -> Line | None:
        """A line by its number, else by the ids of its item."""
        if number in order.lines:
            return order.lines[number]
        item = self.item_of(pairs)
        return next((one for one in order.lines.values() if one.item is item), None)

    def shipped(self, order: str, line: str, store: str | None = None) -> int:
        """Units of a line that all ship notices together announce; of one store when it is named."""
        return sum(
            one.units
            for shipment in self.shipments.values()
            for one in shipment.items
            if (one.order, one.line) == (order, line) and store in (None, one.store)
        )

    def shipped_items(self) -> list[Shipped]:
        """Every item of every ship notice that still holds."""
        return [one for shipment in self.shipments.values() for one in shipment.items]

    def overdue(self, now: datetime) -> list[str]:
        """What has not come in time, in words: 997s, answers to orders and to their changes."""
        found = []
        functional = timedelta(hours=self.rules.functional_due_hours)
        for sent in self.sent:
            if sent.kind != "FA" and not sent.acked and now > sent.at + functional:
                found.append(
                    f"no 997 for group {sent.group} ({', '.join(sent.sets)}), sent {sent.at:%Y-%m-%d %H:%M}"
                )
        due = timedelta(hours=self.rules.ack_due_hours)
        for order in self.orders.values():
            if not order.answers and not order.cancelled and now > order.at + due:
                found.append(f"no 855 for order {order.number}, sent {order.at:%Y-%m-%d %H:%M}")
            found += [
                f"no 865 for change {change.sequence} of order {order.number}"
                for change in order.changes.values()
                if change.answered_at is None and now > change.at + due
            ]
        return found
