"""856, as a partner looks at it: levels, cartons, and whether the goods were ordered and promised."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from channels.simulators.edi.books import Books, Say
from channels.simulators.edi.state import COMING, Order, Shipment, Shipped
from channels.simulators.edi.x12 import Segment, Set, check_digit, element, pairs

_BELOW: Final = {"S": "O", "O": "TPI", "T": "PI", "P": "PI", "I": "PT"}
"""Which levels may stand under which; packs stand under items in structure 0002 only."""


@dataclass(slots=True)
class _Level:
    """An HL with its segments, and what it inherits from above."""

    number: str
    parent: str
    kind: str
    child: str
    segments: list[Segment] = field(default_factory=list)
    above: _Level | None = None

    def first(self, name: str) -> Segment | None:
        return next((one for one in self.segments if one[0] == name), None)

    def up(self, kinds: str) -> _Level | None:
        """This level or the nearest above it that is one of these kinds."""
        level: _Level | None = self
        while level is not None and level.kind not in kinds:
            level = level.above
        return level


def ship_notice(books: Books, one: Set, at: datetime, say: Say) -> None:
    """Judge an 856 and keep what it announces."""
    bsn = one.segments[0]
    purpose, number = element(bsn, 1), element(bsn, 2)
    known = number in books.shipments
    if purpose == "00" and known:
        say("BSN02", f"shipment {number} was announced before; a shipment id is used once")
        return
    if purpose in ("01", "05") and not known:
        say("BSN02", f"shipment {number} cannot be replaced or cancelled: it was never announced")
    before = books.shipments.pop(number, None)
    for carton in before.cartons if before is not None else ():
        books.cartons.pop(carton, None)
    if purpose == "01":
        return
    levels = _levels(one, say)
    _head(levels, say)
    cartons = _cartons(books, levels, number, at, say)
    made = Shipment(number, at, purpose, cartons, [])
    books.shipments[number] = made
    for level in levels:
        if level.kind == "I" and (shipped := _item(books, level, say)) is not None:
            made.items.append(shipped)
    if not made.items:
        say("HL", f"shipment {number} holds no item of ours")
    _sums(books, made, say)
    _counted(one, levels, say)


def _levels(one: Set, say: Say) -> list[_Level]:
    found: list[_Level] = []
    for segment in one.segments[1:]:
        if segment[0] == "HL":
            found.append(
                _Level(
                    element(segment, 1),
                    element(segment, 2),
                    element(segment, 3),
                    element(segment, 4),
                )
            )
        elif found and segment[0] != "CTT":
            found[-1].segments.append(segment)
        elif segment[0] != "CTT" and segment[0] != "DTM":
            say(segment[0], f"{segment[0]} stands before the first HL")
    structure = element(one.segments[0], 5)
    for place, level in enumerate(found, 1):
        _linked(found[: place - 1], level, place, structure, say)
    parents = {level.parent for level in found}
    for level in found:
        if level.child and (level.child == "1") != (level.number in parents):
            say("HL04", f"level {level.number} says {level.child} about levels below it")
    return found


def _linked(before: list[_Level], level: _Level, place: int, structure: str, say: Say) -> None:
    if level.number != str(place):
        say("HL01", f"{level.number!r} stands where {place} should: levels are counted from 1")
    if place == 1:
        if level.kind != "S" or level.parent:
            say("HL03", f"the first level is {level.kind!r}, not a shipment without a parent")
        return
    level.above = next((one for one in before if one.number == level.parent), None)
    if level.above is None:
        say(
            "HL02",
            f"level {level.number} hangs on {level.parent!r}, which does not stand before it",
        )
        return
    allowed = _BELOW.get(level.above.kind, "")
    if level.kind not in allowed or (level.above.kind == "I" and structure != "0002"):
        say("HL03", f"a level {level.kind} may not hang on a level {level.above.kind}")


def _head(levels: list[_Level], say: Say) -> None:
    if not levels:
        return
    top = levels[0]
    names = {(segment[0], element(segment, 1)) for segment in top.segments}
    if ("DTM", "011") not in names:
        say("DTM", "the shipment has no day of shipping (DTM 011)")
    if ("N1", "ST") not in names:
        say("N1", "the shipment has no ship-to (N1 ST)")
    td1, packs = top.first("TD1"), sum(level.kind == "P" for level in levels)
    if td1 is not None and packs and element(td1, 2) not in ("", str(packs)):
        say("TD102", f"{element(td1, 2)!r} packages are named, {packs} cartons are listed")


def _cartons(
    books: Books, levels: list[_Level], shipment: str, at: datetime, say: Say
) -> list[str]:
    found: list[str] = []
    for level in levels:
        if level.kind not in "TP":
            continue
        marks = [one for one in level.segments if one[0] == "MAN" and element(one, 1) == "GM"]
        if len(marks) != 1:
            say("MAN", f"level {level.number} has {len(marks)} SSCCs (MAN GM) instead of one")
        for mark in marks:
            if text := _sscc(books, element(mark, 2), found, shipment, at, say):
                found.append(text)
                books.cartons[text] = (shipment, at)
    return found


def _sscc(books: Books, mark: str, here: list[str], shipment: str, at: datetime, say: Say) -> str:
    """The 18 digits of a mark, "" when they are none."""
    if not (len(mark) == 20 and mark.isdigit() and mark.startswith("00")):
        say("MAN02", f"{mark!r} is no SSCC of 20 digits that begins with 00")
        return ""
    number = mark[2:]
    if check_digit(number[:-1]) != number[-1]:
        say("MAN02", f"SSCC {number}: the check digit is {check_digit(number[:-1])}")
    if number in here:
        say("MAN02", f"SSCC {number} stands twice in shipment {shipment}")
    elif number in books.cartons:
        other, since = books.cartons[number]
        if at - since < timedelta(days=books.rules.sscc_days):
            say("MAN02", f"SSCC {number} was used for shipment {other} on {since:%Y-%m-%d}")
    return number


def _item(books: Books, level: _Level, say: Say) -> Shipped | None:
    lin, sn1, holder = level.first("LIN"), level.first("SN1"), level.up("O")
    if lin is None or sn1 is None:
        say("LIN" if lin is None else "SN1", f"item level {level.number} has none")
        return None
    prf = level.first("PRF") or (holder.first("PRF") if holder is not None else None)
    order = books.orders.get(element(prf, 1)) if prf is not None else None
    if order is None:
        named = element(prf, 1) if prf is not None else ""
        say("PRF01", f"item level {level.number} belongs to no order of ours: {named!r}")
        return None
    line = books.line_of(order, element(lin, 1), pairs(lin, 2))
    if line is None or not any(pair in line.item.ids for pair in pairs(lin, 2)):
        say("LIN", f"{pairs(lin, 2)} is no item of order {order.number}")
        return None
    units = element(sn1, 2)
    if not units.isdigit() or int(units) == 0:
        say("SN102", f"line {line.number}: {units!r} is no number of units")
        return None
    if element(sn1, 3) != line.measure:
        say("SN103", f"line {line.number}: {element(sn1, 3)!r} is not the order's {line.measure}")
    pack = level.up("PT")
    marks = pack.segments if pack is not None else []
    carton = next((element(one, 2)[2:] for one in marks if one[:2] == ("MAN", "GM")), "")
    store = _store(order, level, say) if line.stores else ""
    return Shipped(order.number, line.number, line.item.sku, int(units), store, carton)


def _store(order: Order, level: _Level, say: Say) -> str:
    """The store a level is for: N1 Z7 or BY of itself, its carton or its order."""
    above: _Level | None = level
    while above is not None and above.kind != "S":
        for segment in above.segments:
            if segment[0] == "N1" and element(segment, 1) in ("Z7", "BY"):
                return element(segment, 4)
        above = above.above
    say(
        "N1",
        f"order {order.number} is for stores; item level {level.number} names none (N1 Z7 or BY)",
    )
    return ""


def _sums(books: Books, made: Shipment, say: Say) -> None:
    for number, name in sorted({(one.order, one.line) for one in made.items}):
        order = books.orders[number]
        ordered, shipped = order.units_after(name), books.shipped(number, name)
        promised = order.promised(name)
        coming = sum(units for code, units in promised.items() if code in COMING)
        if shipped > ordered:
            say(
                "SN102",
                f"line {name} of order {number}: {shipped} units shipped, {ordered} ordered",
            )
        elif not order.answers:
            say("PRF01", f"order {number} is shipped before it was answered")
        elif shipped > coming:
            say(
                "SN102",
                f"line {name} of order {number}: {shipped} units shipped, {coming} promised",
            )
        _per_store(books, order, name, made, say)


def _per_store(books: Books, order: Order, name: str, made: Shipment, say: Say) -> None:
    wanted = order.lines[name].stores
    here = Counter(one.store for one in made.items if (one.order, one.line) == (order.number, name))
    for store in here if wanted else ():
        shipped = books.shipped(order.number, name, store)
        if store and shipped > wanted.get(store, 0):
            say("N1", f"line {name} of order {order.number}: store {store} gets {shipped} units, "
                f"{wanted.get(store, 0)} are for it")  # fmt: skip


def _counted(one: Set, levels: list[_Level], say: Say) -> None:
    items = sum(level.kind == "I" for level in levels)
    for segment in one.segments:
        if segment[0] == "CTT" and element(segment, 1) not in (str(len(levels)), str(items)):
            say("CTT01", f"{element(segment, 1)!r} is the number of levels ({len(levels)}) no more"
                f" than of items ({items})")  # fmt: skip
