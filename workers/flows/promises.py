"""Promises for later: the day a backorder is promised for, and requests to make or buy what nothing covers.

A request is a fact of the book (`pull_forward`). It stands as long as its shortage does, is changed with it and taken
back when it is gone; what others asked for is theirs to take back.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias

from sqlalchemy import Connection

from allocation import promising, supply
from allocation.promising import Dated, Period
from allocation.supply import SOURCE, Asked
from channels.edi import order_book
from channels.edi.backorders import Backorder, backorders
from channels.edi.standing import Standing, StandingLine
from channels.names import Part
from ledger import store
from ledger.db import transaction
from ledger.events import PullForward
from workers.flows.booking import book
from workers.flows.edi_desk import Desk
from workers.flows.ingest import House, take_turn

#: Nothing is promised for a day that is further away.
_HORIZON = timedelta(days=400)
#: Requests of one go; the next sweep goes on.
_MOST = 500

#: (SKU, location).
_Place: TypeAlias = tuple[str, str]
#: (SKU, location, channel, order, line).
_Named: TypeAlias = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a go did, in requests."""

    asked: int = 0
    taken_back: int = 0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What can be promised of a SKU at a place.

    available        free now; below 0 where more was sold than there is
    overdue_units    should have come; no supply until somebody says when they do
    """

    location: str
    available: int
    overdue_units: int
    periods: list[Period]


def atp(connection: Connection, sku: str, today: date) -> list[Outlook]:
    """What can be promised of a SKU at every place that has some of it, expects or owes some."""
    shelves = _shelves(connection, [sku])
    for each in backorders(connection, [sku]):
        shelves[sku, each.location].promised.append(Dated(each.promised_for, each.units))
    return [
        Outlook(
            location,
            shelf.available,
            sum(each.units for each in shelf.comes if each.day < today),
            promising.periods(shelf.available, shelf.comes, shelf.promised, today),
        )
        for (_, location), shelf in sorted(shelves.items(), key=lambda each: each[0])
    ]


def pull_forward(house: House, *, now: datetime, days: int) -> Pulled:
    """Ask for what was sold or promised and is not there, and take back what is asked for no longer.

    days    from the oldest order that waits until what it lacks is due
    """
    with transaction(house.engine) as connection:
        take_turn(connection)
        store.enter(connection)
        facts = [*_for_shortages(connection, now, days), *_for_backorders(connection, None, now)]
        if facts:
            book(connection, house, facts[:_MOST], now=now)
    asked = sum(fact.units > 0 for fact in facts[:_MOST])
    return Pulled(asked, len(facts[:_MOST]) - asked)


def dated(
    desk: Desk, order: Standing, before: Sequence[StandingLine], after: Sequence[StandingLine]
) -> Standing:
    """The order with the days on which supply covers what is backordered, once its promises are booked.

    before, after    the lines that were promised; those backordered only now get a day, the others keep theirs
    """
    waits = [line for line in (*before, *after) if line.backordered]
    if not waits:
        return order
    skus = {part.sku for line in waits for part in line.parts}
    fresh = [
        line for line, was in zip(after, before, strict=True)
        if line.backordered and not was.backordered
    ]  # fmt: skip
    changed = _with_days(desk, order, fresh, skus)
    if changed:
        order = order.with_lines(changed)
        order_book.keep(desk.connection, desk.partner.name, order, changed)
    facts = _for_backorders(desk.connection, skus, desk.now)
    if facts:
        book(desk.connection, desk.house, facts, now=desk.now, inbox_id=desk.inbox_id)
    return order


def _with_days(
    desk: Desk, order: Standing, fresh: Sequence[StandingLine], skus: Collection[str]
) -> tuple[StandingLine, ...]:
    """Those lines whose day is another than their partner's lead time says."""
    if not fresh:
        return ()
    own = {(desk.partner.name, order.order_id, line.key) for line in fresh}
    shelves = _shelves(desk.connection, skus)
    for each in backorders(desk.connection, skus):
        if (each.partner, each.order, each.key) not in own:
            shelves[each.sku, each.location].promised.append(Dated(each.promised_for, each.units))
    changed = []
    for line in fresh:
        lead = line.promised_for or desk.now.date()
        needs = [(shelves[p.sku, order.location], p.units * line.backordered) for p in _once(line)]
        days = [shelf.day_for(units, desk.now.date(), lead) for shelf, units in needs]
        day = max((day for day in days if day is not None), default=lead)
        for shelf, units in needs:
            shelf.promised.append(Dated(day, units))
        if day != line.promised_for:
            changed.append(replace(line, promised_for=day))
    return tuple(changed)


@dataclass(slots=True)
class _Shelf:
    """What is free of a SKU at a place, what comes, and what is promised of it."""

    available: int
    comes: list[Dated]
    promised: list[Dated]

    def day_for(self, units: int, today: date, lead: date) -> date | None:
        """When so many can be there; None when they are there now, and something else holds them back."""
        end = today + _HORIZON
        if promising.earliest(self.available, (), self.promised, units, today, end):
            return None
        day = promising.earliest(self.available, self.comes, self.promised, units, today, end)
        if day is not None:
            return day
        # What nothing covers is asked for by the partner's lead time; the rest has a day of its own.
        covered = promising.most(self.available, self.comes, self.promised, today)
        if covered == 0:
            return lead
        part = promising.earliest(self.available, self.comes, self.promised, covered, today, end)
        return max(lead, part or lead)


def _shelves(connection: Connection, skus: Collection[str]) -> defaultdict[_Place, _Shelf]:
    free = supply.available(connection, skus)
    found: defaultdict[_Place, _Shelf] = defaultdict(lambda: _Shelf(0, [], []))
    for place, units in free.items():
        found[place].available = units
    for each in supply.open_supply(connection, skus):
        found[each.sku, each.location].comes.append(each.dated)
    return found


def _once(line: StandingLine) -> list[Part]:
    """The parts of a line, each SKU once."""
    units: defaultdict[str, int] = defaultdict(int)
    for part in line.parts:
        units[part.sku] += part.units
    return [Part(sku, count) for sku, count in units.items()]


def _for_backorders(
    connection: Connection, skus: Collection[str] | None, now: datetime
) -> list[PullForward]:
    """Requests to open, change or take back for what partners wait for."""
    waiting = backorders(connection, skus)
    asked = {
        (each.sku, each.location, each.channel, each.order_id, each.line_id): each
        for each in supply.requests(connection, skus)
        if each.source == SOURCE and each.channel
    }
    wanted = _wanted(connection, waiting, now) if waiting else {}
    facts = []
    for name in sorted(wanted.keys() | asked.keys()):
        units, due = wanted.get(name, (0, now.date()))
        open_now = asked.get(name)
        if open_now is None and units:
            facts.append(_backordered(name, units, due, None, now))
        elif open_now is not None and (open_now.units, open_now.due_at) != (units, _moment(due)):
            facts.append(_backordered(name, units, due, open_now, now))
    return facts


def _wanted(
    connection: Connection, waiting: Sequence[Backorder], now: datetime
) -> dict[_Named, tuple[int, date]]:
    """Of everything that waits: units that no supply covers by their day, and that day."""
    shelves = _shelves(connection, {each.sku for each in waiting})
    by_place: defaultdict[_Place, list[Backorder]] = defaultdict(list)
    for each in waiting:
        by_place[each.sku, each.location].append(each)
    wanted = {}
    for place, of_place in by_place.items():
        shelf = shelves[place]
        promised = [Dated(each.promised_for, each.units) for each in of_place]
        short = promising.uncovered(shelf.available, shelf.comes, promised, now.date())
        for each, units in zip(of_place, short, strict=True):
            if units:
                name = (each.sku, each.location, each.partner, each.order, each.line)
                wanted[name] = units, each.promised_for
    return wanted


def _backordered(
    name: _Named, units: int, due: date, before: Asked | None, now: datetime
) -> PullForward:
    reason = (
        f"promised for {due.isoformat()}, and nothing that comes by then covers it"
        if units
        else "covered, filled or cancelled"
    )
    return _request(name, units, due, reason, before.revision if before else None, now)


def _for_shortages(connection: Connection, now: datetime, days: int) -> Iterator[PullForward]:
    """Requests to open, change or take back for what was sold and is not there."""
    for each in supply.shortages(connection, most=_MOST):
        due = now.date()
        if each.oldest_at is not None:
            due = max(due, each.oldest_at.astimezone(UTC).date() + timedelta(days=days))
        reason = "sold, and not there" if each.units else "what was short is there"
        name = (each.sku, each.location, "", "", "")
        yield _request(name, each.units, due, reason, each.revision, now)


def _request(
    name: _Named, units: int, due: date, reason: str, before: datetime | None, now: datetime
) -> PullForward:
    """A snapshot newer than the one before; its id is of that moment, so that none is ever said twice."""
    sku, location, channel, order, line = name
    revision = now if before is None else max(now, before + timedelta(microseconds=1))
    hashed = hashlib.sha256("\x00".join(name).encode()).hexdigest()[:32]
    return PullForward(
        source=SOURCE,
        id=f"pull:{hashed}:{revision.isoformat()}",
        occurred_at=now,
        actor="promises",
        reason=reason,
        sku=sku,
        location=location,
        units=units,
        due_at=due,
        channel=channel or None,
        order=order or None,
        line=line or None,
        revision=revision,
    )


def _moment(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
