"""Deliveries as the world makes them: some twice, some late, some cancels before their orders; repeatable by seed."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

TWICE = 0.02
LATE = 0.05
SWAPPED = 0.01
#: Lateness is lognormal with this median and at most this long (what shops report of their webhooks).
_MEDIAN_S = 600.0
_LONGEST_S = 26 * 3600.0
_SPREAD = 1.5


@dataclass(frozen=True, slots=True)
class Arrival:
    """A fact on its way, under the id of its delivery."""

    delivery_id: str
    fact: dict[str, Any]


def disturb(arrivals: Sequence[Arrival], *, seed: int) -> list[Arrival]:
    """The same facts, delivered badly; what they come to must not change.

    Every second of the doubled ones comes under a new delivery id, as a sender does that lost our answer; half of the
    cancels come before their orders whatever their share of all events.
    """
    chance = random.Random(seed)
    due: list[tuple[datetime, float, Arrival]] = []
    for arrival in arrivals:
        at = _moment(arrival)
        if chance.random() < LATE:
            at += timedelta(seconds=min(_LONGEST_S, _MEDIAN_S * math.exp(chance.gauss(0, _SPREAD))))
        due.append((at, len(due), arrival))
        if chance.random() < TWICE:
            again = arrival.delivery_id if chance.random() < 0.5 else f"{arrival.delivery_id}#again"
            later = at + timedelta(seconds=chance.uniform(0, 3600))
            due.append((later, len(due), Arrival(again, arrival.fact)))
    due.sort(key=lambda item: item[:2])
    return _swap(_cancels_first([arrival for _, _, arrival in due], chance), chance)


def _moment(arrival: Arrival) -> datetime:
    """When the fact happened; one whose time cannot be read comes first and is rejected by the drain."""
    try:
        return datetime.fromisoformat(str(arrival.fact["occurred_at"]))
    except ValueError:
        return datetime(1970, 1, 1, tzinfo=UTC)


def _cancels_first(arrivals: list[Arrival], chance: random.Random) -> list[Arrival]:
    """Move every second cancel to just before its order."""
    early: dict[tuple[str, str, str], list[Arrival]] = {}
    rest: list[Arrival] = []
    for arrival in arrivals:
        if arrival.fact["kind"] == "order_cancel" and chance.random() < 0.5:
            early.setdefault(_line(arrival.fact), []).append(arrival)
        else:
            rest.append(arrival)
    ordered: list[Arrival] = []
    for arrival in rest:
        if arrival.fact["kind"] == "order":
            ordered.extend(early.pop(_line(arrival.fact), []))
        ordered.append(arrival)
    return [*ordered, *(arrival for left in early.values() for arrival in left)]


def _line(fact: dict[str, Any]) -> tuple[str, str, str]:
    return str(fact.get("channel")), str(fact.get("order")), str(fact.get("line"))


def _swap(arrivals: list[Arrival], chance: random.Random) -> list[Arrival]:
    """Swap some neighbours."""
    for position in range(len(arrivals) - 1):
        if chance.random() < SWAPPED:
            arrivals[position], arrivals[position + 1] = arrivals[position + 1], arrivals[position]
    return arrivals
