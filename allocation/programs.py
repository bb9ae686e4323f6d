"""Wholesale programs: units held for one partner in a window, used by its orders, free again at the end. Pure.

A program is agreed in units. A percent is turned into units once, when the program is made: a percent of a base that
moves would promise more each time stock comes in. Of each line of a program, always:

    agreed = used + released + left
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

#: A pace is believed after this part of the window, or once half of the units are used.
EARLY: Final = 0.1
_HALF: Final = 0.5
#: An alarm is over when the projection has fallen to this part of what was agreed, so that it does not flicker.
_CALM: Final = 0.9
_DAY_S: Final = 86_400.0


class Policy(StrEnum):
    """Whether a partner whose units are used up gets any more: nothing, or free stock as far as its share allows."""

    CAP = "cap"
    OVERFLOW = "overflow"


class Ends(StrEnum):
    """What becomes of units left when the window is over: free by themselves, or when somebody says so."""

    ITSELF = "itself"
    HAND = "hand"


@dataclass(frozen=True, slots=True)
class Step:
    """From `at` on no more than `most` units stay reserved."""

    at: datetime
    most: int


@dataclass(frozen=True, slots=True)
class ProgramLine:
    """One SKU at one location of a program.

    agreed      units, never changed
    used        in orders of the partner, shipped or not
    released    free again
    note        what the units were computed from
    """

    sku: str
    location: str
    agreed: int
    used: int = 0
    released: int = 0
    note: str = ""
    steps: tuple[Step, ...] = ()

    @property
    def left(self) -> int:
        """Units still reserved."""
        return self.agreed - self.used - self.released


@dataclass(frozen=True, slots=True)
class Program:
    """What was agreed with a partner; its orders draw on it from `since` until before `until`."""

    name: str
    partner: str
    policy: Policy
    ends: Ends
    since: datetime
    until: datetime
    lines: tuple[ProgramLine, ...]
    made_by: str
    made_at: datetime
    why: str
    ended_at: datetime | None = None
    moves: int = 0

    def serves(self, now: datetime) -> bool:
        """Whether orders draw on it now."""
        return self.ended_at is None and self.since <= now < self.until

    def is_over(self, now: datetime) -> bool:
        """Whether its window has passed."""
        return self.until <= now

    def line(self, sku: str, location: str) -> ProgramLine | None:
        """Its line of a SKU at a location."""
        return next((x for x in self.lines if (x.sku, x.location) == (sku, location)), None)

    def with_line(self, changed: ProgramLine) -> Program:
        """The program with one line as it is now."""
        key = changed.sku, changed.location
        lines = tuple(changed if (x.sku, x.location) == key else x for x in self.lines)
        return replace(self, lines=lines)


def frozen(percent: Decimal, base: int) -> int:
    """A percent of a base as whole units, not below 0."""
    return max(0, int(percent * base / 100))


def surplus(program: Program, line: ProgramLine, now: datetime) -> int:
    """Units that the release rule gives back now: all when the window is over, what is above a step before that."""
    if program.ended_at is not None:
        return 0
    if program.is_over(now):
        return line.left if program.ends is Ends.ITSELF else 0
    most = min((step.most for step in line.steps if step.at <= now), default=line.agreed)
    return max(0, line.left - most)


def ends_now(program: Program, now: datetime) -> bool:
    """Whether a program is done: over, with nothing that somebody must still release."""
    return program.is_over(now) and all(
        line.left == surplus(program, line, now) for line in program.lines
    )


@dataclass(frozen=True, slots=True)
class Draw:
    """What one order line takes of a SKU from programs.

    line     the ledger's name of it
    was      program -> units it took so far
    keeps    most units it still has, from anywhere
    takes    units it has now from programs that serve
    """

    line: str
    sku: str
    was: Mapping[str, int]
    keeps: int
    takes: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """Units of an order line that a program gives; below 0 it gets them back, or gives them up (`to_free`)."""

    line: str
    program: str
    sku: str
    units: int
    to_free: bool = False


def in_turn(programs: Iterable[Program]) -> list[Program]:
    """The order in which programs are drawn on: the one that ends first comes first."""
    return sorted(programs, key=lambda each: (each.until, each.name))


def draw(
    programs: Sequence[Program], location: str, draws: Sequence[Draw], now: datetime
) -> list[Drawn]:
    """Who gives what, so that every line takes what it shall: what is let go comes first, then what is taken.

    Drawn on last is given back first. What came from a program that serves no more is let go last, and is free then.
    """
    ordered = in_turn(programs)
    serving = [each for each in ordered if each.serves(now)]
    gone = [each for each in ordered if not each.serves(now)]
    moved: list[Drawn] = []
    left = {each.name: _left(each, location) for each in serving}
    for each in draws:
        back = sum(each.was.get(p.name, 0) for p in serving) - each.takes
        for program, units in _spread(each.was, reversed(serving), back):
            moved.append(Drawn(each.line, program, each.sku, -units))
            left[program][each.sku] += units
        back = sum(each.was.get(p.name, 0) for p in gone) - each.keeps
        for program, units in _spread(each.was, reversed(gone), back):
            moved.append(Drawn(each.line, program, each.sku, -units, to_free=True))
    for each in draws:
        more = each.takes - sum(each.was.get(p.name, 0) for p in serving)
        has = {name: skus.get(each.sku, 0) for name, skus in left.items()}
        for program, units in _spread(has, serving, more):
            moved.append(Drawn(each.line, program, each.sku, units))
            left[program][each.sku] -= units
    return moved


def counted(program: Program, location: str, drawn: Drawn) -> Program:
    """The program once it has given so many units; each change has a number of its own (`moves`).

    raises    ValueError when it holds no such units
    """
    line = program.line(drawn.sku, location)
    if line is None or not -line.used <= drawn.units <= line.left:
        raise ValueError(f"program {program.name} cannot give {drawn.units} of {drawn.sku}")
    released = line.released - drawn.units if drawn.to_free else line.released
    line = replace(line, used=line.used + drawn.units, released=released)
    return replace(program.with_line(line), moves=program.moves + 1)


def _left(program: Program, location: str) -> dict[str, int]:
    return {line.sku: line.left for line in program.lines if line.location == location}


def _spread(
    has: Mapping[str, int], programs: Iterable[Program], units: int
) -> list[tuple[str, int]]:
    """Units out of what each program has, in this order."""
    spread = []
    for program in programs:
        given = min(units, has.get(program.name, 0))
        if given > 0:
            spread.append((program.name, given))
            units -= given
    return spread


@dataclass(frozen=True, slots=True)
class Burn:
    """How a line of a program is used up. Days are of 24 hours.

    shipped         of the used ones
    days            since the window began;  window_days  its length
    projected       units used at the end of the window at this pace
    overrun         of them, more than there are
    runs_out_at     when nothing is left at this pace; None when never
    free            units available to anybody at the location
    others_per_day  units a day that all other channels sell from there
    source          domain: 220 of 400 in 30 of 90 days is a pace of 7.33 a day, 660 projected, an overrun of 260
    """

    program: str
    partner: str
    policy: Policy
    sku: str
    location: str
    since: datetime
    until: datetime
    agreed: int
    used: int
    shipped: int
    released: int
    left: int
    days: float
    window_days: float
    pace_per_day: float
    projected: float
    overrun: float
    runs_out_at: datetime | None
    alarm: bool
    free: int = 0
    others_per_day: float = 0.0

    @property
    def cover_weeks(self) -> float | None:
        """Weeks that free stock lasts the other channels; None where they sell nothing."""
        return _weeks(self.free, self.others_per_day)

    @property
    def cover_weeks_after(self) -> float | None:
        """The same when the overrun has come out of free stock, as it does without a cap."""
        taken = self.overrun if self.policy is Policy.OVERFLOW else 0.0
        return _weeks(self.free - taken, self.others_per_day)


def burn(
    program: Program,
    line: ProgramLine,
    now: datetime,
    *,
    shipped: int = 0,
    free: int = 0,
    others_per_day: float = 0.0,
    alarmed: bool = False,
) -> Burn:
    """How a line is used up by now.

    alarmed    an alarm is on already: it stays until the projection is well below what is there
    """
    window_days = (program.until - program.since).total_seconds() / _DAY_S
    days = max(0.0, (min(now, program.until) - program.since).total_seconds() / _DAY_S)
    pace = line.used / days if days else 0.0
    held = line.used + line.left
    # Multiplied first: 220 of 400 after 30 of 90 days are 660, not 659.99...
    projected = line.used * window_days / days if days else float(line.used)
    lasts_days = line.left / pace if pace else None
    return Burn(
        program=program.name,
        partner=program.partner,
        policy=program.policy,
        sku=line.sku,
        location=line.location,
        since=program.since,
        until=program.until,
        agreed=line.agreed,
        used=line.used,
        shipped=shipped,
        released=line.released,
        left=line.left,
        days=days,
        window_days=window_days,
        pace_per_day=pace,
        projected=projected,
        overrun=max(0.0, projected - held),
        runs_out_at=_after(now, lasts_days),
        alarm=program.serves(now)
        and projected > held * (_CALM if alarmed else 1)
        and _is_believed(line, days / window_days),
        free=free,
        others_per_day=others_per_day,
    )


def _is_believed(line: ProgramLine, part: float) -> bool:
    """Wholesale orders are few and large: the first one alone says nothing of a pace, unless it takes half of all."""
    return part >= EARLY or line.used >= _HALF * (line.used + line.left)


def _after(now: datetime, days: float | None) -> datetime | None:
    if days is None or days > 36_500:
        return None
    return now + timedelta(days=days)


def _weeks(units: float, per_day: float) -> float | None:
    return max(0.0, units) / (7 * per_day) if per_day > 0 else None
