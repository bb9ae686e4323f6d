"""Which rule holds for one SKU on one channel: the channel's own, changed by the overrides that fit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from allocation.types import Override, Rule, Rules


def rule_for(rules: Rules, channel: str, base: Rule, sku: str) -> Rule:
    """The rule of a SKU on a channel.

    base       the channel's own rule
    returns    `base` with each field taken from the most particular override that states it
    source     allocation/README.md, "Which override wins"
    """
    fitting = [
        override
        for override in (*rules.exact.get(sku, ()), *_matching(rules.patterns, sku))
        if override.channel in (None, channel)
    ]
    if not fitting:
        return base
    rule = base
    for override in sorted(fitting, key=_particular):
        rule = _changed(rule, override)
    return rule


def _matching(patterns: Iterable[Override], sku: str) -> Iterable[Override]:
    return (override for override in patterns if _pattern(override.sku).fullmatch(sku))


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)


def _particular(override: Override) -> tuple[bool, int, bool]:
    """Sorts the more particular last: a SKU beats a pattern, a longer pattern a shorter, a channel all channels.

    Equals keep the order of the file, so the later one wins.
    """
    return (
        "*" not in override.sku,
        len(override.sku.replace("*", "")),
        override.channel is not None,
    )


def _changed(rule: Rule, override: Override) -> Rule:
    return replace(
        rule,
        percent=rule.percent if override.percent is None else override.percent,
        buffer=rule.buffer if override.buffer is None else override.buffer,
        cap=rule.cap if override.cap is None else override.cap,
        floor=rule.floor if override.floor is None else override.floor,
        excluded=rule.excluded if override.exclude is None else override.exclude,
        why=(*rule.why, override.why),
    )
