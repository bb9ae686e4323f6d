"""What the demo has gathered when the day is over: testimony of the shops, the book, and what it saw itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.demo.shop import Placed, View
from console.demo.vendors import LaneView

#: A row of the database: column -> value.
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Crash:
    """What was broken on purpose in the busy stretch.

    worker, died          its name, and the process that was killed
    lives, restarts       the process that runs under that name at the end, and how often it was started again
    keys_before, after    keys in Valkey just before and just after it was emptied
    at                    when the first of both happened
    """

    worker: str
    died: int
    keys_before: int
    keys_after: int
    at: datetime
    lives: int | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Halted:
    """One SKU that was taken off sale, as its shop showed it.

    before, during, after    the level as the shop's own state had it
    """

    shop: str
    sku: str
    before: Row
    during: Row
    after: Row


@dataclass(frozen=True, slots=True)
class McfOrder:
    """An order of a shop that Amazon shipped from its stock.

    fba, own    units available by ledger at Amazon's location and at our own, before the order and after it shipped
    """

    shop: str
    order: str
    sku: str
    units: int
    fba: tuple[int, int]
    own: tuple[int, int]
    shipped: int


@dataclass(slots=True)
class LaneNotes:
    """What the demo saw on Amazon, at the tills and at the grocer's.

    booked      (channel, order, SKU, units) that must be in the book
    storm       when Amazon refused every call
    """

    booked: list[tuple[str, str, str, int]] = field(default_factory=list)
    amazon_orders: list[str] = field(default_factory=list)
    pickups: list[str] = field(default_factory=list)
    purchases: dict[str, str] = field(default_factory=dict)
    mcf: McfOrder | None = None
    swallowed_at: datetime | None = None
    repaired_at: datetime | None = None
    storm: tuple[datetime, datetime] | None = None


@dataclass(slots=True)
class Notes:
    """What the demo saw during the day, scene by scene; what a scene did not get to see stays None.

    certifying    when certificates were made: a hundred writes one after another take all that an account allows
    """

    certifying: tuple[datetime, datetime] | None = None
    placed: list[Placed] = field(default_factory=list)
    sold_out: int = 0
    stretch: tuple[datetime, datetime] | None = None
    stretch_s: float = 0.0
    stretch_orders: int = 0
    rough: tuple[datetime, datetime] | None = None
    crash: Crash | None = None
    faults: list[Row] = field(default_factory=list)
    rubbish: dict[str, Row] = field(default_factory=dict)
    refused: tuple[str, str] | None = None
    beside_refused: tuple[str, ...] = ()
    swallowed: tuple[str, str] | None = None
    storm: tuple[str, datetime, datetime] | None = None
    drifted: list[tuple[str, str]] = field(default_factory=list)
    overwritten: tuple[str, str] | None = None
    halted: Halted | None = None
    hidden: Halted | None = None
    repeated_windows: list[tuple[str, datetime, datetime]] = field(default_factory=list)
    flower: tuple[int, int] | None = None
    lanes: LaneNotes = field(default_factory=LaneNotes)


@dataclass(slots=True)
class Evidence:
    """Everything the checks may look at.

    views        shop -> its testimony
    lanes        Amazon, till and grocer -> theirs
    vendor_ids   shop -> vendor's location id -> ours
    diary        SKU -> units that should be in the house
    tables       the rows of each question in `gather`
    findings     what the proof of the ledger found, in words
    restarts     service -> how often it was started again
    """

    notes: Notes
    views: dict[str, View]
    vendor_ids: dict[str, dict[str, str]]
    diary: dict[str, int]
    tables: dict[str, list[Row]]
    findings: list[str]
    lanes: dict[str, LaneView] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. `detail` says what was seen, with numbers."""

    name: str
    passed: bool
    detail: str

    def as_json(self) -> dict[str, object]:
        """As it stands in the file."""
        return {"name": self.name, "passed": self.passed, "detail": self.detail}
