"""How long one piece of news takes: a draw from a log-normal time with a given middle and 99th percentile."""

from __future__ import annotations

import math
from random import Random
from statistics import NormalDist

from allocation.simulate.types import Delay
from allocation.types import Lag

_Z99 = NormalDist().inv_cdf(0.99)


def draw_s(delay: Delay, seed: Random) -> float:
    """Seconds until a channel shows a new number."""
    if delay.show_p50_s <= 0 or delay.show_p99_s <= delay.show_p50_s:
        return delay.show_p99_s
    spread = math.log(delay.show_p99_s / delay.show_p50_s) / _Z99
    return seed.lognormvariate(math.log(delay.show_p50_s), spread)


def lag_of(delay: Delay) -> Lag:
    """What measuring such a channel would tell the engine."""
    return Lag(delay.hear_s, delay.show_p99_s)
