"""Programs: units held for a partner, and let go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from allocation.programs import Ends, Policy
from console.access.types import Refusal
from workers.flows import programs
from workers.flows.booking import NotBooked
from workers.flows.ingest import House
from workers.flows.programs import Agreement, Asked


@dataclass(frozen=True, slots=True)
class Wish:
    """A program as somebody asks for it.

    units, percent    of each SKU; one of them
    receipt           what the percent is of; None: of what is available
    steps             from a moment on at most so many percent of the agreed units stay
    partial           take what is there when that is less
    """

    partner: str
    skus: tuple[str, ...]
    location: str
    units: int | None
    percent: Decimal | None
    receipt: str | None
    since: datetime
    until: datetime
    policy: Policy
    ends: Ends
    steps: tuple[tuple[datetime, int], ...]
    partial: bool
    name: str


def reserve(house: House, wish: Wish, *, by: str, reason: str, now: datetime) -> dict[str, Any]:
    """Make a program and reserve its units: all of it, or nothing. Raises Refusal."""
    asked = [
        Asked(sku, wish.location, wish.units, wish.percent, wish.receipt, wish.partial, wish.steps)
        for sku in wish.skus
    ]
    agreement = Agreement(
        name=wish.name,
        partner=wish.partner,
        policy=wish.policy,
        since=wish.since,
        until=wish.until,
        by=by,
        why=reason,
        ends=wish.ends,
    )
    with _refusals():
        return asdict(programs.reserve(house, agreement, asked, now=now))


def release(
    house: House, name: str, units: int | None, *, by: str, reason: str, now: datetime
) -> dict[str, Any]:
    """Let go of what a program holds; units: None is all, and for good. Raises Refusal."""
    with _refusals():
        freed = programs.release(house, name, units=units, by=by, why=reason, now=now)
    return {"program": name, "units": sum(freed.units.values()), "ended": freed.ended}


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (programs.Refused, NotBooked) as error:
        raise Refusal(str(error)) from None
