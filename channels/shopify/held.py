"""What one order's body tells about units that neither left nor will, per line and shared out to its refunds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from channels.shopify import wire

_ON_ITS_WAY: Final = ("pending", "open")
_ONE_ACTION: Final = timedelta(minutes=1)


class HeldApart:
    """What one order's body tells about units that neither left nor will: per line, and shared out to its refunds."""

    def __init__(self, order: wire.Order) -> None:
        self._order = order
        #: In the order in which they were made.
        self.refunds = sorted(
            order.refunds, key=lambda refund: (refunded_at(refund), refund.number)
        )
        self._shipped: Counter[int] = Counter()
        self._on_its_way: Counter[int] = Counter()
        for fulfillment in order.fulfillments:
            units = units_by_line(fulfillment)
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
            refunded_at(refund) >= cancelled_at - _ONE_ACTION for refund in self.refunds
        )

    def shipped_before(self, line: int, moment: datetime) -> int:
        """Units of the line that had left at that time."""
        return sum(
            units_by_line(fulfillment)[line]
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


def units_by_line(
    fulfillment: wire.Fulfillment, wanted: Callable[[wire.Line], bool] = lambda _: True
) -> Counter[int]:
    """Units that a fulfillment carries of each line."""
    units: Counter[int] = Counter()
    for line in fulfillment.line_items:
        if line.quantity and wanted(line):
            units[line.number] += line.quantity
    return units


def refunded_at(refund: wire.Refund) -> datetime:
    """When the refund was made; as early as can be where the body does not say."""
    return refund.processed_at or refund.created_at or datetime(1970, 1, 1, tzinfo=UTC)
