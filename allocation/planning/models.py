"""Simple forecasts of a series of periods, one function each; a period of which nothing can be said is None.

Such a period teaches nothing: it is neither demand nor its absence, and it lengthens no interval. All but the seasonal
one forecast the same for every period to come. Fixed weights of 0.1 are usual for demand that comes seldom.

Sources: Croston 1972, "Forecasting and stock control for intermittent demands", Oper. Res. Q. 23; Syntetos, Boylan
2005, "The accuracy of intermittent demand estimates", Int. J. Forecasting 21 (SBA); Teunter, Syntetos, Babai 2011,
"Intermittent demand: linking forecasting to inventory obsolescence", Eur. J. Oper. Res. 214 (TSB).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

#: Units of each period, oldest first.
Periods: TypeAlias = Sequence[float | None]
#: periods, how many to forecast -> units of each
Model: TypeAlias = Callable[[Periods, int], list[float]]

ALPHA: Final = 0.1
WINDOW: Final = 12
YEAR_WEEKS: Final = 52


def known(periods: Periods) -> list[float]:
    """The periods of which something can be said."""
    return [units for units in periods if units is not None]


def moving_average(periods: Periods, window: int = WINDOW) -> float:
    """Mean of the last known periods, at most `window` of them; 0 without any."""
    last = known(periods)[-window:]
    return math.fsum(last) / len(last) if last else 0.0


def ses(periods: Periods, alpha: float = ALPHA) -> float:
    """Simple exponential smoothing, begun at the first known period."""
    level: float | None = None
    for units in known(periods):
        level = units if level is None else level + alpha * (units - level)
    return level or 0.0


def croston(periods: Periods, alpha: float = ALPHA) -> float:
    """Mean size of a demand over the mean interval between demands, both smoothed at demands only."""
    size = interval = 0.0
    gap = 0
    for units in known(periods):
        gap += 1
        if units > 0:
            first = interval == 0
            size = units if first else size + alpha * (units - size)
            interval = gap if first else interval + alpha * (gap - interval)
            gap = 0
    return size / interval if interval else 0.0


def sba(periods: Periods, alpha: float = ALPHA) -> float:
    """Croston's, less the bias that dividing two means brings."""
    return croston(periods, alpha) * (1 - alpha / 2)


def tsb(periods: Periods, alpha: float = ALPHA, beta: float = ALPHA) -> float:
    """Mean size times the chance of demand in a period; the chance fades with each period without any.

    alpha    weight of the newest size;  beta  of the newest period for the chance
    """
    size: float | None = None
    chance: float | None = None
    for units in known(periods):
        came = float(units > 0)
        chance = came if chance is None else chance + beta * (came - chance)
        if units > 0:
            size = units if size is None else size + alpha * (units - size)
    return (size or 0.0) * (chance or 0.0)


def naive(periods: Periods) -> float:
    """The last known period."""
    last = known(periods)[-1:]
    return last[0] if last else 0.0


def seasonal_naive(periods: Periods, horizon: int, season: int = YEAR_WEEKS) -> list[float]:
    """Each period as it was a season before; where nothing can be said of that, as the mean of the last ones."""
    usual = moving_average(periods)
    ahead = []
    for step in range(horizon):
        place = len(periods) - season + step % season
        units = periods[place] if place >= 0 else None
        ahead.append(usual if units is None else units)
    return ahead


def zero(periods: Periods) -> float:
    """Nothing; what a measure prefers to all others where it measures the wrong thing."""
    return 0.0


def _flat(level: Callable[[Periods], float]) -> Model:
    return lambda periods, horizon: [level(periods)] * horizon


#: The simpler first: among equals it is taken.
MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {
        "moving_average": _flat(moving_average),
        "ses": _flat(ses),
        "tsb": _flat(tsb),
        "sba": _flat(sba),
        "croston": _flat(croston),
        "naive": _flat(naive),
        "seasonal_naive": seasonal_naive,
    }
)
