"""What cannot be true at once in the playbook for oversold lines: unknown names, seasons, entries that never decide."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from allocation.document.findings import Finding
from allocation.document.lines import Path
from allocation.document.patterns import covers
from allocation.document.tables import Document
from allocation.plays import Play, Playbook
from allocation.types import Which


def find(document: Document) -> Iterator[Finding]:
    """All contradictions of the playbook."""
    book = document.plays()
    for place, (table, play) in enumerate(zip(document.playbook, book.plays, strict=True)):
        path = ("playbook", place)
        if table.sku is not None and table.tag is not None:
            yield Finding((*path, "tag"), "sku and tag exclude each other; keep one")
        if table.tag is not None:
            yield from _known((*path, "tag"), "tag", table.tag, document.tags)
        if table.channel is not None:
            yield from _known((*path, "channel"), "channel", table.channel, document.channels)
        span = play.span
        if span.since is not None and span.until is not None and span.until <= span.since:
            message = f"ends before it begins, from {table.since}; correct one of the two"
            yield Finding((*path, "until"), message)
        over = next((n for n in range(place) if _hides(book, book.plays[n], play)), None)
        if over is not None:
            message = f"never decides: playbook.{over} fits first; put it above, or remove it"
            yield Finding(path, message)


def _hides(book: Playbook, first: Play, later: Play) -> bool:
    """Whether whatever fits the later entry fits the first one as well."""
    return (
        first.channel in (None, later.channel)
        and (first.least_value is None or first.least_value <= (later.least_value or 0))
        and (first.span.since is None or _from(later) >= first.span.since.timestamp())
        and (first.span.until is None or _until(later) <= first.span.until.timestamp())
        and all(
            any(covers(wide, narrow) for wide in _names(book, first.which))
            for narrow in _names(book, later.which)
        )
    )


def _from(play: Play) -> float:
    return float("-inf") if play.span.since is None else play.span.since.timestamp()


def _until(play: Play) -> float:
    return float("inf") if play.span.until is None else play.span.until.timestamp()


def _names(book: Playbook, which: Which) -> tuple[str, ...]:
    return book.tags.get(which.tag or "", ()) if which.sku is None else (which.sku,)


def _known(path: Path, what: str, name: str, names: Iterable[str]) -> Iterator[Finding]:
    if name not in names:
        near = difflib.get_close_matches(name, list(names), n=1)
        remedy = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
        yield Finding(path, f"there is no {what} {name}; {remedy}")
