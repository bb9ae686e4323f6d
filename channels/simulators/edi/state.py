"""What a trading partner holds: its items and stores, its orders, what it sent, what it got, what it finds wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Literal

#: ACK01 whose units will come, sooner or later.
COMING: Final = frozenset({"IA", "IC", "IP", "IQ", "IS", "IB", "AC", "BP", "DR", "SP"})
DELETED: Final = frozenset({"IR", "ID"})


@dataclass(frozen=True, slots=True)
class Item:
    """`ids` are the qualifier and value pairs sent in orders: UP, IN, SK, ...; `sku` is the merchant's."""

    sku: str
    ids: tuple[tuple[str, str], ...]
    price: str


@dataclass(slots=True)
class Line:
    """A line of an order, with units of `measure`; `stores` share them when the order says so; `added` by a change."""

    number: str
    item: Item
    units: int
    measure: str = "EA"
    stores: dict[str, int] = field(default_factory=dict)
    added: bool = False


@dataclass(frozen=True, slots=True)
class LineChange:
    """`units` is the line's new number of units; 0 deletes it."""

    number: str
    code: str
    units: int
    before: int


@dataclass(slots=True)
class Change:
    """One 860. `sequence` counts from 1."""

    sequence: int
    purpose: str
    lines: list[LineChange]
    at: datetime
    answered_at: datetime | None = None


@dataclass(slots=True)
class Answer:
    """What our 855 or 865 said: per line, units by ACK01."""

    set_id: str
    at: datetime
    kind: str
    purpose: str
    sequence: int
    lines: dict[str, Counter[str]]


@dataclass(slots=True)
class Order:
    """One purchase order as the partner means it now; `lines` by number."""

    number: str
    day: date
    at: datetime
    kind: str
    ship_to: str
    lines: dict[str, Line]
    changes: dict[int, Change] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    cancelled: bool = False

    def units_after(self, number: str, sequence: int | None = None) -> int:
        """What a line orders after the change with this sequence; after all when None."""
        line = self.lines.get(number)
        units = line.units if line is not None else 0
        for change in sorted(self.changes.values(), key=lambda one: one.sequence):
            if sequence is not None and change.sequence > sequence:
                break
            if change.purpose == "01":
                units = 0
            for one in change.lines:
                units = one.units if one.number == number else units
        return units

    def promised(self, number: str) -> Counter[str]:
        """The newest answer about a line: units by ACK01."""
        for answer in reversed(self.answers):
            if number in answer.lines:
                return answer.lines[number]
        return Counter()


@dataclass(slots=True)
class Sent:
    """An interchange of the partner's: one group, and the 997 it got. `acked` is AK901."""

    name: str
    control: int
    group: int
    kind: str
    sets: tuple[str, ...]
    order: str
    at: datetime
    data: bytes
    acked: str = ""
    acked_at: datetime | None = None
    late: bool = False


Severity = Literal["syntax", "business", "notice"]


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something of the merchant's that is wrong. `syntax` is what a 997 can say, a `notice` costs nothing."""

    number: int
    at: datetime
    severity: Severity
    document: str
    where: str
    text: str

    def as_json(self) -> dict[str, object]:
        return {
            "number": self.number,
            "at": self.at.isoformat(),
            "severity": self.severity,
            "document": self.document,
            "where": self.where,
            "text": self.text,
        }


@dataclass(slots=True)
class Received:
    """A file of the merchant's. `answered` is the AK901 of each group's 997, "" where none was sent."""

    name: str
    at: datetime
    data: bytes
    kinds: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shipped:
    """An item of a ship notice; `carton` is its SSCC, "" without one."""

    order: str
    line: str
    sku: str
    units: int
    store: str
    carton: str


@dataclass(slots=True)
class Shipment:
    """The newest 856 of a shipment id."""

    id: str
    at: datetime
    purpose: str
    cartons: list[str]
    items: list[Shipped]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the newest 846 says of an item at a location; "" is everywhere. `counts` are units by QTY01."""

    sku: str
    location: str
    counts: dict[str, int]
    at: datetime
    reference: str
