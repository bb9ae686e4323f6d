"""The levels of a ship notice: HL segments name their parent, and so make a tree of shipment, orders, packs, items.

    HL01 number, from 1                 HL03 S shipment, O order, T pallet, P carton, I item
    HL02 number of the level above      HL04 whether levels stand below

Some senders leave HL02 out; then the parent is the nearest level before that may hold this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from channels.edi import findings
from channels.edi.findings import Finding, Kind
from channels.edi.loops import Loop

#: kind -> kinds it may stand under. I over P is the structure 0002 (item, then its cartons).
_UNDER: Final[dict[str, str]] = {"O": "S", "T": "SO", "P": "SOTI", "I": "SOTP"}


@dataclass(frozen=True, slots=True)
class Level:
    """One HL loop and the levels below it."""

    kind: str
    number: str
    loop: Loop
    children: tuple[Level, ...] = ()

    def walk(self) -> Iterator[Level]:
        """This level and all below, in the order of the document."""
        waiting = [self]
        while waiting:
            level = waiting.pop()
            yield level
            waiting += reversed(level.children)


@dataclass(slots=True)
class _Growing:
    loop: Loop
    kind: str
    number: str
    depth: int
    children: list[_Growing] = field(default_factory=list)


#: Deeper trees than this are no shipment but an attack on whoever walks them; the level is hung on the root.
_DEEPEST: Final = 12


def levels(root: Loop) -> tuple[tuple[Level, ...], list[Finding]]:
    """The trees of a set's HL loops, one per level that has no parent, and what is wrong with them."""
    found: list[Finding] = []
    grown: list[_Growing] = []
    tops: list[_Growing] = []
    by_number: dict[str, _Growing] = {}
    latest: dict[str, _Growing] = {}
    for count, loop in enumerate(root.loops("HL"), 1):
        level = _Growing(loop, loop.head.get(3), loop.head.get(1), 0)
        parent, complaints = _parent(level, count, by_number, latest)
        found += complaints
        if parent is None or parent.depth >= _DEEPEST:
            tops.append(level)
        else:
            level.depth = parent.depth + 1
            parent.children.append(level)
        by_number.setdefault(level.number, level)
        _newest(latest, level)
        grown.append(level)
    if grown and grown[0].kind != "S":
        found.append(_say(findings.HL_NO_SHIPMENT, grown[0], 3, "the first level is no shipment"))
    found += [finding for level in grown for finding in _child_flag(level)]
    return tuple(_made(level) for level in tops), found


def _parent(
    level: _Growing, count: int, known: dict[str, _Growing], latest: dict[str, _Growing]
) -> tuple[_Growing | None, list[Finding]]:
    found = []
    stated = level.loop.head.get(2)
    if level.number in known or level.number.lstrip("0") != str(count):
        message = f"HL01 is {level.number!r} at level {count}"
        found.append(_say(findings.HL_SEQUENCE, level, 1, message))
    parent = known.get(stated)
    if stated and parent is None:
        found.append(_say(findings.HL_PARENT, level, 2, f"HL02 {stated!r} names no level before"))
    if parent is None and level.kind != "S":
        if not stated and count > 1:
            message = f"HL02 is empty for level {level.number} ({level.kind})"
            found.append(_say(findings.HL_PARENT_MISSING, level, 2, message))
        parent = _nearest(level, latest)
    allowed = _UNDER.get(level.kind)
    if parent and allowed is not None and parent.kind not in allowed:
        message = f"{level.kind} {level.number} stands under {parent.kind} {parent.number}"
        found.append(_say(findings.HL_CHAIN, level, 3, message))
    return parent, found


def _nearest(level: _Growing, latest: dict[str, _Growing]) -> _Growing | None:
    """The level that came last among those that may hold this one; innermost kinds first."""
    for kind in reversed(_UNDER.get(level.kind, "SOTP")):
        if kind in latest and kind != level.kind:
            return latest[kind]
    return None


def _newest(latest: dict[str, _Growing], level: _Growing) -> None:
    """A new shipment, order or pack ends those within the one before it."""
    ends = {"S": "OTPI", "O": "TPI", "T": "PI"}.get(level.kind, "")
    for kind in ends:
        latest.pop(kind, None)
    latest[level.kind] = level


def _child_flag(level: _Growing) -> Sequence[Finding]:
    flag = level.loop.head.get(4)
    if flag in ("0", "1") and (flag == "1") != bool(level.children):
        message = f"HL04 is {flag} and there are {len(level.children)} levels below"
        return [_say(findings.HL_CHILD, level, 4, message)]
    return []


def _made(level: _Growing) -> Level:
    """Frozen, from the leaves up; as deep as `_DEEPEST` at most."""
    children = tuple(_made(child) for child in level.children)
    return Level(level.kind, level.number, level.loop, children)


def _say(kind: Kind, level: _Growing, element: int, message: str) -> Finding:
    at = level.loop.head.at.of(element)
    return Finding(kind, at, message, level.loop.head.get(element))
