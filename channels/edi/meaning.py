"""What single elements cannot tell: totals, numbers of lines, store splits, answers, levels, check digits."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from channels.edi import findings
from channels.edi.checkdigits import is_valid, sscc_of_mark
from channels.edi.findings import Finding
from channels.edi.hierarchy import levels
from channels.edi.loops import Loop
from channels.edi.segments import Segment

#: set -> (segment that is a line, element with its number or 0, element with its quantity).
_LINES: Final = {
    "846": ("LIN", 1, 0),
    "850": ("PO1", 1, 2),
    "855": ("PO1", 1, 2),
    "860": ("POC", 1, 3),
    "865": ("POC", 1, 3),
}

#: segment -> the element where pairs of qualifier and product id begin.
_PRODUCTS: Final = {"PO1": 6, "POC": 8, "LIN": 2, "SLN": 9, "ACK": 7}

#: qualifier -> lengths of a number with a check digit.
GTIN_LENGTHS: Final[dict[str, tuple[int, ...]]] = {
    "UP": (12,),
    "EN": (13,),
    "UK": (14,),
    "UA": (12,),
}


def judge(set_id: str, root: Loop) -> Iterator[Finding]:
    """Findings on a set as a whole; `root` from `loops.arrange`."""
    for segment in root.walk():
        yield from _check_digits(segment)
    if set_id == "856":
        yield from _notice(root)
    elif set_id in _LINES:
        name, number, quantity = _LINES[set_id]
        lines = [part for part in root.parts if isinstance(part, Loop) and part.head.id == name]
        yield from _lines(root, lines, number, quantity)


def _check_digits(segment: Segment) -> Iterator[Finding]:
    if segment.id in _PRODUCTS:
        for place in range(_PRODUCTS[segment.id], len(segment.elements), 2):
            lengths = GTIN_LENGTHS.get(segment.get(place))
            value = segment.get(place + 1)
            if lengths and value and not is_valid(value, lengths):
                at = segment.at.of(place + 1)
                message = (
                    f"{at.name} {segment.get(place)} {value} has a wrong length or check digit"
                )
                yield Finding(findings.GTIN, at, message, value)
    elif segment.id == "N1" and segment.get(3) == "UL" and not is_valid(segment.get(4), (13,)):
        message = f"N104 GLN {segment.get(4)} has a wrong length or check digit"
        yield Finding(findings.GTIN, segment.at.of(4), message, segment.get(4))
    elif segment.id == "MAN":
        for place in (1, 4):
            yield from _mark(segment, place)


def _mark(segment: Segment, place: int) -> Iterator[Finding]:
    mark = segment.get(place + 1)
    if segment.get(place) in ("GM", "SSCC") and mark and not is_valid(sscc_of_mark(mark), (18,)):
        at = segment.at.of(place + 1)
        yield Finding(findings.SSCC, at, f"{at.name} {mark} is no SSCC-18", mark)


def _lines(root: Loop, lines: list[Loop], number: int, quantity: int) -> Iterator[Finding]:
    total, seen = Decimal(0), set[str]()
    for line in lines:
        name = line.head.get(number)
        if name and name in seen:
            at = line.head.at.of(number)
            yield Finding(findings.LINE_DUPLICATE, at, f"line {name!r} stands twice", name)
        seen.add(name)
        if quantity:
            total += decimal(line.head.get(quantity)) or 0
            yield from _split(line, line.head.get(quantity))
        else:
            total += sum(decimal(each.get(2)) or 0 for each in line.all("QTY"))
    yield from _totals(root, (len(lines),), total)


def _split(line: Loop, ordered: str) -> Iterator[Finding]:
    """SDQ says which store gets how many, ACK what becomes of how many: both of all that was ordered."""
    units = decimal(ordered)
    if units is None:
        return
    shares = [
        decimal(segment.get(place))
        for segment in line.all("SDQ")
        for place in range(4, min(len(segment.elements), 22) + 1, 2)
        if segment.get(place)
    ]
    answers = [decimal(each.get(2)) for each in line.all("ACK") if each.get(2)]
    for kind, parts, name in (
        (findings.STORES_SUM, shares, "SDQ"),
        (findings.ANSWERS_SUM, answers, "ACK"),
    ):
        total = sum((part for part in parts if part is not None), Decimal(0))
        if parts and total != units:
            at = line.first(name).at
            yield Finding(kind, at, f"{name} adds up to {total}, the line says {units}")


def _totals(root: Loop, counts: tuple[int, ...], total: Decimal) -> Iterator[Finding]:
    """CTT01 is one of `counts`; CTT02 the sum, or the sum of the digits without their points, as the standard says."""
    trailer = root.first("CTT")
    if not trailer.elements:
        return
    stated = decimal(trailer.get(1))
    if stated is not None and stated not in counts:
        message = f"CTT01 says {stated}, there are {' or '.join(map(str, counts))}"
        yield Finding(findings.LINE_COUNT, trailer.at.of(1), message, trailer.get(1))
    hashed = decimal(trailer.get(2))
    if hashed is not None and hashed != total:
        message = f"CTT02 says {hashed}, the lines add up to {total}"
        yield Finding(findings.HASH_TOTAL, trailer.at.of(2), message, trailer.get(2))


def _notice(root: Loop) -> Iterator[Finding]:
    _, found = levels(root)
    yield from found
    loops = root.loops("HL")
    items = [loop for loop in loops if loop.head.get(3) == "I"]
    total = sum((decimal(item.first("SN1").get(2)) or Decimal(0) for item in items), Decimal(0))
    yield from _totals(root, tuple({len(loops), len(items)}), total)


def decimal(text: str) -> Decimal | None:
    """A number as X12 writes it; None when it is none, or longer than any of them."""
    plain = text.strip().removeprefix("-").replace(".", "", 1)
    if not (plain.isascii() and plain.isdigit()) or len(plain) > 30:
        return None
    return Decimal(text.strip())
