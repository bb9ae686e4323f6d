"""Simple forecasts of a series of periods, one function each; a period of which nothing can be said is None.

Such a period teaches nothing: it is neither demand nor its absence, and it lengthens no interval. All but the seasonal
ones forecast the same for every period to come. Fixed weights of 0.1 are usual for demand that comes seldom.

Each level is told as it ran: after none, one, two ... of the known periods. So what it was at a moment of the past,
knowing no more than then, is had without computing it again.

*Warm* ones begin as plain means until their weight is reached, and forget the first period as soon as there is another:
a series begins where something was bought, so that its first period says more than the demand there is.

Sources: Croston 1972, "Forecasting and stock control for intermittent demands", Oper. Res. Q. 23; Syntetos, Boylan
2005, "The accuracy of intermittent demand estimates", Int. J. Forecasting 21 (SBA); Teunter, Syntetos, Babai 2011,
"Intermittent demand: linking forecasting to inventory obsolescence", Eur. J. Oper. Res. 214 (TSB).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from types import MappingProxyType
from typing import Final, TypeAlias

#: Units of each period, oldest first.
Periods: TypeAlias = Sequence[float | None]
#: periods, how many to forecast -> units of each
Model: TypeAlias = Callable[[Periods, int], list[float]]
#: The same of a season of so many periods
SeasonalModel: TypeAlias = Callable[[Periods, int, int], list[float]]

ALPHA: Final = 0.1
WINDOW: Final = 12
YEAR_WEEKS: Final = 52
#: So many of them tell what a short season is like.
SEASONS: Final = 8


def known(periods: Periods) -> list[float]:
    """The periods of which something can be said."""
    return [units for units in periods if units is not None]


def moving_averages(values: Sequence[float], window: int = WINDOW) -> list[float]:
    """Means of the last values, at most `window` of them."""
    sums = [0.0, *accumulate(values)]
    return [
        (sums[at] - sums[max(0, at - window)]) / min(at, window) if at else 0.0
        for at in range(len(sums))
    ]


def smoothed(values: Sequence[float], alpha: float = ALPHA, *, warm: bool = False) -> list[float]:
    """Simple exponential smoothing, begun at the first value."""
    found, level = [0.0], 0.0
    for at, units in enumerate(values):
        weight = max(alpha, 1 / max(1, at)) if warm else alpha if at else 1.0
        level += weight * (units - level)
        found.append(level)
    return found


def crostons(values: Sequence[float], alpha: float = ALPHA) -> list[float]:
    """Mean size of a demand over the mean interval between demands, both smoothed at demands only."""
    found = [0.0]
    size = interval = 0.0
    gap = 0
    for units in values:
        gap += 1
        if units > 0:
            first = interval == 0
            size = units if first else size + alpha * (units - size)
            interval = gap if first else interval + alpha * (gap - interval)
            gap = 0
        found.append(size / interval if interval else 0.0)
    return found


def sbas(values: Sequence[float], alpha: float = ALPHA) -> list[float]:
    """Croston's, less the bias that dividing two means brings."""
    return [level * (1 - alpha / 2) for level in crostons(values, alpha)]


def tsbs(
    values: Sequence[float], alpha: float = ALPHA, beta: float = ALPHA, *, warm: bool = False
) -> list[float]:
    """Mean size times the chance of demand in a period; the chance fades with each period without any.

    alpha    weight of the newest size;  beta  of the newest period for the chance
    """
    found, size, chance = [0.0], 0.0, 0.0
    sizes = 0
    for at, units in enumerate(values):
        came = 1.0 if units > 0 else 0.0
        chance += (max(beta, 1 / max(1, at)) if warm else beta if at else 1.0) * (came - chance)
        if came:
            sizes += 1
            size += (max(alpha, 1 / sizes) if warm else alpha if sizes > 1 else 1.0) * (
                units - size
            )
        found.append(size * chance)
    return found


def moving_average(periods: Periods, window: int = WINDOW) -> float:
    """Mean of the last known periods, at most `window` of them; 0 without any."""
    newest = known(periods)[-window:]
    return math.fsum(newest) / len(newest) if newest else 0.0


def croston(periods: Periods, alpha: float = ALPHA) -> float:
    """Croston's after the last known period."""
    return crostons(known(periods), alpha)[-1]


def sba(periods: Periods, alpha: float = ALPHA) -> float:
    """SBA after the last known period."""
    return sbas(known(periods), alpha)[-1]


def tsb(periods: Periods, alpha: float = ALPHA, beta: float = ALPHA) -> float:
    """TSB after the last known period."""
    return tsbs(known(periods), alpha, beta)[-1]


def seasonal_naive(periods: Periods, horizon: int, season: int = YEAR_WEEKS) -> list[float]:
    """Each period as it was a season before; where nothing can be said of that, as the mean of the last ones."""
    usual = moving_average(periods)
    ahead = []
    for step in range(horizon):
        place = len(periods) - season + step % season
        units = periods[place] if place >= 0 else None
        ahead.append(usual if units is None else units)
    return ahead


def seasonal(periods: Periods, horizon: int, season: int = YEAR_WEEKS) -> list[float]:
    """Each period as the three around it were a season before, times how much more is wanted now than then.

    More or less is told by the last `WINDOW` periods over those before that moment; nothing then is told as no change.
    Of a season shorter than `WINDOW` (days of a week) it is the mean of that place in the last `SEASONS` instead.
    """
    if season < WINDOW:
        return _as_in_seasons(periods, horizon, season)
    now = moving_average(periods)
    at = len(periods) - season
    then = moving_average(periods[:at]) if at > 0 else 0.0
    growth = min(2.0, max(0.5, now / then)) if then > 0 else 1.0
    ahead = []
    for step in range(horizon):
        place = at + step % season
        around = known(periods[max(0, place - 1) : place + 2]) if place >= 0 else []
        ahead.append(growth * math.fsum(around) / len(around) if around else now)
    return ahead


def _as_in_seasons(periods: Periods, horizon: int, season: int) -> list[float]:
    usual = moving_average(periods)
    ahead = []
    for step in range(horizon):
        first = len(periods) - season + step % season
        places = range(first, max(-1, first - SEASONS * season), -season)
        units = known([periods[place] for place in places if place >= 0])
        ahead.append(math.fsum(units) / len(units) if units else usual)
    return ahead


def _flat(level: Callable[[Sequence[float]], list[float]]) -> Model:
    return lambda periods, horizon: [level(known(periods))[-1]] * horizon


def _yearly(model: SeasonalModel) -> Model:
    return lambda periods, horizon: model(periods, horizon, YEAR_WEEKS)


#: A level after each of the values, the first after none of them.
Levels: TypeAlias = Callable[[Sequence[float]], list[float]]

#: As they stand in textbooks, the simpler first.
SINGLE: Final[Mapping[str, Levels]] = MappingProxyType(
    {
        "moving_average": moving_averages,
        "ses": smoothed,
        "tsb": tsbs,
        "sba": sbas,
        "croston": crostons,
        "naive": partial(moving_averages, window=1),
    }
)
#: What a mix is made of (`mixing.py`), beside the seasonal one: from those that forget at once to those that never do,
#: because nobody knows before how fast a market moves.
PARTS: Final[Mapping[str, Levels]] = MappingProxyType(
    {
        "moving_average": moving_averages,
        "moving_average_4": partial(moving_averages, window=4),
        "moving_average_26": partial(moving_averages, window=26),
        "mean": partial(moving_averages, window=sys.maxsize),
        "warm_ses_05": partial(smoothed, alpha=0.05, warm=True),
        "warm_ses_12": partial(smoothed, alpha=0.12, warm=True),
        "warm_ses_20": partial(smoothed, alpha=0.2, warm=True),
        "warm_ses_30": partial(smoothed, alpha=0.3, warm=True),
        "warm_tsb_05": partial(tsbs, alpha=0.1, beta=0.05, warm=True),
        "warm_tsb_10": partial(tsbs, alpha=0.1, beta=0.1, warm=True),
        "warm_tsb_20": partial(tsbs, alpha=0.2, beta=0.2, warm=True),
        "warm_tsb_30": partial(tsbs, alpha=0.2, beta=0.3, warm=True),
    }
)
#: Levels of a season, which are had from whole periods.
SEASONAL: Final[Mapping[str, SeasonalModel]] = MappingProxyType(
    {"seasonal_naive": seasonal_naive, "seasonal": seasonal}
)
MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {name: _flat(level) for name, level in {**SINGLE, **PARTS}.items()}
    | {name: _yearly(model) for name, model in SEASONAL.items()}
)
