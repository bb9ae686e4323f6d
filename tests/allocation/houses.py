"""Houses of any shape for properties: channels that divide and channels that share, with rules, paces and lags."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import strategies as st

from allocation.by_tier import ByTier
from allocation.engine import Allotment, compute
from allocation.planning.tiers import Tier
from allocation.types import (
    ChannelRule,
    Exposure,
    Lag,
    LocationRule,
    Outlook,
    OverCap,
    Pace,
    Protection,
    Quota,
    Rule,
    Rules,
    Safety,
    Show,
    Which,
)

LOCATIONS = ("WH", "ST", "KI")
CHANNELS = ("web", "fbm", "pos", "edi")
ALL = Which(sku="*")


@dataclass(frozen=True)
class House:
    """Rules, what is known of demand, and stock of one SKU."""

    rules: Rules
    outlook: Outlook
    stock: dict[str, int]
    unlisted: frozenset[tuple[str, str]] = frozenset()

    @property
    def places(self) -> list[tuple[str, str]]:
        every = [(c.name, location) for c in self.rules.channels for location in c.locations]
        return [place for place in every if place not in self.unlisted]

    def compute(self) -> Allotment:
        return compute("SKU", self.stock, self.rules, self.places, self.outlook)

    def numbers(self) -> dict[tuple[str, str], int]:
        return {(t.channel, t.location): t.units for t in self.compute().targets}

    def with_more(self, location: str, units: int) -> House:
        return replace(self, stock={**self.stock, location: self.stock[location] + units})

    def with_buffer(self, name: str, more: int) -> House:
        """The same with a larger buffer on one channel, whatever it goes by."""
        channels = tuple(
            replace(c, rule=_with_buffer(c.rule, more)) if c.name == name else c
            for c in self.rules.channels
        )
        return replace(self, rules=replace(self.rules, channels=channels))


def _with_buffer(rule: Rule, more: int) -> Rule:
    by = rule.buffer_by_tier
    tiered = None if by is None else ByTier(by.a + more, by.b + more, by.c + more)
    return replace(rule, buffer=rule.buffer + more, buffer_by_tier=tiered)


def a_channel(
    name: str,
    rule: Rule,
    locations: tuple[str, ...] = ("WH",),
    *,
    show: Show = Show.POOLED,
    kind: str = "shopify",
) -> ChannelRule:
    """A channel."""
    return ChannelRule(
        name=name,
        kind=kind,
        base_url=f"https://{name}.example",
        account=name,
        locations=locations,
        show=show,
        show_at=locations[0] if show is Show.POOLED else None,
        rule=rule,
        hide_at_zero=False,
        vendor_locations={location: location for location in locations},
    )


_small = st.integers(0, 12)
_tiered = st.one_of(st.none(), st.none(), st.builds(ByTier, _small, _small, _small))
_maybe = st.one_of(st.none(), st.integers(0, 40))


@st.composite
def _rules_of_channels(draw: st.DrawFn, count: int) -> list[Rule]:
    """One rule a channel; percents sum to at most 100."""
    left = 100
    rules = []
    by_weight = draw(st.booleans())
    for _ in range(count):
        percent = weight = None
        if draw(st.booleans()):
            if by_weight:
                weight = draw(st.integers(1, 90))
            else:
                taken = draw(st.integers(0, left))
                percent, left = Decimal(taken), left - taken
        cap = draw(_maybe)
        floor = draw(st.integers(0, 4))
        rules.append(
            Rule(
                percent=percent,
                weight=weight,
                buffer=draw(_small),
                buffer_by_tier=draw(_tiered),
                cap=cap,
                floor=floor if cap is None else min(floor, cap),
                cut_off=draw(st.sampled_from((0, 0, 3, 10))),
                quota=draw(
                    st.sampled_from((None, None, Quota(15, datetime(2026, 1, 1, tzinfo=UTC))))
                ),
                excluded=draw(st.integers(0, 9)) == 0,
            )
        )
    return rules


@st.composite
def _outlooks(draw: st.DrawFn, channels: list[ChannelRule]) -> Outlook:
    paces = {}
    for channel in channels:
        for location in channel.locations:
            if draw(st.booleans()):
                mean = draw(st.floats(1, 30))
                square = mean * mean * draw(st.floats(1, 5))
                paces[channel.name, location] = Pace(draw(st.floats(0, 0.3)), mean, square)
    lags = {
        channel.name: Lag(draw(st.floats(0, 120)), draw(st.floats(0, 120)))
        for channel in channels
        if draw(st.booleans())
    }
    zones = ("WH", "ST", "KI", "WH+ST", "WH+ST+KI", "ST+KI")
    return Outlook(
        paces=paces,
        lags=lags,
        scarce=frozenset(draw(st.lists(st.sampled_from(zones), max_size=4))),
        sold={c.name: draw(_small) for c in channels if draw(st.booleans())},
        rivals={"WH": Pace(0.01)} if draw(st.integers(0, 4)) == 0 else {},
        bundled=frozenset(c.name for c in channels if draw(st.integers(0, 5)) == 0),
        tier=draw(st.sampled_from((None, *Tier))),
    )


@st.composite
def houses(draw: st.DrawFn, *, only_sharing: bool = False) -> House:
    """Any house. only_sharing: every channel sees its whole pool, nothing is excluded or held back by a rule."""
    count = draw(st.integers(2 if only_sharing else 1, 4))
    said = [Rule() for _ in range(count)] if only_sharing else draw(_rules_of_channels(count))
    channels = []
    for name, rule in zip(CHANNELS, said, strict=False):
        chosen = draw(st.sets(st.sampled_from(LOCATIONS), min_size=1))
        locations = ("WH",) if only_sharing else tuple(at for at in LOCATIONS if at in chosen)
        show = Show.POOLED if only_sharing or draw(st.booleans()) else Show.PER_LOCATION
        kind = draw(st.sampled_from(("shopify", "amazon")))
        channels.append(a_channel(name, rule, locations, show=show, kind=kind))
    safeties, protections = [], []
    if not only_sharing and draw(st.booleans()):
        safeties.append(Safety(ALL, draw(st.sampled_from((None, *LOCATIONS))), days=Decimal("0.5")))
    if not only_sharing and count > 1 and draw(st.booleans()):
        against = CHANNELS[1 : draw(st.integers(2, count))]
        protections.append(Protection(ALL, CHANNELS[0], against, units=draw(_small)))
    rules = Rules(
        locations={
            at: LocationRule(
                at, "", "warehouse", 0 if only_sharing else draw(st.sampled_from((0, 0, 5)))
            )
            for at in LOCATIONS
        },
        channels=tuple(channels),
        safeties=tuple(safeties),
        protections=tuple(protections),
        over_cap=draw(st.sampled_from(OverCap)),
        exposure=Exposure(
            on=only_sharing or draw(st.booleans()), risk=draw(st.sampled_from((0.05, 0.01, 0.001)))
        ),
    )
    stock = {at: draw(st.integers(-5, 120)) for at in LOCATIONS}
    every = [(c.name, at) for c in channels for at in c.locations]
    unlisted = draw(
        st.sets(st.sampled_from(every), max_size=0 if only_sharing else min(2, len(every) - 1))
    )
    return House(rules, draw(_outlooks(channels)), stock, frozenset(unlisted))
