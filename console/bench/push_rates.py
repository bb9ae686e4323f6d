"""What a vendor allows against what was used of it: its token buckets, played again from the simulator's own log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

#: A log line is written when the answer leaves, a moment after the call was let in; calls may stand in it that much
#: closer together than they came. Seconds.
_JITTER_S = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """What a vendor documents of one thing it limits: tokens when full, tokens regained a second."""

    burst: float
    per_s: float


@dataclass(frozen=True, slots=True)
class Spent:
    """One call, as the vendor counts it.

    limit    what is limited: an operation's name, or "" for the whole account
    held     tokens that have to be there before it runs
    cost     tokens it took in the end, at most `held`
    """

    limit: str
    at: datetime
    held: float
    cost: float


@dataclass(frozen=True, slots=True)
class Use:
    """One limit over a time.

    rate_used       tokens a second that were taken
    rate_allowed    tokens a second that could have been: a full bucket at the start, and what it regains
    lowest          tokens left when the bucket was at its emptiest, below 0 when more was taken than there was
    """

    limit: str
    spent: float
    rate_used: float
    rate_allowed: float
    lowest: float
    never_above: bool

    @property
    def share(self) -> float:
        """Part of what was allowed that was used."""
        return self.rate_used / self.rate_allowed


def play(
    log: Iterable[Spent], plans: Mapping[str, Plan], *, since: datetime, until: datetime
) -> list[Use]:
    """Each limit that was touched between two moments, the one used most of first.

    log      every call since the buckets were full, oldest first; those before `since` only drain the bucket
    plans    by the name of the limit; raises KeyError for a call whose limit nobody documents
    """
    by_limit: dict[str, list[Spent]] = {}
    for call in log:
        by_limit.setdefault(call.limit, []).append(call)
    elapsed_s = (until - since).total_seconds()
    uses = [
        _use(plans[limit], calls, since, elapsed_s)
        for limit, calls in by_limit.items()
        if any(call.at >= since for call in calls)
    ]
    return sorted(uses, key=lambda use: -use.share)


def _use(plan: Plan, calls: Sequence[Spent], since: datetime, elapsed_s: float) -> Use:
    spent = sum(call.cost for call in calls if call.at >= since)
    lowest = _lowest(plan, calls)
    return Use(
        limit=calls[0].limit,
        spent=spent,
        rate_used=spent / elapsed_s,
        rate_allowed=(plan.burst + plan.per_s * elapsed_s) / elapsed_s,
        lowest=lowest,
        never_above=lowest >= -plan.per_s * _JITTER_S,
    )


def _lowest(plan: Plan, calls: Sequence[Spent]) -> float:
    tokens = lowest = plan.burst
    at = calls[0].at
    for call in calls:
        tokens = min(plan.burst, tokens + max(0.0, (call.at - at).total_seconds()) * plan.per_s)
        at = max(at, call.at)
        lowest = min(lowest, tokens - call.held)
        tokens -= call.cost
    return lowest
