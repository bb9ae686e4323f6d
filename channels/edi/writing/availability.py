"""846: what a partner may order of us."""

from __future__ import annotations

from collections.abc import Iterator

from channels.edi.documents import Availability, AvailabilityLine
from channels.edi.segments import Segment, segment
from channels.edi.writing import parts


def availability(shown: Availability) -> list[Segment]:
    """An 846 without ST and SE; CTT02 adds up all QTY02."""
    head = segment(
        "BIA", shown.purpose, shown.kind, shown.reference, parts.day(shown.day), shown.time
    )
    body = [head]
    body += parts.dates(shown.dates)
    body += parts.references(shown.references)
    body += parts.parties(shown.parties)
    for line in shown.lines:
        body += _line(line)
    counted = [count.quantity for line in shown.lines for count in line.counts]
    return [*body, parts.total(len(shown.lines), counted)]


def _line(line: AvailabilityLine) -> Iterator[Segment]:
    yield segment("LIN", line.number, *parts.products(line.products, 15, "LIN"))
    yield from parts.description(line.description)
    yield from parts.dates(line.dates)
    yield from parts.stores(line.stores)
    for count in line.counts:
        yield segment("QTY", count.qualifier, parts.number(count.quantity), count.measure)
        yield from parts.schedule(count.expected)
