"""Which rule holds for one SKU on one channel at one moment: the channel's own, changed by the overrides that fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from allocation.types import ALWAYS, Override, Protection, Rule, Rules, Safety, Span, Which


@dataclass(frozen=True, slots=True)
class Fitting:
    """Everything in the rules that speaks of one SKU, the more particular last."""

    overrides: tuple[Override, ...]
    safeties: tuple[Safety, ...]
    protections: tuple[Protection, ...]


NOTHING = Fitting((), (), ())


def in_force(rules: Rules, at: datetime) -> Rules:
    """The rules as they hold at a moment: without what begins later or has ended."""
    if not turns(rules):
        return rules
    return replace(
        rules,
        overrides=tuple(o for o in rules.overrides if o.span.holds(at)),
        safeties=tuple(s for s in rules.safeties if s.span.holds(at)),
        protections=tuple(p for p in rules.protections if p.span.holds(at)),
    )


def turns(rules: Rules) -> list[datetime]:
    """The moments at which the rules change by themselves, in order."""
    spans: list[Span] = [
        *(override.span for override in rules.overrides),
        *(safety.span for safety in rules.safeties),
        *(protection.span for protection in rules.protections),
    ]
    return sorted({at for span in spans for at in (span.since, span.until) if at is not None})


def fitting(rules: Rules, sku: str) -> Fitting:
    """What the rules say of a SKU besides what they say of all; spans are not looked at (`in_force` did)."""
    if not (rules.overrides or rules.safeties or rules.protections):
        return NOTHING
    tags = frozenset(tag for tag, of in rules.tags.items() if any(_is_of(sku, p) for p in of))

    def fits(which: Which) -> bool:
        return which.tag in tags if which.sku is None else _is_of(sku, which.sku)

    found = Fitting(
        tuple(sorted((o for o in rules.overrides if fits(o.which)), key=_particular_override)),
        tuple(sorted((s for s in rules.safeties if fits(s.which)), key=_particular_safety)),
        tuple(p for p in rules.protections if fits(p.which)),
    )
    return found if found != NOTHING else NOTHING


def rule_for(channel: str, base: Rule, overrides: Iterable[Override]) -> Rule:
    """The rule of a SKU on a channel.

    base         the channel's own rule
    overrides    those that fit the SKU, the more particular last (`fitting`)
    returns      `base` with each field taken from the most particular override that states it
    source       allocation/README.md, "Which override wins"
    """
    rule = base
    for override in overrides:
        if override.channel in (None, channel):
            rule = _changed(rule, override)
    return rule


def is_meant(which: Which, sku: str, tags: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether something that holds for `which` SKUs holds for this one."""
    names = tags.get(which.tag or "", ()) if which.sku is None else (which.sku,)
    return any(_is_of(sku, name) for name in names)


def _is_of(sku: str, pattern: str) -> bool:
    return sku == pattern or ("*" in pattern and _pattern(pattern).fullmatch(sku) is not None)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)


def _particular(which: Which, span: Span) -> tuple[int, int, bool]:
    """Sorts the more particular last: a SKU beats a tag, a tag a pattern, longer patterns shorter ones, a season none.

    Equals keep the order of the file, so the later one wins.
    """
    if which.sku is None:
        return 1, 0, span != ALWAYS
    wild = "*" in which.sku
    return 0 if wild else 2, len(which.sku.replace("*", "")) if wild else 0, span != ALWAYS


def _particular_override(override: Override) -> tuple[int, int, bool, bool]:
    kind, length, dated = _particular(override.which, override.span)
    return kind, length, override.channel is not None, dated


def _particular_safety(safety: Safety) -> tuple[int, int, bool, bool]:
    kind, length, dated = _particular(safety.which, safety.span)
    return kind, length, safety.location is not None, dated


def goes_by_tier(rules: Rules) -> bool:
    """Whether a number follows from how fast a SKU sells among all."""
    own = any(channel.rule.buffer_by_tier is not None for channel in rules.channels)
    return own or any(override.buffer_by_tier is not None for override in rules.overrides)


_FIELDS: Mapping[str, str] = {
    "buffer": "buffer",
    "cap": "cap",
    "floor": "floor",
    "cut_off": "cut_off",
    "quota": "quota",
    "exclude": "excluded",
}


def _changed(rule: Rule, override: Override) -> Rule:
    """The rule with what the override states; what says the same in another way takes its place (percent, weight)."""
    stated = {
        name: value
        for field, name in _FIELDS.items()
        if (value := getattr(override, field)) is not None
    }
    if override.percent is not None or override.weight is not None:
        stated |= {"percent": override.percent, "weight": override.weight}
    if override.buffer is not None or override.buffer_by_tier is not None:
        stated |= {"buffer_by_tier": override.buffer_by_tier}
    return replace(rule, **stated, why=(*rule.why, override.why))
