"""The rules at each moment of a history: those of one file, with what begins and ends inside."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from allocation.rules import in_force, turns
from allocation.types import Rules


class Seasons:
    """The rules of a file as they hold over a history.

    turns_s    seconds after the start at which they change by themselves
    """

    def __init__(self, rules: Rules, start: datetime) -> None:
        self.rules = rules
        self.start = start
        self.turns_s = [
            seconds for at in turns(rules) if (seconds := (at - start).total_seconds()) > 0
        ]
        moments = [start, *(start + timedelta(seconds=turn) for turn in self.turns_s)]
        self._in_force = tuple(in_force(rules, at) for at in moments)
        quotas = [channel.rule.quota for channel in rules.channels]
        quotas += [override.quota for override in rules.overrides]
        self.has_quotas = any(quota is not None for quota in quotas)

    def index(self, seconds: float) -> int:
        """Which season it is, counted from 0."""
        return bisect_right(self.turns_s, seconds) if self.turns_s else 0

    def cut_to(self, locations: Collection[str]) -> tuple[Rules, ...]:
        """The rules of each season, with these locations alone; channels keep what they say of others."""
        return tuple(
            replace(
                rules,
                locations={n: each for n, each in rules.locations.items() if n in locations},
            )
            for rules in self._in_force
        )

    def quotas_since(self, rules: Rules) -> Mapping[str, float]:
        """When each channel's quota began, in seconds after the start."""
        since: dict[str, float] = {}
        for channel in rules.channels:
            quotas = [channel.rule.quota]
            quotas += [o.quota for o in rules.overrides if o.channel in (None, channel.name)]
            for quota in quotas:
                if quota is not None:
                    since[channel.name] = (quota.since - self.start).total_seconds()
        return since
