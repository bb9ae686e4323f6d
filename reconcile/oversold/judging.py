"""Which lines are oversold, and what a look at a place asks for. Pure.

Units that are missing are missing for who came last: the line that was accepted last goes first. So it does not
matter in which order the orders were heard of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconcile.oversold.types import Changes, Dip, Known, Line, LineKey, Opening, Place, State

CAME = "stock came before anything was done"
#: What took a line's units, where another line got them.
MOVED = "moved"
_OVER = (State.CLOSING, State.CLOSED)


def missing_of(short_units: int, lines: Iterable[Line]) -> dict[LineKey, int]:
    """Units missing of each line, the one that was accepted last first; lines that are served are left out."""
    missing: dict[LineKey, int] = {}
    left = short_units
    for line in sorted(lines, key=lambda each: (each.accepted_at, each.key), reverse=True):
        if left <= 0:
            break
        units = min(left, line.open_units)
        if units > 0:
            missing[line.key] = units
            left -= units
    return missing


def changes(place: Place, cases: Iterable[Known]) -> Changes:
    """What is to be changed at a place.

    cases    of its lines, and all that are open there
    """
    known = {case.key: case for case in cases}
    missing = missing_of(place.short_units, place.lines)
    opens = _opens(place, missing, known)
    grown: list[tuple[int, int]] = []
    covered: list[int] = []
    over: list[tuple[int, str]] = []
    for case in known.values():
        if case.state in _OVER or (case.sku, case.location) != (place.sku, place.location):
            continue
        ended = _ended(case, missing)
        if ended:
            over.append((case.case_id, ended))
        elif case.key in missing:
            if case.covered or missing[case.key] > case.units:
                grown.append((case.case_id, max(case.units, missing[case.key])))
        elif not case.covered:
            covered.append(case.case_id)
    return Changes(tuple(opens), tuple(grown), tuple(covered), tuple(over))


def _ended(case: Known, missing: Mapping[LineKey, int]) -> str:
    """What has ended a case; "" when nothing has."""
    if case.open_units <= 0:
        return "the line was shipped" if case.shipped_units > 0 else "the line was cancelled"
    if case.moved:
        return "the line is served from another place"
    if case.key in missing:
        return ""
    if not case.begun:
        return CAME
    # To wait for stock is what the hold was for.
    return "stock came" if case.response == "hold" and not case.failed else ""


def _opens(
    place: Place, missing: Mapping[LineKey, int], known: Mapping[LineKey, Known]
) -> list[Opening]:
    accepted = {line.key: line.accepted_at for line in place.lines}
    booked = {dip.line for dip in place.dips if dip.line}
    others = [dip.kind for dip in place.dips if not dip.line]
    opens = [
        Opening(key, units, accepted[key], _found_by(place, key in booked, others))
        for key, units in missing.items()
        if key not in known or known[key].state is State.CLOSED
    ]
    if missing:
        return opens
    # What was missing has come since, within seconds: the orders were accepted for what was not there all the same.
    return [
        Opening(key, dip.units, dip.accepted_at, "order", passing=True)
        for key, dip in _last(place.dips).items()
        if key not in known
    ]


def _found_by(place: Place, by_itself: bool, others: list[str]) -> str:
    """An order that dipped itself was accepted for nothing; of another the last that took stock away is the reason.

    Without anything new to take away, a line that was missing was served all the same: with the units of this one.
    """
    if not place.dips:
        return MOVED
    return others[-1] if others and not by_itself else "order"


def _last(dips: Iterable[Dip]) -> dict[LineKey, Dip]:
    return {dip.line: dip for dip in dips if dip.line and dip.kind == "order"}
