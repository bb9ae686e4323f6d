"""846: what may be ordered, per product."""

from __future__ import annotations

from channels.edi.documents import Availability, AvailabilityLine, Stocked
from channels.edi.loops import Loop
from channels.edi.reading import parts


def availability(root: Loop) -> Availability:
    """An 846."""
    bia = root.first("BIA")
    return Availability(
        reference=parts.required(bia, 3),
        day=parts.required_day(bia, 4),
        lines=tuple(_line(loop) for loop in root.loops("LIN")),
        purpose=bia.get(1),
        kind=bia.get(2),
        time=bia.get(5),
        dates=parts.dates(root),
        references=parts.references(root),
        parties=parts.parties(root),
    )


def _line(loop: Loop) -> AvailabilityLine:
    return AvailabilityLine(
        products=parts.products(loop.head, 2),
        counts=tuple(_stocked(inner) for inner in loop.loops("QTY")),
        number=loop.head.get(1),
        description=parts.description(loop),
        dates=parts.dates(loop),
        stores=parts.stores(loop),
    )


def _stocked(loop: Loop) -> Stocked:
    """A count must be a number: unknown is not zero."""
    head = loop.head
    return Stocked(
        qualifier=head.get(1),
        quantity=parts.required_number(head, 2),
        measure=head.component(3, 1) or loop.first("UIT").component(1, 1),
        expected=parts.schedule(loop),
    )
