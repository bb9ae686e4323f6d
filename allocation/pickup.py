"""How many units of a SKU a store may promise for pick-up: those that very likely are there when somebody looks.

Theory. The book says q. Since the last count some units may have vanished unseen, and until the order is picked
customers in the store take others from the shelf. Both come at random, so n units can be picked with P(loss +
walk-in <= q - n), loss ~ Poisson(loss a day * days since the count), walk-in ~ order lines of the store in the
hours from order to picking. The fewest units on the book for one to be picked with the confidence asked for, less
that one, stay back: a threshold that grows with the time since the count and with the pace of the store.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from allocation.cover import safety_units
from allocation.exposure import together
from allocation.risk import buffer_units, poisson_quantile
from allocation.rules import fitting
from allocation.types import LocationRule, Pace, Pickup, Rules

#: Counts of a location tell its loss a day once there are so many with an earlier count of the same SKU ...
ENOUGH_COUNTS = 30
#: ... and the days between them come to so many together.
ENOUGH_DAYS = 365.0

#: Beyond so many units expected to be gone nobody counts exactly: eight standard deviations more cover any confidence.
_MANY = 100_000.0
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A recount that is ordered and not made: until it is in, the last count is not to be relied on.

    since      the count that raised the doubt, or the order;  sound_at  the last count before it that nobody doubts
    missing    units found missing between the two
    """

    since: datetime
    sound_at: datetime | None
    missing: int


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the book knows of a SKU at a location.

    available      units; below 0 where more was promised than is there
    version        of the balance they were read from
    counted_at     the last count, None without one;  known_since  since when there is such a SKU
    doubt          None unless a recount is ordered
    paces          order lines served from there, one for each channel that ever sold it there; of all channels, as it
                   cannot be told which lines were taken from the shelf by hand
    """

    sku: str
    location: str
    available: int
    version: int
    counted_at: datetime | None
    known_since: datetime
    paces: tuple[Pace, ...] = ()
    doubt: Doubt | None = None

    def relied_on(self) -> datetime:
        """The moment since when units may have vanished unseen."""
        counted_at = self.counted_at if self.doubt is None else self.doubt.sound_at
        return counted_at or self.known_since


@dataclass(frozen=True, slots=True)
class Counted:
    """What the counts of a location came to: counts that had one before, the days between, and units found missing."""

    counts: int
    days: float
    missing: int


@dataclass(frozen=True, slots=True)
class Part:
    """What a location can hand out of one SKU, and how that came about.

    units = available - safety - threshold + owed, always.

    each         units of it in one of what was asked for; above 1 only in a bundle
    owed         what brings the number up to 0
    lost         units expected to have vanished since the count;  sold  to be taken until the picking
    counted_at   None: never, so that everything since the SKU is known counts
    doubted      a recount is ordered: losses count from the count before, at the place's own rate if that is more
    assumed      nothing was ever sold there, so that the pace is the one the rules assume
    """

    sku: str
    units: int
    available: int
    safety: int
    threshold: int
    owed: int
    lost: float
    sold: float
    counted_at: datetime | None
    assumed: bool
    each: int = 1
    doubted: bool = False


@dataclass(frozen=True, slots=True)
class Number:
    """Units of a SKU that a location may promise for pick-up.

    version    of the balances it was computed from: rises with each change of them
    parts      the SKU itself, or what a bundle takes; the scarcest decides
    """

    sku: str
    location: str
    units: int
    version: int
    parts: tuple[Part, ...]


def chance(units: int, record: int, mean: float) -> float:
    """The chance that so many units can be picked where the book says `record`.

    mean    units expected to be gone by then, lost or sold, one by one
    """
    if mean <= 0:
        return float(record >= units)
    return math.fsum(
        math.exp(gone * math.log(mean) - mean - math.lgamma(gone + 1))
        for gone in range(record - units + 1)
    )


def fewest(mean: float, confidence: float) -> int:
    """The fewest units on the book for one of them to be picked with this confidence, at least 1."""
    return 1 + poisson_quantile(mean, 1.0 - confidence)


def per_day(rule: Pickup, counted: Counted | None) -> float:
    """Units of a SKU lost in a day at a location.

    returns    with enough counts (missing + 1) / days: one more than was found, as few losses prove little; else what
               the rule says
    """
    if counted is None or counted.counts < ENOUGH_COUNTS or counted.days < ENOUGH_DAYS:
        return rule.loss_per_day
    return (counted.missing + 1) / counted.days


def number(
    sku: str,
    location: str,
    shelves: Sequence[tuple[Shelf, int]],
    rules: Rules,
    counted: Mapping[str, Counted],
    at: datetime,
) -> Number:
    """What a location may promise of a SKU.

    location    one with a `pickup` rule
    shelves     the SKU's own with 1; of a bundle, each component's with the units it takes
    rules       as they are in force at `at` (`allocation.rules.in_force`)
    counted     by location
    source      allocation/README.md, "Pick-up"
    """
    here = rules.locations[location]
    if here.pickup is None:
        raise AssertionError(f"no orders are picked up at {location}")
    # All parts must be found: their chances multiply.
    rule = replace(here.pickup, confidence=here.pickup.confidence ** (1 / len(shelves)))
    loss = per_day(rule, counted.get(location))
    parts = tuple(_part(shelf, each, rules, here, rule, loss, at) for shelf, each in shelves)
    return Number(
        sku,
        location,
        min(part.units // part.each for part in parts),
        sum(shelf.version for shelf, _ in shelves),
        parts,
    )


def _part(
    shelf: Shelf,
    each: int,
    rules: Rules,
    here: LocationRule,
    rule: Pickup,
    loss: float,
    at: datetime,
) -> Part:
    assumed = not shelf.paces
    paces = shelf.paces or (Pace(rules.exposure.per_day / _DAY.total_seconds()),)
    pace = together(paces)
    days = max(0.0, (at - shelf.relied_on()) / _DAY)
    lost, hours_s = _own_rate(shelf, loss) * days, rule.hours * 3600
    safety = _safety(shelf.sku, rules, here, paces)
    threshold = max(rule.threshold, _gone(lost, pace, hours_s, rule.confidence))
    left = shelf.available - safety - threshold
    return Part(
        sku=shelf.sku,
        units=max(0, left),
        available=shelf.available,
        safety=safety,
        threshold=threshold,
        owed=max(0, -left),
        lost=lost,
        sold=pace.units_per_s * hours_s,
        counted_at=shelf.counted_at,
        assumed=assumed,
        each=each,
        doubted=shelf.doubt is not None,
    )


def _own_rate(shelf: Shelf, loss: float) -> float:
    """Units a day: where a doubted place was found to lose more than its location does, it goes on at that rate."""
    if shelf.doubt is None or shelf.doubt.missing <= 0:
        return loss
    days = (shelf.doubt.since - shelf.relied_on()) / _DAY
    return max(loss, (shelf.doubt.missing + 1) / max(1.0, days))


def _gone(lost: float, pace: Pace, seconds: float, confidence: float) -> int:
    """Units that, with this confidence, are not exceeded by what is lost and sold."""
    lines = pace.lines_per_s * seconds
    mean, variance = lost + pace.units_per_s * seconds, lost + pace.square_per_line * lines
    if mean > _MANY:
        return math.ceil(mean + 8 * math.sqrt(variance))
    if pace.units_per_line <= 1.0 or lines <= 0:
        return fewest(lost + lines, confidence) - 1
    of_all = lost + lines
    return buffer_units(of_all, mean / of_all, variance / of_all, 1.0 - confidence)


def _safety(sku: str, rules: Rules, here: LocationRule, paces: Sequence[Pace]) -> int:
    units = here.safety
    for safety in fitting(rules, sku).safeties:
        if safety.location in (None, here.name):
            units = safety_units(safety, paces)
    return units
