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

Places. A body says where an order is served only when a till took it. Our own poll reads where each line is assigned
(`line_items[].location_id`); until then, and where nobody says, the place is a guess that moves no line that is known.

Returns. A refund that belongs to a return says what was paid back; what became of the goods is said by the return's
dispositions, which only the poll reads. A refund that stands alone says it itself, by its `restock_type`. So no unit
comes back twice.

Parts. A listing may take several SKUs of ours, or more than one unit (`Names.parts`). Each part is a line of its own in
the book, `<line>#<SKU>` where there is more than one.

A refund with `no_restock` is either money for something that left (nothing moves) or units that will not
ship (held apart, somebody decides). `fulfillable_quantity` tells which: what is neither shipped, still to
ship nor otherwise cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

from channels.names import Names, Part, Unmapped
from channels.shopify import wire
from channels.shopify.held import HeldApart, refunded_at, units_by_line
from ledger.events import AnyFact, Order, OrderCancel, Return, Reversal, Ship

_Disposed: TypeAlias = Literal["sellable", "hold"]

#: Shopify stamps whole seconds, and an order may be edited in the second it was placed in. Notifications of one second
#: say the same time and come in any order; what the order API told when that second was over is the later of them all.
_READ_LATER: Final = timedelta(microseconds=1)
#: What is on the shelf again after a return; what is missing, thrown away or given back to the buyer is not.
_CAME_BACK: Final[dict[str, _Disposed]] = {"restocked": "sellable", "processing_required": "hold"}


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
        held = HeldApart(order)
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
        self._dispositions(order, lines)
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
        updated_at = order.updated_at.astimezone(UTC)
        revision, assigned = updated_at, ""
        if line.location_id is not None:
            revision = updated_at if order.read_early else updated_at + _READ_LATER
            assigned = f"@{line.location_id}{':early' if order.read_early else ''}"
        for part, mark in self._parts(line, must_be_known=True):
            self._facts.append(
                Order(
                    source=self._source,
                    id=f"order:{order.number}:{line.number}:{updated_at.isoformat()}{assigned}{mark}",
                    channel=self._channel,
                    order=str(order.number),
                    line=f"{line.number}{mark}",
                    sku=part.sku,
                    location=self._location(line.location_id or order.location_id),
                    location_is_guess=line.location_id is None,
                    units=units * part.units,
                    revision=revision,
                    occurred_at=order.created_at,
                )
            )

    def _fulfillment(self, order: int, fulfillment: wire.Fulfillment) -> None:
        lines = {line.number: line for line in fulfillment.line_items}
        for number, units in units_by_line(fulfillment, self._is_stocked).items():
            for part, mark in self._parts(lines[number]):
                ship_id = f"fulfillment:{fulfillment.number}:{number}{mark}"
                if fulfillment.status == "success":
                    line = f"{number}{mark}"
                    self._ship(order, fulfillment, line, units * part.units, ship_id)
                elif fulfillment.status == "cancelled":
                    self._reversal(fulfillment, ship_id)

    def _ship(
        self, order: int, fulfillment: wire.Fulfillment, line: str, units: int, ship_id: str
    ) -> None:
        self._facts.append(
            Ship(
                source=self._source,
                id=ship_id,
                channel=self._channel,
                order=str(order),
                line=line,
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
        held: HeldApart | None,
    ) -> None:
        match _what_happened(refund, refunded, line, held):
            case "cancel":
                self._cancel(order, refund, refunded, line, refunded.quantity, "restock")
            case "return" if refund.returned is None:
                at = refunded_at(refund)
                fact_id = f"refund:{refund.number}:{refunded.id}"
                self._return(order, line, refunded, fact_id, "sellable", at)
            case "no_restock":
                units = _held_of(refunded, line, held)
                self._cancel(order, refund, refunded, line, units, "hold")

    def _cancel(
        self,
        order: int,
        refund: wire.Refund,
        refunded: wire.RefundLine,
        line: wire.Line,
        units: int,
        disposition: Literal["restock", "hold"],
    ) -> None:
        if units == 0:
            return
        for part, mark in self._parts(line):
            self._facts.append(
                OrderCancel(
                    source=self._source,
                    id=f"refund:{refund.number}:{refunded.id}{mark}",
                    channel=self._channel,
                    order=str(order),
                    line=f"{refunded.line_number}{mark}",
                    units=units * part.units,
                    disposition=disposition,
                    occurred_at=refunded_at(refund),
                )
            )

    def _dispositions(self, order: wire.Order, lines: Mapping[int, wire.Line]) -> None:
        for disposed in order.dispositions:
            line = lines.get(disposed.line_item_id)
            if line is not None and self._is_stocked(line):
                self._disposed(order.number, disposed, line)

    def _disposed(self, order: int, disposed: wire.Disposition, line: wire.Line) -> None:
        disposition = _CAME_BACK.get(disposed.type)
        if disposition is not None:
            fact_id = f"disposition:{disposed.id}"
            self._return(order, line, disposed, fact_id, disposition, disposed.created_at)

    def _return(
        self,
        order: int,
        line: wire.Line,
        back: wire.RefundLine | wire.Disposition,
        fact_id: str,
        disposition: _Disposed,
        at: datetime,
    ) -> None:
        if back.quantity == 0:
            return
        for part, mark in self._parts(line, must_be_known=True):
            self._facts.append(
                Return(
                    source=self._source,
                    id=f"{fact_id}{mark}",
                    sku=part.sku,
                    location=self._location(back.location_id),
                    units=back.quantity * part.units,
                    disposition=disposition,
                    channel=self._channel,
                    order=str(order),
                    line=f"{line.number}{mark}",
                    occurred_at=at,
                )
            )

    def _is_stocked(self, line: wire.Line) -> bool:
        """Whether the line takes units of ours: a variant that somebody counts, here (mapped) or at Shopify."""
        if line.variant_id is None or line.gift_card:
            return False
        mapped = self._names.parts(wire.variant_gid(line.variant_id))
        return bool(mapped) or line.variant_inventory_management is not None

    def _parts(self, line: wire.Line, *, must_be_known: bool = False) -> Iterator[tuple[Part, str]]:
        """What one of the line takes from our stock, each with what marks it in a name where there are several.

        must_be_known    a variant without a name of ours is noted; else its facts wait for the order line that is
        """
        gid = wire.variant_gid(line.variant_id or 0)
        parts = self._names.marked(gid)
        if not parts:
            if must_be_known:
                self._unknown_variants[gid] = line.sku or ""
            parts = ((Part("unmapped"), ""),)
        yield from parts

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


def _what_happened(
    refund: wire.Refund, refunded: wire.RefundLine, line: wire.Line, held: HeldApart | None
) -> str:
    if refunded.restock_type != "legacy_restock":
        return refunded.restock_type
    # Deprecated, not accepted for new refunds (schema, RefundLineItemRestockType): "restocked, without specifically
    # being identified as a return or cancelation".
    if held is None:
        left = line.fulfillment_status is not None
    else:
        left = held.shipped_before(refunded.line_number, refunded_at(refund)) > 0
    return "return" if left else "cancel"


def _held_of(refunded: wire.RefundLine, line: wire.Line, held: HeldApart | None) -> int:
    if held is not None:
        return held.share(refunded)
    # A refund's own body does not list fulfillments. Where nothing of the line has left, all of it is held; else the
    # order's body, which follows every refund, decides.
    return refunded.quantity if line.fulfillment_status is None else 0


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
            for disposed in document.dispositions:
                yield disposed.location_id
        case wire.Fulfillment():
            yield document.location_id
        case wire.Refund():
            for refunded in document.refund_line_items:
                yield refunded.location_id
