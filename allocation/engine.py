"""From what is available of one SKU to the number each channel should show. Pure: same input, same numbers.

Promises, each one a property test: no number is below 0; the percent channels together never show more than there is;
more stock never lowers a number; a larger buffer never raises one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from allocation.rules import fitting, rule_for
from allocation.types import ChannelRule, OverCap, Rule, Rules, Show, Stock, Target
from allocation.webster import Party, apportion

_WHOLE = 10_000  # hundred percent, in the hundredths of `Rule.claim`


@dataclass(frozen=True, slots=True)
class _Claim:
    """A channel that sells this SKU, with the rule that holds for it."""

    channel: ChannelRule
    rule: Rule

    def floor(self) -> int:
        """The floor that the cap leaves."""
        cap = self.rule.cap
        return self.rule.floor if cap is None else min(self.rule.floor, cap)


def allocate(
    sku: str, stock: Stock, rules: Rules, places: Collection[tuple[str, str]]
) -> list[Target]:
    """The targets of one SKU.

    stock      units available by location; a location that is missing has none
    places     (channel, location) where the SKU is listed; only these get a target
    returns    one target a place, sorted by (channel, location); a place that no rule serves is 0
    source     allocation/README.md, "The order of computing"
    """
    sellable = _sellable(stock, rules)
    listed = {channel for channel, _ in places}
    overrides = fitting(rules, sku).overrides
    claims = [
        _Claim(channel, rule_for(channel.name, channel.rule, overrides))
        for channel in rules.channels
    ]
    taking = [c for c in claims if c.channel.name in listed and not c.rule.excluded]
    shares = _shares(claims, taking, sellable, rules.over_cap)
    targets = {(c, location): Target(c, sku, location, 0) for c, location in places}
    for claim in claims:
        for location in _shown_at(claim.channel):
            if (claim.channel.name, location) in targets:
                target = _target(claim, sku, location, sellable, shares)
                targets[claim.channel.name, location] = target
    return [targets[place] for place in sorted(targets)]


def _sellable(stock: Stock, rules: Rules) -> dict[str, int]:
    """Units a location adds to a pool: what is over its safety, or what it owes (below 0)."""
    return {
        name: min(stock.get(name, 0), max(0, stock.get(name, 0) - location.safety))
        for name, location in rules.locations.items()
    }


def _shown_at(channel: ChannelRule) -> tuple[str, ...]:
    if channel.show is Show.PER_LOCATION:
        return channel.locations
    return (channel.show_at,) if channel.show_at is not None else ()


def _pool(channel: ChannelRule, location: str, sellable: Stock) -> int:
    """What a channel may draw on for its number at `location`; what one location owes lessens the rest of the pool."""
    drawn = (location,) if channel.show is Show.PER_LOCATION else channel.locations
    return max(0, sum(sellable[name] for name in drawn))


def _target(
    claim: _Claim, sku: str, location: str, sellable: Stock, shares: dict[tuple[str, str], int]
) -> Target:
    rule, name = claim.rule, claim.channel.name
    pool = _pool(claim.channel, location, sellable)
    if rule.excluded:
        return Target(name, sku, location, 0, pool=pool, rule=rule)
    share = pool if rule.percent is None else min(pool, shares.get((name, location), 0))
    units = max(0, share - rule.buffer)
    if rule.cap is not None:
        units = min(units, rule.cap)
    units = max(units, min(claim.floor(), share))
    return Target(name, sku, location, units, pool=pool, share=share, rule=rule)


def _shares(
    claims: Iterable[_Claim], taking: Iterable[_Claim], sellable: Stock, over_cap: OverCap
) -> dict[tuple[str, str], int]:
    """Shares of the percent channels by (channel, location shown at).

    Channels with the same pool divide its sum. Where pools only overlap, each group of locations that the same
    channels draw on is divided by itself: that keeps the sum of all shares within what is there.
    """
    dividing = [c for c in taking if c.rule.percent is not None]
    zones: dict[tuple[object, ...], list[str]] = {}
    members: dict[tuple[object, ...], tuple[list[_Claim], int]] = {}
    for location in sellable:
        here = [c for c in dividing if location in c.channel.locations]
        alone = any(c.channel.show is Show.PER_LOCATION for c in here)
        held = _held_back(claims, location)
        key: tuple[object, ...] = (held, alone and location, *(c.channel.name for c in here))
        zones.setdefault(key, []).append(location)
        members[key] = here, held
    shares: dict[tuple[str, str], int] = {}
    for key, locations in zones.items():
        here, held = members[key]
        total = max(0, sum(sellable[location] for location in locations))
        parties = [*(_party(claim, over_cap) for claim in here), Party(held)]
        for claim, units in zip(here, apportion(total, parties), strict=False):
            shown_at = _shown_at(claim.channel)
            at = locations[0] if claim.channel.show is Show.PER_LOCATION else shown_at[0]
            shares[claim.channel.name, at] = shares.get((claim.channel.name, at), 0) + units
    return shares


def _held_back(claims: Iterable[_Claim], location: str) -> int:
    """The part of 100 that the file gives to nobody at this location; it stays back also when a channel is missing."""
    given = sum(c.rule.claim for c in claims if location in c.channel.locations)
    return max(0, _WHOLE - given) if given else 0


def _party(claim: _Claim, over_cap: OverCap) -> Party:
    rule = claim.rule
    most = None
    if over_cap is OverCap.SPREAD and rule.cap is not None:
        most = rule.cap + rule.buffer
    return Party(rule.claim, claim.floor(), most)


def explain(target: Target) -> str:
    """The arithmetic of a target in one line, with the reasons of its rule."""
    rule = target.rule
    if rule is None:
        return "0: no rule serves this channel and location"
    if rule.excluded:
        return f"0: excluded ({'; '.join(rule.why)})"
    part = "all of it" if rule.percent is None else f"{rule.percent}%"
    steps = [f"pool {target.pool}", f"share {target.share} ({part})"]
    if rule.buffer:
        steps.append(f"buffer {rule.buffer}")
    if rule.cap is not None:
        steps.append(f"cap {rule.cap}")
    if rule.floor:
        steps.append(f"floor {rule.floor}")
    reasons = "; ".join(reason for reason in rule.why if reason)
    return f"{target.units}: {', '.join(steps)}{f' ({reasons})' if reasons else ''}"
