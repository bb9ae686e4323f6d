"""What a partner's documents say: 850, 860 and 997 as segments between ST and SE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from channels.simulators.edi.state import Change, Item, Line, Order
from channels.simulators.edi.x12 import Segment


@dataclass(frozen=True, slots=True)
class Dates:
    """When an order is wanted; each is left out when None."""

    requested_ship: date | None = None
    ship_not_before: date | None = None
    cancel_after: date | None = None


def purchase_order(
    order: Order, lines: Sequence[Line], dates: Dates, *, purpose: str, release: str, name: str
) -> list[Segment]:
    """An 850. Stores get their share by SDQ, ten a segment."""
    made: list[Segment] = [
        ("BEG", purpose, order.kind, order.number, release, f"{order.day:%Y%m%d}"),
        ("REF", "DP", "0042"),
    ]
    for qualifier, day in (
        ("010", dates.requested_ship),
        ("037", dates.ship_not_before),
        ("001", dates.cancel_after),
    ):
        if day is not None:
            made.append(("DTM", qualifier, f"{day:%Y%m%d}"))
    made.append(("N1", "ST", name, "92", order.ship_to))
    for line in lines:
        made.append(
            (
                "PO1",
                line.number,
                str(line.units),
                line.measure,
                line.item.price,
                "",
                *_ids(line.item),
            )
        )
        shares = [text for store, units in line.stores.items() for text in (store, str(units))]
        for start in range(0, len(shares), 20):
            made.append(("SDQ", line.measure, "92", *shares[start : start + 20]))
    made.append(("CTT", str(len(lines)), str(sum(line.units for line in lines))))
    return made


def order_change(order: Order, change: Change, *, style: str) -> list[Segment]:
    """An 860.

    style    `new`: POC03 is the line's new quantity; `before`: POC03 is the old one and POC04 the new one
    """
    day, changed = f"{order.day:%Y%m%d}", f"{change.at:%Y%m%d}"
    made: list[Segment] = [
        ("BCH", change.purpose, order.kind, order.number, "", str(change.sequence), day,
         "", "", "", "", changed),
    ]  # fmt: skip
    for one in change.lines:
        line = order.lines[one.number]
        third, fourth = (one.units, one.units) if style == "new" else (one.before, one.units)
        made.append(
            ("POC", one.number, one.code, str(third), str(fourth), line.measure, line.item.price,
             "", *_ids(line.item))
        )  # fmt: skip
    if change.lines:
        made.append(("CTT", str(len(change.lines))))
    return made


@dataclass(frozen=True, slots=True)
class SetVerdict:
    """What a 997 says of one set: `errors` are (segment, its number in the set, code)."""

    set_id: str
    control: str
    status: str
    code: str
    errors: tuple[tuple[str, int, str], ...]


def functional_ack(
    kind: str, control: str, status: str, verdicts: Sequence[SetVerdict], claimed: str
) -> list[Segment]:
    """A 997 that answers one group.

    claimed    GE01 of the group
    """
    made: list[Segment] = [("AK1", kind, control)]
    for one in verdicts:
        made.append(("AK2", one.set_id, one.control))
        made += [("AK3", name, str(place), "", code) for name, place, code in one.errors]
        made.append(("AK5", one.status, one.code))
    accepted = sum(one.status in "AE" for one in verdicts)
    counted = (claimed if claimed.isdigit() else "0", str(len(verdicts)), str(accepted))
    return [*made, ("AK9", status, *counted)]


def _ids(item: Item) -> list[str]:
    return [text for pair in item.ids for text in pair]
