"""Orders of Square as facts of the ledger.

Theory. An order is a whole snapshot. Its lines say what was ordered; where it stands is said by its fulfillments (a
pickup, a shipment) and, for units that no fulfillment carries, by its own state: a till sale is COMPLETED and has none.
Every unit of a line ends in exactly one of three ways, each a fact with an id of its own that every later reading
repeats: it left (`Ship`), it will not leave (`OrderCancel`), or nothing has happened to it yet.

A fulfillment is `ALL` of the order or names its lines. PROPOSED, RESERVED and PREPARED keep their units committed;
COMPLETED has handed them over. CANCELED and FAILED let them go: a pickup never left the shelf, so it is on sale again;
a shipment that failed may be anywhere and is kept apart. A cancelled order lets go of what was not fulfilled under the
same ids, whether its fulfillments say so yet or not. A draft holds nothing.

What came back is an order of its own. Its lines say for which money was given back, not what became of the goods; that
is said by the stock adjustments of the same return: to IN_STOCK is back on sale, to RETURNED_BY_CUSTOMER is back and
kept apart, none is money only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from channels.base import Unreadable
from channels.names import Names, Part, Unmapped
from channels.square import wire
from channels.square.history import places
from channels.square.units import is_by_measure, whole_units
from ledger.events import AnyFact, Order, OrderCancel, Return, Ship

_GONE = "COMPLETED"
_LET_GO = frozenset({"CANCELED", "FAILED"})


def mentioned(document: wire.OrderDocument) -> frozenset[str]:
    """The ids of all variations and locations in the document."""
    order = document.order
    found = {order.location_id, *document.catalogue}
    for adjustment in document.restocked:
        found |= {adjustment.catalog_object_id or "", places(adjustment)[1]}
    return frozenset(found - {""})


class Book:
    """Turns one document into facts; collects everything unmapped, so that a person is asked once."""

    def __init__(
        self, document: wire.OrderDocument, *, source: str, channel: str, names: Names
    ) -> None:
        self._document = document
        self._order = document.order
        self._source = source
        self._channel = channel
        self._names = names
        self._facts: list[AnyFact] = []
        self._unknown_variations: dict[str, str] = {}
        self._unknown_locations: set[str] = set()

    def facts(self) -> list[AnyFact]:
        """Everything the document says about stock.

        raises   Unmapped with everything that has no name yet; Unreadable for a quantity that is no whole number
        """
        stocked = self._stocked()
        for line, variation, units in stocked.values():
            self._ordered(line, variation, units)
        left = self._fulfilled(stocked)
        for line, variation, _ in stocked.values():
            self._rest(line, variation, left[line])
        for adjustment in self._document.restocked:
            self._came_back(adjustment)
        if self._unknown_variations or self._unknown_locations:
            raise Unmapped(
                channel=self._channel,
                variants=self._unknown_variations,
                locations=frozenset(self._unknown_locations),
            )
        return self._facts

    # ---- lines ----

    def _stocked(self) -> dict[str, tuple[str, str, int]]:
        """Line uid -> (uid, variation, units ordered), of the lines that take stock of ours."""
        found: dict[str, tuple[str, str, int]] = {}
        if self._order.state == "DRAFT":
            return found
        for position, line in enumerate(self._order.line_items):
            variation = line.catalog_object_id
            if variation is None or line.item_type not in (None, "ITEM"):
                continue
            if self._is_stocked(variation, line.quantity):
                uid = line.uid or f"line-{position}"
                units = self._units(line.quantity, f"line {uid} ({line.name or variation})")
                found[uid] = (uid, variation, units)
        return found

    def _ordered(self, line: str, variation: str, units: int) -> None:
        revision = self._order.updated_at.astimezone(UTC)
        location = self._location(self._order.location_id)
        for part, suffix in self._parts(variation):
            self._facts.append(
                Order(
                    source=self._source,
                    id=f"order:{self._order.id}:{line}{suffix}:{revision.isoformat()}",
                    channel=self._channel,
                    order=self._order.id,
                    line=f"{line}{suffix}",
                    sku=part.sku,
                    location=location,
                    units=units * part.units,
                    revision=revision,
                    occurred_at=self._order.created_at,
                )
            )

    # ---- what became of them ----

    def _fulfilled(self, stocked: dict[str, tuple[str, str, int]]) -> Counter[str]:
        """Book what fulfillments say; line -> units that none of them carries."""
        left = Counter({line: units for line, _, units in stocked.values()})
        for position, fulfillment in enumerate(self._order.fulfillments):
            name = f"fulfillment:{self._order.id}:{fulfillment.uid or position}"
            for line, units in self._carried(fulfillment, left).items():
                left[line] -= units
                self._carry(fulfillment, name, line, stocked[line][1], units)
        return left

    def _carried(self, fulfillment: wire.Fulfillment, left: Counter[str]) -> Counter[str]:
        if fulfillment.line_item_application != "ENTRY_LIST" and not fulfillment.entries:
            return +left
        units: Counter[str] = Counter()
        for entry in fulfillment.entries:
            if entry.line_item_uid in left:
                what = f"an entry for line {entry.line_item_uid}"
                units[entry.line_item_uid] += self._units(entry.quantity, what)
        return Counter({line: min(carried, left[line]) for line, carried in units.items()})

    def _carry(
        self, fulfillment: wire.Fulfillment, name: str, line: str, variation: str, units: int
    ) -> None:
        details = fulfillment.details
        if fulfillment.state == _GONE:
            at = details.picked_up_at or details.delivered_at or details.shipped_at
            self._ship(f"{name}:{line}", line, variation, units, at or self._ended_at)
        elif fulfillment.state in _LET_GO or self._order.state == "CANCELED":
            at = details.canceled_at or details.rejected_at or details.failed_at
            may_be_away = fulfillment.state == "FAILED" and fulfillment.type != "PICKUP"
            disposition: Literal["restock", "hold"] = "hold" if may_be_away else "restock"
            name = f"{name}:{line}:released"
            self._cancel(name, line, variation, units, disposition, at or self._ended_at)

    def _rest(self, line: str, variation: str, units: int) -> None:
        """Units that no fulfillment carries: the order's own state decides."""
        name = f"order:{self._order.id}:{line}"
        if self._order.state == _GONE:
            self._ship(f"{name}:sold", line, variation, units, self._ended_at)
        elif self._order.state == "CANCELED":
            self._cancel(f"{name}:released", line, variation, units, "restock", self._ended_at)

    def _ship(self, name: str, line: str, variation: str, units: int, at: datetime) -> None:
        for part, suffix in self._parts(variation) if units > 0 else ():
            self._facts.append(
                Ship(
                    source=self._source,
                    id=f"{name}{suffix}",
                    channel=self._channel,
                    order=self._order.id,
                    line=f"{line}{suffix}",
                    units=units * part.units,
                    occurred_at=at,
                )
            )

    def _cancel(
        self,
        name: str,
        line: str,
        variation: str,
        units: int,
        disposition: Literal["restock", "hold"],
        at: datetime,
    ) -> None:
        for part, suffix in self._parts(variation) if units > 0 else ():
            self._facts.append(
                OrderCancel(
                    source=self._source,
                    id=f"{name}{suffix}",
                    channel=self._channel,
                    order=self._order.id,
                    line=f"{line}{suffix}",
                    units=units * part.units,
                    disposition=disposition,
                    occurred_at=at,
                )
            )

    # ---- what came back ----

    def _came_back(self, adjustment: wire.Adjustment) -> None:
        variation = adjustment.catalog_object_id or ""
        if not self._is_stocked(variation, adjustment.quantity or "0"):
            return
        units = self._units(adjustment.quantity or "0", f"adjustment {adjustment.id}")
        sale, line = self._sold_as(variation)
        for part, suffix in self._parts(variation) if units > 0 else ():
            self._facts.append(
                Return(
                    source=self._source,
                    id=f"return:{adjustment.id}{suffix}",
                    sku=part.sku,
                    location=self._location(places(adjustment)[1]),
                    units=units * part.units,
                    disposition="sellable" if adjustment.to_state == "IN_STOCK" else "hold",
                    channel=self._channel,
                    order=sale,
                    line=f"{line}{suffix}" if line else None,
                    reference=self._order.id,
                    occurred_at=adjustment.occurred_at,
                )
            )

    def _sold_as(self, variation: str) -> tuple[str | None, str | None]:
        """Order and line of the sale these goods came from, None without a receipt."""
        for back in self._order.returns:
            for line in back.return_line_items:
                if line.catalog_object_id == variation and back.source_order_id:
                    return back.source_order_id, line.source_line_item_uid
        return None, None

    # ---- names ----

    def _is_stocked(self, variation: str, quantity: str) -> bool:
        """Whether it takes units of ours: somebody counts it, here (mapped) or at Square, and not by measure there."""
        named = self._document.catalogue.get(variation, wire.Named())
        if self._names.parts(variation):
            return True
        return named.tracked and not is_by_measure(quantity)

    def _parts(self, variation: str) -> Iterator[tuple[Part, str]]:
        parts = self._names.marked(variation)
        if not parts:
            named = self._document.catalogue.get(variation, wire.Named())
            self._unknown_variations[variation] = named.sku
        yield from parts

    def _location(self, vendor_location: str) -> str:
        location = self._names.locations.get(vendor_location)
        if location is None:
            self._unknown_locations.add(vendor_location)
        return location or "unmapped"

    def _units(self, quantity: str, what: str) -> int:
        try:
            units = whole_units(quantity)
        except ValueError as problem:
            raise Unreadable(f"order {self._order.id}, {what}: {problem}") from None
        if units < 0:
            raise Unreadable(f"order {self._order.id}, {what}: {quantity} units are less than none")
        return units

    @property
    def _ended_at(self) -> datetime:
        return self._order.closed_at or self._order.updated_at
