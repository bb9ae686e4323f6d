"""What follows from the statements of a file together: numbers that contradict, and statements that never matter.

Looked at is every kind of SKU the file tells apart, at every stretch of time, so that nothing is missed where percents
sum to more than there is only for some SKUs in one season, and nothing is called unreachable that once holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from allocation.document.classes import Classes, Kind, at, moments
from allocation.document.findings import Finding, named
from allocation.rules import fitting, rule_for
from allocation.types import ChannelRule, Override, Rule, Rules, Safety

#: Fields of an override; percent and weight are one, and buffer and buffer_by_tier: each takes the other's place.
SHARE = "share"
BUFFER = "buffer"
FIELDS = ("cap", "floor", "cut_off", "quota", "exclude")
_FIRST = 3  # others that a message names


def stated(override: Override) -> list[str]:
    """The fields that an override states."""
    share = [SHARE] if override.percent is not None or override.weight is not None else []
    buffer = [BUFFER] if override.buffer is not None or override.buffer_by_tier is not None else []
    return share + buffer + [name for name in FIELDS if getattr(override, name) is not None]


@dataclass(slots=True)
class _Seen:
    """What became of one statement: whether it ever decides, and what stood before it where it did not."""

    fits: bool = False
    decides: bool = False
    beaten_by: dict[int, None] = field(default_factory=dict)
    excluded_on: dict[str, None] = field(default_factory=dict)


def overrides(rules: Rules, classes: Classes) -> list[Finding]:
    """Numbers that contradict for some SKUs at some time, and overrides that never decide anything."""
    own = {channel.name: channel.rule for channel in rules.channels}
    broken = [
        Finding(("channels", channels[-1], key), message)
        for channels, key, message in _broken(rules.channels, own)
    ]
    if broken:
        return broken
    seen = [_Seen() for _ in rules.overrides]
    found: dict[tuple[object, ...], Finding] = {}
    sound: set[tuple[object, ...]] = set()
    for kind in classes.kinds:
        sorted_ = _sorted_overrides(rules, kind)
        for moment in moments([override.span for _, override in sorted_]):
            holding = [(n, o) for n, o in sorted_ if moment is None or o.span.holds(moment)]
            _follow(rules.channels, holding, seen)
            for key, finding in _numbers(rules, kind, moment, holding, sound):
                found.setdefault(key, finding)
    dead = _dead_overrides(rules, seen) if classes.complete and rules.channels else ()
    return [*found.values(), *dead]


def _sorted_overrides(rules: Rules, kind: Kind) -> list[tuple[int, Override]]:
    """The overrides of a kind with their places in the file, the more particular last."""
    mine = [rules.overrides[place] for place in kind.places]
    places = {id(override): place for override, place in zip(mine, kind.places, strict=True)}
    fits = fitting(Rules(overrides=tuple(mine), tags=rules.tags), kind.sku).overrides
    return [(places[id(override)], override) for override in fits]


def _follow(
    channels: Iterable[ChannelRule],
    holding: Sequence[tuple[int, Override]],
    seen: Sequence[_Seen],
) -> None:
    """Note which overrides decide something on some channel, and what beats the others."""
    for channel in channels:
        mine = [(n, o) for n, o in holding if o.channel in (None, channel.name)]
        last = {name: n for n, override in mine for name in stated(override)}
        excluded = channel.rule.excluded
        if "exclude" in last:
            excluded = dict(mine)[last["exclude"]].exclude is True
        for n, override in mine:
            seen[n].fits = True
            for name in stated(override):
                if last[name] != n:
                    seen[n].beaten_by[last[name]] = None
                elif excluded and name != "exclude":
                    seen[n].excluded_on[channel.name] = None
                else:
                    seen[n].decides = True


def _dead_overrides(rules: Rules, seen: Sequence[_Seen]) -> Iterator[Finding]:
    for place, (override, of) in enumerate(zip(rules.overrides, seen, strict=True)):
        if of.decides or not of.fits or not stated(override):
            continue
        if of.beaten_by:
            yield _unreachable(("overrides", place), "overrides", of.beaten_by)
        else:
            where = ", ".join(of.excluded_on)
            yield Finding(
                ("overrides", place),
                f"can never take effect: {where} excludes all SKUs that it fits; state exclude = false or remove it",
            )


def _unreachable(path: tuple[int | str, ...], table: str, by: Iterable[int]) -> Finding:
    others = [(table, place) for place in by]
    shown = ", ".join(named(other) for other in others[:_FIRST])
    more = f" and {len(others) - _FIRST} more" if len(others) > _FIRST else ""
    return Finding(
        path,
        f"can never take effect: {shown}{more} state the same, and win, whenever it holds; remove it or change what it"
        " fits",
    )


def _numbers(
    rules: Rules,
    kind: Kind,
    moment: datetime | None,
    holding: Sequence[tuple[int, Override]],
    sound: set[tuple[object, ...]],
) -> Iterator[tuple[tuple[object, ...], Finding]]:
    """Contradicting numbers of a kind at a moment; `sound` grows by what was found to be without."""
    plain = [override for _, override in holding]
    rules_now = {c.name: rule_for(c.name, c.rule, plain) for c in rules.channels}
    outline = tuple((r.percent, r.weight, r.floor, r.cap, r.excluded) for r in rules_now.values())
    if outline in sound:
        return
    broken = list(_broken(rules.channels, rules_now))
    if not broken:
        sound.add(outline)
    season = any(o.span.since or o.span.until for o in plain)
    when = f" at {moment:%Y-%m-%d %H:%M} UTC" if season and moment is not None else ""
    for channels, key, message in broken:
        place = _last(holding, channels, key)
        finding = Finding(("overrides", place), f"for {kind.name}{when}: {message}")
        yield (place, *channels, key), finding


def _last(holding: Sequence[tuple[int, Override]], channels: Collection[str], key: str) -> int:
    """The override that most particularly speaks of the field of one of the channels, else of anything."""
    names = ("cap", "floor") if key == "floor" else (SHARE, "exclude")
    speaking = [
        n
        for n, o in holding
        if (o.channel is None or o.channel in channels) and not set(names).isdisjoint(stated(o))
    ]
    return (speaking or [n for n, _ in holding])[-1]


def _broken(
    channels: Sequence[ChannelRule], effective: Mapping[str, Rule]
) -> Iterator[tuple[Sequence[str], str, str]]:
    """(channels that make it so, setting, what is wrong) of these rules."""
    for name, rule in effective.items():
        if rule.cap is not None and rule.cap < rule.floor and not rule.excluded:
            yield (
                [name],
                "floor",
                f"floor {rule.floor} is above cap {rule.cap}; lower the floor or raise the cap",
            )
    told: set[tuple[str, ...]] = set()
    for location in dict.fromkeys(name for channel in channels for name in channel.locations):
        here = [c.name for c in channels if location in c.locations]
        sharing = [name for name in here if effective[name].divides]
        sharing = [name for name in sharing if not effective[name].excluded]
        if tuple(sharing) not in told:
            told.add(tuple(sharing))
            yield from _shared(location, sharing, effective)


def _shared(
    location: str, sharing: Sequence[str], effective: Mapping[str, Rule]
) -> Iterator[tuple[Sequence[str], str, str]]:
    percents = [name for name in sharing if effective[name].percent is not None]
    weights = [name for name in sharing if effective[name].percent is None]
    names = ", ".join(sharing)
    if percents and weights:
        yield (
            sharing,
            "percent" if percents[-1] == sharing[-1] else "weight",
            f"{names} share {location}, {', '.join(percents)} by percent and {', '.join(weights)} by weight; give all"
            " of them percents or all weights",
        )
        return
    total = sum((effective[name].percent or Decimal(0) for name in percents), Decimal(0))
    if total > 100:
        yield (
            percents,
            "percent",
            f"{names} share {location} and their percents sum to {total}; lower one so that the sum is at most 100",
        )


def safeties(rules: Rules, classes: Classes) -> list[Finding]:
    """Safety stocks that never decide anything, because a more particular one always does."""
    if not classes.complete:
        return []
    seen = [_Seen() for _ in rules.safeties]
    for kind in classes.kinds:
        mine = [rules.safeties[place] for place in kind.places]
        places = {id(safety): place for safety, place in zip(mine, kind.places, strict=True)}
        sorted_ = fitting(Rules(safeties=tuple(mine), tags=rules.tags), kind.sku).safeties
        for moment in moments([safety.span for safety in sorted_]):
            _follow_safeties(rules.locations, list(at(sorted_, moment)), places, seen)
    return [
        _unreachable(("safety_stock", place), "safety_stock", of.beaten_by)
        for place, of in enumerate(seen)
        if of.beaten_by and not of.decides
    ]


def _follow_safeties(
    locations: Iterable[str],
    holding: Sequence[Safety],
    places: Mapping[int, int],
    seen: Sequence[_Seen],
) -> None:
    for location in locations:
        mine = [places[id(s)] for s in holding if s.location in (None, location)]
        for place in mine[:-1]:
            seen[place].beaten_by[mine[-1]] = None
        if mine:
            seen[mine[-1]].decides = True


def circles(rules: Rules, classes: Classes) -> list[Finding]:
    """Protections that protect channels from each other, for some SKUs at some time."""
    found: dict[frozenset[str], Finding] = {}
    for kind in classes.kinds:
        mine = [(place, rules.protections[place]) for place in kind.places]
        for moment in moments([protection.span for _, protection in mine]):
            edges = {
                (p.channel, other): place
                for place, p in mine
                if moment is None or p.span.holds(moment)
                for other in p.against
                if other != p.channel
            }
            circle = _circle(edges)
            if circle and frozenset(circle) not in found:
                last = max(
                    edges[pair] for pair in zip(circle, [*circle[1:], circle[0]], strict=True)
                )
                found[frozenset(circle)] = Finding(
                    ("protection", last),
                    f"for {kind.name}: {' > '.join([*circle, circle[0]])} protects them from each other; remove one",
                )
    return list(found.values())


def _circle(edges: Mapping[tuple[str, str], int]) -> list[str]:
    """The channels of one circle, in order; none where there is none."""
    after: dict[str, list[str]] = {}
    for channel, other in edges:
        after.setdefault(channel, []).append(other)
    clear: set[str] = set()

    def walk(path: list[str]) -> list[str]:
        for other in after.get(path[-1], []):
            if other in path:
                return path[path.index(other) :]
            if other not in clear and (circle := walk([*path, other])):
                return circle
        clear.add(path[-1])
        return []

    return next((circle for channel in after if (circle := walk([channel]))), [])
