"""The tables of the rule file, and each as the engine's words. Only shapes: what contradicts what is not asked here."""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from allocation.by_tier import ByTier
from allocation.document.fields import (
    Address,
    Chance,
    ChannelName,
    Days,
    Measure,
    Minutes,
    Moment,
    Money,
    Name,
    Percent,
    Service,
    Units,
    Weight,
    Why,
    ZoneName,
    instant,
    zone_of,
)
from allocation.document.halting import HaltTable
from allocation.halt_terms import Halting
from allocation.plays import Play, Playbook, Response
from allocation.types import (
    ChannelRule,
    Exposure,
    LocationRule,
    OverCap,
    Override,
    Pickup,
    Protection,
    Quota,
    Rule,
    Rules,
    Safety,
    Show,
    Span,
    Which,
)


class Table(BaseModel):
    """A table of the file; a key it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)


class _Selecting(Table):
    """Says which SKUs it holds for, and in which season."""

    sku: Name | None = None
    tag: Name | None = None
    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None

    def which(self) -> Which:
        return Which(sku=self.sku, tag=self.tag)

    def span(self, zone: tzinfo) -> Span:
        return Span(_instant(self.since, zone), _instant(self.until, zone))


def _instant(moment: date | None, zone: tzinfo) -> datetime | None:
    return None if moment is None else instant(moment, zone)


class QuotaTable(Table):
    """`quota = { units = 100, since = 2026-11-20 }`"""

    units: Units
    since: Moment

    def quota(self, zone: tzinfo) -> Quota:
        return Quota(self.units, instant(self.since, zone))


class TierTable(Table):
    """`buffer_by_tier = { A = 6, B = 3, C = 1 }`"""

    a: Units = Field(alias="A")
    b: Units = Field(alias="B")
    c: Units = Field(alias="C")

    def by_tier(self) -> ByTier:
        return ByTier(self.a, self.b, self.c)


class PickupTable(Table):
    """`[locations.<name>.pickup]`"""

    confidence: Chance = 0.97
    threshold: Units = 0
    hours: Measure = 3.0
    loss_per_day: Measure = 0.05
    why: Why = ""

    def pickup(self) -> Pickup:
        return Pickup(self.confidence, self.threshold, self.hours, self.loss_per_day, self.why)


class LocationTable(Table):
    """`[locations.<name>]`"""

    title: str = ""
    kind: Literal["warehouse", "store", "mirror", "virtual"] = "warehouse"
    safety_units: Units | None = None
    pickup: PickupTable | None = None
    why: Why = ""


class SafetyTable(Table):
    """`[safety]`"""

    default_units: Units = 0
    why: Why = ""


class SplitTable(Table):
    """`[split]`"""

    over_cap: OverCap = OverCap.HOLD_BACK


class ExposureTable(Table):
    """`[exposure]`"""

    on: bool = True
    risk: Chance = 0.01
    lag_s: Measure = 60.0
    per_day: Measure = 20.0
    hysteresis: Measure = 0.25
    why: Why = ""

    def exposure(self) -> Exposure:
        return Exposure(self.on, self.risk, self.lag_s, self.per_day, self.hysteresis)


class ChannelTable(Table):
    """`[channels.<name>]`"""

    kind: Literal["shopify", "amazon", "square", "edi"]
    base_url: Address
    account: str = ""
    locations: Annotated[tuple[Name, ...], Field(min_length=1)]
    vendor_locations: Annotated[dict[Name, Name], Field(min_length=1)]
    show: Show = Show.POOLED
    show_at: Name | None = None
    percent: Percent | None = None
    weight: Weight | None = None
    buffer: Units = 0
    buffer_by_tier: TierTable | None = None
    cap: Units | None = None
    floor: Units = 0
    cut_off: Units = 0
    quota: QuotaTable | None = None
    exclude: bool = False
    cost_oversell: Money | None = None
    margin: Money | None = None
    hide_at_zero: bool = False
    halt: HaltTable | None = None
    why: Why = ""
    options: dict[str, str] = {}

    def shown_at(self) -> str | None:
        """Where a pooled channel shows its number; with one location there is nothing to choose."""
        if self.show is Show.PER_LOCATION:
            return None
        return self.show_at or (self.locations[0] if len(self.locations) == 1 else None)

    def channel(self, name: str, zone: tzinfo) -> ChannelRule:
        return ChannelRule(
            name=name,
            kind=self.kind,
            base_url=self.base_url,
            account=self.account,
            locations=self.locations,
            show=self.show,
            show_at=self.shown_at(),
            rule=Rule(
                percent=self.percent,
                weight=self.weight,
                buffer=self.buffer,
                cap=self.cap,
                floor=self.floor,
                cut_off=self.cut_off,
                quota=None if self.quota is None else self.quota.quota(zone),
                excluded=self.exclude,
                why=(self.why,) if self.why else (),
                buffer_by_tier=self.buffer_by_tier.by_tier() if self.buffer_by_tier else None,
            ),
            hide_at_zero=self.hide_at_zero,
            vendor_locations=self.vendor_locations,
            options=self.options,
            cost_oversell=self.cost_oversell,
            margin=self.margin,
        )


class OverrideTable(_Selecting):
    """`[[overrides]]`"""

    channel: Name | None = None
    percent: Percent | None = None
    weight: Weight | None = None
    buffer: Units | None = None
    buffer_by_tier: TierTable | None = None
    cap: Units | None = None
    floor: Units | None = None
    cut_off: Units | None = None
    quota: QuotaTable | None = None
    exclude: bool | None = None
    why: Why = ""

    def override(self, zone: tzinfo) -> Override:
        return Override(
            which=self.which(),
            channel=self.channel,
            percent=self.percent,
            weight=self.weight,
            buffer=self.buffer,
            cap=self.cap,
            floor=self.floor,
            cut_off=self.cut_off,
            quota=None if self.quota is None else self.quota.quota(zone),
            exclude=self.exclude,
            why=self.why,
            span=self.span(zone),
            buffer_by_tier=self.buffer_by_tier.by_tier() if self.buffer_by_tier else None,
        )


class SafetyStockTable(_Selecting):
    """`[[safety_stock]]`"""

    location: Name | None = None
    units: Units | None = None
    days: Days | None = None
    service: Service | None = None
    lead_days: Days | None = None
    lead_sd_days: Days | None = None
    why: Why = ""

    def safety(self, zone: tzinfo) -> Safety:
        return Safety(
            which=self.which(),
            location=self.location,
            units=self.units,
            days=self.days,
            service=self.service,
            lead_days=self.lead_days or Decimal(0),
            lead_sd_days=self.lead_sd_days or Decimal(0),
            why=self.why,
            span=self.span(zone),
        )


class ProtectionTable(_Selecting):
    """`[[protection]]`"""

    channel: Name
    against: Annotated[tuple[Name, ...], Field(min_length=1)]
    units: Units | None = None
    margin: Money | None = None
    against_margin: Money | None = None
    days: Days | None = None
    why: Why = ""

    def which(self) -> Which:
        return Which(sku="*") if self.sku is None and self.tag is None else super().which()

    def protection(self, zone: tzinfo) -> Protection:
        return Protection(
            which=self.which(),
            channel=self.channel,
            against=self.against,
            units=self.units,
            margin=self.margin,
            against_margin=self.against_margin,
            days=self.days,
            why=self.why,
            span=self.span(zone),
        )


class PlayTable(_Selecting):
    """`[[playbook]]`"""

    channel: Name | None = None
    response: Response
    least_value: Money | None = None
    cost: Money | None = None
    wait_minutes: Minutes = 0.0
    why: Why = ""

    def which(self) -> Which:
        return Which(sku="*") if self.sku is None and self.tag is None else super().which()

    def play(self, zone: tzinfo) -> Play:
        return Play(
            which=self.which(),
            channel=self.channel,
            response=self.response,
            least_value=self.least_value,
            cost=self.cost,
            wait_minutes=self.wait_minutes,
            why=self.why,
            span=self.span(zone),
        )


class OversoldTable(Table):
    """`[oversold]`"""

    costs: dict[Response, Money] = {}
    why: Why = ""


class Document(Table):
    """A rule file of the right shape."""

    timezone: ZoneName = "UTC"
    locations: dict[Name, LocationTable] = {}
    safety: SafetyTable = SafetyTable()
    split: SplitTable = SplitTable()
    exposure: ExposureTable = ExposureTable()
    halt: HaltTable = HaltTable()
    tags: dict[Name, tuple[Name, ...]] = {}
    channels: dict[ChannelName, ChannelTable] = {}
    overrides: tuple[OverrideTable, ...] = ()
    safety_stock: tuple[SafetyStockTable, ...] = ()
    protection: tuple[ProtectionTable, ...] = ()
    oversold: OversoldTable = OversoldTable()
    playbook: tuple[PlayTable, ...] = ()

    def rules(self) -> Rules:
        """The same in the engine's words."""
        zone = zone_of(self.timezone)
        return Rules(
            locations={name: self._location(name) for name in self.locations},
            channels=tuple(table.channel(name, zone) for name, table in self.channels.items()),
            overrides=tuple(table.override(zone) for table in self.overrides),
            safeties=tuple(table.safety(zone) for table in self.safety_stock),
            protections=tuple(table.protection(zone) for table in self.protection),
            tags=self.tags,
            over_cap=self.split.over_cap,
            exposure=self.exposure.exposure(),
        )

    def plays(self) -> Playbook:
        """What is done about oversold lines."""
        zone = zone_of(self.timezone)
        plays = tuple(table.play(zone) for table in self.playbook)
        return Playbook(plays, self.oversold.costs, self.tags)

    def halting(self) -> Halting:
        """When what shows too much is taken off sale."""
        own = {name: table.halt for name, table in self.channels.items()}
        channels = {name: halt.terms() for name, halt in own.items() if halt is not None}
        return Halting(self.halt.terms(), channels)

    def _location(self, name: str) -> LocationRule:
        table = self.locations[name]
        own = table.safety_units
        return LocationRule(
            name=name,
            title=table.title,
            kind=table.kind,
            safety=self.safety.default_units if own is None else own,
            pickup=None if table.pickup is None else table.pickup.pickup(),
        )
