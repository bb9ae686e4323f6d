"""A set's segments put into the loops of its layout: the view that business readings stand on.

One pass, left to right. A segment goes to its next place in the innermost open loop; when it has none there, loops
are closed until one has. A segment whose place is already behind is taken where it stands and reported, so that a
sender's order of header segments never loses a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.edi import findings
from channels.edi.envelope import Transaction
from channels.edi.findings import Finding, Kind, Tally
from channels.edi.segments import Segment
from channels.edi.sets import LAYOUTS
from channels.edi.sets.grammar import Layout, Slot


@dataclass(frozen=True, slots=True)
class Loop:
    """A segment and what belongs to it, in the order of the document.

    head     the segment that opens the loop; ST for the whole set
    parts    plain segments, and loops
    """

    head: Segment
    parts: tuple[Segment | Loop, ...] = ()

    def all(self, *names: str) -> tuple[Segment, ...]:
        """Segments of these names directly in this loop, heads of inner loops included."""
        heads = (part.head if isinstance(part, Loop) else part for part in self.parts)
        return tuple(segment for segment in heads if segment.id in names)

    def first(self, name: str) -> Segment:
        """The first segment of that name directly in this loop; one without elements when there is none."""
        found = self.all(name)
        return found[0] if found else Segment(name)

    def loops(self, name: str) -> tuple[Loop, ...]:
        """Inner loops that a segment of that name opens."""
        return tuple(part for part in self.parts if isinstance(part, Loop) and part.head.id == name)

    def walk(self) -> Iterator[Segment]:
        """Every segment, outside in, in the order of the document."""
        yield self.head
        for part in self.parts:
            if isinstance(part, Loop):
                yield from part.walk()
            else:
                yield part


@dataclass(slots=True)
class _Open:
    """A loop being filled.

    cursor    the last place that was filled; earlier ones are behind
    counts    how often each place was filled
    """

    head: Segment
    layout: Layout
    cursor: int = 0
    counts: dict[int, int] = field(default_factory=dict)
    parts: list[Segment | Loop] = field(default_factory=list)

    def place(self, name: str) -> int | None:
        """The next place of a segment, from the cursor on; a full place gives way to a later one of that name."""
        ahead = [index for index in self.layout.places.get(name, ()) if index >= self.cursor]
        free = (i for i in ahead if self.counts.get(i, 0) < self.layout.slots[i].times)
        return next(free, ahead[0] if ahead else None)


def arrange(transaction: Transaction) -> tuple[Loop, list[Finding]]:
    """The loops of a set, and what is wrong with order, presence and number of its segments.

    returns    a flat loop and no findings when there is no layout for the set
    """
    layout = LAYOUTS.get(transaction.set_id)
    if layout is None:
        return Loop(transaction.header, transaction.body), []
    arranging = _Arranging(transaction, layout)
    for segment in transaction.body:
        arranging.put(segment)
    return arranging.done(), arranging.findings()


class _Arranging:
    def __init__(self, transaction: Transaction, layout: Layout) -> None:
        self._tally = Tally()
        self._set_id = transaction.set_id
        self._known = layout.known
        self._stack = [_Open(transaction.header, layout)]

    def findings(self) -> list[Finding]:
        return self._tally.found

    def put(self, segment: Segment) -> None:
        if segment.id not in self._known:
            self._say(findings.NOT_IN_SET, segment, f"set {self._set_id} has no {segment.id}")
            self._stack[-1].parts.append(segment)
            return
        for depth in range(len(self._stack) - 1, -1, -1):
            index = self._stack[depth].place(segment.id)
            if index is not None:
                self._close_to(depth)
                self._fill(self._stack[-1], index, segment)
                return
        self._behind(segment)

    def _fill(self, loop: _Open, index: int, segment: Segment) -> None:
        loop.cursor = max(loop.cursor, index)
        self._count(loop, index, segment)
        inner = loop.layout.inner[index]
        if inner.slots:
            self._stack.append(_Open(segment, inner))
        else:
            loop.parts.append(segment)

    def _count(self, loop: _Open, index: int, segment: Segment) -> None:
        slot = loop.layout.slots[index]
        loop.counts[index] = count = loop.counts.get(index, 0) + 1
        if count == slot.times + 1:
            kind = findings.LOOP_REPEATED if slot.children else findings.SEGMENT_REPEATED
            message = f"{segment.id} stands more than {slot.times} times in {loop.head.id}"
            self._say(kind, segment, message)

    def _behind(self, segment: Segment) -> None:
        """A segment that no open loop has ahead: out of order where one has it at all, else unexpected."""
        for depth in range(len(self._stack) - 1, -1, -1):
            places = self._stack[depth].layout.places.get(segment.id)
            if places:
                self._close_to(depth)
                loop = self._stack[-1]
                after = loop.layout.slots[loop.cursor].segment
                message = f"{segment.id} stands after {after} in {loop.head.id}"
                self._say(findings.OUT_OF_ORDER, segment, message)
                self._fill(loop, places[-1], segment)
                return
        loop = self._stack[-1]
        self._say(findings.UNEXPECTED, segment, f"{segment.id} has no place in {loop.head.id}")
        loop.parts.append(segment)

    def _close_to(self, depth: int) -> None:
        while len(self._stack) > depth + 1:
            self._close()

    def _close(self) -> Loop:
        loop = self._stack.pop()
        for index, slot in enumerate(loop.layout.slots):
            if slot.is_mandatory and not loop.counts.get(index):
                self._miss(loop.head, slot)
        made = Loop(loop.head, tuple(loop.parts))
        if self._stack:
            self._stack[-1].parts.append(made)
        return made

    def _miss(self, head: Segment, slot: Slot) -> None:
        name = f"set {self._set_id}" if head.id == "ST" else head.id
        self._say(findings.SEGMENT_MISSING, head, f"{name} has no {slot.segment}", slot.segment)

    def done(self) -> Loop:
        self._close_to(0)
        return self._close()

    def _say(self, kind: Kind, segment: Segment, message: str, bad: str = "") -> None:
        self._tally.add(Finding(kind, segment.at, message, bad))
