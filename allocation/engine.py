"""From what is available of one SKU to the number each channel should show. Pure: same input, same numbers.

Promises, each one a property test: no number is below 0; channels that divide a pool, by percents or by quotas, never
show more together than there is; more stock never lowers a number; a larger buffer never raises one; terms add up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from allocation.cover import protected_units, safety_units
from allocation.division import Division, divide
from allocation.planning.tiers import Tier
from allocation.quotas import Now
from allocation.risk import economic_risk
from allocation.rules import Fitting, fitting, rule_for
from allocation.types import (
    PLAIN,
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


#: A channel's own part of the units behind a number, the most of it to be shown now, and whether it is a quota.
_Own: TypeAlias = tuple[int, int, bool]

_NO_PART: _Own = (0, 0, False)


class _Same:
    """Rules by their identity: they are read once and hold for many SKUs."""

    __slots__ = ("rules",)

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def __hash__(self) -> int:
        return id(self.rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.rules is self.rules


@dataclass(frozen=True, slots=True)
class _Plan:
    """What of the rules is the same for every SKU of a tier without rules of its own.

    has_windows    a channel has a limit in a window
    served         (channel, location) of every number
    zones          by (those of them where a SKU is listed, places that its channels hold)
    """

    claims: tuple[_Claim, ...]
    has_windows: bool
    served: frozenset[tuple[str, str]]
    zones: dict[tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]], tuple[Zone, ...]]


@lru_cache(maxsize=32)
def _plan(same: _Same, tier: Tier | None) -> _Plan:
    channels = same.rules.channels
    return _Plan(
        tuple(_Claim(c, c.rule.at(tier)) for c in channels),
        any(c.rule.quota is not None for c in channels),
        frozenset((c.name, at) for c in channels for at in shown_at(c)),
        {},
    )


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
    plan = _plan(_Same(rules), outlook.tier)
    fits = fitting(rules, sku)
    sellable = _sellable(stock, rules, fits, outlook)
    claims = _claims(plan, rules, fits, outlook.tier)
    zones = _zones_of(plan, claims, rules, places, told)
    guarded = _protected(fits, outlook) if fits.protections else {}
    windows = _left(claims, outlook) if plan.has_windows or fits.overrides else {}
    divisions = tuple(
        divide(
            zone,
            max(0, sum([sellable[at] for at in zone.locations])),
            rules.exposure,
            outlook,
            _now(zone, windows, guarded, outlook.bundled)
            if windows or guarded or outlook.bundled
            else (),
        )
        for zone in zones
    )
    parts = _parts(divisions)
    numbers: dict[tuple[str, str], Target] = {}
    for claim in claims:
        for location in shown_at(claim.channel):
            key = claim.channel.name, location
            if key in places:
                drawn = drawn_on(claim.channel, location)
                available = sum([stock.get(at, 0) for at in drawn])
                left = sum([sellable[at] for at in drawn])
                own = parts.get(key) or parts.get((key[0], "")) or _NO_PART
                numbers[key] = _number(sku, location, claim, available, left, own, guarded, outlook)
    unserved = {p: Target(p[0], sku, p[1], 0) for p in places if p not in numbers}
    numbers |= unserved
    return Allotment(sku, tuple([numbers[place] for place in sorted(numbers)]), divisions)


def _claims(plan: _Plan, rules: Rules, fits: Fitting, tier: Tier | None) -> tuple[_Claim, ...]:
    if not fits.overrides:
        return plan.claims
    own = [rule_for(c.name, c.rule, fits.overrides).at(tier) for c in rules.channels]
    return tuple(map(_Claim, rules.channels, own))


def _zones_of(
    plan: _Plan,
    claims: tuple[_Claim, ...],
    rules: Rules,
    places: Collection[tuple[str, str]],
    told: Collection[tuple[str, str]],
) -> tuple[Zone, ...]:
    """The zones of a SKU; of one without rules of its own they are those of the house."""
    listed = plan.served.intersection(places)
    if claims is not plan.claims:
        return _zones(claims, listed, rules, told)
    key = listed, frozenset(told)
    zones = plan.zones.get(key)
    if zones is None:
        zones = plan.zones[key] = _zones(claims, listed, rules, told)
    return zones


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
    """What stays back at a location: as the most particular safety rule says, else the location itself.

    A rule that goes by demand leaves the location's own where nothing is known of it: unknown is the safe side.
    """
    for safety in reversed(fits.safeties):
        if safety.location in (None, location):
            paces = [pace for (_, at), pace in outlook.paces.items() if at == location]
            is_known = bool(paces) or safety.units is not None
            return safety_units(safety, paces) if is_known else usual
    return usual


def _zones(
    claims: Sequence[_Claim],
    listed: Collection[tuple[str, str]],
    rules: Rules,
    told: Collection[tuple[str, str]],
) -> tuple[Zone, ...]:
    members = tuple(
        _member(
            claim,
            _drawn(claim.channel, listed),
            rules.over_cap,
            tuple(sorted(at for channel, at in told if channel == claim.channel.name)),
        )
        for claim in claims
        if not claim.rule.excluded and _drawn(claim.channel, listed)
    )
    percents = [
        (claim.channel.locations, claim.rule.claim)
        for claim in claims
        if claim.rule.percent is not None
    ]
    locations = tuple(rules.locations)
    return zones_of(members, locations, tuple(held_back(percents, at) for at in locations))


def _drawn(channel: ChannelRule, listed: Collection[tuple[str, str]]) -> tuple[str, ...]:
    """The locations of whose units a channel shows any: none where it does not list the SKU."""
    shown = tuple([at for at in shown_at(channel) if (channel.name, at) in listed])
    return shown if channel.show is Show.PER_LOCATION or not shown else channel.locations


def _member(
    claim: _Claim, locations: tuple[str, ...], over_cap: OverCap, told: tuple[str, ...]
) -> Member:
    channel, rule = claim.channel, claim.rule
    # A channel that sees the whole pool keeps nothing from the others by its cap; where the pool is divided neither.
    spreads = over_cap is OverCap.SPREAD or not rule.divides
    return Member(
        channel.name,
        locations,
        channel.show is Show.PER_LOCATION,
        rule.percent is not None,
        rule.claim,
        claim.floor(),
        rule.cap if spreads else None,
        rule.buffer,
        rule.cut_off,
        spreads,
        _risk(channel),
        channel.kind in PLAIN,
        told,
    )


def _risk(channel: ChannelRule) -> float | None:
    if channel.cost_oversell is None or channel.margin is None:
        return None
    if channel.cost_oversell + channel.margin <= 0:
        return None
    return economic_risk(float(channel.cost_oversell), float(channel.margin))


def _protected(fits: Fitting, outlook: Outlook) -> dict[str, int]:
    """Units that each channel leaves for better ones."""
    units: dict[str, int] = {}
    for protection in fits.protections:
        paces = [p for (channel, _), p in outlook.paces.items() if channel == protection.channel]
        for channel in protection.against:
            units[channel] = max(units.get(channel, 0), protected_units(protection, paces))
    return units


def _left(claims: Sequence[_Claim], outlook: Outlook) -> dict[str, int]:
    """What channels may still sell of their limits in a window."""
    return {
        c.channel.name: max(0, c.rule.quota.units - outlook.sold.get(c.channel.name, 0))
        for c in claims
        if c.rule.quota is not None
    }


def _now(
    zone: Zone, windows: Mapping[str, int], guarded: Mapping[str, int], bundled: Collection[str]
) -> tuple[Now, ...]:
    names = [member.channel for member in zone.members]
    return tuple([Now(windows.get(n), guarded.get(n, 0), n in bundled) for n in names])


def _number(
    sku: str,
    location: str,
    claim: _Claim,
    available: int,
    left: int,
    own: _Own,
    guarded: Mapping[str, int],
    outlook: Outlook,
) -> Target:
    """A number with its terms: each takes from what the one before has left.

    available    units at the locations it draws on; left: what safety leaves of them
    """
    rule, channel = claim.rule, claim.channel.name
    pool = max(0, left)
    if rule.excluded:
        none = Target(channel, sku, location, 0, available, available - left, pool - left, pool)
        return replace(none, others=pool, rule=rule)
    own_units, limit, quota = own
    part = min(pool, own_units)
    share = min(part, max(0, pool - guarded.get(channel, 0)))
    units = max(0, share - rule.buffer)
    buffered = share - units
    exposed = max(0, units - limit)
    units -= exposed
    capped = max(0, units - rule.cap) if rule.cap is not None else 0
    units -= capped
    most = share
    if rule.quota is not None:
        most = max(0, rule.quota.units - outlook.sold.get(channel, 0))
    spent = max(0, units - most)
    units -= spent
    floor = claim.floor()
    floored = max(0, min(floor, share, most) - units)
    units += floored
    cut = units if pool < rule.cut_off else 0
    units -= cut
    return Target(
        channel,
        sku,
        location,
        units,
        available=available,
        safety=available - left,
        owed=pool - left,
        pool=pool,
        protected=part - share,
        others=pool - part,
        share=share,
        exposed=exposed,
        buffered=buffered,
        capped=capped,
        spent=spent,
        floored=floored,
        cut=cut,
        short=max(0, floor - units),
        quota=quota,
        rule=rule,
    )


def _parts(divisions: Sequence[Division]) -> dict[tuple[str, str], _Own]:
    """What each channel has of all its zones, by (channel, location it shows alone, or "")."""
    found: dict[tuple[str, str], _Own] = {}
    for division in divisions:
        for key, (units, limit) in zip(division.zone.keys, division.parts, strict=True):
            before = found.get(key)
            if before is not None:
                units, limit = before[0] + units, before[1] + limit
            quota = division.scarce or (before is not None and before[2])
            found[key] = units, limit, quota
    return found
