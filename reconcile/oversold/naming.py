"""Why a line was accepted that is not there: the evidence, tested in order; the first that matches names it. Pure."""

from __future__ import annotations

from typing import Final

from reconcile.oversold.types import Clues, Named, Why
from reconcile.types import Cause

_SHRINK: Final = frozenset({"count", "adjustment"})
#: An order that is booked later than this after it was accepted is late (domain: order capture within a minute).
LATE_S: Final = 60.0
#: Named for good; the others may still be told apart by a drift that is found with the next window.
SETTLED: Final = frozenset({Why.SHRINK, Why.TAKEN_AWAY})


def name(clues: Clues) -> Named:
    """The cause, with the ids of what shows it."""
    if clues.found_by in _SHRINK:
        return Named(Why.SHRINK, {"event": clues.taken_by})
    taken = Named(Why.TAKEN_AWAY, {"event": clues.taken_by, "kind": clues.found_by})
    if clues.found_by not in ("order", "ship"):
        return taken
    found = _drifted(clues) or _late(clues) or _sold_below(clues)
    if found is None and clues.found_by == "ship":
        return taken
    return found or Named(Cause.UNKNOWN, {"drift": clues.drift[0] if clues.drift else None})


def _drifted(clues: Clues) -> Named | None:
    if clues.drift is None or clues.drift[1] == Cause.UNKNOWN:
        return None
    drift, cause = clues.drift
    return Named(cause, {"drift": drift})


def _late(clues: Clues) -> Named | None:
    late_s = (clues.booked_at - clues.accepted_at).total_seconds()
    if late_s > LATE_S:
        return Named(Cause.LATE_EVENT, {"event": clues.event_id, "late_s": round(late_s)})
    if clues.before is None:
        return None
    event, before_s = clues.before
    cause = Cause.LATE_EVENT if before_s > LATE_S else Why.SOLD_AT_ONCE
    return Named(cause, {"event": event, "late_s": round(before_s)})


def _sold_below(clues: Clues) -> Named | None:
    if clues.sold_below is None:
        return None
    push, units = clues.sold_below
    return Named(Why.SOLD_BELOW_SHOWN, {"push": push, "units": units})
