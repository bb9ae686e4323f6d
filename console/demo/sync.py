"""Time to sync: from an accepted order of one shop to the moment the other shop's own log shows the new number.

The book gives what was available before and after each order, and the rules what the other shop should show then.
Where both are the same there was nothing to do, and the order is not counted. The clock stops at the first number
written at the other shop that is the new one or a newer: stock only falls in the busy stretch, so that is the first
at or below it. Numbers the shop swallowed do not count.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allocation.engine import allocate
from allocation.types import Rules
from console.demo.evidence import Row

_OUTSIDE = ("OUTSIDE", "IN-TRANSIT")


@dataclass(frozen=True, slots=True)
class Need:
    """One order line that made another shop's number fall.

    units    what the other shop had to show then, at most
    """

    sku: str
    shop: str
    units: int
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds; `n` is how many were measured, `never` how many the other shop's log never shows."""

    n: int
    p50: float
    p95: float
    p99: float
    most: float
    never: int = 0

    def as_json(self) -> dict[str, float | int]:
        """As it stands in the file."""
        return {
            "p50": round(self.p50, 1),
            "p95": round(self.p95, 1),
            "p99": round(self.p99, 1),
            "max": round(self.most, 1),
            "n": self.n,
            "never": self.never,
        }


def needs(
    moves: Sequence[Row],
    rules: Rules,
    places: Mapping[str, set[tuple[str, str]]],
    during: tuple[datetime, datetime],
) -> list[Need]:
    """What the orders accepted in a time needed of the other shops.

    moves     `gather`'s, in the order of the book
    places    SKU -> (channel, location) where it is listed
    """
    stock: dict[str, dict[str, int]] = defaultdict(dict)
    found: list[Need] = []
    for move in moves:
        sku = move["sku"]
        at = stock[sku]
        before = dict(at)
        if move["from_state"] == "available" and move["from_location"] not in _OUTSIDE:
            at[move["from_location"]] = move["from_after"]
        if move["to_state"] == "available" and move["to_location"] not in _OUTSIDE:
            at[move["to_location"]] = move["to_after"]
        accepted = move["received_at"]
        if move["kind"] == "order" and accepted and during[0] <= accepted <= during[1]:
            had, has = (_shown(sku, of, rules, places.get(sku, set())) for of in (before, at))
            found += [
                Need(sku, shop, has[shop], accepted)
                for shop in has
                if shop != move["channel"] and has[shop] < had[shop]
            ]
    return found


def measure(
    needs: Iterable[Need], writes: Mapping[str, Sequence[Row]]
) -> list[tuple[Need, float | None]]:
    """Each need with its milliseconds; None when the other shop's log never shows the number.

    writes    shop -> its log of numbers set, each with at, sku, available, swallowed
    """
    by_place: dict[tuple[str, str], list[tuple[datetime, int]]] = defaultdict(list)
    for shop, entries in writes.items():
        for entry in entries:
            if "available" in entry and not entry.get("swallowed"):
                by_place[shop, entry["sku"]].append((entry["at"], entry["available"]))
    return [(need, _took_ms(need, by_place[need.shop, need.sku])) for need in needs]


def spread(took_ms: Iterable[float | None]) -> Spread:
    """Percentiles by the nearest rank; zeros when nothing was measured."""
    told = list(took_ms)
    known = sorted(ms for ms in told if ms is not None)
    if not known:
        return Spread(0, 0.0, 0.0, 0.0, 0.0, len(told))
    p50, p95, p99 = (known[math.ceil(part * len(known)) - 1] for part in (0.5, 0.95, 0.99))
    return Spread(len(known), p50, p95, p99, known[-1], len(told) - len(known))


def _took_ms(need: Need, written: Sequence[tuple[datetime, int]]) -> float | None:
    for at, available in written:
        if at >= need.accepted_at and available <= need.units:
            return (at - need.accepted_at).total_seconds() * 1000
    return None


def _shown(
    sku: str, stock: Mapping[str, int], rules: Rules, places: set[tuple[str, str]]
) -> dict[str, Any]:
    """Units in all by channel."""
    sums: dict[str, int] = defaultdict(int)
    for target in allocate(sku, stock, rules, places):
        sums[target.channel] += target.units
    return sums
