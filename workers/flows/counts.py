"""The look at counts: what they come to, whom they alarm, what is to be counted again, and the plan of what is due.

Whoever books a count, by whatever door, the look follows the book: soon after (the sweep rings), and at once where a
sheet was handed in. It may be done twice, late or by two at a time: everything is judged anew from what stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Engine

from allocation.fit import week_of
from ledger.db import transaction
from reconcile import count_orders, count_plan, count_reports, count_store
from reconcile.counting import judging
from reconcile.counting.accuracy import quarter, quarter_of
from reconcile.counting.judging import Standing
from reconcile.counting.tiers import Due, Known, due
from reconcile.counting.types import (
    BAD,
    CUSUM,
    FAILED_PICK,
    VARIANCE,
    Counted,
    Finding,
    Terms,
    of_place,
)

#: Weeks end and old counts fall out of sight though nothing is counted.
LOOK_EVERY: Final = timedelta(hours=1)
#: An event may be committed after one with a greater id: a look begins so much before the end of the last.
_OVERLAP: Final = timedelta(hours=2)
#: Tiers are found again once a day, so that a place falls two weeks after it slowed down.
_TIERS_EVERY: Final = timedelta(days=1)
_ROWS: Final = 2000
_FIRST: Final = UUID(int=0)


class NoSuchPlace(Exception):
    """A location that the house does not have, or that others hold; the message says which there are."""


def waits(connection: Connection, now: datetime) -> bool:
    """Whether somebody should look: a count was booked or reversed, or nobody looked for an hour."""
    return count_store.waits(connection, now - LOOK_EVERY)


def watch(engine: Engine, terms: Terms, *, now: datetime) -> list[Finding]:
    """Look if anything waits for it."""
    with transaction(engine) as connection:
        if not waits(connection, now):
            return []
    return look(engine, terms, now=now)


def look(engine: Engine, terms: Terms, *, now: datetime) -> list[Finding]:
    """Judge every count that the book tells of since the last look; returns the alarms that are new."""
    with transaction(engine) as connection:
        last = count_store.looked(connection)
    after = _FIRST if last is None else count_store.first_id(last.at - _OVERLAP)
    touched: list[Counted] = []
    raised: list[Finding] = []
    seen: UUID | None = after
    while seen is not None:
        with transaction(engine) as connection:
            count_store.take_turn(connection)
            seen, counts = count_store.news(connection, after, _ROWS)
            fresh = count_store.follow(connection, counts, terms, now)
            touched.extend(fresh)
            raised += _judge_places(connection, fresh, terms, now)
            if seen is None:
                turned = last is None or week_of(last.at) != week_of(now)
                raised += _judge_pools(connection, touched, terms, now, every=turned)
                count_store.note(connection, after, now)
            after = seen or after
    if last is None or last.tiers_at is None or now - last.tiers_at >= _TIERS_EVERY:
        _find_tiers(engine, terms, now)
    add_up_quarter(engine, now)
    return raised


def _judge_places(
    connection: Connection, touched: Collection[Counted], terms: Terms, now: datetime
) -> list[Finding]:
    histories = count_store.histories(connection, {count.place for count in touched}, now)
    standing = Standing()
    judged: set[tuple[str, str]] = set()
    for place, history in histories.items():
        standing.add(judging.place(history, terms))
        judged.update((rule, of_place(*place)) for rule in (VARIANCE, CUSUM, FAILED_PICK))
    return count_orders.settle(connection, judged, standing, now)


def _judge_pools(
    connection: Connection,
    touched: Iterable[Counted],
    terms: Terms,
    now: datetime,
    *,
    every: bool,
) -> list[Finding]:
    """Locations and reasons; every one of them when a week has ended."""
    locations, reasons = count_store.pools(connection, now) if every else (set(), set())
    for count in touched:
        locations.add(count.location)
        reasons.add(count.reason)
    standing = Standing()
    judged: set[tuple[str, str]] = set()
    for by, names in (("location", locations), ("reason", reasons)):
        for name in sorted(names):
            what = f"{by}:{name or 'none'}"
            judged.add((CUSUM, what))
            for signal in judging.signals(count_store.weeks(connection, by, name, terms, now)):
                shares = count_store.shares(connection, by, name, signal, terms)
                standing.add(judging.pool(what, signal, shares))
    for location, days in count_store.days(connection, locations, now).items():
        judged.add((BAD, f"location:{location}"))
        bad = judging.bad_counts(location, days)
        if bad is not None:
            standing.findings[bad.rule, bad.what] = bad
    return count_orders.settle(connection, judged, standing, now)


def add_up_quarter(engine: Engine, now: datetime, every: timedelta = LOOK_EVERY) -> None:
    """What was sold, lost and found in it, if that was not done lately: pages tell the one as a part of the other."""
    since, until = quarter(quarter_of(now))
    with transaction(engine) as connection:
        count_store.take_turn(connection)
        last = count_reports.added_up_at(connection, since)
        if last is None or now - last >= every:
            count_reports.add_up(connection, since, until, now)


def _find_tiers(engine: Engine, terms: Terms, now: datetime) -> None:
    _known(engine, terms, now, None)
    with transaction(engine) as connection:
        count_store.note(connection, _FIRST, now, tiers_at=now)


def plan(
    engine: Engine, terms: Terms, *, now: datetime, until: datetime, location: str | None = None
) -> Sequence[Due]:
    """What is to be counted by `until`, the most urgent of each location first.

    location    only this one
    raises      NoSuchPlace
    """
    return due(_known(engine, terms, now, location), terms, until)


def _known(engine: Engine, terms: Terms, now: datetime, location: str | None) -> list[Known]:
    """Every place, location by location: a large house is no single transaction."""
    with transaction(engine) as connection:
        names = count_plan.locations(connection)
    if location is not None:
        if location not in names:
            raise NoSuchPlace(f"nobody counts at {location!r}; locations are {', '.join(names)}")
        names = [location]
    known: list[Known] = []
    for name in names:
        with transaction(engine) as connection:
            count_store.take_turn(connection)
            known += count_plan.places(connection, terms, now, name)
    return known
