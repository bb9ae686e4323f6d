"""Whether weights still fit: each channel's part of the demand beside its part of the stock, week by week.

Channels compare within their circle: those with the same locations that all divide by percent, or all by weight. What a
circle's channels hold together stays what it was, so that a suggestion never breaks the sum of a location. Weights are
the channels' own; overrides of single SKUs are left out. Nothing here changes a rule: a person does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import ceil, lcm
from typing import Final

from allocation.types import ChannelRule, Rules, Show
from allocation.webster import Party, apportion

WEEK: Final = timedelta(days=7)
#: Weeks that shares and suggestions look back.
LOOK_BACK: Final = 13
#: Weeks in a row that must be off, by more than so many points, before anybody is called.
FLAG_WEEKS: Final = 3
FLAG_POINTS: Final = 10.0
#: A week counts so much of the one after it: half in about four weeks.
FADE: Final = Fraction(5, 6)
#: The weights in force count as so many of the newest weeks: a few weeks are no trend.
PRIOR_WEEKS: Final = 1


def week_of(at: datetime) -> datetime:
    """The Monday, 0:00 UTC, of the ISO week of a moment."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


@dataclass(frozen=True, slots=True)
class Week:
    """One channel in one ISO week (UTC).

    week               its Monday, 0:00 UTC
    sold               units ordered in it and not cancelled by now
    shown              units of all its targets, the mean over the time of the week
    starved_minutes    minutes in which a SKU of it showed 0 while its pool had units that its rules allow; of all SKUs
    regret             units it could not sell meanwhile, estimated (`allocation.fit_store`)
    """

    channel: str
    week: datetime
    sold: int = 0
    shown: float = 0.0
    starved_minutes: float = 0.0
    regret: float = 0.0

    @property
    def demand(self) -> float:
        """Units wanted: without the estimate a channel that runs dry would look as if nobody wanted anything there."""
        return self.sold + self.regret


def effectiveness(sold: float, regret: float) -> float | None:
    """Sold / min(demand, pool), 0 to 1; None where nothing was wanted.

    demand is what was sold and what was lost, pool what was sold and what is left; `regret` is the smaller of what was
    lost and what is left, so min(demand, pool) = sold + regret.
    """
    return sold / (sold + regret) if sold + regret > 0 else None


@dataclass(frozen=True, slots=True)
class Circle:
    """Channels that compete for the same stock by their weights, in the order of the rule file.

    percent    they divide by percent: `weights` are parts of 100; else relative claims
    """

    weights: Mapping[str, Decimal]
    percent: bool

    @property
    def total(self) -> Decimal:
        """What the weights come to."""
        return sum(self.weights.values(), Decimal(0))

    def share(self, channel: str) -> Fraction:
        """Its part of the weights, 0 to 1."""
        return Fraction(self.weights[channel]) / Fraction(self.total)


def circles(rules: Rules) -> list[Circle]:
    """The circles of these rules; a channel that sees its whole pool, or shows nothing, is in none."""
    found: dict[tuple[frozenset[str], bool], dict[str, Decimal]] = {}
    for channel in rules.channels:
        rule = channel.rule
        if rule.divides and not rule.excluded:
            key = frozenset(channel.locations), rule.percent is not None
            weight = rule.percent if rule.percent is not None else Decimal(rule.weight or 0)
            found.setdefault(key, {})[channel.name] = weight
    every = [Circle(weights, percent) for (_, percent), weights in found.items()]
    return [circle for circle in every if circle.total > 0]


def pool_of(channel: ChannelRule) -> str | None:
    """What names the pool behind a channel's numbers; None where each location is a pool of its own."""
    return None if channel.show is Show.PER_LOCATION else "+".join(sorted(channel.locations))


@dataclass(frozen=True, slots=True)
class Fit:
    """How a channel fits, over some full weeks.

    weight           as the rules in force have it, a percent or a relative claim; None where it does not divide
    suggested        what its demand asks for, in the same measure; None where there is nothing to compare
    weight_points, demand_points, stock_points    its parts of 100, within its circle; without one, demand and stock are
                     its parts of the whole house
    gaps             by week, the oldest first: points of demand less points of weight; None without any demand
    weeks            what they are made of, the oldest first
    """

    channel: str
    weight: Decimal | None
    suggested: Decimal | None
    weight_points: float | None
    demand_points: float | None
    stock_points: float | None
    gaps: tuple[float | None, ...]
    weeks: tuple[Week, ...]
    percent: bool = True

    @property
    def sold(self) -> int:
        """Units."""
        return sum(week.sold for week in self.weeks)

    @property
    def regret(self) -> float:
        """Units that it could not sell while its pool had them, estimated."""
        return sum(week.regret for week in self.weeks)

    @property
    def starved_minutes(self) -> float:
        """Minutes of all SKUs."""
        return sum(week.starved_minutes for week in self.weeks)

    @property
    def effectiveness(self) -> float | None:
        """Sold / min(demand, pool)."""
        return effectiveness(self.sold, self.regret)


def fits(
    rules: Rules, weeks: Sequence[Week], floors: Mapping[str, Decimal] | None = None
) -> list[Fit]:
    """How each channel of the rules fits, in the order of the file.

    weeks     of every channel; a channel and week that are missing were nothing. Weeks before the first in which
              anything was sold or shown are not looked at
    floors    least weight suggested, by channel, in the measure of its rule; else one in a hundred
    raises    ValueError: floors of a circle are above its total
    """
    mondays = sorted({week.week for week in weeks if week.sold or week.shown})
    if mondays:
        mondays = [mondays[0] + n * WEEK for n in range((mondays[-1] - mondays[0]) // WEEK + 1)]
    by_key = {(week.channel, week.week): week for week in weeks}
    of = {
        channel.name: tuple(
            by_key.get((channel.name, at), Week(channel.name, at)) for at in mondays
        )
        for channel in rules.channels
    }
    found: dict[str, Fit] = {}
    for circle in circles(rules):
        found |= _circle({name: of[name] for name in circle.weights}, circle, floors or {})
    return [found.get(name) or _outside(name, of) for name in of]


def _circle(
    weeks: Mapping[str, tuple[Week, ...]], circle: Circle, floors: Mapping[str, Decimal]
) -> dict[str, Fit]:
    demand = {name: [week.demand for week in of] for name, of in weeks.items()}
    totals = [sum(column) for column in zip(*demand.values(), strict=True)]
    suggested = suggest(circle, demand, floors)
    wanted, shown = sum(totals), sum(week.shown for of in weeks.values() for week in of)
    found = {}
    for name, of in weeks.items():
        points = float(100 * circle.share(name))
        found[name] = Fit(
            name,
            circle.weights[name],
            suggested[name] if wanted and len(weeks) > 1 else None,
            points,
            _points(sum(demand[name]), wanted),
            _points(sum(week.shown for week in of), shown),
            tuple(
                100 * week.demand / total - points if total else None
                for week, total in zip(of, totals, strict=True)
            ),
            of,
            circle.percent,
        )
    return found


def _outside(name: str, weeks: Mapping[str, tuple[Week, ...]]) -> Fit:
    every = [week for of in weeks.values() for week in of]
    wanted = _points(sum(w.demand for w in weeks[name]), sum(w.demand for w in every))
    shown = _points(sum(w.shown for w in weeks[name]), sum(w.shown for w in every))
    return Fit(name, None, None, None, wanted, shown, (), weeks[name])


def _points(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def suggest(
    circle: Circle, demand: Mapping[str, Sequence[float]], floors: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """Weights that follow demand, with the same total.

    demand     units by channel and week, the oldest first; all of the same length
    returns    the faded mean of the demand and the weights in force, in whole percents (hundredths where a weight has
               decimals; relative weights in whole numbers that come to 100 or more), given out by Webster. Demand in
               proportion to the weights changes nothing, more demand for a channel never lowers its own part, and only
               proportions count
    raises     ValueError: floors above the total
    """
    count = max((len(of) for of in demand.values()), default=0)
    counts = [FADE ** (count - 1 - at) for at in range(count)]
    mass = {
        name: sum((n * Fraction(units) for n, units in zip(counts, of, strict=True)), Fraction(0))
        for name, of in demand.items()
    }
    wanted, evidence = sum(mass.values()), sum(counts)
    if not wanted:
        return dict(circle.weights)
    blended = {
        name: evidence * mass[name] / wanted + PRIOR_WEEKS * circle.share(name)
        for name in circle.weights
    }
    parts = _parts(circle)
    units = _rounded(circle, blended, parts, floors)
    if all(units[name] == weight * parts for name, weight in circle.weights.items()):
        return dict(circle.weights)
    return {name: Decimal(each) / (parts if circle.percent else 1) for name, each in units.items()}


def _parts(circle: Circle) -> int:
    """Into how many parts each point of weight is divided, so that they are fine enough and none is lost."""
    if not circle.percent:
        return ceil(100 / circle.total)
    return 1 if all(each == int(each) for each in circle.weights.values()) else 100


def _rounded(
    circle: Circle, blended: Mapping[str, Fraction], parts: int, floors: Mapping[str, Decimal]
) -> dict[str, int]:
    """Parts in proportion to `blended`, none below its floor; they come to those of the weights in force."""
    one = Decimal(1) if circle.percent else circle.total / 100
    least = {name: floors.get(name, min(of, one)) for name, of in circle.weights.items()}
    if sum(least.values()) > circle.total:
        names = ", ".join(circle.weights)
        raise ValueError(f"the floors of {names} come to more than the {circle.total} they have")
    whole = lcm(*(each.denominator for each in blended.values()))
    parties = [Party(int(blended[name] * whole), int(least[name] * parts)) for name in blended]
    given = apportion(int(circle.total * parts), parties)
    return dict(zip(blended, given, strict=True))


class Verdict(StrEnum):
    """Whether a weight fits: off week after week, fits again, or neither (an alarm stays as it is)."""

    OFF = "off"
    FITS = "fits"
    OPEN = "open"


def verdict(fit: Fit, *, weeks: int = FLAG_WEEKS, points: float = FLAG_POINTS) -> Verdict:
    """Whether a channel's demand has left its weight.

    weeks     full weeks in a row, the newest last, that must be off to the same side
    points    most that fits
    source    allocation/README.md, "Fit"
    """
    last = fit.gaps[-weeks:]
    known = [gap for gap in last if gap is not None]
    if len(known) == weeks and (min(known) > points or max(known) < -points):
        return Verdict.OFF
    if fit.weight is None or (last and last[-1] is not None and abs(last[-1]) <= points):
        return Verdict.FITS
    return Verdict.OPEN


def snippet(found: Sequence[Fit]) -> str:
    """The suggestions as lines of a rule file, for a person to put in; "" where nothing would change."""
    tables = [
        f"[channels.{each.channel}]\n{'percent' if each.percent else 'weight'} = {each.suggested:f}"
        f"  # now {each.weight:f}; {each.demand_points:.0f}% of the demand of {len(each.weeks)} weeks\n"
        for each in found
        if each.suggested is not None and each.suggested != each.weight
    ]
    return "\n".join(tables)
