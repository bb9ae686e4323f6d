"""The two small languages that the tables are written in, and what they are read into.

A layout:   BEG! CUR:1 N1:200{N2:2 N4} PO1!:100000{PID:1000{MEA:10}} CTT:1{AMT:1}
    `!` mandatory, `:n` at most n times (any number without), `{...}` a loop that the segment opens.

A segment:  N1 98! 93 66 67 706 98 | R0203 P0304
    data elements by their number, `!` mandatory, `(235 234)*10` a run; behind the bar the standard's conditions:
    P all or none, R at least one, C when the first then the others, L when the first then one of the others,
    E at most one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

#: A repeat count that no document reaches.
ANY: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of a layout.

    children    the places of the loop that this segment opens; empty when it opens none
    """

    segment: str
    is_mandatory: bool
    times: int
    children: tuple[Slot, ...] = ()


@dataclass(frozen=True)
class Layout:
    """The places of a loop, and where each segment may stand among them, in rising order."""

    slots: tuple[Slot, ...]
    inner: tuple[Layout, ...]
    places: dict[str, tuple[int, ...]] = field(hash=False)
    known: frozenset[str]


@dataclass(frozen=True, slots=True)
class ElementRule:
    """One data element.

    number      the standard's; a text because composites have letters (C001)
    kind        AN, ID, DT, TM, R, N0 to N6 as in the standard; C for a composite
    codes       every allowed code, when the list is short enough to keep
    """

    number: str
    kind: str
    shortest: int
    longest: int
    codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Condition:
    """A relation between elements of one segment, by their places."""

    letter: str
    elements: tuple[int, ...]

    @property
    def text(self) -> str:
        """As the standard writes it: P0304."""
        return self.letter + "".join(f"{number:02}" for number in self.elements)


@dataclass(frozen=True, slots=True)
class Use:
    """One element's place in a segment."""

    element: ElementRule
    is_mandatory: bool


@dataclass(frozen=True, slots=True)
class SegmentRule:
    """The elements of a segment, in order, and their conditions."""

    id: str
    uses: tuple[Use, ...]
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Tables:
    """Segments of one version.

    is_exact    False when they stand in for a version that has no tables of its own
    dates       lengths that a DT may have; six digits before 004010
    """

    version: str
    segments: dict[str, SegmentRule] = field(hash=False)
    is_exact: bool = True
    dates: tuple[int, ...] = (8,)

    def nearest_for(self, version: str) -> Tables:
        """The same tables, standing in for another version."""
        return replace(self, is_exact=False, dates=(6, 8) if version < "004010" else (8,))


_TOKEN: Final = re.compile(r"([A-Z][A-Z0-9]{1,2})(!?)(?::(\d+))?(\{?)|(\})|\s+")


def read_layout(text: str) -> Layout:
    """A layout from its text; a ValueError is our own mistake."""
    stack: list[tuple[Slot | None, list[Slot]]] = [(None, [])]
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"a layout cannot be read from {text[at : at + 20]!r}")
        at = token.end()
        name, mandatory, times, opens, closes = token.groups()
        if closes:
            head, children = stack.pop()
            if head is None:
                raise ValueError("a loop is closed that was not opened")
            stack[-1][1].append(replace(head, children=tuple(children)))
        elif name:
            slot = Slot(name, bool(mandatory), int(times) if times else ANY)
            if opens:
                stack.append((slot, []))
            else:
                stack[-1][1].append(slot)
    if len(stack) != 1:
        raise ValueError("a loop is not closed")
    return layout_of(tuple(stack[0][1]))


def layout_of(slots: tuple[Slot, ...]) -> Layout:
    """A layout with its places looked up."""
    places: dict[str, list[int]] = {}
    inner = tuple(layout_of(slot.children) for slot in slots)
    for index, slot in enumerate(slots):
        places.setdefault(slot.segment, []).append(index)
    known = frozenset(places).union(*(layout.known for layout in inner))
    found = {name: tuple(indexes) for name, indexes in places.items()}
    return Layout(slots, inner, found, known)


_RUN: Final = re.compile(r"\(([^)]*)\)\*(\d+)")


def read_segment(line: str, elements: dict[str, ElementRule]) -> SegmentRule:
    """A segment from its line; a KeyError is our own mistake."""
    body, _, conditions = line.partition("|")
    paired = [Condition("P", (start, start + 1)) for start in _paired_from(body)]
    name, *numbers = _RUN.sub(lambda run: " ".join([run[1]] * int(run[2])), body).split()
    uses = tuple(Use(elements[number.rstrip("!")], number.endswith("!")) for number in numbers)
    return SegmentRule(name, uses, (*map(_condition, conditions.split()), *paired))


def _paired_from(body: str) -> list[int]:
    """Where each pair of a run of two begins, from 1: the two of a pair come together or not at all."""
    run = _RUN.search(body)
    if run is None or len(run[1].split()) != 2 or "!" in run[1]:
        return []
    first = len(body[: run.start()].split())
    return [first + 2 * count for count in range(int(run[2]))]


def _condition(text: str) -> Condition:
    places = tuple(int(text[at : at + 2]) for at in range(1, len(text), 2))
    return Condition(text[0], places)
