"""A ship notice from what the ledger shipped: nothing is told that has not gone, and nothing that was told before.

Where cartons are packed, they must hold exactly that; a wrong notice costs more than a late one.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeAlias

from channels.edi import checkdigits
from channels.edi.documents import (
    Dated,
    Freight,
    Pack,
    Party,
    Reference,
    ShipNotice,
    ShippedItem,
    ShippedOrder,
)
from channels.edi.standing import Standing, StandingLine
from ledger.separated import separator

LineKey: TypeAlias = tuple[str, str]

_PICK_PACK: Final = "0001"
_NO_PACKING: Final = "0004"
_SHIPPED: Final = "011"
#: Who an order that is not split is for: the buying party, and the store that its cartons are marked for.
_MARKED_FOR: Final = ("BY", "Z7")
_COLUMNS: Final = ("carton", "line", "quantity", "store", "tracking", "pallet")


class NotToNotice(Exception):
    """A ship notice that would be wrong; the message says what differs and what to do."""


@dataclass(frozen=True, slots=True)
class Packed:
    """One row of a packing list: so much of a line lies in a carton.

    carton    its SSCC, or any name for which one is made
    pallet    the same for the pallet it stands on, "" for none
    """

    carton: str
    line: str
    quantity: int
    store: str = ""
    tracking: str = ""
    pallet: str = ""


@dataclass(frozen=True, slots=True)
class Consignment:
    """What a shipment has besides its goods. carrier: SCAC; bill: bill of lading."""

    carrier: str = ""
    bill: str = ""
    tracking: str = ""
    weight: Decimal | None = None
    weight_measure: str = "LB"


def read_packing(source: str) -> list[Packed]:
    """A packing list: CSV with the header carton,line,quantity and, where wanted, store,tracking,pallet.

    raises    NotToNotice, naming the line
    """
    try:
        plain = source.removeprefix("\ufeff")
        first = plain.split("\n", 1)[0]
        rows = csv.DictReader(io.StringIO(plain), delimiter=separator(first))
        header, listed = rows.fieldnames or [], list(rows)
    except csv.Error as error:
        raise NotToNotice(f"the packing list cannot be read as CSV: {error}") from None
    if not {*_COLUMNS[:3]} <= {*header} <= {*_COLUMNS}:
        raise NotToNotice(f"the packing list begins with {header}; write {','.join(_COLUMNS)}")
    packed = []
    for number, row in enumerate(listed, 2):
        said = {name: (row.get(name) or "").strip() for name in _COLUMNS}
        quantity = said.pop("quantity")
        if not said["carton"] or not said["line"]:
            raise NotToNotice(f"line {number} of the packing list lacks its carton or its line")
        digits = quantity.lstrip("0")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
            raise NotToNotice(
                f"line {number} of the packing list: {quantity[:40]!r} is no quantity"
            )
        packed.append(Packed(quantity=int(digits), **said))
    return packed


def to_tell(
    order: Standing,
    asked: Mapping[LineKey, int] | None,
    packed: Sequence[Packed],
) -> list[tuple[StandingLine, int]]:
    """What a notice tells: of each line what has gone by the ledger and was not told before.

    asked     lines to be told and how much of each; None means all that has gone
    packed    a packing list; its sums must be the same
    raises    NotToNotice, naming each line that differs
    """
    gone = {line.key: line.shipped - line.noticed for line in order.lines}
    if asked is None:
        asked = (
            {key: count for key, count in gone.items() if count > 0}
            if not packed
            else _sums(packed)
        )
    wrong = [_differs(order, key, count, gone, "are asked for") for key, count in asked.items()]
    if packed:
        sums = _sums(packed)
        keys = {*asked, *sums}
        wrong += [
            _differs(order, key, sums.get(key, 0), gone, "are packed") for key in sorted(keys)
        ]
    wrong += [_not_whole(line) for line in order.lines if line.key in asked]
    told = dict.fromkeys(problem for problem in wrong if problem)
    if told:
        raise NotToNotice(
            f"order {order.order_id}: {'; '.join(told)}. Correct the packing list, or post what has gone"
        )
    if not asked:
        raise NotToNotice(
            f"order {order.order_id}: the ledger has shipped nothing that was not told"
        )
    return [(line, asked[line.key]) for line in order.lines if asked.get(line.key)]


def ship_notice(
    order: Standing,
    told: Sequence[tuple[StandingLine, int]],
    packed: Sequence[Packed],
    numbers: Mapping[str, str],
    *,
    shipment: str,
    at: datetime,
    consignment: Consignment,
) -> ShipNotice:
    """The 856.

    told        see `to_tell`
    numbers     SSCC of each carton and pallet by the packing list's name of it
    shipment    BSN02
    """
    cartons = len({row.carton for row in packed})
    references = [("BM", consignment.bill), ("CN", consignment.tracking)]
    return ShipNotice(
        id=shipment,
        day=at.date(),
        time=f"{at:%H%M}",
        structure=_PICK_PACK if packed else _NO_PACKING,
        contents=tuple(_orders(order, told, packed, numbers)),
        dates=(Dated(_SHIPPED, at.date()),),
        references=tuple(Reference(kind, value) for kind, value in references if value),
        parties=(
            Party("SF", name=plain(order.location)[:60]),
            *(_sayable(party) for party in order.parties if party.role == "ST"),
        ),
        freight=_freight(consignment, cartons),
    )


def plain(said: str) -> str:
    """A name in characters that X12 can carry: a partner that writes UTF-8 gets its own name back without accents."""
    if said.isprintable() and all(ord(character) < 256 for character in said):
        return said
    with suppress(UnicodeError):
        said = said.encode("latin-1").decode("utf-8")
    parted = unicodedata.normalize("NFKD", said)
    kept = (character for character in parted if not unicodedata.combining(character))
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in kept).strip()


def _sayable(party: Party) -> Party:
    return replace(
        party,
        name=plain(party.name),
        more_names=tuple(map(plain, party.more_names)),
        address=tuple(map(plain, party.address)),
        city=plain(party.city),
    )


def is_sscc(name: str) -> bool:
    """Whether a packing list names a carton by its own number."""
    return checkdigits.is_valid(name, (18,))


def looks_like_sscc(name: str) -> bool:
    """Eighteen digits are meant as an SSCC; with a wrong check digit they are refused, not replaced."""
    return len(name) == 18 and name.isascii() and name.isdigit()


def sscc(prefix: str, extension: str, serial: int) -> str:
    """The serial-th SSCC of a company prefix.

    raises    NotToNotice when the prefix has no more numbers under this extension digit
    """
    width = 16 - len(prefix)
    if serial >= 10**width:
        raise NotToNotice(
            f"company prefix {prefix} has no SSCC left under extension digit {extension}: set the option extension to"
            " another digit"
        )
    return checkdigits.sscc(extension, f"{prefix}{serial:0{width}}")


def _sums(packed: Iterable[Packed]) -> dict[LineKey, int]:
    sums: Counter[LineKey] = Counter()
    for row in packed:
        sums[row.line, row.store] += row.quantity
    return dict(sums)


def _differs(
    order: Standing, key: LineKey, count: int, gone: Mapping[LineKey, int], how: str
) -> str:
    line = order.line(key)
    where = f"line {key[0]}" + (f" for store {key[1]}" if key[1] else "")
    if line is None:
        return f"{where} is not on the order"
    if count == gone[key]:
        return ""
    return f"{where}: {count} {line.measure} {how}, {gone[key]} have gone and were not told"


def _not_whole(line: StandingLine) -> str:
    if line.is_whole:
        return ""
    parts = ", ".join(f"{part.units} {part.sku}" for part in line.parts)
    return f"line {line.line}: what has gone is no whole number of {line.measure} ({parts} each)"


def _orders(
    order: Standing,
    told: Sequence[tuple[StandingLine, int]],
    packed: Sequence[Packed],
    numbers: Mapping[str, str],
) -> Iterable[ShippedOrder]:
    """One order level, or one for each store that gets something."""
    for store in dict.fromkeys(line.store for line, _ in told):
        here = {line.key: (line, count) for line, count in told if line.store == store}
        rows = [row for row in packed if row.store == store]
        contents: tuple[Pack | ShippedItem, ...] = (
            tuple(_packs(rows, here, numbers))
            if packed
            else tuple(_item(line, count) for line, count in here.values())
        )
        yield ShippedOrder(
            number=order.number,
            day=order.day,
            release=order.release,
            parties=(
                (Party("BY", code_qualifier="92", code=store),)
                if store
                else tuple(_sayable(party) for party in order.parties if party.role in _MARKED_FOR)
            ),
            contents=contents,
        )


def _packs(
    rows: Sequence[Packed],
    lines: Mapping[LineKey, tuple[StandingLine, int]],
    numbers: Mapping[str, str],
) -> Iterable[Pack]:
    for pallet in dict.fromkeys(row.pallet for row in rows):
        here = [row for row in rows if row.pallet == pallet]
        cartons = tuple(_cartons(here, lines, numbers))
        if pallet:
            yield Pack("T", numbers[pallet], contents=cartons)
        else:
            yield from cartons


def _cartons(
    rows: Sequence[Packed],
    lines: Mapping[LineKey, tuple[StandingLine, int]],
    numbers: Mapping[str, str],
) -> Iterable[Pack]:
    for carton in dict.fromkeys(row.carton for row in rows):
        inside = [row for row in rows if row.carton == carton]
        sums = _sums(inside)
        tracking = next((row.tracking for row in inside if row.tracking), "")
        items = tuple(_item(lines[key][0], count) for key, count in sums.items())
        yield Pack("P", numbers[carton], tracking, items)


def _item(line: StandingLine, count: int) -> ShippedItem:
    return ShippedItem(
        quantity=Decimal(count),
        measure=line.measure,
        number=line.line,
        products=line.products[:15],
        ordered=Decimal(line.ordered),
        ordered_measure=line.measure,
    )


def _freight(consignment: Consignment, cartons: int) -> Freight | None:
    if not cartons and not consignment.carrier and consignment.weight is None:
        return None
    return Freight(
        packaging="CTN25" if cartons else "",
        packages=cartons or None,
        weight=consignment.weight,
        weight_measure=consignment.weight_measure if consignment.weight is not None else "",
        carrier=consignment.carrier,
    )
