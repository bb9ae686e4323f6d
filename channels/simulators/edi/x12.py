"""X12 as a partner writes and reads it: segments as tuples of texts, envelopes around them.

Written from the standard's envelope (ISA and IEA, GS and GE, ST and SE), without a line of the house's codec.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

Segment = tuple[str, ...]

GROUP_OF: Final = {
    "850": "PO", "855": "PR", "856": "SH", "846": "IB", "860": "PC", "865": "CA", "997": "FA",
}  # fmt: skip
_ISA_WIDTHS: Final = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)


class NotReadable(ValueError):
    """Bytes that hold no interchange; the message says why."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The separators of one interchange; `line_break` is put behind every terminator."""

    element: str = "*"
    component: str = ">"
    terminator: str = "~"
    line_break: str = "\n"


@dataclass(frozen=True, slots=True)
class Address:
    """Who sends or receives: ISA qualifier and id, and the id in the GS."""

    qualifier: str
    id: str
    group_id: str


@dataclass(frozen=True, slots=True)
class Way:
    """From whom to whom, in which version (`004010` or `005010`), `P` production or `T` test."""

    sender: Address
    receiver: Address
    version: str = "004010"
    usage: str = "P"


def enclose(
    way: Way,
    at: datetime,
    control: int,
    group_control: int,
    sets: Sequence[tuple[str, list[Segment]]],
) -> list[Segment]:
    """One interchange with one group; all sets are of one kind, numbered from 0001.

    sets    (set id, segments between ST and SE)
    """
    kind = GROUP_OF[sets[0][0]]
    five = way.version.startswith("005")
    made: list[Segment] = [
        (
            "ISA", "00", " " * 10, "00", " " * 10,
            way.sender.qualifier, way.sender.id.ljust(15), way.receiver.qualifier,
            way.receiver.id.ljust(15), at.strftime("%y%m%d"), at.strftime("%H%M"),
            "^" if five else "U", "00501" if five else "00401", f"{control:09d}", "0", way.usage, "",
        ),
        (
            "GS", kind, way.sender.group_id, way.receiver.group_id, at.strftime("%Y%m%d"),
            at.strftime("%H%M"), str(group_control), "X", way.version,
        ),
    ]  # fmt: skip
    for number, (set_id, body) in enumerate(sets, 1):
        made.append(("ST", set_id, f"{number:04d}"))
        made += body
        made.append(("SE", str(len(body) + 2), f"{number:04d}"))
    made.append(("GE", str(len(sets)), str(group_control)))
    made.append(("IEA", "1", f"{control:09d}"))
    return made


def write(segments: Iterable[Segment], marks: Marks = Marks()) -> bytes:
    """Segments as bytes; the component separator goes into ISA16. Empty elements at the end are left out."""
    lines = []
    for segment in segments:
        if segment[0] == "ISA":
            segment = (*segment[:16], marks.component)
        last = max(place for place, text in enumerate(segment) if text)
        lines.append(marks.element.join(segment[: last + 1]) + marks.terminator + marks.line_break)
    return "".join(lines).encode("latin-1")


@dataclass(slots=True)
class Set:
    """ST to SE. `segments` stand between them, `first` is the number of ST in its file."""

    id: str
    control: str
    segments: list[Segment] = field(default_factory=list)
    trailer: Segment | None = None


@dataclass(slots=True)
class Group:
    """GS to GE."""

    header: Segment
    sets: list[Set] = field(default_factory=list)
    trailer: Segment | None = None

    def at(self, place: int) -> str:
        """An element of the GS, "" where it has none."""
        return element(self.header, place)


@dataclass(slots=True)
class Interchange:
    """ISA to IEA. `loose` are segments that stand outside of a group or set."""

    header: Segment
    groups: list[Group] = field(default_factory=list)
    loose: list[Segment] = field(default_factory=list)
    trailer: Segment | None = None

    def at(self, place: int) -> str:
        """An element of the ISA without its padding."""
        return element(self.header, place).strip()


def element(segment: Segment, place: int) -> str:
    """An element by its number, "" where the segment ends before."""
    return segment[place] if place < len(segment) else ""


def read(data: bytes) -> list[Interchange]:
    """Every interchange of a file. Strict about the ISA, since it says how to read the rest.

    raises    NotReadable
    """
    rest = data.decode("latin-1").lstrip("\r\n")
    found: list[Interchange] = []
    while rest.strip():
        interchange, rest = _one(rest)
        found.append(interchange)
        rest = rest.lstrip("\r\n")
    if not found:
        raise NotReadable("the file is empty")
    return found


def _one(text: str) -> tuple[Interchange, str]:
    if not text.startswith("ISA"):
        raise NotReadable(f"ISA expected, {text[:12]!r} found")
    if len(text) < 106:
        raise NotReadable("the ISA is shorter than its 106 characters")
    separator, terminator = text[3], text[105]
    header = tuple(text[:105].split(separator))
    widths = tuple(len(part) for part in header[1:])
    if widths != _ISA_WIDTHS:
        raise NotReadable(f"the ISA's elements are {widths} wide instead of {_ISA_WIDTHS}")
    interchange, at = Interchange(header), 106
    while (end := text.find(terminator, at)) >= 0:
        segment = tuple(text[at:end].lstrip("\r\n").split(separator))
        at = end + 1
        if _placed(interchange, segment):
            return interchange, text[at:]
    if text[at:].strip():
        interchange.loose.append(("", text[at:].strip()[:20]))
    return interchange, ""


def _placed(interchange: Interchange, segment: Segment) -> bool:
    """Put a segment where it belongs; True when it ends the interchange."""
    group = interchange.groups[-1] if interchange.groups else None
    inside = group is not None and group.trailer is None
    the_set = group.sets[-1] if inside and group and group.sets else None
    match segment[0]:
        case "IEA":
            interchange.trailer = segment
            return True
        case "GS":
            interchange.groups.append(Group(segment))
        case "GE" if inside and group:
            group.trailer = segment
        case "ST" if inside and group:
            group.sets.append(Set(element(segment, 1), element(segment, 2)))
        case "SE" if the_set and the_set.trailer is None:
            the_set.trailer = segment
        case _ if the_set and the_set.trailer is None:
            the_set.segments.append(segment)
        case _:
            interchange.loose.append(segment)
    return False


def pairs(segment: Segment, first: int) -> list[tuple[str, str]]:
    """Qualifier and value, one after the other, from place `first` on."""
    return [
        (segment[place], element(segment, place + 1))
        for place in range(first, len(segment), 2)
        if segment[place]
    ]


def check_digit(digits: str) -> str:
    """GS1's: weights 3, 1, 3, ... from the right."""
    total = sum(
        int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits[::-1])
    )
    return str((10 - total % 10) % 10)
