"""What all sets share: numbers, days, products, parties, references."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from channels.edi import values
from channels.edi.documents import Dated, Expected, Party, ProductId, Reference, StoreShare
from channels.edi.findings import NOWHERE
from channels.edi.loops import Loop
from channels.edi.meaning import decimal
from channels.edi.segments import Segment, Unreadable


def required(segment: Segment, element: int) -> str:
    """A text that must be there."""
    _there(segment)
    text = segment.get(element)
    if not text:
        raise Unreadable(f"{segment.id}{element:02} is missing; {segment.at}")
    return text


def _there(segment: Segment) -> None:
    if segment.at == NOWHERE and not segment.elements:
        raise Unreadable(f"the set has no {segment.id}")


def required_day(segment: Segment, element: int) -> date:
    """A day that must be there."""
    found = values.day(segment.get(element))
    if found is None:
        raise Unreadable(
            f"{segment.id}{element:02} {segment.get(element)!r} is no date; {segment.at}"
        )
    return found


def required_number(segment: Segment, element: int) -> Decimal:
    """A number that must be there."""
    found = number(segment, element)
    if found is None:
        raise Unreadable(
            f"{segment.id}{element:02} {segment.get(element)!r} is no number; {segment.at}"
        )
    return found


def day(segment: Segment, element: int) -> date | None:
    """A day, None when absent or none of the calendar."""
    return values.day(segment.get(element))


def number(segment: Segment, element: int) -> Decimal | None:
    """A number, None when absent or none."""
    return decimal(segment.get(element))


def products(segment: Segment, start: int) -> tuple[ProductId, ...]:
    """Pairs of qualifier and product id from element `start` on."""
    return tuple(ProductId(qualifier, value) for qualifier, value in segment.pairs(start))


def description(loop: Loop) -> str:
    """The first free-form PID of a line."""
    texts = (pid.get(5) for pid in loop.all("PID"))
    return next((text for text in texts if text), "")


def dates(loop: Loop) -> tuple[Dated, ...]:
    """DTM segments that hold a day; periods in another format (DTM05) are left out."""
    found = ((dtm.get(1), values.day(dtm.get(2))) for dtm in loop.all("DTM"))
    return tuple(Dated(qualifier, when) for qualifier, when in found if when)


def references(loop: Loop) -> tuple[Reference, ...]:
    """REF segments."""
    return tuple(Reference(ref.get(1), ref.get(2), ref.get(3)) for ref in loop.all("REF"))


def parties(loop: Loop) -> tuple[Party, ...]:
    """N1 loops."""
    return tuple(_party(party) for party in loop.loops("N1"))


def _party(loop: Loop) -> Party:
    head, place = loop.head, loop.first("N4")
    return Party(
        role=head.get(1),
        name=head.get(2),
        code_qualifier=head.get(3),
        code=head.get(4),
        more_names=_texts(loop.all("N2")),
        address=_texts(loop.all("N3")),
        city=place.get(1),
        region=place.get(2),
        postal_code=place.get(3),
        country=place.get(4),
        references=references(loop),
    )


def _texts(segments: Sequence[Segment]) -> tuple[str, ...]:
    texts = (segment.get(place) for segment in segments for place in (1, 2))
    return tuple(text for text in texts if text)


def stores(loop: Loop) -> tuple[StoreShare, ...]:
    """SDQ pairs; a pair whose quantity is no number is left out."""
    shares = []
    for sdq in loop.all("SDQ"):
        for place in range(3, min(len(sdq.elements), 22), 2):
            quantity = number(sdq, place + 1)
            if sdq.get(place) and quantity is not None:
                shares.append(StoreShare(sdq.get(place), quantity, sdq.get(1), sdq.get(2)))
    return tuple(shares)


def schedule(loop: Loop) -> tuple[Expected, ...]:
    """SCH segments; one without a quantity or a day is left out."""
    found = []
    for sch in loop.all("SCH"):
        quantity, when = number(sch, 1), day(sch, 6)
        if quantity is not None and when is not None:
            found.append(Expected(quantity, sch.get(2), sch.get(5), when, sch.get(3), sch.get(4)))
    return tuple(found)
