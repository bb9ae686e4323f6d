"""Words of counting: terms, what one count came to, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from allocation.planning.tiers import Tier as Tier

#: (SKU, location)
Place: TypeAlias = tuple[str, str]


def _of_tiers(a: str, b: str, c: str) -> Mapping[Tier, Decimal]:
    return MappingProxyType({Tier.A: Decimal(a), Tier.B: Decimal(b), Tier.C: Decimal(c)})


@dataclass(frozen=True, slots=True)
class Terms:
    """What the house agreed about counts (the settings `LOCKSTEP_COUNT_*`).

    days               a place is counted once in so many days, by tier
    percent, units     a count may be off by the larger of the two, by tier: percent of the book at its minute
    escalate_percent   off by more than that of the book, and out of tolerance: recounted, and somebody is told at once
    sources            percents: supplychainmetric.com (A 1, B 3, C 5); days: common practice (domain of cycle counting)
    """

    days: Mapping[Tier, Decimal] = field(default_factory=lambda: _of_tiers("30", "90", "365"))
    percent: Mapping[Tier, Decimal] = field(default_factory=lambda: _of_tiers("1", "3", "5"))
    units: Mapping[Tier, Decimal] = field(default_factory=lambda: _of_tiers("0", "0", "0"))
    escalate_percent: Decimal = Decimal(5)


class Verdict(StrEnum):
    """How far off a count is."""

    WITHIN = "within"
    OUTSIDE = "outside"
    ESCALATED = "escalated"


@dataclass(frozen=True, slots=True)
class Counted:
    """A count as it stands: late events and reversals have changed what it came to.

    position    units the book said at its minute, as far as is known by now
    moves       postings at the place since the count before
    sigma       what such a count is usually off by, in units, at least 1; as history said when it was first seen
    reason      code of the closed list, "" where none was given
    recount     it answered an order, or was a pick that failed: under suspicion, it says nothing of the others
    """

    sku: str
    location: str
    at: datetime
    counted: int
    position: int
    moves: int
    sigma: float
    tier: Tier
    within: bool
    reason: str = ""
    recount: bool = False

    @property
    def variance(self) -> int:
        """Units found more (above 0) or less than the book said."""
        return self.counted - self.position

    @property
    def place(self) -> Place:
        """(SKU, location)"""
        return self.sku, self.location


@dataclass(frozen=True, slots=True)
class Order:
    """A recount to be made: the next count at the place after `since` answers it.

    rule, what   of the alarm it belongs to, `kind:name`
    sound_at     the last count before it that nobody doubts; None: there is none
    missing      units found missing since then
    """

    rule: str
    what: str
    sku: str
    location: str
    since: datetime
    sound_at: datetime | None = None
    missing: int = 0


#: Rules of alarms.
VARIANCE = "count.variance"
CUSUM = "count.cusum"
BAD = "count.bad"
#: Orders without an alarm of their own.
FAILED_PICK = "failed_pick"
PERSON = "person"


@dataclass(frozen=True, slots=True)
class Finding:
    """An alarm that is to be on, with what was found."""

    rule: str
    what: str
    detail: Mapping[str, object]


def of_place(sku: str, location: str) -> str:
    """The name of a place as the object of an alarm."""
    return f"place:{sku}@{location}"
