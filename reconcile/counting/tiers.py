"""Which places are counted how often: by what they turn over, spread over the days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zlib import crc32

from reconcile.counting.types import Place, Terms, Tier

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a place that may have to be counted.

    on_hand       units on the book
    counted_at    the last count, None without one;  known_since  since when there is such a SKU
    orders        rules of recount orders that are open
    sum_units     what its small variances of 90 days come to;  beyond  that is more than noise
    """

    sku: str
    location: str
    title: str
    on_hand: int
    tier: Tier
    counted_at: datetime | None
    known_since: datetime
    orders: tuple[str, ...] = ()
    sum_units: int = 0
    beyond: bool = False

    @property
    def place(self) -> Place:
        """(SKU, location)"""
        return self.sku, self.location


@dataclass(frozen=True, slots=True)
class Due:
    """A line of a sheet.

    why       in words: the rule of a recount order, `below zero`, `tier A`, `never counted`, `-5 in 90 days`
    due_at    since when
    """

    known: Known
    due_at: datetime
    why: tuple[str, ...]


def due_at(known: Known, terms: Terms) -> datetime:
    """When a place is to be counted by its tier.

    What was never counted is spread over its tier's days by its name, so that a new house has no first day of all.
    Where small variances come to more than noise, it is counted twice as often.
    """
    days = float(terms.days[known.tier]) / (2 if known.beyond else 1)
    if known.counted_at is not None:
        return known.counted_at + days * _DAY
    phase = crc32(f"{known.location}\0{known.sku}".encode()) / 2**32
    return known.known_since + phase * days * _DAY


def due(places: Sequence[Known], terms: Terms, until: datetime) -> list[Due]:
    """What is to be counted by `until`: ordered recounts, then books below zero, then by how many rounds it is late.

    sorted by location first
    """
    lines = [line for known in places if (line := _due(known, terms, until)) is not None]
    return sorted(lines, key=lambda line: (line.known.location, _urgency(line, terms, until)))


def _due(known: Known, terms: Terms, until: datetime) -> Due | None:
    at, why = due_at(known, terms), list(known.orders)
    if known.on_hand < 0:
        why.append("below zero")
    if at <= until:
        why.append("never counted" if known.counted_at is None else f"tier {known.tier}")
        if known.beyond:
            why.append(f"{known.sum_units:+d} in 90 days")
    return Due(known, at, tuple(why)) if why else None


def _urgency(line: Due, terms: Terms, until: datetime) -> tuple[bool, bool, float, str]:
    known = line.known
    rounds = (until - line.due_at) / (float(terms.days[known.tier]) * _DAY)
    return not known.orders, known.on_hand >= 0, -rounds, known.sku


def by_location(lines: Sequence[Due]) -> Mapping[str, list[Due]]:
    """The sheets: lines of each location, in their order."""
    sheets: dict[str, list[Due]] = {}
    for line in lines:
        sheets.setdefault(line.known.location, []).append(line)
    return sheets
