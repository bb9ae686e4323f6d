"""846, as a partner looks at it: what may be ordered, item by item and place by place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from channels.simulators.edi.books import Books, Say
from channels.simulators.edi.state import Shown
from channels.simulators.edi.x12 import Segment, Set, element, pairs


def availability(books: Books, one: Set, at: datetime, say: Say) -> None:
    """Judge an 846 and keep its numbers; a full one (BIA01 00) forgets the items it does not name."""
    bia = one.segments[0]
    reference = element(bia, 3)
    if any(shown.reference == reference for shown in books.shown.values()):
        say("BIA03", f"reference {reference!r} was used before")
    place = _place(one.segments, until="LIN")
    fresh: dict[tuple[str, str], Shown] = {}
    loops = list(_loops(one))
    for lin, inner in loops:
        item = books.item_of(pairs(lin, 2))
        if item is None:
            say("LIN", f"{pairs(lin, 2)} is no item of ours")
            continue
        for where, counts in _counts(item.sku, inner, place, say):
            if (item.sku, where) in fresh:
                say("LIN", f"{item.sku} at {where or 'everywhere'} stands here twice")
            fresh[item.sku, where] = Shown(item.sku, where, counts, at, reference)
    for segment in one.segments:
        if segment[0] == "CTT" and element(segment, 1) != str(len(loops)):
            say("CTT01", f"{element(segment, 1)!r} is not the number of items, {len(loops)}")
    _replace(books, fresh, place, full=element(bia, 1) == "00")


def _replace(books: Books, fresh: dict[tuple[str, str], Shown], place: str, *, full: bool) -> None:
    """A full one that is about one place says nothing of the others."""
    for key in [key for key in books.shown if full and place in ("", key[1])]:
        del books.shown[key]
    books.shown |= fresh


def _loops(one: Set) -> Iterator[tuple[Segment, list[Segment]]]:
    head: Segment | None = None
    inner: list[Segment] = []
    for segment in one.segments:
        if segment[0] in ("LIN", "CTT"):
            if head is not None:
                yield head, inner
            head, inner = (segment if segment[0] == "LIN" else None), []
        elif head is not None:
            inner.append(segment)
    if head is not None:
        yield head, inner


def _place(segments: list[Segment], until: str = "") -> str:
    """The warehouse or shipping place that N1 names before the first `until`."""
    for segment in segments:
        if segment[0] == until:
            return ""
        if segment[0] == "N1" and element(segment, 1) in ("WH", "SF", "LW"):
            return element(segment, 4)
    return ""


def _counts(
    sku: str, inner: list[Segment], place: str, say: Say
) -> Iterator[tuple[str, dict[str, int]]]:
    """(location, units by QTY01) of one LIN: from SDQ where it has one, from its QTYs otherwise."""
    counts = {
        element(segment, 1): _units(sku, element(segment, 2), say)
        for segment in inner
        if segment[0] == "QTY"
    }
    if "33" not in counts:
        say("QTY01", f"{sku}: no QTY 33, so nobody knows what may be ordered")
    shares = [pair for segment in inner if segment[0] == "SDQ" for pair in pairs(segment, 3)]
    if not shares:
        yield _place(inner) or place, counts
        return
    places = {where: _units(sku, text, say) for where, text in shares}
    if counts.get("33", 0) != sum(places.values()):
        say("SDQ", f"{sku}: the places add up to {sum(places.values())}, QTY 33 says otherwise")
    for where, units in places.items():
        yield where, {"33": units}


def _units(sku: str, text: str, say: Say) -> int:
    if text.isdigit():
        return int(text)
    say("QTY02", f"{sku}: {text!r} is no number of units; 0 says that there is none")
    return 0
