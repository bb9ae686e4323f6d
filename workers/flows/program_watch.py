"""How partners use up their programs: looked at once a minute, with an alarm before the units are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine

from allocation import alarms, pace_store, program_store, programs
from allocation.programs import Burn, Ends, Program
from allocation.types import Pace
from ledger.db import transaction

#: Rules of alarms: a partner orders faster than agreed; a program is over and waits for somebody to release it.
PACE, OVER = "program.pace", "program.over"
#: A pace is looked at once in so long.
LOOK_EVERY: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm that was not on before."""

    rule: str
    what: str
    detail: Mapping[str, object]


def watch(engine: Engine, *, now: datetime) -> list[Raised]:
    """Look at every program that was not looked at for a while; returns the alarms that are new."""
    with transaction(engine) as connection:
        names = program_store.look(connection, now, now - LOOK_EVERY)
        if not names:
            return []
        found = [each for each in program_store.programs(connection) if each.name in set(names)]
        raised = [_paced(connection, each, now) for each in burns(connection, found, now)]
        raised += [_over(connection, each, now) for each in found]
        return [each for each in raised if each is not None]


def burns(connection: Connection, found: Sequence[Program], now: datetime) -> list[Burn]:
    """How each line of these programs is used up by now."""
    lines = [line for each in found for line in each.lines]
    shipped = program_store.shipped(connection, [each.name for each in found])
    free = program_store.free(connection, lines)
    paces = pace_store.paces(connection, sorted({line.sku for line in lines}), now)
    on = {each.object for each in alarms.open_alarms(connection, PACE)}
    return [
        programs.burn(
            program,
            line,
            now,
            shipped=shipped.get((program.name, line.sku, line.location), 0),
            free=free.get((line.sku, line.location), 0),
            others_per_day=_others(paces.get(line.sku, {}), program.partner, line.location),
            alarmed=_object(program.name, line.sku, line.location) in on,
        )
        for program in found
        for line in program.lines
    ]


def calm(connection: Connection, program: Program, now: datetime) -> None:
    """End every alarm of a program that is done."""
    alarms.resolve(connection, OVER, f"program:{program.name}", now)
    for line in program.lines:
        alarms.resolve(connection, PACE, _object(program.name, line.sku, line.location), now)


def _others(paces: Mapping[tuple[str, str], Pace], partner: str, location: str) -> float:
    """Units a day that all other channels sell from a location."""
    return sum(
        pace.units_per_day
        for (channel, served_from), pace in paces.items()
        if channel != partner and served_from == location
    )


def _object(name: str, sku: str, location: str) -> str:
    return f"program:{name}/{sku}@{location}"


def _paced(connection: Connection, burn: Burn, now: datetime) -> Raised | None:
    what = _object(burn.program, burn.sku, burn.location)
    if not burn.alarm:
        alarms.resolve(connection, PACE, what, now)
        return None
    detail: dict[str, object] = {
        "partner": burn.partner,
        "policy": burn.policy.value,
        "agreed": burn.agreed,
        "used": burn.used,
        "left": burn.left,
        "days": round(burn.days, 1),
        "window_days": round(burn.window_days, 1),
        "projected": round(burn.projected),
        "overrun": round(burn.overrun),
        "runs_out_at": burn.runs_out_at,
        "cover_weeks": _rounded(burn.cover_weeks),
        "cover_weeks_after": _rounded(burn.cover_weeks_after),
    }
    fresh = alarms.raise_alarm(connection, PACE, what, detail, now)
    return Raised(PACE, what, detail) if fresh else None


def _over(connection: Connection, program: Program, now: datetime) -> Raised | None:
    """Only a program that is released by hand stays open after its window."""
    left = sum(line.left for line in program.lines)
    if program.ends is not Ends.HAND or not program.is_over(now) or not left:
        return None
    what = f"program:{program.name}"
    detail: dict[str, object] = {
        "partner": program.partner,
        "left": left,
        "until": program.until,
        "next": f"lockstep partner release {program.name}",
    }
    fresh = alarms.raise_alarm(connection, OVER, what, detail, now)
    return Raised(OVER, what, detail) if fresh else None


def _rounded(weeks: float | None) -> float | None:
    return None if weeks is None else round(weeks, 1)
