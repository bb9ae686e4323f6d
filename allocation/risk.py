"""How many units to keep back so that others' sales, not heard of yet, are very likely covered. Pure arithmetic.

Theory. Between a sale elsewhere and the moment this channel shows it, more is sold elsewhere: a Poisson number of
order lines, each of some units. Keeping b units back fails only when more than b units are sold in that time, so the
buffer is the smallest b with P(units sold > b) <= risk: a base stock whose lead time is the lag. It is sufficient, not
necessary: a sale elsewhere harms only while the last units are on display.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate

#: Means are rounded up to a grid of so much a step, so that the same few buffers serve many SKUs.
_STEP = math.log(1.04)


def buffer_units(lines: float, units_per_line: float, square_per_line: float, risk: float) -> int:
    """The smallest b with P(units > b) <= risk.

    lines              expected order lines in the time, at least 0
    units_per_line     mean units of a line; square_per_line: mean of their square
    source             compound Poisson; lines are taken as of 1 or of K units, of the mean and at least the square
    """
    if lines <= 0:
        return 0
    single, large, size = _two_sizes(lines, units_per_line, square_per_line)
    # A line that is likely to come takes a line's mean at least, not the one unit of the smaller size.
    usual = math.ceil(units_per_line - 1e-9) if 1 - math.exp(-_up(lines)) > risk else 0
    return max(usual, _buffer(_up(single), _up(large), size, risk))


def _two_sizes(lines: float, mean: float, square: float) -> tuple[float, float, int]:
    """Expected lines of 1 unit and of K units, and K: the mean comes out right, the square at least."""
    if mean <= 1 or square <= mean:
        return lines, 0.0, 1
    # Two sizes that fit mean and square alone may leave out the largest lines: two deviations above the mean are in.
    deviation = math.sqrt(max(0.0, square - mean * mean))
    fitting = (square - mean) / (mean - 1)
    size = max(math.ceil(round(max(fitting, mean + 2 * deviation), 9)), 2)
    part = min(1.0, (mean - 1) / (size - 1))
    return lines * (1 - part), lines * part, size


def _up(mean: float) -> float:
    """The mean, rounded up to the grid."""
    if mean <= 1e-12:
        return 0.0
    return math.exp(math.ceil(round(math.log(mean) / _STEP, 9)) * _STEP)


@lru_cache(maxsize=65_536)
def _buffer(single: float, large: float, size: int, risk: float) -> int:
    if large <= 0:
        return poisson_quantile(single, risk)
    # From every line of K units alone to all of both: the answer lies between.
    low = 0
    high = poisson_quantile(single, risk / 2) + size * poisson_quantile(large, risk / 2)
    ones = list(accumulate(poisson_pmf(single, high)))
    many = poisson_pmf(large, high // size)
    while low < high:
        middle = (low + high) // 2
        below = sum(p * ones[middle - size * n] for n, p in enumerate(many[: middle // size + 1]))
        if 1.0 - below <= risk:
            high = middle
        else:
            low = middle + 1
    return low


@lru_cache(maxsize=65_536)
def poisson_quantile(mean: float, risk: float) -> int:
    """The smallest b with P(Poisson(mean) > b) <= risk."""
    if mean <= 0:
        return 0
    units = first = max(0, int(mean - 12 * math.sqrt(mean)) - 10)
    chance = math.exp(first * math.log(mean) - mean - math.lgamma(first + 1))
    below = chance
    # A sum of many small terms falls short of 1 by rounding: never look for a smaller rest than that.
    while 1.0 - below > max(risk, 1e-12):
        units += 1
        chance *= mean / units
        below += chance
    return units


def poisson_pmf(mean: float, most: int) -> list[float]:
    """P(N = 0), ..., P(N = most)."""
    if mean <= 0:
        return [1.0] + [0.0] * most
    # By logarithms: of a great mean the first chances are too small to begin with.
    each = math.log(mean)
    return [math.exp(units * each - mean - math.lgamma(units + 1)) for units in range(most + 1)]


def units_pmf(lines: float, sizes: Mapping[int, float], most: int) -> list[float]:
    """P(units = 0), ..., P(units = most) when lines come at random and their sizes are known.

    lines     expected lines
    sizes     units of a line (at least 1) -> part of the lines, in sum 1
    source    Panjer 1981, "Recursive evaluation of a family of compound distributions", ASTIN Bulletin 12
    """
    chances = [math.exp(-lines)]
    for units in range(1, most + 1):
        chances.append(
            lines
            / units
            * sum(
                size * part * chances[units - size] for size, part in sizes.items() if size <= units
            )
        )
    return chances


def buffer_of_sizes(lines: float, sizes: Mapping[int, float], risk: float) -> int:
    """The smallest b with P(units > b) <= risk, for known sizes of lines."""
    most = 16
    while True:
        below = 0.0
        for units, chance in enumerate(units_pmf(lines, sizes, most)):
            below += chance
            if 1.0 - below <= risk:
                return units
        most *= 2


def economic_risk(cost_oversell: float, margin: float) -> float:
    """The risk at which a unit kept back costs as much as it saves: margin / (cost + margin) (newsvendor)."""
    return margin / (cost_oversell + margin)


def expected_oversold(units_per_s: float, lag_s: float, shares: Sequence[float]) -> float:
    """Units oversold for each stock-out when channels show the whole pool without buffers.

    shares    each channel's part of the sales, in sum 1
    source    rate * lag * (1 - sum of squared shares), while rate * lag is small against the stock
    """
    return units_per_s * lag_s * (1.0 - sum(share * share for share in shares))
