"""Whether weights fit: looked at once an hour, with an alarm after some weeks in a row; nothing is ever applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, Engine, text

from allocation import alarms, fit_store, store
from allocation.fit import (
    FLAG_POINTS,
    FLAG_WEEKS,
    LOOK_BACK,
    WEEK,
    Fit,
    Verdict,
    Week,
    fits,
    verdict,
    week_of,
)
from allocation.types import Rules
from ledger.db import transaction
from workers.flows.program_watch import Raised

#: Rule of alarms: the demand of a channel has left its weight.
FIT: Final = "alloc.fit"

#: Weights are looked at once in so long: full weeks change when one ends, or by what is told late.
LOOK_EVERY: Final = timedelta(hours=1)

#: Whether weights are to be looked at.
WAITS = text("""
    SELECT EXISTS (SELECT FROM rule_set WHERE applied_at < :week)
           AND NOT EXISTS (SELECT FROM fit_look WHERE looked_at > :fits_before)
""")

# Who writes the row has the turn; a second one waits for it, and then finds it written.
_TURN = text("""
    INSERT INTO fit_look AS f (looked_at) VALUES (:now)
    ON CONFLICT (one) DO UPDATE SET looked_at = :now WHERE f.looked_at <= :before
    RETURNING true
""")


@dataclass(frozen=True, slots=True)
class Look:
    """How the channels of the rules in force fit.

    version     of the rules; 0 before the first
    until       the end of the newest full week
    fits        in the order of the rule file
    flagged     channel -> since when its alarm is on; None: it will be raised with the next look
    """

    version: int
    until: datetime
    fits: list[Fit]
    flagged: dict[str, datetime | None]


def look(
    engine: Engine,
    *,
    now: datetime,
    weeks: int = LOOK_BACK,
    floors: Mapping[str, Decimal] | None = None,
    flag_weeks: int = FLAG_WEEKS,
    points: float = FLAG_POINTS,
) -> Look:
    """Measure the last full weeks; nothing is written.

    weeks     to look back, at least 1
    floors    least weight suggested, by channel
    raises    ValueError: the floors are too high
    """
    until = week_of(now)
    with transaction(engine) as connection:
        version, rules = store.current_rules(connection)
        since = until - max(weeks, flag_weeks) * WEEK
        measured = fit_store.weeks(connection, rules, since, until)
        on = {each.object: each.since for each in alarms.open_alarms(connection, FIT)}
    found = fits(rules, [week for week in measured if week.week >= until - weeks * WEEK], floors)
    off = _off(rules, measured, flag_weeks, points)
    flagged = {
        each.channel: on.get(_object(each.channel))
        for each in found
        if _object(each.channel) in on or each.channel in off
    }
    return Look(version, until, found, flagged)


def waits(connection: Connection, now: datetime) -> bool:
    """Whether weights are to be looked at: rules have been in force for a week's end, and nobody looked for a while."""
    return bool(connection.execute(WAITS, waits_at(now)).scalar_one())


def waits_at(now: datetime) -> dict[str, object]:
    """Values of `WAITS`."""
    return {"week": week_of(now), "fits_before": now - LOOK_EVERY}


def watch(
    engine: Engine, *, now: datetime, weeks: int = FLAG_WEEKS, points: float = FLAG_POINTS
) -> list[Raised]:
    """Raise an alarm for every channel whose demand has left its weight, end those that are over; returns the new ones.

    Nothing is done within an hour of the last time.

    weeks     full weeks in a row that must be off
    points    of 100 that demand and weight may differ by
    """
    with transaction(engine) as connection:
        if not waits(connection, now):
            return []
        turn = {"now": now, "before": now - LOOK_EVERY}
        if connection.execute(_TURN, turn).one_or_none() is None:
            return []
        version, rules = store.current_rules(connection)
        until = week_of(now)
        measured = fit_store.weeks(connection, rules, until - weeks * WEEK, until)
        found = fits(rules, measured)
        raised = [
            _judged(connection, each, verdict(each, weeks=weeks, points=points), version, now)
            for each in found
        ]
        known = {_object(each.channel) for each in found}
        for alarm in alarms.open_alarms(connection, FIT):
            if alarm.object not in known:
                alarms.resolve(connection, FIT, alarm.object, now)
    return [each for each in raised if each is not None]


def _judged(
    connection: Connection, found: Fit, given: Verdict, version: int, now: datetime
) -> Raised | None:
    what = _object(found.channel)
    if given is Verdict.FITS:
        alarms.resolve(connection, FIT, what, now)
    if given is not Verdict.OFF:
        return None
    detail = _detail(found, version)
    fresh = alarms.raise_alarm(connection, FIT, what, detail, now)
    return Raised(FIT, what, detail) if fresh else None


def _off(rules: Rules, measured: Sequence[Week], weeks: int, points: float) -> set[str]:
    return {
        each.channel
        for each in fits(rules, measured)
        if verdict(each, weeks=weeks, points=points) is Verdict.OFF
    }


def _object(channel: str) -> str:
    return f"channel:{channel}"


def _detail(found: Fit, version: int) -> dict[str, object]:
    return {
        "version": version,
        "weight": None if found.weight is None else str(found.weight),
        "suggested": None if found.suggested is None else str(found.suggested),
        "off_by_points": [None if gap is None else round(gap, 1) for gap in found.gaps],
        "weeks_from": found.weeks[0].week if found.weeks else None,
        "sold": found.sold,
        "regret": round(found.regret, 1),
        "next": "lockstep alloc fit",
    }
