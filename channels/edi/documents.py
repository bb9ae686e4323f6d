"""What the sets say, as frozen values: orders, answers, ship notices, availability, acknowledgements.

Words stay the wire's own: a `quantity` has a unit of measure (EA, CA, DZ) and may be a fraction; how many of our
units that is, a partner's settings decide later. Dates are days as the partner wrote them. Texts are empty when
absent, numbers None.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from channels.edi.acknowledgements import FunctionalAck


@dataclass(frozen=True, slots=True)
class ProductId:
    """A product's number: UP UPC-12, EN EAN-13, UK GTIN-14, IN buyer's item, VN vendor's item, SK SKU, ..."""

    qualifier: str
    value: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A REF: what kind of number, the number, a description; one of the last two is there."""

    qualifier: str
    value: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Dated:
    """A DTM: 002 deliver on, 010 ship on, 037 and 038 ship not before and no later, 001 cancel after, 011 shipped."""

    qualifier: str
    day: date


@dataclass(frozen=True, slots=True)
class Party:
    """An N1 loop: ST ship to, BY buyer, SF ship from, VN vendor, ...

    code          N104, by `code_qualifier`: 92 the buyer's, 91 the seller's, 9 DUNS+4, UL GLN
    more_names    N2
    address       N3, line by line
    """

    role: str
    name: str = ""
    code_qualifier: str = ""
    code: str = ""
    more_names: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreShare:
    """One pair of an SDQ: how much of a line one store gets."""

    store: str
    quantity: Decimal
    measure: str
    store_qualifier: str = ""


@dataclass(frozen=True, slots=True)
class Expected:
    """An SCH: how much of a line, or of a count, is where or comes when."""

    quantity: Decimal
    measure: str
    date_qualifier: str
    day: date
    place_qualifier: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A PO1 loop.

    number      the buyer's, repeated in every answer; empty when the buyer gave none
    quantity    ordered, in `measure`; None when not said, as for a line to be deleted (an order always says it)
    """

    number: str
    quantity: Decimal | None
    measure: str
    price: Decimal | None = None
    price_basis: str = ""
    products: tuple[ProductId, ...] = ()
    description: str = ""
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    stores: tuple[StoreShare, ...] = ()
    schedule: tuple[Expected, ...] = ()
    parties: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True)
class PurchaseOrder:
    """850. purpose: 00 original, 01 cancel, 05 replace, 07 duplicate; kind: SA stand-alone, DS dropship, BK blanket."""

    number: str
    day: date
    lines: tuple[OrderLine, ...]
    purpose: str = "00"
    kind: str = "SA"
    release: str = ""
    currency: str = ""
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """One ACK: what becomes of a part of a line. IA accepted, IB backordered, IQ quantity changed, IR rejected, ..."""

    status: str
    quantity: Decimal | None = None
    measure: str = ""
    date_qualifier: str = ""
    day: date | None = None
    products: tuple[ProductId, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """A PO1 loop of an 855: the line as ordered, and what becomes of it."""

    line: OrderLine
    answers: tuple[LineAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """855.

    kind           BAK02: AC with detail and change, AD with detail, AK no detail, RD rejected with detail, RJ rejected
    day            of the purchase order
    seller_number  BAK08
    """

    number: str
    day: date
    kind: str
    lines: tuple[AnswerLine, ...] = ()
    purpose: str = "00"
    release: str = ""
    seller_number: str = ""
    answered: date | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A POC loop.

    change      POC02: AI add, DI delete, CA change, QI and QD quantity up and down, PC price, RZ replace all
    left        POC04, "left to receive". Whether POC03 or POC04 is the new quantity differs by partner
    answers     in an 865 only
    """

    line: OrderLine
    change: str
    left: Decimal | None = None
    answers: tuple[LineAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderChange:
    """860.

    sequence    BCH05, text as sent; empty means the first change
    day         of the purchase order
    changed     BCH11
    """

    number: str
    day: date
    lines: tuple[ChangeLine, ...]
    purpose: str = "04"
    kind: str = "SA"
    release: str = ""
    sequence: str = ""
    changed: date | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeAnswer:
    """865. `kind` as in an 855; `answered` is BCA10."""

    number: str
    day: date
    kind: str
    lines: tuple[ChangeLine, ...] = ()
    purpose: str = "00"
    release: str = ""
    sequence: str = ""
    answered: date | None = None
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True)
class ShippedItem:
    """An HL of kind I.

    ordered    SN105 in `ordered_measure`
    order      PRF01 when the item names its order itself
    packs      cartons below the item (structure 0002)
    """

    quantity: Decimal
    measure: str
    number: str = ""
    products: tuple[ProductId, ...] = ()
    description: str = ""
    ordered: Decimal | None = None
    ordered_measure: str = ""
    order: str = ""
    packs: tuple[Pack, ...] = ()


@dataclass(frozen=True, slots=True)
class Pack:
    """An HL of kind T (pallet) or P (carton).

    sscc        the 18 digits, without application identifier; empty when none was given
    tracking    the carrier's mark, MAN with qualifier CP
    """

    kind: str
    sscc: str = ""
    tracking: str = ""
    contents: tuple[Pack | ShippedItem, ...] = ()


@dataclass(frozen=True, slots=True)
class ShippedOrder:
    """An HL of kind O: one purchase order's part of the shipment."""

    number: str
    day: date | None = None
    release: str = ""
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()
    contents: tuple[Pack | ShippedItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Freight:
    """What goes by which carrier: TD1 packages and weight, TD5 carrier.

    packaging    TD101: CTN25 cartons, PLT pallets
    weight       gross, in `weight_measure`
    carrier      SCAC
    """

    packaging: str = ""
    packages: int | None = None
    weight: Decimal | None = None
    weight_measure: str = ""
    carrier: str = ""
    routing: str = ""
    mode: str = ""


@dataclass(frozen=True, slots=True)
class ShipNotice:
    """856.

    id           BSN02, unique per shipment: the key for replacing or cancelling it
    structure    BSN05: 0001 shipment-order-pack-item, 0002 shipment-order-item-pack, 0004 shipment-order-item
    time         HHMM, the sender's
    contents     orders; packs and items directly under the shipment when the sender names no order level
    """

    id: str
    day: date
    time: str
    contents: tuple[ShippedOrder | Pack | ShippedItem, ...]
    purpose: str = "00"
    structure: str = ""
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()
    freight: Freight | None = None

    def items(self) -> Iterator[tuple[str, ShippedItem]]:
        """(order number, item) of everything shipped; the number is empty when no level names one."""
        waiting: list[tuple[str, ShippedOrder | Pack | ShippedItem]]
        waiting = [("", part) for part in reversed(self.contents)]
        while waiting:
            order, part = waiting.pop()
            if isinstance(part, ShippedItem):
                yield part.order or order, part
            else:
                inner = part.number if isinstance(part, ShippedOrder) else order
                waiting += [(inner, content) for content in reversed(part.contents)]


@dataclass(frozen=True, slots=True)
class Stocked:
    """A QTY: 33 available for sale, 17 on hand, 20 unallocated, 29 projected, 63 on order."""

    qualifier: str
    quantity: Decimal
    measure: str = ""
    expected: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True)
class AvailabilityLine:
    """A LIN loop of an 846."""

    products: tuple[ProductId, ...]
    counts: tuple[Stocked, ...] = ()
    number: str = ""
    description: str = ""
    dates: tuple[Dated, ...] = ()
    stores: tuple[StoreShare, ...] = ()


@dataclass(frozen=True, slots=True)
class Availability:
    """846. purpose: 00 full, 25 incremental; kind: DD distributor, MM manufacturer, SI seller inventory."""

    reference: str
    day: date
    lines: tuple[AvailabilityLine, ...]
    purpose: str = "00"
    kind: str = "SI"
    time: str = ""
    dates: tuple[Dated, ...] = ()
    references: tuple[Reference, ...] = ()
    parties: tuple[Party, ...] = ()


Document: TypeAlias = (
    PurchaseOrder
    | OrderAnswer
    | OrderChange
    | ChangeAnswer
    | ShipNotice
    | Availability
    | FunctionalAck
)
