"""Rows of Amazon's inventory ledger (GET_LEDGER_DETAIL_VIEW_DATA), and the facts they are for our book.

A row has no id of its own. Its identity is everything in it that never changes, and which of several equal rows it is:
reports repeat and overlap, but a time span holds all rows of a second or none. The reconciled and unreconciled units do
change, so they are no part of it.

Sources: https://developer-docs.amazon.com/sp-api/docs/report-type-values-fba (columns, event types); Seller Central,
Inventory adjustments (reason codes).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal

from channels.amazon import tables
from ledger.events import Adjustment, AnyFact, Receipt, Return, Ship, TransferReceive, TransferShip

LEDGER: Final = "GET_LEDGER_DETAIL_VIEW_DATA"

RECEIPTS: Final = "Receipts"
SHIPMENTS: Final = "Shipments"
RETURNS: Final = "CustomerReturns"
REMOVALS: Final = "VendorReturns"
ADJUSTMENTS: Final = "Adjustments"
TRANSFERS: Final = "WhseTransfers"
_EVENTS: Final = {
    tables.normal(name): name
    for name in (RECEIPTS, SHIPMENTS, RETURNS, REMOVALS, ADJUSTMENTS, TRANSFERS)
}

_NEEDED: Final = frozenset({"msku", "eventtype", "quantity", "disposition"})
#: How Amazon names an order of another shop that it ships: its MCF order tells all about it.
_MCF_ORDER: Final = re.compile(r"^S\d\d-")
#: No row moves more; and no word in it is longer, of what the book is told.
_MOST_UNITS: Final = 1_000_000
_LONGEST: Final = 200
#: What makes a row itself.
_IDENTITY: Final = (
    "dateandtime",
    "date",
    "msku",
    "fnsku",
    "eventtype",
    "referenceid",
    "quantity",
    "fulfillmentcenter",
    "disposition",
    "reason",
    "country",
)

_REASONS: Final[Mapping[str, str]] = {
    "E": "damaged in a fulfillment center",
    "6": "damaged by an inbound carrier",
    "7": "expired",
    "D": "disposed of",
    "F": "found",
    "N": "found",
    "M": "misplaced",
    "5": "misplaced",
    "G": "lost while in transfer",
    "P": "disposition changed",
    "Q": "disposition changed",
    "O": "owner corrected",
    "1": "inventory corrected",
    "2": "inventory corrected",
    "J": "inventory corrected",
    "3": "taken over from another SKU",
    "4": "given to another SKU",
}


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One movement in the fulfillment centers.

    event      as Amazon names it, in one spelling; another one where we do not know it
    units      of Amazon's, below 0 when they left that disposition
    """

    row_id: str
    at: datetime
    seller_sku: str
    event: str
    reference: str
    units: int
    disposition: str
    reason: str
    center: str

    @property
    def sellable(self) -> bool:
        """Whether it moved units that can be sold."""
        return self.disposition == "SELLABLE"


@dataclass(frozen=True, slots=True)
class Read:
    """A report that was read; `unreadable` counts rows without a time, a SKU or a number that can be."""

    rows: tuple[LedgerRow, ...]
    unreadable: int


def read(content: bytes) -> Read:
    """The rows of a report, oldest first. Raises Unreadable when it is no ledger report."""
    found: list[LedgerRow] = []
    unreadable = 0
    for cells, number in _numbered(tables.rows(content, needed=_NEEDED)):
        at = tables.moment(cells.get("dateandtime")) or tables.moment(cells.get("date"))
        units = tables.whole(cells.get("quantity"))
        sku = cells.get("msku", "")
        if at is None or units is None or abs(units) > _MOST_UNITS or not sku:
            unreadable += 1
        elif units:
            event = cells.get("eventtype", "")[:_LONGEST]
            found.append(
                LedgerRow(
                    _identity(cells, number),
                    at,
                    sku,
                    _EVENTS.get(tables.normal(event), event),
                    cells.get("referenceid", "")[:_LONGEST],
                    units,
                    cells.get("disposition", "").upper().replace("-", "_").replace(" ", "_"),
                    cells.get("reason", "")[:_LONGEST],
                    cells.get("fulfillmentcenter", ""),
                )
            )
    found.sort(key=lambda row: (row.at, row.row_id))
    return Read(tuple(found), unreadable)


def _numbered(rows: Iterable[Mapping[str, str]]) -> Iterator[tuple[Mapping[str, str], int]]:
    """Each row with which of its equals it is, from 1."""
    seen: Counter[tuple[str, ...]] = Counter()
    for cells in rows:
        key = tuple(cells.get(name, "") for name in _IDENTITY)
        seen[key] += 1
        yield cells, seen[key]


def _identity(cells: Mapping[str, str], number: int) -> str:
    words = [cells.get(name, "") for name in _IDENTITY]
    return hashlib.sha256("\x1f".join([*words, str(number)]).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a seller SKU's units stand in our book, and how many of ours one of Amazon's is."""

    sku: str
    location: str
    pack: int = 1


@dataclass(frozen=True, slots=True)
class Ways:
    """How this house sends stock to Amazon and takes it back (the channel's options).

    inbound    receipt: a supplier sends it;  transfer: it left a location of ours in a transfer that is in the book
    removal    write_off: it is gone;  transfer: it comes home and will be received somewhere
    """

    inbound: Literal["receipt", "transfer"] = "receipt"
    removal: Literal["write_off", "transfer"] = "write_off"


def ways(options: Mapping[str, object]) -> Ways:
    """As the channel's options say: `fba_inbound` and `fba_removal`."""
    return Ways(
        "transfer" if options.get("fba_inbound") == "transfer" else "receipt",
        "transfer" if options.get("fba_removal") == "transfer" else "write_off",
    )


class Fate(StrEnum):
    """What becomes of a row."""

    BOOK = "booked"
    ORDER = "order"
    KEEP = "kept"
    WAIT = "new"


def fate(
    row: LedgerRow,
    *,
    opened_at: datetime | None,
    has_order: bool,
    waited: timedelta,
    patience: timedelta,
) -> Fate:
    """What becomes of a row that has just been read, or that has waited.

    Kept without a posting: what was there before the book was opened; what moves nothing that can be sold (transfers
    between centers net to nothing, and while they last the readings tell); shipments that name no order, since orders
    tell every sale. A shipment whose order the book does not have waits for it, and is booked when it never comes.

    opened_at    since when the book follows this SKU, None when it does not (yet)
    has_order    the book has the order that the row names
    """
    if not row.sellable or row.event == TRANSFERS:
        return Fate.KEEP
    if opened_at is None:
        return Fate.WAIT
    if row.at <= opened_at:
        return Fate.KEEP
    if row.event != SHIPMENTS or row.units > 0:
        return Fate.BOOK
    if has_order or _MCF_ORDER.match(row.reference):
        return Fate.ORDER
    if not row.reference:
        return Fate.KEEP
    return Fate.BOOK if waited >= patience else Fate.WAIT


def fact(row: LedgerRow, place: Place, source: str, way: Ways) -> AnyFact:
    """The row as a fact, the same for every time it is reported. Only for rows that move what is sold."""
    units = abs(row.units) * place.pack
    common = {
        "source": source,
        "id": f"fba-row:{row.row_id}",
        "occurred_at": row.at,
        "actor": "amazon",
        "reference": row.reference,
    }
    at = {"sku": place.sku, "location": place.location}
    if row.event == SHIPMENTS and row.units < 0:
        return Ship.model_validate({**common, **at, "units": units})
    if row.event == RETURNS and row.units > 0:
        return Return.model_validate({**common, **at, "units": units})
    if row.event == RECEIPTS and row.units > 0:
        kind = TransferReceive if way.inbound == "transfer" else Receipt
        return kind.model_validate({**common, **at, "units": units})
    if row.event == REMOVALS and row.units < 0 and way.removal == "transfer":
        return TransferShip.model_validate({**common, **at, "units": units})
    signed = row.units * place.pack
    return Adjustment.model_validate({**common, **at, "units": signed, "reason": said(row)})


def said(row: LedgerRow) -> str:
    """Why the units changed, in words: the event, Amazon's code and what it means."""
    code = row.reason.strip()
    words = _REASONS.get(code.upper(), "")
    return " ".join(filter(None, [f"Amazon {row.event}", code, f"({words})" if words else ""]))
