"""Orders, fulfillments and refunds of Shopify as facts of the ledger.

Theory. An order body is a whole snapshot. For each line it tells the units ordered, what left
(fulfillments) and what was taken back (refunds). Each of these becomes one fact with an id of its own, so
that every body that repeats it says the same. What the ledger then holds committed for a line is
ordered - cancelled - shipped, and that must end at the line's `fulfillable_quantity`.

Edits. `quantity` is "the number of units ordered, including refunded and removed units", `currentQuantity`
excludes them (Admin GraphQL schema 2026-07, LineItem). An edit upwards therefore raises `quantity`; an edit
downwards keeps it, and only unfulfilled lines can be edited (schema, orderEditCommit). Whether a removal
also shows as a refund line is not promised: "Partners currently using refund line items to calculate a line
item's current quantity should migrate to using the new current_quantity field as it is a more reliable
method" (shopify.dev/changelog, "Addition of LineItem current_quantity on Admin REST API", 2023-12-05).
So what `current_quantity` lacks beyond the refunds in the same body was removed by an edit and is taken off
the units ordered, never below what has left; a removal that does show as a refund is booked as that refund.

A refund with `no_restock` is either money for something that left (nothing moves) or units that will not
ship (held apart, somebody decides). `fulfillable_quantity` tells which: what is neither shipped, still to
ship nor otherwise cancelled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

from channels.names import Names, Unmapped
from channels.shopify import wire
from ledger.events import AnyFact, Order, OrderCancel, Return, Reversal, Ship

_ON_ITS_WAY = ("pending", "open")
_ONE_ACTION = timedelta(minutes=1)


def mentioned(document: wire.Order | wire.Refund | wire.Fulfillment) -> set[str]:
    """The gids of all variants and locations in the document."""
    lines = list(_lines(document))
    locations = {line.location_id for line in lines} | set(_locations(document))
    return {wire.variant_gid(line.variant_id) for line in lines if line.variant_id is not None} | {
        wire.location_gid(location) for location in locations if location is not None
    }


class Book:
    """Turns one document into facts; collects everything unmapped, so that a person is asked once."""

    def __init__(self, *, source: str, channel: str, names: Names) -> None:
        self._source = source
        self._channel = channel
        self._names = names
        self._facts: list[AnyFact] = []
        self._unknown_variants: dict[str, str] = {}
        self._unknown_locations: set[str] = set()

    def order(self, order: wire.Order) -> list[AnyFact]:
        """Facts of a whole order: its lines, then what left, then what was taken back."""
        held = _HeldApart(order)
        for line in order.line_items:
            if self._is_stocked(line):
                self._order_line(order, line, held.units_ordered(line))
        for fulfillment in order.fulfillments:
            self._fulfillment(order.number, fulfillment)
        lines = {line.number: line for line in order.line_items}
        for refund in held.refunds:
            for refunded in refund.refund_line_items:
                ordered = lines.get(refunded.line_number) or refunded.line_item
                if ordered is not None and self._is_stocked(ordered):
                    self._refunded(order.number, refund, refunded, ordered, held)
        return self._done()

    def refund(self, refund: wire.Refund) -> list[AnyFact]:
        """Facts of one refund; they repeat in the order's own body."""
        for refunded in refund.refund_line_items:
            if refunded.line_item is not None and self._is_stocked(refunded.line_item):
                self._refunded(refund.order_id, refund, refunded, refunded.line_item, None)
        return self._done()

    def fulfillment(self, fulfillment: wire.Fulfillment) -> list[AnyFact]:
        """Facts of one fulfillment; they repeat in the order's own body."""
        self._fulfillment(fulfillment.order_id, fulfillment)
        return self._done()

    def _order_line(self, order: wire.Order, line: wire.Line, units: int) -> None:
        revision = order.updated_at.astimezone(UTC)
        self._facts.append(
            Order(
                source=self._source,
                id=f"order:{order.number}:{line.number}:{revision.isoformat()}",
                channel=self._channel,
                order=str(order.number),
                line=str(line.number),
                sku=self._sku(line),
                location=self._location(line.location_id or order.location_id),
                units=units,
                revision=revision,
                occurred_at=order.created_at,
            )
        )

    def _fulfillment(self, order: int, fulfillment: wire.Fulfillment) -> None:
        for line, units in _units_by_line(fulfillment, self._is_stocked).items():
            ship_id = f"fulfillment:{fulfillment.number}:{line}"
            if fulfillment.status == "success":
                self._ship(order, fulfillment, line, units, ship_id)
            elif fulfillment.status == "cancelled":
                self._reversal(fulfillment, ship_id)

    def _ship(
        self, order: int, fulfillment: wire.Fulfillment, line: int, units: int, ship_id: str
    ) -> None:
        self._facts.append(
            Ship(
                source=self._source,
                id=ship_id,
                channel=self._channel,
                order=str(order),
                line=str(line),
                units=units,
                location=self._location_or_none(fulfillment.location_id),
                occurred_at=fulfillment.created_at,
            )
        )

    def _reversal(self, fulfillment: wire.Fulfillment, ship_id: str) -> None:
        self._facts.append(
            Reversal(
                source=self._source,
                id=f"{ship_id}:cancelled",
                occurred_at=fulfillment.updated_at or fulfillment.created_at,
                reverses_source=self._source,
                reverses_id=ship_id,
                # A fulfillment cancelled before it was a success never left; the order's snapshot says so each time.
                if_known=True,
                reason=f"fulfillment {fulfillment.number} was cancelled on {self._channel}",
            )
        )

    def _refunded(
        self,
        order: int,
        refund: wire.Refund,
        refunded: wire.RefundLine,
        line: wire.Line,
        held: _HeldApart | None,
    ) -> None:
        match _what_happened(refund, refunded, line, held):
            case "cancel":
                self._cancel(order, refund, refunded, refunded.quantity, "restock")
            case "return":
                self._return(order, refund, refunded, line)
            case "no_restock":
                units = _held_of(refunded, line, held)
                self._cancel(order, refund, refunded, units, "hold")

    def _cancel(
        self,
        order: int,
        refund: wire.Refund,
        refunded: wire.RefundLine,
        units: int,
        disposition: Literal["restock", "hold"],
    ) -> None:
        if units == 0:
            return
        self._facts.append(
            OrderCancel(
                source=self._source,
                id=f"refund:{refund.number}:{refunded.id}",
                channel=self._channel,
                order=str(order),
                line=str(refunded.line_number),
                units=units,
                disposition=disposition,
                occurred_at=_refunded_at(refund),
            )
        )

    def _return(
        self, order: int, refund: wire.Refund, refunded: wire.RefundLine, line: wire.Line
    ) -> None:
        if refunded.quantity == 0:
            return
        self._facts.append(
            Return(
                source=self._source,
                id=f"refund:{refund.number}:{refunded.id}",
                sku=self._sku(line),
                location=self._location(refunded.location_id),
                units=refunded.quantity,
                disposition="sellable",
                channel=self._channel,
                order=str(order),
                line=str(refunded.line_number),
                occurred_at=_refunded_at(refund),
            )
        )

    def _is_stocked(self, line: wire.Line) -> bool:
        """Whether the line takes units of ours: a variant that somebody counts, here (mapped) or at Shopify."""
        if line.variant_id is None or line.gift_card:
            return False
        mapped = wire.variant_gid(line.variant_id) in self._names.skus
        return mapped or line.variant_inventory_management is not None

    def _sku(self, line: wire.Line) -> str:
        gid = wire.variant_gid(line.variant_id or 0)
        sku = self._names.skus.get(gid)
        if sku is None:
            self._unknown_variants[gid] = line.sku or ""
        return sku or "unmapped"

    def _location(self, number: int | None) -> str:
        return self._location_or_none(number) or self._names.default_location

    def _location_or_none(self, number: int | None) -> str | None:
        if number is None:
            return None
        gid = wire.location_gid(number)
        location = self._names.locations.get(gid)
        if location is None:
            self._unknown_locations.add(gid)
        return location

    def _done(self) -> list[AnyFact]:
        if self._unknown_variants or self._unknown_locations:
            raise Unmapped(
                channel=self._channel,
                variants=self._unknown_variants,
                locations=frozenset(self._unknown_locations),
            )
        return self._facts


class _HeldApart:
    """What one order's body tells about units that neither left nor will: per line, and shared out to its refunds."""

    def __init__(self, order: wire.Order) -> None:
        self._order = order
        self.refunds = sorted(
            order.refunds, key=lambda refund: (_refunded_at(refund), refund.number)
        )
        self._shipped: Counter[int] = Counter()
        self._on_its_way: Counter[int] = Counter()
        for fulfillment in order.fulfillments:
            units = _units_by_line(fulfillment)
            if fulfillment.status == "success":
                self._shipped.update(units)
            elif fulfillment.status in _ON_ITS_WAY:
                self._on_its_way.update(units)
        self._refunded: Counter[int] = Counter()
        self._cancelled: Counter[int] = Counter()
        for refund in order.refunds:
            for refunded in refund.refund_line_items:
                self._refunded[refunded.line_number] += refunded.quantity
                if refunded.restock_type == "cancel":
                    self._cancelled[refunded.line_number] += refunded.quantity
        self._shares = dict(self._share_out())

    def units_ordered(self, line: wire.Line) -> int:
        """Units of the line before any cancel or refund, without those an edit has removed."""
        if line.current_quantity is None or self._is_cancelled_silently:
            return line.quantity
        gone = self._shipped[line.number] + self._on_its_way[line.number]
        explained = line.current_quantity + self._refunded[line.number]
        floor = min(line.quantity, gone + self._cancelled[line.number])
        return max(floor, min(line.quantity, explained))

    @property
    def _is_cancelled_silently(self) -> bool:
        """Whether the order was cancelled without a refund: then a fallen `current_quantity` may be the cancel's.

        A cancel alone releases nothing. Where it does come with a refund, both are written by one action, and what
        the refunds do not explain was removed by an edit before; a refund without lines says that all of it was.
        """
        cancelled_at = self._order.cancelled_at
        return cancelled_at is not None and not any(
            _refunded_at(refund) >= cancelled_at - _ONE_ACTION for refund in self.refunds
        )

    def shipped_before(self, line: int, moment: datetime) -> int:
        """Units of the line that had left at that time."""
        return sum(
            _units_by_line(fulfillment)[line]
            for fulfillment in self._order.fulfillments
            if fulfillment.status == "success" and fulfillment.created_at <= moment
        )

    def share(self, refunded: wire.RefundLine) -> int:
        """Units of a `no_restock` refund line that will not ship."""
        return self._shares.get(refunded.id, 0)

    def _share_out(self) -> Iterator[tuple[int, int]]:
        left = {line.number: self._units_kept(line) for line in self._order.line_items}
        for refund in self.refunds:
            for refunded in refund.refund_line_items:
                if refunded.restock_type == "no_restock":
                    line = refunded.line_number
                    units = min(refunded.quantity, left.get(line, 0))
                    left[line] = left.get(line, 0) - units
                    yield refunded.id, units

    def _units_kept(self, line: wire.Line) -> int:
        gone = self._shipped[line.number] + self._on_its_way[line.number]
        still_to_ship = line.fulfillable_quantity or 0
        return max(
            0, self.units_ordered(line) - gone - still_to_ship - self._cancelled[line.number]
        )


def _what_happened(
    refund: wire.Refund, refunded: wire.RefundLine, line: wire.Line, held: _HeldApart | None
) -> str:
    if refunded.restock_type != "legacy_restock":
        return refunded.restock_type
    # Deprecated, not accepted for new refunds (schema, RefundLineItemRestockType): "restocked, without specifically
    # being identified as a return or cancelation".
    if held is None:
        left = line.fulfillment_status is not None
    else:
        left = held.shipped_before(refunded.line_number, _refunded_at(refund)) > 0
    return "return" if left else "cancel"


def _held_of(refunded: wire.RefundLine, line: wire.Line, held: _HeldApart | None) -> int:
    if held is not None:
        return held.share(refunded)
    # A refund's own body does not list fulfillments. Where nothing of the line has left, all of it is held; else the
    # order's body, which follows every refund, decides.
    return refunded.quantity if line.fulfillment_status is None else 0


def _units_by_line(
    fulfillment: wire.Fulfillment, wanted: Callable[[wire.Line], bool] = lambda _: True
) -> Counter[int]:
    units: Counter[int] = Counter()
    for line in fulfillment.line_items:
        if line.quantity and wanted(line):
            units[line.number] += line.quantity
    return units


def _refunded_at(refund: wire.Refund) -> datetime:
    return refund.processed_at or refund.created_at or datetime(1970, 1, 1, tzinfo=UTC)


def _lines(document: wire.Order | wire.Refund | wire.Fulfillment) -> Iterator[wire.Line]:
    match document:
        case wire.Order():
            yield from document.line_items
            for fulfillment in document.fulfillments:
                yield from fulfillment.line_items
            for refund in document.refunds:
                yield from _lines(refund)
        case wire.Fulfillment():
            yield from document.line_items
        case wire.Refund():
            for refunded in document.refund_line_items:
                if refunded.line_item is not None:
                    yield refunded.line_item


def _locations(document: wire.Order | wire.Refund | wire.Fulfillment) -> Iterator[int | None]:
    match document:
        case wire.Order():
            yield document.location_id
            for fulfillment in document.fulfillments:
                yield fulfillment.location_id
            for refund in document.refunds:
                yield from _locations(refund)
        case wire.Fulfillment():
            yield document.location_id
        case wire.Refund():
            for refunded in document.refund_line_items:
                yield refunded.location_id
