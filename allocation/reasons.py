"""The reasons of a target's terms in plain English, from the rules that held and what was kept of the computing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allocation.engine import shown_at
from allocation.holders import Holder, said_of
from allocation.planning.tiers import Tier
from allocation.rules import Fitting, fitting, in_force, rule_for
from allocation.types import ChannelRule, Override, Protection, Rule, Rules, Safety

#: What was kept of a computation (`allocation.target_history.terms_of`).
Terms = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ground:
    """What the rules said of a SKU on a channel at a moment.

    channel    None: the rules did not know it
    rule       the channel's own rule, changed by the overrides that fit
    """

    rules: Rules
    channel: ChannelRule | None
    rule: Rule
    fits: Fitting


def ground_of(rules: Rules, channel: str, sku: str, at: datetime) -> Ground:
    """What the rules said then."""
    held = in_force(rules, at)
    fits = fitting(held, sku)
    known = next((each for each in held.channels if each.name == channel), None)
    rule = Rule() if known is None else rule_for(channel, known.rule, fits.overrides)
    return Ground(held, known, rule, fits)


def remark(ground: Ground, location: str, terms: Terms, *, told: bool) -> str:
    """Why there is nothing to compute with; empty where there is.

    told    the number is what the channel itself told
    """
    if told:
        return "the channel holds this stock itself and tells us how much there is"
    if not terms.get("rule"):
        if ground.channel is None:
            return "the rules did not know the channel, so it shows 0"
        if location in shown_at(ground.channel):
            return "the SKU was not listed there any more, so it shows 0"
        return "no rule serves this place, so it shows 0"
    if terms.get("excluded"):
        return f"excluded, so it shows 0{_given(*terms.get('why', ()))}"
    return ""


def takes(ground: Ground, terms: Terms, *, told: bool) -> str:
    """What the channel takes of its pool."""
    rule = ground.rule
    if told:
        return "all of it"
    if not terms.get("rule") or terms.get("excluded"):
        return "nothing"
    if terms.get("quota"):
        return "a quota of its own, shared with nobody"
    if rule.percent is not None:
        return f"{rule.percent.normalize():f}% of its pool{_said(ground, 'percent')}"
    if rule.weight is not None:
        return f"a share of its pool by weight {rule.weight}{_said(ground, 'weight')}"
    others = sorted({name for zone in terms.get("zones", ()) for name in zone["with"]})
    if others and ground.channel is not None:
        return f"all of its pool, which {_names(others, ground.channel.name)} may sell as well"
    return "all of its pool"


def why(
    name: str,
    ground: Ground,
    terms: Terms,
    drawn: Collection[str],
    left: int,
    holders: Sequence[Holder] = (),
) -> str:
    """The reason of a term.

    drawn      the locations whose units stand behind the number
    left       what there is after the step
    holders    places that keep it from rising
    """
    rule = ground.rule
    if name == "safety":
        return "; ".join(text for at in drawn if (text := _safety(ground, at)))
    if name == "owed":
        return "more was promised than is there; a pool is never below 0"
    if name == "others":
        return _others(ground, terms)
    if name == "protected":
        return _protected(ground)
    if name == "exposed":
        return "; ".join(_exposed(ground, zone) for zone in _risky(terms)) or "others may sell them"
    if name == "held":
        return f"not raised yet: {held_by(holders)}"
    if name == "spent" and rule.quota is not None:
        sold = f": {rule.quota.units - left} sold" if left else ": all sold"
        since = f"{rule.quota.since:%Y-%m-%d}"
        return f"quota of {rule.quota.units} since {since}{sold}{_said(ground, 'quota')}"
    fields = {
        "buffered": ("buffer", _buffer(rule, terms)),
        "capped": ("cap", f"cap {rule.cap}"),
        "floored": ("floor", f"floor {rule.floor}"),
        "cut": ("cut_off", f"cut-off {rule.cut_off}, and the pool has {terms.get('pool', 0)}"),
    }
    field, said = fields.get(name, ("", name))
    return said + _said(ground, field)


def _buffer(rule: Rule, terms: Terms) -> str:
    if rule.buffer_by_tier is None:
        return f"buffer {rule.buffer}"
    tier = terms.get("tier")
    if tier is None:
        units = rule.buffer_by_tier.of(None)
        return f"buffer {units}, the largest of its tiers: how fast it sells is not known yet"
    return f"buffer {rule.buffer_by_tier.of(Tier(tier))} of tier {tier}"


def held_by(holders: Sequence[Holder]) -> str:
    """Who keeps a number from rising; in general words where none of them is known."""
    if not holders:
        return "another channel must be seen to let go first"
    return f"held by {'; '.join(said_of(holder) for holder in holders)}"


def _others(ground: Ground, terms: Terms) -> str:
    if terms.get("excluded"):
        return f"excluded{_given(*terms.get('why', ()))}"
    quotas = [zone for zone in terms.get("zones", ()) if zone.get("scarce")]
    if quotas and ground.channel is not None:
        name = ground.channel.name
        return "; ".join(
            f"quotas of {_names(zone['with'], name)}: {zone['units']} at {zone['name']} are scarce"
            f" (at most {zone['threshold']}), each unit is one channel's"
            for zone in quotas
        )
    if ground.rule.divides:
        name = ground.channel.name if ground.channel else "this channel"
        return f"the others' part: {name} takes {takes(ground, terms, told=False)}"
    return "the others' part"


def _risky(terms: Terms) -> list[Mapping[str, Any]]:
    return [zone for zone in terms.get("zones", ()) if zone.get("buffer")]


def _exposed(ground: Ground, zone: Mapping[str, Any]) -> str:
    name = ground.channel.name if ground.channel else ""
    assumed = ", pace or lag assumed" if zone["assumed"] else ""
    return (
        f"{zone['name']} is shared with {_names(zone['with'], name)}: lines expected {zone['lines']:.3g} in lag;"
        f" {zone['buffer']} stay back; risk {100 * zone['risk']:.2g}%{assumed}"
    )


def _safety(ground: Ground, location: str) -> str:
    """What stays back at a location; the most particular rule of safety wins, as in the engine."""
    for safety in reversed(ground.fits.safeties):
        if safety.location in (None, location):
            return f"{location}: {_kind_of(safety)}{_given(safety.why)}"
    known = ground.rules.locations.get(location)
    return f"{location}: {known.safety} stay back" if known is not None and known.safety else ""


def _kind_of(safety: Safety) -> str:
    if safety.units is not None:
        return f"{safety.units} stay back"
    if safety.days is not None:
        return f"{safety.days.normalize():f} days of sales stay back"
    return (
        f"service {safety.service} (lead time {safety.lead_days.normalize():f} days,"
        f" deviation {safety.lead_sd_days.normalize():f})"
    )


def _protected(ground: Ground) -> str:
    channel = ground.channel.name if ground.channel else ""
    against = [p for p in ground.fits.protections if channel in p.against]
    return "; ".join(f"left for {p.channel}{_level(p)}{_given(p.why)}" for p in against)


def _level(protection: Protection) -> str:
    if protection.units is not None:
        return f": {protection.units}"
    return f" by margin {protection.margin} against {protection.against_margin}"


def _said(ground: Ground, field: str) -> str:
    """The reason given where the rules state a field: by the most particular override, else by the channel."""
    if ground.channel is None or not field:
        return ""
    names = (None, ground.channel.name)
    stated = [o for o in ground.fits.overrides if o.channel in names and _states(o, field)]
    if stated:
        return _given(stated[-1].why)
    return _given(*ground.channel.rule.why)


def _states(override: Override, field: str) -> bool:
    if field == "buffer" and override.buffer_by_tier is not None:
        return True
    return getattr(override, field) is not None


def _names(names: Sequence[str], but: str) -> str:
    """Channels but one, in words."""
    others = [name for name in names if name != but]
    return ", ".join(others) if others else "what is made of it"


def _given(*given: str) -> str:
    said = "; ".join(reason for reason in given if reason)
    return f" ({said})" if said else ""
