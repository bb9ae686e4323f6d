"""Sums that tell a steady small loss from noise long before any single count does.

Theory. A count that is off by luck is off to either side; a leak is always off to the same. Each variance is divided
by what such a count is usually off by (z), less an allowance k, and summed while the sum stays above 0 (Page 1954).
Noise brings the sum back to 0, a leak does not. With k = 0.5 and h = 4, two-sided: one false alarm in 167.68 samples,
a leak of one sigma found in 8.38 on average (README, "False alarms").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

K: Final = 0.5
H: Final = 4.0
#: Alarm level of bad counts, in counts; with k 0.5 a run of good practice alarms once in 641.5 samples.
POISSON_H: Final = 3.0


@dataclass(frozen=True, slots=True)
class Step:
    """The sums after one sample.

    low, high    of what is missing, of what is too much
    signal       -1: `low` has reached the level, 1: `high` has, 0: neither
    began        position of the first sample of the run that led there
    """

    low: float
    high: float
    signal: int = 0
    began: int = 0


def steps(zs: Iterable[float], *, k: float = K, h: float = math.inf) -> Iterator[Step]:
    """The sums along these samples; both begin again after a signal. Without `h` nothing is signalled.

    zs     variances in units of what is usual
    """
    low = high = 0.0
    low_began = high_began = 0
    for place, z in enumerate(zs):
        if low == 0.0:
            low_began = place
        if high == 0.0:
            high_began = place
        low, high = max(0.0, low - z - k), max(0.0, high + z - k)
        signal = -1 if low >= h else 1 if high >= h else 0
        yield Step(low, high, signal, high_began if signal > 0 else low_began)
        if signal:
            low = high = 0.0


def poisson_k(usual: float, bad: float) -> float:
    """The allowance of a sum of rare events that tells a mean of `bad` from one of `usual` soonest (Lucas 1985)."""
    return (bad - usual) / (math.log(bad) - math.log(usual))


def poisson_sums(found: Sequence[int], allowances: Sequence[float]) -> list[float]:
    """The sum after each sample: events found, less what is allowed, never below 0."""
    total, sums = 0.0, []
    for events, allowed in zip(found, allowances, strict=True):
        total = max(0.0, total + events - allowed)
        sums.append(total)
    return sums
