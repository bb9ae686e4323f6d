"""Words of allocation: the rules in force, what is known of demand and lag, and the number each channel should show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from allocation.by_tier import ByTier
from allocation.planning.tiers import Tier

#: Units available of one SKU by location; below zero where more was promised than is there.
Stock: TypeAlias = Mapping[str, int]


#: Kinds of channel whose vendor sets any number it is sent, also one that does not know of its last sale
#: (channels/README.md); the others compare before they set, or date what they are sent.
PLAIN = frozenset({"amazon"})


#: A row of the push queue that failed this often while others of its channel went through is set aside for a person.
ATTEMPTS = 12


class Show(StrEnum):
    """How a channel shows stock: one number for its whole pool, or one for each location."""

    POOLED = "pooled"
    PER_LOCATION = "per_location"


class OverCap(StrEnum):
    """What becomes of the units of a share that a cap cuts off."""

    HOLD_BACK = "hold_back"
    SPREAD = "spread"


@dataclass(frozen=True, slots=True)
class Quota:
    """Most units a channel may sell of one SKU from `since` on; what it sold meanwhile lessens what it shows."""

    units: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Rule:
    """What one channel may show of one SKU.

    percent    share of the pool, 0 to 100 with two decimals; None sees the whole pool, as others do
    weight     relative claim on the pool, instead of a percent: the weights of a pool give out all of it
    buffer     units taken off the share;  buffer_by_tier: these instead, by the tier the SKU is in (`at`)
    cap        most units shown; None is no limit
    floor      fewest units shown while the pool has them
    cut_off    nothing is shown while the pool has fewer units than this
    quota      most units sold in a window; None is no limit
    excluded   nothing is shown
    why        the reasons given in the rule file, the channel's own first
    """

    percent: Decimal | None = None
    weight: int | None = None
    buffer: int = 0
    cap: int | None = None
    floor: int = 0
    cut_off: int = 0
    quota: Quota | None = None
    excluded: bool = False
    why: tuple[str, ...] = ()
    buffer_by_tier: ByTier | None = None
    tier: Tier | None = None

    def at(self, tier: Tier | None) -> Rule:
        """The rule of a SKU of a tier; None where it is not known."""
        if self.buffer_by_tier is None:
            return self
        return replace(self, buffer=self.buffer_by_tier.of(tier), tier=tier)

    @property
    def divides(self) -> bool:
        """Whether the channel takes a share of its own, rather than seeing what others see."""
        return self.percent is not None or self.weight is not None

    @property
    def claim(self) -> int:
        """The percent in hundredths or the weight, so that shares are computed in whole numbers; 0 without either."""
        if self.percent is not None:
            return int(self.percent * 100)
        return self.weight or 0


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """One channel of the rule file.

    locations          its pool: where its orders may be served from
    show_at            pooled: the location whose number at the vendor stands for the whole pool
    vendor_locations   vendor's location id -> ours
    options            what the channel's lane knows besides, such as Shopify's `api_version`
    cost_oversell      what one unit sold and not there costs; with `margin` it sizes the exposure buffer
    margin             what one unit kept back and not sold costs
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
    cost_oversell: Decimal | None = None
    margin: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Which:
    """The SKUs that something holds for: one SKU, a pattern in which `*` stands for any run of characters, or a tag.

    Exactly one of the two is set.
    """

    sku: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """From when, and until before when, something holds; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether `at` lies within."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


ALWAYS = Span()


@dataclass(frozen=True, slots=True)
class Override:
    """A departure from a channel's rule for some SKUs, maybe for a season; None leaves the field as it is.

    channel   None is every channel
    """

    which: Which
    channel: str | None
    percent: Decimal | None = None
    weight: int | None = None
    buffer: int | None = None
    cap: int | None = None
    floor: int | None = None
    cut_off: int | None = None
    quota: Quota | None = None
    exclude: bool | None = None
    why: str = ""
    span: Span = ALWAYS
    buffer_by_tier: ByTier | None = None


@dataclass(frozen=True, slots=True)
class Safety:
    """Units that stay back at a location, whoever asks, in one of three ways.

    location   None is every location
    units      so many
    days       as many as are sold there in so many days
    service    the part of replenishment cycles (0 to 1) that must not run out: z * sqrt(L s_d^2 + d^2 s_L^2), with
               the demand of a day d, its deviation s_d, the lead time L (`lead_days`), its deviation (`lead_sd_days`)
    source     King 2011, "Crack the code", APICS magazine
    """

    which: Which
    location: str | None
    units: int | None = None
    days: Decimal | None = None
    service: Decimal | None = None
    lead_days: Decimal = Decimal(0)
    lead_sd_days: Decimal = Decimal(0)
    why: str = ""
    span: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class Protection:
    """Units of a pool that the channels in `against` leave for `channel`, which may sell the others' units as well.

    units            so many; else from the margins: the smallest y with P(demand of `days` > y) <= against_margin /
                     margin
    margin           what a unit earns on `channel`; against_margin: on the others
    source           Littlewood's rule
    """

    which: Which
    channel: str
    against: tuple[str, ...]
    units: int | None = None
    margin: Decimal | None = None
    against_margin: Decimal | None = None
    days: Decimal | None = None
    why: str = ""
    span: Span = ALWAYS


@dataclass(frozen=True, slots=True)
class Pickup:
    """Pick-up of orders at a location: shown only where picking is likely to succeed.

    confidence      least chance that a unit on the books is really there and not sold meanwhile, 0 to 1
    threshold       units that stay back in any case
    hours           from an order to its picking
    loss_per_day    units of a SKU that vanish in a day since it was last counted, until counts tell better
    """

    confidence: float = 0.97
    threshold: int = 0
    hours: float = 3.0
    loss_per_day: float = 0.05
    why: str = ""


@dataclass(frozen=True, slots=True)
class LocationRule:
    """A location of the rule file; `safety` units stay back there, whoever asks, unless a `Safety` says otherwise.

    pickup    None: no orders are picked up there
    """

    name: str
    title: str
    kind: str
    safety: int
    pickup: Pickup | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """How channels that see the same units are kept from selling them twice.

    on            False shows each its whole pool less the rule's buffer, as the numbers say
    risk          most allowed chance that a channel sells a unit that is gone, at each moment (epsilon)
    lag_s         lag of a channel that was never measured
    per_day       units a day of a SKU that never sold on a channel
    hysteresis    how far above the sum of the buffers stock must rise before quotas end, as a part of that sum
    """

    on: bool = True
    risk: float = 0.01
    lag_s: float = 60.0
    per_day: float = 20.0
    hysteresis: float = 0.25


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything one version of the rule file says; `allocation.rules` reads it.

    channels      in the order of the file, which breaks ties
    overrides     in the order of the file
    safeties      departures from the locations' own safety
    tags          tag -> the SKUs and patterns it stands for
    """

    locations: Mapping[str, LocationRule] = field(default_factory=dict)
    channels: tuple[ChannelRule, ...] = ()
    overrides: tuple[Override, ...] = ()
    safeties: tuple[Safety, ...] = ()
    protections: tuple[Protection, ...] = ()
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    over_cap: OverCap = OverCap.HOLD_BACK
    exposure: Exposure = Exposure()


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a SKU sells somewhere: order lines come at random, each of some units.

    lines_per_s        the faster of the last minutes and the last weeks
    units_per_line     mean of a line, at least 1
    square_per_line    mean of its square, at least the square of the mean
    """

    lines_per_s: float
    units_per_line: float = 1.0
    square_per_line: float = 1.0

    @property
    def units_per_s(self) -> float:
        """Units a second."""
        return self.lines_per_s * self.units_per_line

    @property
    def units_per_day(self) -> float:
        """Units a day."""
        return self.units_per_s * 86_400

    @property
    def variance_per_day(self) -> float:
        """Variance of the units of a day: lines come at random (compound Poisson)."""
        return self.lines_per_s * self.square_per_line * 86_400


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a channel is behind, in seconds; see `allocation.lags.behind_s`.

    hear_s     from a sale there until the ledger has it
    show_s     from the ledger until the channel shows the number that follows (queue, push, visible, staleness)
    """

    hear_s: float
    show_s: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known beside the stock of one SKU when its numbers are computed.

    paces      (channel, location served from) -> pace
    lags       by channel; a channel that is missing was never measured
    scarce     names of the zones (`Zone.name`) that were divided into quotas before
    sold       units sold by channel since its quota began
    rivals     by location: sales that take from the same units and lower no channel's own number, such as those of a
               bundle's parts
    bundled    channels on which a bundle made of it is listed: what that sells does not lower the channel's number
    tier       how fast it sells among all; None: not known, or no rule asks
    """

    paces: Mapping[tuple[str, str], Pace] = field(default_factory=dict)
    lags: Mapping[str, Lag] = field(default_factory=dict)
    scarce: frozenset[str] = frozenset()
    sold: Mapping[str, int] = field(default_factory=dict)
    rivals: Mapping[str, Pace] = field(default_factory=dict)
    bundled: frozenset[str] = frozenset()
    tier: Tier | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The number a channel should show of a SKU at a location, and how it came about.

    The terms add up, always:
    pool = available - safety + owed,
    share = pool - protected - others,
    units = share - exposed - buffered - capped - spent + floored - cut - unpacked - held.

    units        what is shown, never below 0
    available    units available at the locations that the number draws on; below 0 where more was promised
    safety       units of them that stay back
    owed         what brings the pool up to 0 where less than nothing is there
    pool         what is left for all channels, never below 0
    protected    left for better channels
    others       the part of the pool that is other channels' share or quota
    share        what is left: the channel's own part
    exposed      kept back because other channels may sell the same units before this one hears of it
    buffered, capped, spent, floored, cut    taken off (floored: put on) by buffer, cap, quota, floor, cut-off
    unpacked     what fills no whole pack
    held         not raised yet: another channel must be seen to have let go first
    short        units of the floor that the pool does not have
    quota        whether some of it is divided into disjoint quotas
    rule         what was applied; None where no rule serves this place, which is then shown as 0
    """

    channel: str
    sku: str
    location: str
    units: int
    available: int = 0
    safety: int = 0
    owed: int = 0
    pool: int = 0
    protected: int = 0
    others: int = 0
    share: int = 0
    exposed: int = 0
    buffered: int = 0
    capped: int = 0
    spent: int = 0
    floored: int = 0
    cut: int = 0
    unpacked: int = 0
    held: int = 0
    short: int = 0
    quota: bool = False
    rule: Rule | None = None
