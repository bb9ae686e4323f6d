"""What all sets share, written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby

from channels.edi.documents import Dated, Expected, Party, ProductId, Reference, StoreShare
from channels.edi.segments import Segment, Unwritable, segment


def number(value: Decimal | int | None) -> str | None:
    """A number without exponent and without zeros at the end; nothing for None."""
    if value is None:
        return None
    exact = Decimal(value)
    if not exact.is_finite():
        raise Unwritable(f"{value} is no number")
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def day(value: date | None) -> str | None:
    """CCYYMMDD."""
    return f"{value:%Y%m%d}" if value else None


def products(ids: Sequence[ProductId], most: int, name: str) -> list[str]:
    """Qualifier and value, one after the other.

    raises    Unwritable when the segment has fewer places, or a value is empty
    """
    if len(ids) > most:
        raise Unwritable(f"{name} has places for {most} product ids, not {len(ids)}")
    if any(not each.value for each in ids):
        raise Unwritable(f"{name} has a product id without a value: {ids}")
    return [text for each in ids for text in (each.qualifier, each.value)]


def dates(dated: Iterable[Dated]) -> Iterator[Segment]:
    """DTM segments."""
    for each in dated:
        yield segment("DTM", each.qualifier, day(each.day))


def references(found: Iterable[Reference]) -> Iterator[Segment]:
    """REF segments."""
    for each in found:
        yield segment("REF", each.qualifier, each.value, each.text)


def description(text: str) -> Iterator[Segment]:
    """One free-form PID."""
    if text:
        yield segment("PID", "F", None, None, None, text)


def parties(found: Iterable[Party]) -> Iterator[Segment]:
    """N1 loops."""
    for party in found:
        yield segment("N1", party.role, party.name, party.code_qualifier, party.code)
        yield from _by_two("N2", party.more_names)
        yield from _by_two("N3", party.address)
        place = (party.city, party.region, party.postal_code, party.country)
        if any(place):
            yield segment("N4", *place)
        yield from references(party.references)


def _by_two(name: str, texts: Sequence[str]) -> Iterator[Segment]:
    for start in range(0, len(texts), 2):
        yield segment(name, *texts[start : start + 2])


def stores(shares: Iterable[StoreShare]) -> Iterator[Segment]:
    """SDQ segments, ten stores each."""
    for (measure, qualifier), same in groupby(
        shares, key=lambda share: (share.measure, share.store_qualifier)
    ):
        pairs = [text for each in same for text in (each.store, number(each.quantity))]
        for start in range(0, len(pairs), 20):
            yield segment("SDQ", measure, qualifier, *pairs[start : start + 20])


def schedule(expected: Iterable[Expected]) -> Iterator[Segment]:
    """SCH segments."""
    for each in expected:
        yield segment(
            "SCH",
            number(each.quantity),
            each.measure,
            each.place_qualifier,
            each.place,
            each.date_qualifier,
            day(each.day),
        )


def total(lines: int, quantities: Iterable[Decimal | None]) -> Segment:
    """CTT: how many lines, and the sum of their quantities as hash total where it fits its ten digits."""
    added = sum((each for each in quantities if each is not None), Decimal(0))
    text = number(added) or ""
    fits = sum(map(str.isdigit, text)) <= 10
    return segment("CTT", str(lines), text if fits else None)
