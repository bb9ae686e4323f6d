"""Words of allocation: the rules in force, and the number each channel should show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

#: Units available of one SKU by location; below zero where more was promised than is there.
Stock: TypeAlias = Mapping[str, int]


class Show(StrEnum):
    """How a channel shows stock: one number for its whole pool, or one for each location."""

    POOLED = "pooled"
    PER_LOCATION = "per_location"


class OverCap(StrEnum):
    """What becomes of the units of a share that a cap cuts off."""

    HOLD_BACK = "hold_back"
    SPREAD = "spread"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one channel may show of one SKU.

    percent    share of the pool, 0 to 100 with two decimals; None sees the whole pool, as others do
    buffer     units taken off the share
    cap        most units shown; None is no limit
    floor      fewest units shown while the pool has them
    excluded   nothing is shown
    why        the reasons given in the rule file, the channel's own first
    """

    percent: Decimal | None = None
    buffer: int = 0
    cap: int | None = None
    floor: int = 0
    excluded: bool = False
    why: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """The percent in hundredths, so that shares are computed in whole numbers; 0 without a percent."""
        return int(self.percent * 100) if self.percent is not None else 0


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """One channel of the rule file.

    locations          its pool: where its orders may be served from
    show_at            pooled: the location whose number at the vendor stands for the whole pool
    vendor_locations   vendor's location id -> ours
    options            what the channel's lane knows besides, such as Shopify's `api_version`
    """

    name: str
    kind: str
    base_url: str
    account: str
    locations: tuple[str, ...]
    show: Show
    show_at: str | None
    rule: Rule
    hide_at_zero: bool
    vendor_locations: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Override:
    """A departure from a channel's rule for some SKUs; None leaves the field as it is.

    sku       a SKU, or a pattern in which `*` stands for any run of characters
    channel   None is every channel
    """

    sku: str
    channel: str | None
    percent: Decimal | None
    buffer: int | None
    cap: int | None
    floor: int | None
    exclude: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class LocationRule:
    """A location of the rule file; `safety` units stay back there, whoever asks."""

    name: str
    title: str
    kind: str
    safety: int


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything one version of the rule file says; `allocation.rules` reads it.

    channels    in the order of the file, which breaks ties
    exact       overrides by the SKU they name
    patterns    overrides with a `*`
    """

    locations: Mapping[str, LocationRule] = field(default_factory=dict)
    channels: tuple[ChannelRule, ...] = ()
    exact: Mapping[str, tuple[Override, ...]] = field(default_factory=dict)
    patterns: tuple[Override, ...] = ()
    over_cap: OverCap = OverCap.HOLD_BACK


@dataclass(frozen=True, slots=True)
class Target:
    """The number a channel should show of a SKU at a location, and how it came about.

    units    what is shown: the share, less the buffer, at most the cap, at least the floor, never below 0
    pool     units the channel may draw on
    share    its part of the pool (all of it where the rule has no percent)
    rule     what was applied; None where no rule serves this place, which is then shown as 0
    """

    channel: str
    sku: str
    location: str
    units: int
    pool: int = 0
    share: int = 0
    rule: Rule | None = None
