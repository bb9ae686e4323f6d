"""Tiers of what is worth most or sells fastest: few in A, many in C; up at once, down only after two weeks, so that
nothing flaps between two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

#: Shares of the whole value that belong to A, and to A and B together (supplychainmetric.com, inventoryturns.com).
_A_UP_TO: Final = 0.80
_B_UP_TO: Final = 0.95
#: What belongs to a lower tier for so long falls to it; it rises at once.
FALLS_AFTER: Final = timedelta(days=14)


class Tier(StrEnum):
    """How much something turns over: A the few that make most of it, C the many that make little."""

    A = "A"
    B = "B"
    C = "C"

    @property
    def rank(self) -> int:
        """0 is the highest."""
        return "ABC".index(self)


def classes(values: Sequence[float]) -> list[Tier]:
    """A, B or C for each value, in the order given: a year's units times their price, or units a day.

    The share of all that are larger decides: the one that crosses 80 % is still A. What is worth nothing is C.
    """
    total = math.fsum(value for value in values if value > 0)
    found = [Tier.C] * len(values)
    before = 0.0
    for place in sorted(range(len(values)), key=lambda place: -values[place]):
        if values[place] <= 0:
            break
        # Halves of a share that binary fractions cannot hold must not decide.
        share = round(before / total, 12)
        found[place] = Tier.A if share < _A_UP_TO else Tier.B if share < _B_UP_TO else Tier.C
        before += values[place]
    return found


@dataclass(frozen=True, slots=True)
class Kept:
    """The tier something is in, and since when it would belong to a lower one."""

    tier: Tier
    since: datetime
    lower_since: datetime | None = None


def kept(was: Kept | None, found: Tier, now: datetime) -> Kept:
    """Rise at once, fall after two weeks."""
    if was is None or found.rank < was.tier.rank:
        return Kept(found, now)
    if found == was.tier:
        return replace(was, lower_since=None)
    if was.lower_since is None:
        return replace(was, lower_since=now)
    return Kept(found, now) if now - was.lower_since >= FALLS_AFTER else was
