"""From what is available of one SKU to the number each channel should show. Pure: same input, same numbers.

Promises, each one a property test: no number is below 0; channels that divide a pool, by percents or by quotas, never
show more together than there is; more stock never lowers a number; a larger buffer never raises one; terms add up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from allocation.cover import protected_units, safety_units
from allocation.division import Division, divide
from allocation.rules import Fitting, fitting, rule_for
from allocation.types import (
    ChannelRule,
    Outlook,
    OverCap,
    Rule,
    Rules,
    Show,
    Stock,
    Target,
)
from allocation.zones import Member, Zone, held_back, zones_of

NOTHING_KNOWN = Outlook()


@dataclass(frozen=True, slots=True)
class Allotment:
    """The numbers of one SKU.

    targets      one a place, sorted by (channel, location)
    divisions    how each zone was divided, with the buffers
    """

    sku: str
    targets: tuple[Target, ...]
    divisions: tuple[Division, ...]

    @property
    def scarce(self) -> frozenset[str]:
        """Names of the zones divided into quotas; the next computation is to know them."""
        return frozenset(d.zone.name for d in self.divisions if d.scarce)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A channel with the rule that holds for this SKU."""

    channel: ChannelRule
    rule: Rule

    def floor(self) -> int:
        """The floor that the cap leaves."""
        cap = self.rule.cap
        return self.rule.floor if cap is None else min(self.rule.floor, cap)


def allocate(
    sku: str,
    stock: Stock,
    rules: Rules,
    places: Collection[tuple[str, str]],
    outlook: Outlook = NOTHING_KNOWN,
) -> list[Target]:
    """The targets of one SKU; see `compute`."""
    return list(compute(sku, stock, rules, places, outlook).targets)


def compute(
    sku: str,
    stock: Stock,
    rules: Rules,
    places: Collection[tuple[str, str]],
    outlook: Outlook = NOTHING_KNOWN,
    told: Collection[tuple[str, str]] = (),
) -> Allotment:
    """The numbers of one SKU.

    stock      units available by location; a location that is missing has none
    rules      as they are in force now (`allocation.rules.in_force`)
    places     (channel, location) where the SKU is listed; only these get a target
    told       those of them where the channel holds the stock itself and shows all of it
    returns    a place that no rule serves is 0
    source     allocation/README.md, "The order of computing"
    """
    fits = fitting(rules, sku)
    sellable = _sellable(stock, rules, fits, outlook)
    claims = [
        _Claim(c, rule_for(c.name, c.rule, fits.overrides) if fits.overrides else c.rule)
        for c in rules.channels
    ]
    listed = {channel for channel, _ in places}
    zones = _zones(claims, listed, rules, told)
    by_name = {channel.name: channel for channel in rules.channels}
    divisions = tuple(
        divide(
            zone,
            max(0, sum(sellable[at] for at in zone.locations)),
            by_name,
            rules.exposure,
            outlook,
        )
        for zone in zones
    )
    guarded = _protected(fits, outlook)
    targets = {(c, location): Target(c, sku, location, 0) for c, location in places}
    for claim in claims:
        for location in shown_at(claim.channel):
            key = claim.channel.name, location
            if key in targets:
                at = _place(targets[key], claim.channel, stock, sellable)
                targets[key] = _number(at, claim, divisions, guarded, outlook)
    return Allotment(sku, tuple(targets[place] for place in sorted(targets)), divisions)


def shown_at(channel: ChannelRule) -> tuple[str, ...]:
    """The locations whose numbers at the vendor say what the channel has."""
    if channel.show is Show.PER_LOCATION:
        return channel.locations
    return (channel.show_at,) if channel.show_at is not None else ()


def drawn_on(channel: ChannelRule, location: str) -> tuple[str, ...]:
    """The locations whose units stand behind a channel's number at `location`."""
    return (location,) if channel.show is Show.PER_LOCATION else channel.locations


def _sellable(stock: Stock, rules: Rules, fits: Fitting, outlook: Outlook) -> dict[str, int]:
    """Units a location adds to a pool: what is over its safety, or what it owes (below 0)."""
    sellable = {}
    for name, location in rules.locations.items():
        units = stock.get(name, 0)
        safety = _safety(name, location.safety, fits, outlook) if fits.safeties else location.safety
        sellable[name] = units if units < 0 else max(0, units - safety)
    return sellable


def _safety(location: str, usual: int, fits: Fitting, outlook: Outlook) -> int:
    """What stays back at a location: as the most particular safety rule says, else the location itself."""
    for safety in reversed(fits.safeties):
        if safety.location in (None, location):
            paces = [pace for (_, at), pace in outlook.paces.items() if at == location]
            return safety_units(safety, paces)
    return usual


def _zones(
    claims: Sequence[_Claim],
    listed: Collection[str],
    rules: Rules,
    told: Collection[tuple[str, str]],
) -> tuple[Zone, ...]:
    members = tuple(
        _member(
            claim,
            rules.over_cap,
            tuple(sorted(at for channel, at in told if channel == claim.channel.name)),
        )
        for claim in claims
        if claim.channel.name in listed and not claim.rule.excluded
    )
    percents = [
        (claim.channel.locations, claim.rule.claim)
        for claim in claims
        if claim.rule.percent is not None
    ]
    locations = tuple(rules.locations)
    return zones_of(members, locations, tuple(held_back(percents, at) for at in locations))


def _member(claim: _Claim, over_cap: OverCap, told: tuple[str, ...]) -> Member:
    channel, rule = claim.channel, claim.rule
    room = None
    if over_cap is OverCap.SPREAD and rule.cap is not None:
        room = max(rule.cap + rule.buffer, claim.floor())
    return Member(
        channel.name,
        channel.locations,
        channel.show is Show.PER_LOCATION,
        rule.percent is not None,
        rule.claim,
        claim.floor(),
        room,
        told,
    )


def _protected(fits: Fitting, outlook: Outlook) -> dict[str, int]:
    """Units that each channel leaves for better ones."""
    units: dict[str, int] = {}
    for protection in fits.protections:
        paces = [p for (channel, _), p in outlook.paces.items() if channel == protection.channel]
        for channel in protection.against:
            units[channel] = max(units.get(channel, 0), protected_units(protection, paces))
    return units


def _place(target: Target, channel: ChannelRule, stock: Stock, sellable: Stock) -> Target:
    """The target with what there is: available - safety + owed = pool."""
    drawn = drawn_on(channel, target.location)
    available = sum(stock.get(at, 0) for at in drawn)
    left = sum(sellable[at] for at in drawn)
    pool = max(0, left)
    return replace(
        target, available=available, safety=available - left, owed=pool - left, pool=pool
    )


def _number(
    target: Target,
    claim: _Claim,
    divisions: Sequence[Division],
    guarded: Mapping[str, int],
    outlook: Outlook,
) -> Target:
    """The target with its terms: each takes from what the one before has left."""
    rule, pool = claim.rule, target.pool
    if rule.excluded:
        return replace(target, others=pool, rule=rule)
    own, limit, quota = _part(target, divisions)
    own = min(pool, own)
    share = min(own, max(0, pool - guarded.get(target.channel, 0)))
    units = max(0, share - rule.buffer)
    buffered = share - units
    exposed = max(0, units - limit)
    units -= exposed
    capped = max(0, units - rule.cap) if rule.cap is not None else 0
    units -= capped
    left = share
    if rule.quota is not None:
        left = max(0, rule.quota.units - outlook.sold.get(target.channel, 0))
    spent = max(0, units - left)
    units -= spent
    floored = max(0, min(claim.floor(), share, left) - units)
    units += floored
    cut = units if pool < rule.cut_off else 0
    units -= cut
    return replace(
        target,
        units=units,
        others=pool - own,
        protected=own - share,
        share=share,
        exposed=exposed,
        buffered=buffered,
        capped=capped,
        spent=spent,
        floored=floored,
        cut=cut,
        short=max(0, claim.floor() - units),
        quota=quota,
        rule=rule,
    )


def _part(target: Target, divisions: Sequence[Division]) -> tuple[int, int, bool]:
    """(own part of the zones behind a number, most of it that may be shown, whether quotas are among it)."""
    own = limit = 0
    quota = False
    for division in divisions:
        for member, part in zip(division.zone.members, division.parts, strict=True):
            if member.channel != target.channel:
                continue
            if member.alone and target.location not in division.zone.locations:
                continue
            own += part.units
            limit += part.limit
            quota = quota or division.scarce
    return own, limit, quota


def explain(target: Target) -> str:
    """The arithmetic of a target in one line, with the reasons of its rule."""
    rule = target.rule
    if rule is None:
        return "0: no rule serves this channel and location"
    if rule.excluded:
        return f"0: excluded ({'; '.join(rule.why)})"
    part = "all of it" if not rule.divides else f"{rule.percent}%" if rule.percent else "by weight"
    steps = [f"pool {target.pool}", f"share {target.share} ({'quota' if target.quota else part})"]
    named = {
        "buffer": rule.buffer,
        "at risk": target.exposed,
        "cap": rule.cap,
        "sold of its quota": target.spent,
        "floor": rule.floor,
        "cut-off": rule.cut_off,
        "no whole pack": target.unpacked,
        "held": target.held,
    }
    steps += [f"{name} {units}" for name, units in named.items() if units]
    reasons = "; ".join(reason for reason in rule.why if reason)
    return f"{target.units}: {', '.join(steps)}{f' ({reasons})' if reasons else ''}"
