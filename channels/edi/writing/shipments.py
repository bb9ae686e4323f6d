"""856: a shipment written level by level, numbered as it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from channels.edi.documents import Freight, Pack, ShipNotice, ShippedItem, ShippedOrder
from channels.edi.segments import Segment, Unwritable, segment
from channels.edi.writing import parts


def ship_notice(notice: ShipNotice) -> list[Segment]:
    """An 856 without ST and SE; CTT counts the levels."""
    writing = _Writing()
    shipment = writing.level("S", None, has_children=bool(notice.contents))
    writing.body += _freight(notice.freight)
    writing.body += parts.references(notice.references)
    writing.body += parts.dates(notice.dates)
    writing.body += parts.parties(notice.parties)
    writing.contents(notice.contents, shipment)
    head = segment(
        "BSN", notice.purpose, notice.id, parts.day(notice.day), notice.time, notice.structure
    )
    shipped = [item.quantity for _, item in notice.items()]
    return [head, *writing.body, parts.total(writing.count, shipped)]


class _Writing:
    """The levels so far; HL01 counts them."""

    def __init__(self) -> None:
        self.body: list[Segment] = []
        self.count = 0

    def level(self, kind: str, parent: int | None, *, has_children: bool) -> int:
        self.count += 1
        above = str(parent) if parent else None
        self.body.append(segment("HL", str(self.count), above, kind, "1" if has_children else "0"))
        return self.count

    def contents(self, found: Sequence[ShippedOrder | Pack | ShippedItem], parent: int) -> None:
        for content in found:
            match content:
                case ShippedOrder():
                    self._order(content, parent)
                case Pack():
                    self._pack(content, parent)
                case ShippedItem():
                    self._item(content, parent)
                case _:
                    assert_never(content)

    def _order(self, order: ShippedOrder, parent: int) -> None:
        number = self.level("O", parent, has_children=bool(order.contents))
        self.body.append(segment("PRF", order.number, order.release, None, parts.day(order.day)))
        self.body += parts.references(order.references)
        self.body += parts.parties(order.parties)
        self.contents(order.contents, number)

    def _pack(self, pack: Pack, parent: int) -> None:
        number = self.level(pack.kind, parent, has_children=bool(pack.contents))
        if pack.sscc:
            self.body.append(segment("MAN", "GM", "00" + pack.sscc))
        if pack.tracking:
            self.body.append(segment("MAN", "CP", pack.tracking))
        self.contents(pack.contents, number)

    def _item(self, item: ShippedItem, parent: int) -> None:
        number = self.level("I", parent, has_children=bool(item.packs))
        if not item.products:
            raise Unwritable(f"item {item.number!r} of the shipment has no product id")
        self.body.append(segment("LIN", item.number, *parts.products(item.products, 15, "LIN")))
        self.body.append(
            segment(
                "SN1",
                None,
                parts.number(item.quantity),
                item.measure,
                None,
                parts.number(item.ordered),
                item.ordered_measure,
            )
        )
        if item.order:
            self.body.append(segment("PRF", item.order))
        self.body += parts.description(item.description)
        self.contents(item.packs, number)


def _freight(freight: Freight | None) -> list[Segment]:
    if freight is None:
        return []
    td1 = segment(
        "TD1",
        freight.packaging,
        parts.number(freight.packages),
        None,
        None,
        None,
        "G" if freight.weight is not None else None,
        parts.number(freight.weight),
        freight.weight_measure,
    )
    td5 = segment(
        "TD5",
        None,
        "2" if freight.carrier else None,
        freight.carrier,
        freight.mode,
        freight.routing,
    )
    return [each for each in (td1, td5) if each.elements]
