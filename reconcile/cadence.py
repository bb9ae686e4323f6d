"""How soon a SKU must be read again: before what is shown could be sold out, but for a small risk.

The time until `x` units are gone at a steady rate is a Gamma; its eps-quantile is T* = chi2^-1(eps; 2x) / (2 rate).
The chi-square quantile follows from Gamma and Poisson being two views of the same thing: x sales have come by t exactly
when a Poisson of mean rate * t has reached x.

source    README, "How often a place is read"
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, exp, lgamma, log
from typing import Final

#: Risk that what is shown is sold out before it is read again.
EPS: Final = 0.01
#: The same of best sellers, tier A of velocity: an hour that their number is wrong costs the most sales.
EPS_OF_BEST: Final = 0.001
SHORTEST_S: Final = 60.0
LONGEST_S: Final = 3600.0
#: A SKU that on average sells out within so many windows is read more often.
WINDOWS_OF_COVER: Final = 3.0
#: Windows without need after which a SKU goes back to the common pace.
CALM_WINDOWS: Final = 2
#: More units than that are not told apart: they last for longer than anybody waits, or sell too fast to be read.
_MOST_UNITS: Final = 100_000


@lru_cache(maxsize=4096)
def sold_by(units: int, eps: float = EPS) -> float:
    """Sales expected by the moment at which `units` are sold out with probability `eps`.

    units      1 to 100,000; eps above 0 and at most 0.5
    returns    chi2^-1(eps; 2 units) / 2, to nine digits
    """
    units = max(1, min(units, _MOST_UNITS))
    low, high = 0.0, float(units)
    while high - low > 1e-10 * units:
        middle = (low + high) / 2
        if _reaches(units, middle) < eps:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _reaches(units: int, mean: float) -> float:
    """Probability that a Poisson of this mean, at most `units`, is `units` or more."""
    term = exp(units * log(mean) - mean - lgamma(units + 1))
    total, k = term, units
    while term > 1e-14 * total:
        k += 1
        term *= mean / k
        total += term
    return total


def runs_out_s(units: float, lines_per_s: float, units_per_line: float, eps: float = EPS) -> float:
    """Seconds for which `units` last, but for the risk; they are sold in lines, which come as they like.

    lines_per_s    above 0
    """
    return sold_by(ceil(units / max(1.0, units_per_line)), eps) / lines_per_s


@dataclass(frozen=True, slots=True)
class Outlook:
    """How one SKU stands on one channel, its scarcest place.

    runs_out_s    see above
    cover_s       until it is sold out on average
    spike         it sells several times as fast as it used to
    """

    sku: str
    runs_out_s: float
    cover_s: float
    spike: bool


@dataclass(frozen=True, slots=True)
class Early:
    """A SKU that is read more often than the windows come.

    every_s    from one read to the next
    calm       windows in a row that it would not have needed to be here
    """

    sku: str
    runs_out_s: float
    every_s: float
    spike: bool
    calm: int = 0


def planned(
    before: Early | None, outlook: Outlook | None, *, window_s: float, new_window: bool
) -> Early | None:
    """How the SKU is read from now on; None: as often as everything else.

    before        how it is read so far
    outlook       None: it does not sell, or nothing of it is shown
    new_window    a window has begun since it was planned last: calm is counted in windows
    """
    most_s = _wanted_s(outlook, window_s) if outlook is not None else None
    if outlook is not None and most_s is not None:
        every_s = most_s if before is None else min(before.every_s, most_s)
        return Early(outlook.sku, outlook.runs_out_s, every_s, outlook.spike)
    if before is None:
        return None
    calm = before.calm + 1 if new_window else before.calm
    return None if calm >= CALM_WINDOWS else replace(before, calm=calm, spike=False)


def _wanted_s(outlook: Outlook, window_s: float) -> float | None:
    """How often at least; None where the windows do."""
    wanted_s = min(max(outlook.runs_out_s, SHORTEST_S), LONGEST_S)
    if outlook.spike or outlook.cover_s < WINDOWS_OF_COVER * window_s:
        wanted_s = min(wanted_s, max(SHORTEST_S, window_s / 2))
    return wanted_s if wanted_s < window_s else None


def after_read(every_s: float, *, drifted: bool) -> float:
    """The next interval: half as long after a drift, a minute longer after a clean read; planning caps it."""
    return max(SHORTEST_S, every_s / 2) if drifted else min(LONGEST_S, every_s + SHORTEST_S)
