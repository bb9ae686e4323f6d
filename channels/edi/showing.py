"""An 846 from the numbers that a partner shall see: one line an item, its places as SDQ pairs, or a set a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from channels.base import Binding
from channels.edi.documents import (
    Availability,
    AvailabilityLine,
    Party,
    ProductId,
    Stocked,
    StoreShare,
)
from channels.edi.partner import Partner

#: QTY01 "available for sale"; SDQ02 "assigned by the buyer"; BIA01 "change of what was said before".
_FOR_SALE, _BUYERS, _CHANGES = "33", "92", "25"


@dataclass(frozen=True, slots=True)
class Number:
    """What a partner shall see of an item at a place, in its own words and single items."""

    item: str
    place: str
    units: int


def numbers_of(levels: Sequence[tuple[Binding, int]]) -> list[Number]:
    """Numbers as the partner names them, the last one of each item and place."""
    latest = {(binding.item_id, binding.vendor_location_id): units for binding, units in levels}
    return [Number(item, place, units) for (item, place), units in sorted(latest.items())]


def availabilities(
    numbers: Sequence[Number], partner: Partner, *, reference: str, at: datetime
) -> list[tuple[Availability, list[Number]]]:
    """The sets that tell these numbers, each with those it tells.

    reference    BIA03; with a set a place, the place's number is put behind it
    """
    if partner.places == "sdq":
        lines = [_line(item, of_item, partner) for item, of_item in _by_item(numbers)]
        return [(_set(lines, reference, at, ()), list(numbers))]
    places = sorted({number.place for number in numbers})
    made = []
    for position, place in enumerate(places, 1):
        here = [number for number in numbers if number.place == place]
        lines = [_line(number.item, [number], partner) for number in here]
        # Who ships: the place by the number that the partner gave it.
        party = Party("SF", code_qualifier=_BUYERS, code=place)
        made.append((_set(lines, f"{reference}-{position}", at, (party,)), here))
    return made


def _by_item(numbers: Sequence[Number]) -> list[tuple[str, list[Number]]]:
    items: dict[str, list[Number]] = {}
    for number in numbers:
        items.setdefault(number.item, []).append(number)
    return list(items.items())


def _line(item: str, numbers: Sequence[Number], partner: Partner) -> AvailabilityLine:
    total = sum(number.units for number in numbers)
    stores = (
        tuple(StoreShare(each.place, Decimal(each.units), "EA", _BUYERS) for each in numbers)
        if partner.places == "sdq"
        else ()
    )
    return AvailabilityLine(
        products=(ProductId(partner.items[0], item),),
        counts=(Stocked(_FOR_SALE, Decimal(total), "EA"),),
        stores=stores,
    )


def _set(
    lines: Sequence[AvailabilityLine], reference: str, at: datetime, parties: tuple[Party, ...]
) -> Availability:
    return Availability(
        reference=reference,
        day=at.date(),
        time=f"{at:%H%M}",
        lines=tuple(lines),
        purpose=_CHANGES,
        parties=parties,
    )
