"""How good a forecast was, measured so that "always nothing" does not win.

Of demand that comes seldom the median is 0, so absolute errors (MAE, MASE) are least for a forecast of nothing. What a
stock is planned with is the mean: squared errors, the bias, and the error of the sum over a lead time. A period of
which nothing can be said (None) is left out on both sides.

Sources: Hyndman, Koehler 2006, "Another look at measures of forecast accuracy", Int. J. Forecasting 22; Makridakis et
al. 2022, "The M5 competition", Int. J. Forecasting 38 (RMSSE from the first sale on).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from allocation.planning.models import Periods, known


def pairs(actual: Periods, forecast: Sequence[float]) -> list[tuple[float, float]]:
    """Actual and forecast of the periods of which something can be said."""
    return [
        (units, guess) for units, guess in zip(actual, forecast, strict=True) if units is not None
    ]


def from_first_sale(periods: Periods) -> Periods:
    """Without the periods before the first demand."""
    first = next((place for place, units in enumerate(periods) if units), len(periods))
    return periods[first:]


def rmsse(train: Periods, actual: Periods, forecast: Sequence[float]) -> float | None:
    """Root of the mean squared error over the mean squared step from one period to the next in `train`.

    returns    None where the train has no steps, or only steps of nothing
    """
    steps = [(after - before) ** 2 for before, after in pairwise(known(train))]
    found = pairs(actual, forecast)
    if not found or not any(steps):
        return None
    error = math.fsum((units - guess) ** 2 for units, guess in found) / len(found)
    return math.sqrt(error / (math.fsum(steps) / len(steps)))


def mase(train: Periods, actual: Periods, forecast: Sequence[float]) -> float | None:
    """Mean absolute error over the mean absolute step in `train`; to be shown, not to choose by."""
    steps = [abs(after - before) for before, after in pairwise(known(train))]
    found = pairs(actual, forecast)
    if not found or not any(steps):
        return None
    error = math.fsum(abs(units - guess) for units, guess in found) / len(found)
    return error / (math.fsum(steps) / len(steps))


def bias(train: Periods, actual: Periods, forecast: Sequence[float]) -> float | None:
    """Mean of actual less forecast, in means of `train`: above 0 too little was forecast."""
    scale, found = _mean(train), pairs(actual, forecast)
    if not found or not scale:
        return None
    return math.fsum(units - guess for units, guess in found) / len(found) / scale


def sum_error(train: Periods, actual: Periods, forecast: Sequence[float]) -> float | None:
    """How far off the sum over all periods is (a lead time's), in means of `train` a period."""
    off = bias(train, actual, forecast)
    return None if off is None else abs(off)


def pinball(actual: Periods, forecast: Sequence[float], service: float) -> float | None:
    """Mean loss of a forecast of the quantile `service`: too little costs `service` a unit, too much the rest."""
    found = pairs(actual, forecast)
    if not found:
        return None
    losses = [
        max(service * (units - guess), (service - 1) * (units - guess)) for units, guess in found
    ]
    return math.fsum(losses) / len(losses)


def wape(actual: Periods, forecast: Sequence[float]) -> float | None:
    """Sum of the absolute errors over the sum of what came; None where nothing did."""
    found = pairs(actual, forecast)
    came = math.fsum(units for units, _ in found)
    return math.fsum(abs(units - guess) for units, guess in found) / came if came else None


@dataclass(frozen=True, slots=True)
class Score:
    """What a model is chosen by; each is better the nearer to 0 it is.

    rmsse        from the first sale on
    bias         signed
    sum_error    of the sum over the horizon
    """

    rmsse: float
    bias: float
    sum_error: float

    @property
    def total(self) -> float:
        """The three together."""
        return self.rmsse + abs(self.bias) + self.sum_error


def score(train: Periods, actual: Periods, forecast: Sequence[float]) -> Score | None:
    """The score of one forecast; None where `train` is too short to measure by."""
    begun = from_first_sale(train)
    off, bias_of, sum_of = (
        measure(begun, actual, forecast) for measure in (rmsse, bias, sum_error)
    )
    if off is None or bias_of is None or sum_of is None:
        return None
    return Score(off, bias_of, sum_of)


def together(scores: Sequence[Score]) -> Score:
    """The mean of scores (at least one): biases of both signs cancel, the other two do not."""
    count = len(scores)
    return Score(
        math.fsum(one.rmsse for one in scores) / count,
        math.fsum(one.bias for one in scores) / count,
        math.fsum(one.sum_error for one in scores) / count,
    )


def _mean(periods: Periods) -> float:
    found = known(periods)
    return math.fsum(found) / len(found) if found else 0.0
