"""The reorder list and forecasts, SKU by SKU from the book; nothing is ordered and nothing written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Engine

from allocation import supply
from allocation.planning import demand_store, order_store
from allocation.planning.ordering import Advice, Forecast, Terms, advise, forecast, learned
from allocation.planning.replenishment import Standing
from allocation.planning.series import Series
from allocation.store import current_rules
from allocation.types import Rules
from ledger.db import transaction
from reconcile.in_sync import out_of_sync

#: What demand and lead times are learned from.
PAST: Final = timedelta(weeks=104)
#: SKUs of one transaction.
BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the list; `price` of a unit, where it is known."""

    advice: Advice
    price: float | None

    @property
    def lost_per_hour(self) -> float | None:
        """What being out of stock costs in an hour, at the price of what is not sold."""
        return None if self.price is None else self.price * self.advice.forecast.per_day / 24


@dataclass(slots=True)
class Listed:
    """The reorder list.

    lines       what is to be ordered, the soonest to run out first, then the dearest to be without
    held_back   SKU -> why its numbers are not published, in words
    looked_at   SKUs with any demand
    """

    lines: list[Line] = field(default_factory=list)
    held_back: dict[str, list[str]] = field(default_factory=dict)
    looked_at: int = 0


def reorder(engine: Engine, terms: Terms, now: datetime, *, all_lines: bool = False) -> Listed:
    """What to order now, of the whole catalogue.

    all_lines    also places where nothing is to be ordered
    """
    listed = Listed()
    after = ""
    while True:
        with transaction(engine) as connection:
            skus = order_store.skus_after(connection, after, BATCH)
            if not skus:
                break
            _list(connection, skus, terms, now, listed, all_lines=all_lines)
        after = skus[-1]
    listed.lines.sort(key=_urgency)
    return listed


def _urgency(line: Line) -> tuple[date, float, str, str]:
    advice = line.advice
    out = advice.runs_out_on or date.max
    return out, -(line.lost_per_hour or 0.0), advice.sku, advice.location


def _list(
    connection: Connection,
    skus: Sequence[str],
    terms: Terms,
    now: datetime,
    listed: Listed,
    *,
    all_lines: bool,
) -> None:
    found = list(advised(connection, skus, terms, now))
    listed.looked_at += len({advice.sku for advice in found})
    wanted = [advice for advice in found if advice.units or all_lines]
    if not wanted:
        return
    named = sorted({advice.sku for advice in wanted})
    out, prices = out_of_sync(connection, named), order_store.prices(connection, named)
    listed.held_back |= out
    listed.lines += [
        Line(advice, prices.get(advice.sku)) for advice in wanted if advice.sku not in out
    ]


def advised(
    connection: Connection, skus: Sequence[str], terms: Terms, now: datetime
) -> Iterator[Advice]:
    """What to order of each place of these SKUs that has demand, by SKU and location."""
    today = now.date()
    demand = _by_spot(connection, skus, current_rules(connection)[1], today)
    spots = order_store.free(connection, skus)
    took = order_store.lead_times(connection, skus, now - PAST)
    coming: dict[order_store.Spot, list[tuple[date, int]]] = {}
    for line in supply.open_supply(connection, skus):
        coming.setdefault((line.sku, line.location), []).append(
            (line.due_at.date(), line.open_units)
        )
    for spot in sorted(demand.keys() & spots.keys()):
        due = coming.get(spot, [])
        standing = Standing(spots[spot], on_order=sum(units for _, units in due))
        lead = learned(took.get(spot, []), terms.lead)
        yield advise(demand[spot], lead, standing, due, terms, today)


def forecasts(
    connection: Connection, sku: str, days: float, now: datetime
) -> dict[order_store.Spot, Forecast]:
    """What a SKU will be wanted at each location it was ever bought at, `days` ahead."""
    demand = _by_spot(connection, [sku], current_rules(connection)[1], now.date())
    return {spot: forecast(parts, days) for spot, parts in sorted(demand.items())}


def _by_spot(
    connection: Connection, skus: Sequence[str], rules: Rules, today: date
) -> dict[order_store.Spot, list[Series]]:
    """The series of each channel by SKU and location: of whole days, today is not over."""
    found: dict[order_store.Spot, list[Series]] = {}
    series = demand_store.demand(connection, skus, rules, today - PAST, today)
    for one in (each for of_sku in series.values() for each in of_sku):
        found.setdefault((one.place[0], one.place[2]), []).append(one)
    return found
