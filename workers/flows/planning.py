"""The reorder list and forecasts, by what the newest run kept and the balances of now; nothing is ordered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import structlog
from sqlalchemy import Connection, Engine

from allocation.planning import demand_store, forecast_store, level_store, order_store, terms_store
from allocation.planning.forecast_store import Run
from allocation.planning.level_store import Stands
from allocation.planning.need import Forecast, demand_of, forecast
from allocation.planning.ordering import Advice, Said, Terms, advise, chance_of, terms_of
from allocation.planning.terms_store import HOUSE, SKU, SUPPLIER, Stated
from allocation.store import current_rules
from ledger.db import transaction
from reconcile.in_sync import out_of_sync
from workers.flows.forecasting import PAST, by_spot, learned_of, levels_of, set_levels_again

log = structlog.get_logger(__name__)

#: SKUs whose levels are set anew in one statement.
_SKUS: Final = 500
#: Levels looked at in one transaction.
_LOOKED: Final = 5_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the list.

    low_since    at its reorder point or below since then, as last looked at
    enough       the chance that what is there and coming lasts until an order of today is there
    """

    advice: Advice
    low_since: datetime | None
    enough: float


@dataclass(slots=True)
class Listed:
    """The reorder list.

    lines       what is to be ordered, the soonest to run out first, then the dearest to be without
    held_back   SKU -> why its numbers are not published, in words
    looked_at   SKUs with any demand
    run         whose forecasts these are; None: there was none yet, and the list is empty
    """

    lines: list[Line] = field(default_factory=list)
    held_back: Mapping[str, list[str]] = field(default_factory=dict)
    looked_at: int = 0
    run: Run | None = None


def reorder(
    connection: Connection,
    now: datetime,
    *,
    wished: Said | None = None,
    all_lines: bool = False,
) -> Listed:
    """What to order now, of every place that the newest run forecast.

    wished       terms before those that are kept: what the list would be
    all_lines    also places where nothing is to be ordered
    """
    run = forecast_store.newest(connection)
    if run is None:
        return Listed()
    stands = (
        level_store.low(connection)
        if wished is None and not all_lines
        else level_store.every(connection)
    )
    if wished is not None:
        stands = _by_other_terms(connection, stands, wished, now)
    today = now.date()
    found = [(advise(of.level, of.standing, of.coming, today), of.low_since) for of in stands]
    wanted = [each for each in found if each[0].units or all_lines]
    out = out_of_sync(connection, sorted({each.level.sku for each, _ in wanted}))
    lines = [
        Line(advice, since, chance_of(advice.level, advice.standing.position, run.learned))
        for advice, since in wanted
        if advice.level.sku not in out
    ]
    return Listed(
        sorted(lines, key=_urgency),
        out,
        level_store.looked_at(connection),
        run,
    )


def _urgency(line: Line) -> tuple[date, float, str, str]:
    advice = line.advice
    out = advice.runs_out_on or date.max
    return out, -(advice.level.lost_per_hour or 0.0), advice.level.sku, advice.level.location


def _by_other_terms(
    connection: Connection, stands: Sequence[Stands], wished: Said, now: datetime
) -> list[Stands]:
    skus = sorted({of.level.sku for of in stands})
    kept = terms_store.said_of(connection, skus)
    terms: dict[str, Terms] = {sku: terms_of(wished, *kept[sku]) for sku in skus}
    levels = {(each.sku, each.location): each for each in levels_of(connection, skus, now, terms)}
    found = []
    for of in stands:
        level = levels.get((of.level.sku, of.level.location))
        if level is not None:
            found.append(Stands(level, of.standing, of.coming, of.low_since))
    return found


def forecasts(
    connection: Connection, sku: str, days: float, now: datetime
) -> dict[order_store.Spot, Forecast]:
    """What a SKU will be wanted at each location it was ever bought at, `days` ahead, by the book as it is now.

    What all places together teach is as the newest run learned it.
    """
    rules = current_rules(connection)[1]
    today = now.date()
    demand = by_spot(demand_store.demand(connection, [sku], rules, today - PAST, today))
    learned = learned_of(connection)
    return {
        spot: forecast(demand_of(parts), days, learned) for spot, parts in sorted(demand.items())
    }


def state_terms(engine: Engine, rows: Sequence[Stated], *, by: str, now: datetime) -> int:
    """State what is ordered by, and set the levels anew of whom it concerns; how many places that is."""
    with transaction(engine) as connection:
        concerned = _skus_of(connection, rows)
        terms_store.state(connection, rows, by, now)
        concerned |= _skus_of(connection, rows)
        if any(row.scope == HOUSE for row in rows):
            concerned = set(level_store.skus(connection))
        skus = sorted(concerned)
        return sum(
            set_levels_again(connection, skus[at : at + _SKUS], now)
            for at in range(0, len(skus), _SKUS)
        )


def _skus_of(connection: Connection, rows: Sequence[Stated]) -> set[str]:
    found = {row.name for row in rows if row.scope == SKU}
    for row in rows:
        if row.scope == SUPPLIER:
            found |= set(terms_store.skus_of(connection, row.name))
    return found


def look(engine: Engine, now: datetime) -> list[tuple[str, str]]:
    """Look at the levels that are due, the dearest to be without most often; places that fell to their point."""
    fell: list[tuple[str, str]] = []
    while True:
        with transaction(engine) as connection:
            looked, found = level_store.look(connection, now, _LOOKED)
        fell += found
        if looked < _LOOKED:
            break
    if fell:
        log.info("planning.reorder.low", places=len(fell))
    return fell
