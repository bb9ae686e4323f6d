"""Expected against actual, at the moment of the reading: equal, on its way, unknown, or drift.

A reading is a photograph. It is judged by what should have been on it when it was taken, not by what we know now:
a push that was on its way then is no drift, and a push that came after it makes the photograph useless.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction

from channels.base import Reading
from reconcile.types import Case, Comparison, Limits, SentPush, Verdict

#: Pushes of one number beyond which another one excuses nothing: they do not help.
_REPAIRS = 2
#: A halt in one of these states is being worked; the channel may show anything.
_HALT_MOVING = ("setting", "lifting")


def newest(readings: Iterable[Reading]) -> dict[tuple[str, str], Reading]:
    """One reading per (SKU, location): the newest, whatever order they came in.

    Two of the same moment are decided by the higher number, then by unknown last, so that the order never matters.
    """
    kept: dict[tuple[str, str], Reading] = {}
    for reading in readings:
        place = (reading.binding.sku, reading.binding.location)
        before = kept.get(place)
        if before is None or _rank(reading) > _rank(before):
            kept[place] = reading
    return kept


def _rank(reading: Reading) -> tuple[datetime, bool, int]:
    return (reading.observed_at, reading.units is not None, reading.units or 0)


def percent(expected: int, actual: int, *, floor_units: int = 1) -> float:
    """The drift in percent of what was expected, never negative.

    expected       at least 0; fewer than `floor_units` count as `floor_units`, so 0 expected and 4 shown is 400 %
    """
    return float(exact_percent(expected, actual, floor_units=floor_units))


def exact_percent(expected: int, actual: int, *, floor_units: int = 1) -> Fraction:
    """`percent` without rounding: 10 % is a threshold, and 33 of 330 is exactly on it."""
    return Fraction(100 * abs(actual - expected), max(expected, floor_units, 1))


def expected_units(case: Case) -> int:
    """What the channel should have shown: the target less what it sold that we have not seen; 0 while halted."""
    if case.halt_state is not None:
        return 0
    return max(case.target.units - case.unseen_units, 0)


def compare(case: Case, limits: Limits) -> Comparison:
    """Judge one reading.

    A number below zero sells as little as a zero does: it equals an expected 0.
    """
    expected = expected_units(case)
    actual = case.reading.units
    if actual is None:
        return Comparison(Verdict.UNKNOWN, expected, None, "the channel does not say; not zero")
    if max(actual, 0) == expected:
        return Comparison(Verdict.EQUAL, expected, actual, "")
    pushed_since = _pushed_since(case)
    if pushed_since:
        return Comparison(Verdict.NOT_COMPARABLE, expected, actual, pushed_since)
    on_its_way = _on_its_way(case, limits)
    if on_its_way:
        return Comparison(Verdict.IN_FLIGHT, expected, actual, on_its_way)
    if limits.hears_first and (unheard := _unheard(case, limits)):
        return Comparison(Verdict.UNHEARD, expected, actual, unheard)
    if case.halt_state is None and case.target.set_at > case.reading.observed_at:
        why = f"read before the target was set at {case.target.set_at.isoformat()}"
        return Comparison(Verdict.NOT_COMPARABLE, expected, actual, why)
    unbooked = _unbooked(case, limits)
    if unbooked:
        return Comparison(Verdict.IN_FLIGHT, expected, actual, unbooked)
    return Comparison(Verdict.DRIFT, expected, actual, "")


def _unheard(case: Case, limits: Limits) -> str:
    """Why an order or cancel may be the difference that the book does not tell yet. A halted SKU has none."""
    mark = case.orders_mark
    if case.halt_state is not None or mark is None:
        return ""
    if mark < case.reading.observed_at:
        return "orders up to the reading are not heard"
    return _unbooked(case, limits)


def _pushed_since(case: Case) -> str:
    """Why the reading is older than the number it would be compared with; empty when it is not."""
    read_at = case.reading.observed_at
    # What was throttled changed nothing.
    newest = next((push for push in case.pushes if push.outcome != "throttled"), None)
    if newest is not None and newest.sent_at > read_at:
        return f"read before push {newest.push_id} was sent"
    confirmed_at = case.shown.confirmed_at if case.shown and case.halt_state is None else None
    if confirmed_at is not None and confirmed_at > read_at:
        return f"read before the push confirmed at {confirmed_at.isoformat()}"
    return ""


def _on_its_way(case: Case, limits: Limits) -> str:
    """What was on its way when the reading was taken; empty when nothing was."""
    if case.halt_state in _HALT_MOVING:
        return f"a halt is {case.halt_state}"
    for push in case.pushes:
        if _flying(push, case.reading.observed_at, limits):
            return f"push {push.push_id} sent at {push.sent_at.isoformat()}"
    # Nothing is pushed to a halted SKU, so nothing that waits excuses what it shows.
    return "" if case.halt_state else _queued(case, limits)


def _queued(case: Case, limits: Limits) -> str:
    read_at = case.reading.observed_at
    waiting = case.waiting
    if waiting and not waiting.parked and _younger(_due_since(case), read_at, limits.push_limit):
        return f"due for a push since {waiting.since.isoformat()}"
    # What waited for a vendor that was away goes out in the first moments after.
    since_back = waiting and not waiting.parked and case.back_at and waiting.since <= case.back_at
    if case.back_at and since_back and _younger(case.back_at, read_at, limits.push_limit):
        return f"due again since the channel was back at {case.back_at.isoformat()}"
    return ""


def _unbooked(case: Case, limits: Limits) -> str:
    """What came in and is not in the target yet; empty when all is, or the SKU is halted."""
    read_at = case.reading.observed_at
    if case.halt_state is not None:
        return ""
    if case.recompute_since and _younger(case.recompute_since, read_at, limits.push_limit):
        return f"the target is computed again since {case.recompute_since.isoformat()}"
    if case.delivery_waiting:
        return "a delivery of the channel is not applied yet"
    return ""


def _due_since(case: Case) -> datetime:
    """When the number that waits became due: one that is repaired again and again, when it was first taken."""
    assert case.waiting is not None
    taken = [
        push.sent_at
        for push in case.pushes
        if push.number == case.target.number and push.outcome == "confirmed"
    ]
    repaired = taken if len(taken) > _REPAIRS else []
    return min([case.waiting.since, *repaired])


def _flying(push: SentPush, read_at: datetime, limits: Limits) -> bool:
    if push.outcome in ("sent", "unknown"):
        return _younger(push.sent_at, read_at, limits.push_limit)
    if push.outcome == "confirmed":
        return _younger(push.answered_at or push.sent_at, read_at, limits.settle)
    return False


def _younger(since: datetime, read_at: datetime, limit: timedelta) -> bool:
    return read_at - since < limit
