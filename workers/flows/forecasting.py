"""A run of the forecast over the whole catalogue: weeks read, what all teach learned, each place forecast.

It goes page by page, a transaction each, and keeps where it is with what it found: whoever is killed, the next one goes
on there. What is forecast of a place depends on what was read and learned, and on nothing that moves meanwhile.

    reading      masked weeks of every SKU and location, from the book
    forecasting  of the weeks that were kept: first what a sample of places teaches, then each place and its level
    done         its forecasts hold; tiers are found anew
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, Engine

from allocation.outlook_store import due_by_tier
from allocation.planning import demand_store, forecast_store, level_store, order_store, terms_store
from allocation.planning.forecast_store import DONE, FORECASTING, KEPT_QUANTILES, READING, Run, Told
from allocation.planning.need import Demand, demand_of, forecast, need
from allocation.planning.order_store import Spot, Worth
from allocation.planning.ordering import Level, Terms, learned_lead, level
from allocation.planning.past import Past, past
from allocation.planning.series import Series
from allocation.planning.spread import NOTHING_LEARNED, Learned, learn
from allocation.store import current_rules
from ledger.db import transaction

log = structlog.get_logger(__name__)

#: What demand and lead times are learned from.
PAST: Final = timedelta(weeks=104)
#: SKUs of one transaction: reading, and computing.
READ_SKUS: Final = 100
FORECAST_SKUS: Final = 250
#: Places that what all teach is learned from: more say the same.
SAMPLE: Final = 1_500
#: A run that was left for longer is not gone on with: its last day is too old.
_LEFT_FOR: Final = timedelta(days=1)

#: A run that nobody could begin in these hours is left to the next night; `forecast run` begins one at any time.
_NIGHT_HOURS: Final = 6

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Ran:
    """How far a run came; `done` with places forecast and SKUs looked at."""

    run: int
    stage: str
    skus: int
    of_skus: int
    places: int

    @property
    def done(self) -> bool:
        """Whether its forecasts hold."""
        return self.stage == DONE


def run(
    engine: Engine,
    clock: Clock,
    *,
    until: datetime | None = None,
    progress: Callable[[Ran], None] = lambda ran: None,
) -> Ran:
    """Begin a run, or go on with the one that was left.

    until       stop at the first page that ends after this moment; the next call goes on
    progress    told after each page
    raises      AtWork: somebody else is at it
    """
    with forecast_store.alone(engine):
        today = clock().date()
        with transaction(engine) as connection:
            at = forecast_store.begun(connection, today, today - _LEFT_FOR, clock())
        while True:
            if at.stage == FORECASTING and at.learned is NOTHING_LEARNED:
                at = replace(at, learned=_learn(engine, at))
            with transaction(engine) as connection:
                at = _step(connection, at, clock())
            told = Ran(at.id, at.stage, at.skus, at.of_skus, at.places)
            progress(told)
            if told.done:
                log.info("planning.forecast.done", run=at.id, places=at.places)
                return told
            if until is not None and clock() >= until:
                return told


def _step(connection: Connection, at: Run, now: datetime) -> Run:
    """One page, and where the run is after it."""
    after = _read(connection, at) if at.stage == READING else _say(connection, at, now)
    forecast_store.move(connection, after, now)
    if after.stage == DONE:
        level_store.forget_others(connection, after.id)
        moved = level_store.sort_into_tiers(connection, now)
        due_by_tier(connection, current_rules(connection)[1], moved, now)
    return after


def _read(connection: Connection, at: Run) -> Run:
    skus = order_store.skus_after(connection, at.after_sku, READ_SKUS)
    if not skus:
        forecast_store.keep_weeks(connection, at, None, {})
        return replace(at, stage=FORECASTING, after_sku="", skus=0)
    found = _demand(connection, skus, at)
    forecast_store.keep_weeks(connection, at, skus[-1], found)
    return replace(at, after_sku=skus[-1], skus=at.skus + len(skus), places=at.places + len(found))


def _demand(connection: Connection, skus: Sequence[str], at: Run) -> dict[Spot, Demand]:
    rules = current_rules(connection)[1]
    until = at.until_day
    series = demand_store.demand(connection, skus, rules, until - PAST, until)
    return {spot: demand_of(parts) for spot, parts in by_spot(series).items()}


def by_spot(of_skus: Mapping[str, Sequence[Series]]) -> dict[Spot, list[Series]]:
    """The series of each channel by SKU and location."""
    found: dict[Spot, list[Series]] = {}
    for one in (each for of_sku in of_skus.values() for each in of_sku):
        found.setdefault((one.place[0], one.place[2]), []).append(one)
    return found


def _learn(engine: Engine, at: Run) -> Learned:
    """What a sample teaches: computed outside of a transaction, since it takes long, and kept with the first page."""
    with transaction(engine) as connection:
        taught = forecast_store.sample(connection, at, SAMPLE)
    return learn([past(of.weeks) for of in taught.values()])


def _say(connection: Connection, at: Run, now: datetime) -> Run:
    skus = forecast_store.next_skus(connection, at, FORECAST_SKUS)
    if not skus:
        return replace(at, stage=DONE)
    demand = forecast_store.weeks_of(connection, at, skus)
    terms = terms_store.terms(connection, skus)
    took = order_store.lead_times(connection, skus, now - PAST)
    worth = order_store.worths(connection, skus)
    told: dict[Spot, Told] = {}
    levels: list[Level] = []
    for spot, of in demand.items():
        said = terms[spot[0]]
        lead = learned_lead(took.get(spot, []), said.lead)
        days = lead.days + said.review_days
        found = forecast(of, days, at.learned)
        wanted = need(found, lead.days, lead.sd_days, said.review_days, at.learned)
        enough = {chance: round(wanted.enough(chance), 2) for chance in KEPT_QUANTILES}
        told[spot] = Told(found, days, wanted.demand.mean, enough)
        money = worth.get(spot[0], Worth())
        levels.append(
            level(spot, found, lead, said, at.learned, price=money.price, cost=money.cost)
        )
    forecast_store.keep(connection, at, told)
    level_store.keep(connection, at.id, levels, now)
    return replace(at, after_sku=skus[-1], skus=min(at.of_skus, at.skus + len(skus)))


def levels_of(
    connection: Connection,
    skus: Sequence[str],
    now: datetime,
    wished: Mapping[str, Terms] | None = None,
) -> list[Level]:
    """Levels of these SKUs by the newest run that is done; nothing is kept.

    wished    terms instead of those that are kept
    """
    newest = forecast_store.newest(connection)
    if newest is None:
        return []
    terms = terms_store.terms(connection, skus) if wished is None else wished
    took = order_store.lead_times(connection, skus, now - PAST)
    worth = order_store.worths(connection, skus)
    found = []
    for spot, of in forecast_store.forecasts(connection, newest, skus).items():
        said = terms[spot[0]]
        lead = learned_lead(took.get(spot, []), said.lead)
        money = worth.get(spot[0], Worth())
        found.append(
            level(spot, of, lead, said, newest.learned, price=money.price, cost=money.cost)
        )
    return found


def set_levels_again(connection: Connection, skus: Sequence[str], now: datetime) -> int:
    """Set the levels of these SKUs anew, by the terms of now; how many."""
    newest = forecast_store.newest(connection)
    if newest is None:
        return 0
    found = levels_of(connection, skus, now)
    level_store.keep(connection, newest.id, found, now)
    return len(found)


def learned_of(connection: Connection) -> Learned:
    """What the newest run learned; nothing before there was one."""
    newest = forecast_store.newest(connection)
    return NOTHING_LEARNED if newest is None else newest.learned


def pasts(engine: Engine) -> list[Past]:
    """The series that the newest run read, of all places; none before there was one."""
    found: list[Past] = []
    with transaction(engine) as connection:
        newest = forecast_store.newest(connection)
        if newest is None:
            return found
        at = replace(newest, after_sku="")
        while skus := forecast_store.next_skus(connection, at, FORECAST_SKUS):
            weeks = forecast_store.weeks_of(connection, at, skus).values()
            found += [past(of.weeks) for of in weeks if any(of.weeks)]
            at = replace(at, after_sku=skus[-1])
    return found


def is_due(connection: Connection, now: datetime, hour: int) -> bool:
    """Whether there is a run to go on with, or the one of this night is to be begun.

    hour    from which (UTC) the night's readings of catalogues begin; the forecast is run after them
    """
    if forecast_store.open_run(connection) is not None:
        return True
    newest = forecast_store.newest(connection)
    is_night = hour + 1 <= now.hour < hour + 1 + _NIGHT_HOURS
    return is_night and (newest is None or newest.until_day < now.date())
