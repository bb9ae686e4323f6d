"""What in a well-formed rule file cannot be true at once. Each finding names the setting and the remedy."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence

from allocation.document import plays, reach
from allocation.document.classes import classes_of, statements_of
from allocation.document.findings import Finding, named
from allocation.document.lines import Path
from allocation.document.tables import Document, OverrideTable, ProtectionTable, SafetyStockTable
from allocation.types import ChannelRule, Rules, Show, Span

_OURS = ("OUTSIDE", "IN-TRANSIT")
_TWO_BUFFERS = "buffer and buffer_by_tier exclude each other; keep one"


def find(document: Document) -> list[Finding]:
    """All contradictions of a rule file."""
    rules = document.rules()
    return [
        *_locations(rules),
        *_tags(rules),
        *(finding for channel in rules.channels for finding in _channel(document, rules, channel)),
        *_accounts(rules.channels),
        *_selectors(document),
        *_overrides(document, rules),
        *_safeties(document, rules),
        *_protections(document, rules),
        *plays.find(document),
        *reach.overrides(rules, classes_of(rules.overrides, rules.tags)),
        *reach.safeties(rules, classes_of(rules.safeties, rules.tags)),
        *reach.circles(rules, classes_of(rules.protections, rules.tags)),
    ]


def _locations(rules: Rules) -> Iterator[Finding]:
    for name in rules.locations:
        if name in _OURS:
            message = "this name is used by the ledger itself; choose another"
            yield Finding(("locations", name), message)


def _tags(rules: Rules) -> Iterator[Finding]:
    for tag, names in rules.tags.items():
        if not names:
            yield Finding(("tags", tag), "names no SKU; name some, or remove the tag")


def _channel(document: Document, rules: Rules, channel: ChannelRule) -> Iterator[Finding]:
    path = ("channels", channel.name)
    for name, times in Counter(channel.locations).items():
        if times > 1:
            yield Finding((*path, "locations"), f"{name} is named {times} times; name it once")
        yield from _known_location(rules, (*path, "locations"), name)
    for vendor_id, name in channel.vendor_locations.items():
        yield from _known_location(rules, (*path, "vendor_locations", vendor_id), name)
    for name, times in Counter(channel.vendor_locations.values()).items():
        if times > 1:
            yield Finding(
                (*path, "vendor_locations"),
                f"{times} locations of the vendor stand for {name}; give each its own location",
            )
    written = document.channels[channel.name].show_at
    if written is not None:
        yield from _known_location(rules, (*path, "show_at"), written)
    yield from _shown(channel, written)
    yield from _terms(rules, channel)


def _known_location(rules: Rules, path: Path, name: str) -> Iterator[Finding]:
    return _known(path, "location", name, rules.locations, f"add [locations.{name}]")


def _known_channel(rules: Rules, path: Path, name: str) -> Iterator[Finding]:
    names = [channel.name for channel in rules.channels]
    return _known(path, "channel", name, names, f"channels: {_listed(names)}")


def _known(path: Path, what: str, name: str, names: Iterable[str], else_: str) -> Iterator[Finding]:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        remedy = f"did you mean {near[0]}?" if near else else_
        yield Finding(path, f"there is no {what} {name}; {remedy}")


def _shown(channel: ChannelRule, written: str | None) -> Iterator[Finding]:
    path = ("channels", channel.name, "show_at")
    if channel.show is Show.PER_LOCATION:
        if written is not None:
            message = "show = per_location shows each location by itself; leave show_at out"
            yield Finding(path, message)
        shown: Iterable[str] = channel.locations
    elif channel.show_at is None:
        message = f"which location carries the number? choose one of {_listed(channel.locations)}"
        yield Finding(path, message)
        return
    else:
        shown = (channel.show_at,)
    mapped = set(channel.vendor_locations.values())
    for name in shown:
        if name not in mapped:
            yield Finding(
                ("channels", channel.name, "vendor_locations"),
                f'no location of the vendor stands for {name}; add "<vendor id>" = "{name}"',
            )


def _terms(rules: Rules, channel: ChannelRule) -> Iterator[Finding]:
    path, rule = ("channels", channel.name), channel.rule
    if rule.percent is not None and rule.weight is not None:
        yield Finding((*path, "weight"), "percent and weight exclude each other; keep one")
    if rule.buffer_by_tier is not None and rule.buffer:
        yield Finding((*path, "buffer_by_tier"), _TWO_BUFFERS)
    if (channel.cost_oversell is None) != (channel.margin is None):
        there, missing = "cost_oversell", "margin"
        if channel.cost_oversell is None:
            there, missing = missing, there
        message = f"means nothing without {missing}; add {missing} = ... or remove it"
        yield Finding((*path, there), message)
    elif channel.cost_oversell == 0 and channel.margin == 0:
        yield Finding(
            (*path, "margin"),
            "cost_oversell and margin are both 0, so that no risk follows from them; state what a unit costs that was"
            " sold and is not there, or remove both: then [exposure] risk holds",
        )
    back = any(o.exclude is False and o.channel in (None, channel.name) for o in rules.overrides)
    if rule.excluded and rule.floor and not back:
        yield Finding(
            (*path, "floor"),
            "is never shown: the channel excludes every SKU and no override brings one back; remove the floor, or add"
            " an override with exclude = false",
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _accounts(channels: Iterable[ChannelRule]) -> Iterator[Finding]:
    seen: dict[tuple[str, str, str], str] = {}
    for channel in channels:
        account = (channel.kind, channel.base_url.rstrip("/"), channel.account)
        if account in seen:
            yield Finding(
                ("channels", channel.name, "account"),
                f"is the account of channel {seen[account]} too; one account is one channel",
            )
        seen.setdefault(account, channel.name)


def _selectors(document: Document) -> Iterator[Finding]:
    """Which SKUs and which season each statement holds for."""
    rules = document.rules()
    tables: dict[str, Sequence[OverrideTable | SafetyStockTable | ProtectionTable]] = {
        "overrides": document.overrides,
        "safety_stock": document.safety_stock,
        "protection": document.protection,
    }
    for name, words in statements_of(rules).items():
        for place, (table, word) in enumerate(zip(tables[name], words, strict=True)):
            path = (name, place)
            if table.sku is not None and table.tag is not None:
                yield Finding((*path, "tag"), "sku and tag exclude each other; keep one")
            elif word.which.sku is None and word.which.tag is None:
                yield Finding(path, "says not which SKUs; add sku = ... or tag = ...")
            if table.tag is not None:
                tags = document.tags
                remedy = f'add [tags] with {table.tag} = ["..."]'
                yield from _known((*path, "tag"), "tag", table.tag, tags, remedy)
            span = word.span
            if span.since is not None and span.until is not None and span.until <= span.since:
                message = f"ends before it begins, from {table.since}; correct one of the two"
                yield Finding((*path, "until"), message)


def _overrides(document: Document, rules: Rules) -> Iterator[Finding]:
    said: list[tuple[Hashable, Span, Path]] = []
    for place, (table, override) in enumerate(
        zip(document.overrides, rules.overrides, strict=True)
    ):
        path = ("overrides", place)
        if override.channel is not None:
            yield from _known_channel(rules, (*path, "channel"), override.channel)
        yield from _two_ways(path, table)
        stated = reach.stated(override)
        if not stated:
            yield Finding(
                path,
                "changes nothing; state percent, weight, buffer, buffer_by_tier, cap, floor, cut_off, quota or exclude",
            )
        for name in stated:
            key = (override.which, override.channel, name)
            said.append((key, override.span, (*path, _written(table, name))))
    yield from _twice(said, "the same SKU and channel")


def _two_ways(path: Path, table: OverrideTable) -> Iterator[Finding]:
    if table.percent is not None and table.weight is not None:
        yield Finding((*path, "weight"), "percent and weight exclude each other; keep one")
    if table.buffer is not None and table.buffer_by_tier is not None:
        yield Finding((*path, "buffer_by_tier"), _TWO_BUFFERS)


def _written(table: OverrideTable, name: str) -> str:
    """The setting in which the file says what `reach.stated` names."""
    if name == reach.SHARE:
        return "percent" if table.percent is not None else "weight"
    if name == reach.BUFFER and table.buffer is None:
        return "buffer_by_tier"
    return name


def _twice(said: Sequence[tuple[Hashable, Span, Path]], what: str) -> Iterator[Finding]:
    """What is said twice of the same, in the same season or in seasons of which neither lies within the other.

    A season within another is meant: the later in the file wins, and `reach` tells where that leaves nothing.
    """
    before: dict[Hashable, list[tuple[Span, Path]]] = {}
    for key, span, path in said:
        for other, first in before.get(key, []):
            if span == other:
                message = f"is said by {named(first[:2])} for {what}; keep one"
                yield Finding(path, message)
                break
            if _crosses(span, other):
                yield Finding(
                    path,
                    f"its season begins or ends within that of {named(first[:2])}, which says it for {what}; let one"
                    " end where the other begins",
                )
                break
        before.setdefault(key, []).append((span, path))


def _crosses(one: Span, other: Span) -> bool:
    """Whether two seasons overlap and neither lies within the other."""
    (a, b), (c, d) = _bounds(one), _bounds(other)
    return a < c < b < d or c < a < d < b


def _bounds(span: Span) -> tuple[float, float]:
    return (
        float("-inf") if span.since is None else span.since.timestamp(),
        float("inf") if span.until is None else span.until.timestamp(),
    )


def _safeties(document: Document, rules: Rules) -> Iterator[Finding]:
    said: list[tuple[Hashable, Span, Path]] = []
    for place, (table, safety) in enumerate(
        zip(document.safety_stock, rules.safeties, strict=True)
    ):
        path = ("safety_stock", place)
        if safety.location is not None:
            yield from _known_location(rules, (*path, "location"), safety.location)
        yield from _way(path, table)
        said.append(((safety.which, safety.location), safety.span, path))
    yield from _twice(said, "the same SKU and location")


def _way(path: Path, table: SafetyStockTable) -> Iterator[Finding]:
    ways = [name for name in ("units", "days", "service") if getattr(table, name) is not None]
    if not ways:
        yield Finding(path, "says not how much stays back; state units, days or service")
    elif len(ways) > 1:
        message = f"{' and '.join(ways)} exclude each other; keep one"
        yield Finding((*path, ways[-1]), message)
    for name in ("lead_days", "lead_sd_days"):
        if getattr(table, name) is not None and table.service is None:
            message = "means nothing without service; add service = ... or remove it"
            yield Finding((*path, name), message)
    if table.service is not None and table.lead_days is None:
        message = "needs the lead time: add lead_days = ..., and lead_sd_days where it varies"
        yield Finding((*path, "service"), message)


def _protections(document: Document, rules: Rules) -> Iterator[Finding]:
    places = {channel.name: set(channel.locations) for channel in rules.channels}
    said: list[tuple[Hashable, Span, Path]] = []
    for place, (table, protection) in enumerate(
        zip(document.protection, rules.protections, strict=True)
    ):
        path = ("protection", place)
        yield from _known_channel(rules, (*path, "channel"), protection.channel)
        for name, times in Counter(protection.against).items():
            yield from _against(rules, path, protection.channel, name, times)
            mine, its = places.get(protection.channel), places.get(name)
            if mine and its and mine.isdisjoint(its):
                yield Finding(
                    (*path, "against"),
                    f"{protection.channel} and {name} share no location, so there is nothing to protect; remove {name}",
                )
            key = (protection.which, protection.channel, name)
            said.append((key, protection.span, path))
        yield from _worth(path, table)
    yield from _twice(said, "the same SKU and channels")


def _against(rules: Rules, path: Path, channel: str, name: str, times: int) -> Iterator[Finding]:
    where = (*path, "against")
    yield from _known_channel(rules, where, name)
    if times > 1:
        yield Finding(where, f"{name} is named {times} times; name it once")
    if name == channel:
        yield Finding(where, f"{name} cannot be protected from itself; remove it")


def _worth(path: Path, table: ProtectionTable) -> Iterator[Finding]:
    margins = ("margin", "against_margin", "days")
    given = [name for name in margins if getattr(table, name) is not None]
    if table.units is not None and given:
        yield Finding((*path, "units"), f"units and {given[0]} exclude each other; keep one way")
    elif table.units is None and len(given) < len(margins):
        missing = _listed(name for name in margins if name not in given)
        what = f"add {missing}" if given else "state units, or margin, against_margin and days"
        yield Finding(path, f"says not how many units; {what}")
    if table.margin is None or table.against_margin is None:
        return
    if table.margin <= table.against_margin:
        yield Finding(
            (*path, "margin"),
            f"margin {table.margin} is not above against_margin {table.against_margin}, so nothing would be protected;"
            " protect the channel that earns more",
        )
