"""What in a well-formed rule file cannot be true at once. Each finding names the setting and the remedy."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from allocation.rules import fitting, rule_for
from allocation.types import ChannelRule, Override, Rule, Rules, Show, Which

#: Where (the path of a setting) and what is wrong with it.
Finding: TypeAlias = tuple[tuple[int | str, ...], str]

_OURS = ("OUTSIDE", "IN-TRANSIT")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the file says that `Rules` no longer shows: overrides in their order, `show_at` as written."""

    overrides: tuple[Override, ...]
    show_at: Mapping[str, str | None]


def find(rules: Rules, facts: Facts) -> list[Finding]:
    """All contradictions of a rule file, in the order of the file."""
    return [
        *_locations(rules),
        *(finding for channel in rules.channels for finding in _channel(rules, facts, channel)),
        *_accounts(rules.channels),
        *_overrides(rules, facts.overrides),
        *_numbers(rules, facts.overrides),
    ]


def _locations(rules: Rules) -> Iterator[Finding]:
    for name in rules.locations:
        if name in _OURS:
            yield ("locations", name), "this name is used by the ledger itself; choose another"


def _channel(rules: Rules, facts: Facts, channel: ChannelRule) -> Iterator[Finding]:
    path = ("channels", channel.name)
    for name, times in Counter(channel.locations).items():
        if times > 1:
            yield (*path, "locations"), f"{name} is named {times} times; name it once"
        yield from _known(rules, (*path, "locations"), name)
    for vendor_id, name in channel.vendor_locations.items():
        yield from _known(rules, (*path, "vendor_locations", vendor_id), name)
    for name, times in Counter(channel.vendor_locations.values()).items():
        if times > 1:
            yield (
                (*path, "vendor_locations"),
                f"{times} locations of the vendor stand for {name}; give each its own location",
            )
    written = facts.show_at[channel.name]
    if written is not None:
        yield from _known(rules, (*path, "show_at"), written)
    yield from _shown(channel, written)


def _known(rules: Rules, path: tuple[int | str, ...], name: str) -> Iterator[Finding]:
    if name not in rules.locations:
        near = difflib.get_close_matches(name, rules.locations, n=1)
        remedy = f"did you mean {near[0]}?" if near else f"add [locations.{name}]"
        yield path, f"there is no location {name}; {remedy}"


def _shown(channel: ChannelRule, written: str | None) -> Iterator[Finding]:
    path = ("channels", channel.name, "show_at")
    if channel.show is Show.PER_LOCATION:
        if written is not None:
            yield path, "show = per_location shows each location by itself; leave show_at out"
        shown: Iterable[str] = channel.locations
    elif channel.show_at is None:
        yield path, f"which location carries the number? choose one of {_listed(channel.locations)}"
        return
    else:
        shown = (channel.show_at,)
    mapped = set(channel.vendor_locations.values())
    for name in shown:
        if name not in mapped:
            yield (
                ("channels", channel.name, "vendor_locations"),
                f'no location of the vendor stands for {name}; add "<vendor id>" = "{name}"',
            )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _accounts(channels: Iterable[ChannelRule]) -> Iterator[Finding]:
    seen: dict[tuple[str, str, str], str] = {}
    for channel in channels:
        account = (channel.kind, channel.base_url.rstrip("/"), channel.account)
        if account in seen:
            yield (
                ("channels", channel.name, "account"),
                f"is the account of channel {seen[account]} too; one account is one channel",
            )
        seen.setdefault(account, channel.name)


def _overrides(rules: Rules, overrides: Iterable[Override]) -> Iterator[Finding]:
    names = [channel.name for channel in rules.channels]
    seen: dict[tuple[Which, str | None, str], int] = {}
    for index, override in enumerate(overrides):
        path = ("overrides", index)
        if override.channel is not None and override.channel not in names:
            near = difflib.get_close_matches(override.channel, names, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"channels: {_listed(names)}"
            yield (*path, "channel"), f"there is no channel {override.channel}; {remedy}"
        stated = _stated(override)
        if not stated:
            yield path, "changes nothing; state percent, buffer, cap, floor or exclude"
        for name in stated:
            key = (override.which, override.channel, name)
            if key in seen:
                first = f"overrides.{seen[key]}"
                yield (*path, name), f"is said by {first} for the same SKU and channel; keep one"
            seen.setdefault(key, index)


def _stated(override: Override) -> list[str]:
    fields = ("percent", "buffer", "cap", "floor", "exclude")
    return [name for name in fields if getattr(override, name) is not None]


def _numbers(rules: Rules, overrides: tuple[Override, ...]) -> Iterator[Finding]:
    """Floors above caps and percents above 100, in the channels' own rules and for every SKU an override speaks of.

    A pattern is tried as a SKU of its own: it fits itself and all wider ones.
    """
    own = {channel.name: channel.rule for channel in rules.channels}
    broken = list(_checked(rules, own))
    yield from broken
    if broken:
        return
    tried = set()
    for index, override in enumerate(overrides):
        sku = override.which.sku or ""
        if sku in tried:
            continue
        tried.add(sku)
        fits = fitting(rules, sku).overrides
        effective = {
            channel.name: rule_for(channel.name, channel.rule, fits) for channel in rules.channels
        }
        for _, message in _checked(rules, effective):
            yield ("overrides", index), f"for SKU {sku}: {message}"


def _checked(rules: Rules, effective: Mapping[str, Rule]) -> Iterator[Finding]:
    for name, rule in effective.items():
        if rule.cap is not None and rule.cap < rule.floor:
            yield (
                ("channels", name, "floor"),
                f"floor {rule.floor} is above cap {rule.cap}; lower the floor or raise the cap",
            )
    told: set[tuple[str, ...]] = set()
    for location in rules.locations:
        sharing = [
            channel.name
            for channel in rules.channels
            if location in channel.locations and effective[channel.name].percent is not None
        ]
        total = sum((effective[name].percent or Decimal(0) for name in sharing), Decimal(0))
        if total > 100 and tuple(sharing) not in told:
            told.add(tuple(sharing))
            yield (
                ("channels", sharing[-1], "percent"),
                f"{_listed(sharing)} share {location} and their percents sum to {total};"
                " lower one so that the sum is at most 100",
            )
