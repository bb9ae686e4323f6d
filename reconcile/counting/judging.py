"""From the counts of a place, or of many together, to the alarms and recount orders that should stand.

What is small and steady is found by sums (`cusum`); what is large is told at once and left out of the sums: it would
drown what is small. Everything is judged from the counts as they stand now, so that a reversed one leaves no trace.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from reconcile.counting.cusum import POISSON_H, H, K, Step, poisson_k, poisson_sums, steps
from reconcile.counting.tolerance import percent_off, verdict
from reconcile.counting.types import (
    BAD,
    CUSUM,
    FAILED_PICK,
    VARIANCE,
    Counted,
    Finding,
    Order,
    Place,
    Terms,
    Tier,
    Verdict,
    of_place,
)

WEEK: Final = timedelta(days=7)
#: A plain sum looks back so far, and is never beyond by less than so many units.
SUM_OVER: Final = timedelta(days=90)
_SUM_UNITS: Final = 2
#: Recounts that one alarm of many places orders.
_MOST_ORDERS: Final = 20
#: Part of counts out of tolerance that is usual, and that is bad: the target of 95 %, and three in four.
_USUAL_BAD: Final = 0.05
_BAD: Final = 0.25
#: Bad counts are summed over so long.
BAD_OVER: Final = timedelta(days=28)
#: The same z of one count, or of one week, counts for so much at most: a single one never alarms.
_MOST_Z: Final = 4.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What should stand of one or several objects: alarms that are on, and orders that are open."""

    findings: tuple[Finding, ...] = ()
    orders: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """What counts of a location are usually off by: sigma^2 = a + b * moves since the last count, at least one unit."""

    a: float = 1.0
    b: float = 0.01

    def sigma(self, moves: int) -> float:
        """Units."""
        return math.sqrt(max(1.0, self.a + self.b * moves))


#: So many counts tell what is usual at a location.
ENOUGH_COUNTS: Final = 30


def spread(
    counts: int,
    squares: float,
    moves: float,
    intercept: float | None,
    slope: float | None,
    explained: float | None,
) -> Spread:
    """What is usual at a location, fitted to its counts.

    squares, moves       means of the squared deviation and of the moves
    intercept, slope     of the line of squares over moves, None where all moves are alike
    explained            part of the squares' variance that the line explains; a slope within three of its standard
                         errors is none
    """
    if counts < ENOUGH_COUNTS:
        return Spread()
    if intercept is None or slope is None or slope <= 0 or not _is_told(explained, counts):
        return Spread(squares, 0.0)
    if intercept < 0:
        return Spread(0.0, squares / moves)
    return Spread(intercept, slope)


def _is_told(explained: float | None, counts: int) -> bool:
    return explained is not None and explained * (counts - 2) > 9 * (1 - explained)


def place(history: Sequence[Counted], terms: Terms) -> Judged:
    """What the counts of one place come to.

    history    those that were not reversed, oldest first; only what follows from the last one is open
    """
    if not history:
        return Judged()
    found = [*_large(history, terms), *_steady(history, terms)]
    return Judged(
        tuple(finding for finding, _ in found if finding is not None),
        tuple(order for _, order in found),
    )


def _large(history: Sequence[Counted], terms: Terms) -> Iterable[tuple[Finding | None, Order]]:
    last = history[-1]
    sound_at = history[-2].at if len(history) > 1 else None
    what, missing = of_place(*last.place), max(0, -last.variance)
    if is_large(last, terms):
        detail = {
            "sku": last.sku,
            "location": last.location,
            "counted": last.counted,
            "book": last.position,
            "variance": last.variance,
            "percent": percent_off(last.variance, last.position),
            "tier": last.tier,
            "reason": last.reason,
            "at": last.at,
            "next": f"lockstep count plan --location {last.location}",
        }
        order = Order(VARIANCE, what, *last.place, last.at, sound_at, missing)
        yield Finding(VARIANCE, what, detail), order
    if last.reason == FAILED_PICK:
        yield None, Order(FAILED_PICK, what, *last.place, last.at, sound_at, missing)


def _steady(history: Sequence[Counted], terms: Terms) -> Iterable[tuple[Finding, Order]]:
    last = history[-1]
    small = [count for count in history if not is_large(count, terms)]
    if not small or small[-1] is not last:
        return
    *_, step = steps((_z(count.variance, count.sigma) for count in small), k=K, h=H)
    if not step.signal:
        return
    what, run = of_place(*last.place), small[step.began :]
    units = sum(count.variance for count in run)
    before = [count.at for count in history if count.at < run[0].at]
    sum_units, limit = plain_sum(history, terms, last.at)
    detail = _detail(step, units, len(run), run[0].at, last.at) | {
        "sku": last.sku,
        "location": last.location,
        "sum_90d": sum_units,
        "sum_limit": limit,
        "next": f"lockstep count plan --location {last.location}",
    }
    sound_at = before[-1] if before else None
    yield (
        Finding(CUSUM, what, detail),
        Order(CUSUM, what, *last.place, last.at, sound_at, max(0, -units)),
    )


def is_large(count: Counted, terms: Terms) -> bool:
    """Whether a count was told at once: it has no part in the sums of what is small."""
    return verdict(count.variance, count.position, count.tier, terms) is Verdict.ESCALATED


def _z(variance: float, sigma: float) -> float:
    return max(-_MOST_Z, min(_MOST_Z, variance / sigma))


def _detail(
    step: Step, units: int, samples: int, since: datetime, at: datetime
) -> dict[str, object]:
    return {
        "units": units,
        "sum": round(step.low if step.signal < 0 else step.high, 2),
        "h": H,
        "k": K,
        "samples": samples,
        "run_since": since,
        "at": at,
    }


def plain_sum(history: Iterable[Counted], terms: Terms, now: datetime) -> tuple[int, float]:
    """Units that small variances of the last 90 days come to, and the limit beyond which they are no noise.

    The limit is the larger of two units and the tolerance of the place's mean stock.
    """
    counts = [c for c in history if now - SUM_OVER < c.at <= now and not is_large(c, terms)]
    if not counts:
        return 0, float(_SUM_UNITS)
    stock = sum(max(0, count.position) for count in counts) / len(counts)
    return sum(count.variance for count in counts), sum_limit(stock, counts[-1].tier, terms)


def sum_limit(stock: float, tier: Tier, terms: Terms) -> float:
    """Units that small variances of 90 days may come to at a place of this mean stock."""
    return max(float(_SUM_UNITS), float(terms.percent[tier] / Decimal(100)) * stock)


@dataclass(frozen=True, slots=True)
class Week:
    """The small variances of many places in one week.

    units      their sum;  spread  the sum of their sigmas' squares, above 0
    """

    since: datetime
    units: int
    spread: float
    counts: int

    @property
    def z(self) -> float:
        """The sum in units of what is usual."""
        return _z(self.units, math.sqrt(self.spread))


@dataclass(frozen=True, slots=True)
class Signal:
    """A week in which the sum of a pool reached the level, and where its run began."""

    step: Step
    first: Week
    last: Week
    units: int
    counts: int

    @property
    def until(self) -> datetime:
        """The end of the week: what is counted from then on answers its orders."""
        return self.last.since + WEEK

    @property
    def since(self) -> datetime:
        """The beginning of the run."""
        return self.first.since


def signals(weeks: Sequence[Week]) -> list[Signal]:
    """The signals of a pool.

    weeks    full ones in which something was counted, oldest first
    """
    found = []
    for number, step in enumerate(steps((week.z for week in weeks), k=K, h=H)):
        if step.signal:
            run = weeks[step.began : number + 1]
            units, counts = sum(w.units for w in run), sum(w.counts for w in run)
            found.append(Signal(step, run[0], run[-1], units, counts))
    return found


@dataclass(frozen=True, slots=True)
class Share:
    """What one place has lost or gained in the run of a pool; `sound_at` is its last count before the run."""

    place: Place
    units: int
    sound_at: datetime | None = None


def pool(what: str, signal: Signal, shares: Iterable[Share]) -> Judged:
    """An alarm of many places together, and recounts of those that did most to it.

    what      `location:WH` or `reason:theft`
    """
    sign = signal.step.signal
    mine = sorted(
        (share for share in shares if share.units * sign > 0),
        key=lambda share: (-abs(share.units), share.place),
    )[:_MOST_ORDERS]
    orders = tuple(
        Order(CUSUM, what, *share.place, signal.until, share.sound_at, max(0, -share.units))
        for share in mine
    )
    detail = _detail(signal.step, signal.units, signal.counts, signal.since, signal.until) | {
        "worst": [f"{share.place[0]}@{share.place[1]} {share.units:+d}" for share in mine[:5]],
        "next": "lockstep count plan",
    }
    return Judged((Finding(CUSUM, what, detail),), orders)


@dataclass(frozen=True, slots=True)
class Day:
    """Counts of a location in one day, and how many of them were out of tolerance."""

    day: datetime
    counts: int
    bad: int


def bad_counts(location: str, days: Sequence[Day]) -> Finding | None:
    """An alarm when too many counts of a location are out of tolerance, however small each is.

    days    of the last weeks in which something was counted, oldest first; recounts left out
    """
    allowed = poisson_k(_USUAL_BAD, _BAD)
    sums = poisson_sums([day.bad for day in days], [day.counts * allowed for day in days])
    if not sums or sums[-1] < POISSON_H:
        return None
    counts, bad = sum(day.counts for day in days), sum(day.bad for day in days)
    detail = {
        "counted": counts,
        "out_of_tolerance": bad,
        "sum": round(sums[-1], 2),
        "h": POISSON_H,
        "next": f"lockstep count accuracy --location {location}",
    }
    return Finding(BAD, f"location:{location}", detail)


@dataclass(slots=True)
class Standing:
    """Everything that should stand, gathered object by object."""

    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)

    def add(self, judged: Judged) -> None:
        """A later alarm of the same object takes the place of an earlier one."""
        for finding in judged.findings:
            self.findings[finding.rule, finding.what] = finding
        self.orders.extend(judged.orders)
