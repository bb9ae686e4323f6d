"""Words of metrics: what each is called, what it counts, and by what it is divided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["gauge", "counter", "histogram"]

#: What a house of any size has few of. A SKU, an order or a task never becomes a label.
LABELS: Mapping[str, str] = {
    "channel": "a channel of the rule file",
    "state": "a closed list",
    "priority": "a closed list",
    "stage": "a closed list",
    "direction": "a closed list",
    "cause": "a closed list",
    "class": "a closed list",
    "severity": "a closed list",
    "job": "a closed list",
    "rule": "a rule of alerts, a closed list",
    "queue": "a queue of celeryconfig.py",
    "limit": "a limit of the vendor; `account` for the whole account",
    "location": "a location of the rule file",
    "tier": "A, B or C",
    "reason": "a reason that counts are given, or the kind of what was booked: a closed list",
}


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    name     as it is exposed; a counter ends in `_total`, a unit stands last before it
    labels   in the order in which samples give their values
    help     what it says, in a sentence, with its unit
    first    the runbook or command that a strange value leads to
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    first: str = ""

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which Prometheus keeps it."""
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of a gauge or a counter; the labels' values in the metric's order."""

    name: str
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Spread:
    """One histogram: (upper bound, how many up to it) rising to Infinity, and the sum of all."""

    name: str
    labels: tuple[str, ...]
    buckets: tuple[tuple[float, int], ...]
    total: float
