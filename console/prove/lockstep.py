"""Lockstep as it runs, on a history: customers buy what the simulated vendors show, and the house hears of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from random import Random
from statistics import NormalDist
from typing import Any, Final

from requests import Response
from sqlalchemy import Engine
from starlette.applications import Starlette

from allocation.simulate.score import Tally
from allocation.simulate.types import Event, History, Line, Movement, Place, Stream
from allocation.simulate.world import Layout, Sale, World, listed_places
from channels.simulators.clock import Clock
from channels.simulators.memory import Wire
from console.prove import book
from console.prove.accounts import MARKET, PLACES, SHOP, TILLS, Accounts, Pace, hook_of
from console.prove.clockwork import Clockwork, Job
from console.prove.house import House
from console.prove.partner import PARTNER
from workers.settings import Settings

_Z99 = NormalDist().inv_cdf(0.99)
#: An assumption, not a measurement: until somebody has found an order that cannot be served, refunded it and written to
#: the customer. Nobody knows of it sooner, the house least of all.
HANDLING_S: Final = 900.0
#: What a partner ordered last is answered, though the history has ended.
_ANSWERED_S: Final = 300.0


#: What comes in is told as what it was written down as, and why; all else as a correction. A return is told by whoever
#: received it and names no channel: its vendor puts nothing on display again.
_BY_KIND: Final[Mapping[str, Mapping[str, str]]] = {
    "return": {"disposition": "sellable"},
    "receipt": {},
    "adjustment": {"reason": "as it was written down"},
}


@dataclass(slots=True)
class Run:
    """What a run came to.

    hand_work    what was left to people, beside what was oversold and halted; the partner's complaints are of it
    halts        SKUs that were taken off sale on a channel
    lost         messages that never came
    swallowed    writes that were taken and not shown
    """

    tally: Tally
    hand_work: int = 0
    halts: int = 0
    lost: int = 0
    swallowed: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """A line that a partner's buyer ordered."""

    world: World
    line: Line
    place: Place


@dataclass(slots=True)
class _Basket:
    """What one customer has taken so far, of one order."""

    channel: str = ""
    location: str = ""
    lines: list[tuple[str, int]] = field(default_factory=list)
    of: dict[tuple[str, str], int] = field(default_factory=dict)
    wholesale: list[_Asked] = field(default_factory=list)


class Lockstep:
    """The strategy of all SKUs at once: sells at the vendors, and tells the house what only its people know."""

    def __init__(self, accounts: Accounts, house: House, begins: float) -> None:
        """begins: when the history begins, in seconds of the clockwork"""
        self._accounts, self._house, self._begins = accounts, house, begins
        self._basket = _Basket()
        #: Of what happens now.
        self._kind = ""
        #: Orders of the partner that are not answered yet, by number.
        self._asked: dict[str, list[_Asked]] = {}
        house.when_promised = self.promised

    def happens(self, world: World, event: Event) -> None:
        """What customers do, or what moves stock."""
        self._kind = event.kind if isinstance(event, Movement) else ""
        world.happen(self, event)

    def begins(self, world: World) -> None:
        """What the vendors show already."""
        for channel, location in world.shown:
            if channel != PARTNER:
                units = self._accounts.shown(channel, location, world.stream.sku)
                world.show((channel, location), units, 0.0)

    def wanted(self, world: World, line: Line, place: Place) -> None:
        """Put into the basket what is shown, or, at the partner's, what is wanted."""
        if line.channel == PARTNER:
            self._basket.wholesale.append(_Asked(world, line, place))
            return
        sku = world.stream.sku
        taken = self._basket.of.get((sku, place[1]), 0)
        shown = self._accounts.shown(place[0], place[1], sku) - taken
        world.show(place, shown, line.at)
        sale = world.take(line, place, shown, line.at)
        if sale.accepted:
            basket = self._basket
            basket.channel, basket.location = place
            basket.lines.append((sku, sale.accepted))
            basket.of[sku, place[1]] = taken + sale.accepted
            world.show(place, shown - sale.accepted, line.at)
            self.sold(world, sale)

    def sold(self, world: World, sale: Sale) -> None:
        """What was taken and is not there: a person takes it off the order when it is found."""
        missing = sale.accepted - sale.sold
        if missing:
            why = "oversold: refunded, the customer was told"
            sku, at = world.stream.sku, sale.place[1]
            self._house.works.house_later(
                HANDLING_S,
                lambda: self._house.door.tell("adjustment", sku, at, missing, reason=why),
            )

    def moved(self, world: World, location: str, units: int, at: float) -> None:
        """Who moves stock tells the house."""
        if location in PLACES:
            kind = self._kind if self._kind in _BY_KIND and units > 0 else "adjustment"
            self._house.door.tell(kind, world.stream.sku, location, units, **_BY_KIND[kind])

    def check_out(self) -> None:
        """The customer pays for what is in the basket."""
        basket, self._basket = self._basket, _Basket()
        if basket.lines:
            self._accounts.sell(basket.channel, basket.location, basket.lines)
        if basket.wholesale:
            lines = [(asked.world.stream.sku, asked.line.units) for asked in basket.wholesale]
            order = basket.wholesale[0].line.key.partition(":")[0]
            self._asked[self._accounts.partner.order(order, lines)] = basket.wholesale

    def promised(self) -> None:
        """Orders of the partner were worked: it has bought what it was promised."""
        at = self._house.works.now_s - self._begins
        for order, units in self._house.promised(list(self._asked)).items():
            for number, asked in enumerate(self._asked.pop(order), 1):
                sale = asked.world.take(asked.line, asked.place, units.get(number, 0), at)
                if sale.accepted:
                    self.sold(asked.world, sale)


@dataclass(slots=True)
class _Way:
    """What lies between the vendors and the house: time, and what gets lost."""

    works: Clockwork
    dice: Random
    pace: Pace
    run: Run
    house: House | None = None
    together: dict[str, tuple[float, float]] = field(default_factory=dict)

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """A vendor's message: it comes after a while, or never; the vendor thinks it came."""
        house = self.house
        assert house is not None, "nobody is to call before the house stands"
        channel = next(name for name in (SHOP, TILLS, MARKET) if hook_of(name) == url)
        if self.dice.random() < self.pace.lost:
            self.run.lost += 1
            house.lost_a_message(channel)
        else:
            after_s = self._hook_s(channel)
            kept = dict(headers)
            self.works.world_later(after_s, lambda: house.door.hook(channel, url, kept, body))
        return 200, "OK"

    def _hook_s(self, channel: str) -> float:
        """How long a message takes: what a vendor tells at one moment comes together."""
        now_s = self.works.now_s
        if channel not in self.together or self.together[channel][0] != now_s:
            self.together[channel] = now_s, _drawn(self.dice, self.pace.hook_s[channel])
        return self.together[channel][1]

    def wire(self, app: Starlette, clock: Clock) -> Wire:
        """Carries calls; each way takes its half of the time."""
        return _Timed(app, clock, lambda: self.works.on_the_way(self._half_s()))

    def _half_s(self) -> float:
        return _drawn(self.dice, self.pace.call_s) / 2


class _Timed(Wire):
    def __init__(self, app: Starlette, clock: Clock, takes_time: Callable[[], None]) -> None:
        super().__init__(app, clock)
        self._takes_time = takes_time

    def send(self, *arguments: Any, **named: Any) -> Response:
        self._takes_time()
        answer = super().send(*arguments, **named)
        self._takes_time()
        return answer


def play(
    history: History,
    layout: Layout,
    engine: Engine,
    settings: Settings,
    pace: Pace,
    seed: int,
    progress: Callable[[int, int], None],
) -> Run:
    """Play a history through the house.

    engine    of an empty, migrated database
    """
    run = Run(Tally())
    works = Clockwork(history.start)
    way = _Way(works, Random(f"{seed}:the world"), pace, run)
    accounts = Accounts(works, way.post, seed, pace)
    house = House(engine, settings, accounts, works, seed)
    way.house = house
    worlds = {
        stream.sku: World(stream, layout, run.tally, listed_places(stream, layout), history.ends)
        for stream in history.streams
    }
    listed = {
        sku: sorted({place[1] for place in world.shown if place[0] != PARTNER} & set(PLACES))
        for sku, world in worlds.items()
    }
    wholesale = sorted(
        stream.sku
        for stream in history.streams
        if any(isinstance(event, Line) and event.channel == PARTNER for event in stream.events)
    )
    accounts.list_goods({sku: at for sku, at in listed.items() if at}, wholesale)
    house.open(
        {sku: {p: n for p, n in w.truth.items() if p in PLACES} for sku, w in worlds.items()},
        way.wire,
    )
    begins = works.now_s
    lockstep = Lockstep(accounts, house, begins)
    for world in worlds.values():
        world.begin(lockstep)
    demand = _demand(history, worlds, lockstep, begins, progress)
    works.run(demand, begins + history.ends + _ANSWERED_S)
    for world in worlds.values():
        world.end()
    run.hand_work = book.hand_work(engine) + len(accounts.partner.complaints())
    run.halts = book.halts(engine)
    run.swallowed = sum(map(accounts.swallowed, (SHOP, TILLS, MARKET)))
    return run


def _demand(
    history: History,
    worlds: Mapping[str, World],
    lockstep: Lockstep,
    begins: float,
    progress: Callable[[int, int], None],
) -> Iterator[tuple[float, Job]]:
    """What happens, by time; the lines of one order together."""
    events = merge(*map(_timed, history.streams), key=lambda one: one[0])
    done = 0
    for (at, _), group in groupby(events, key=lambda one: (one[0], _order(one[2]))):
        together = list(group)
        done += len(together)

        def happen(together: list[tuple[float, str, Event]] = together, done: int = done) -> None:
            for _, sku, event in together:
                lockstep.happens(worlds[sku], event)
            lockstep.check_out()
            progress(done, history.events)

        yield begins + at, happen


def _timed(stream: Stream) -> Iterator[tuple[float, str, Event]]:
    return ((event.at, stream.sku, event) for event in stream.events)


def _order(event: Event) -> tuple[str, str, str]:
    if isinstance(event, Line):
        return event.channel, event.location, event.key.partition(":")[0]
    return "", event.location, ""


def _drawn(dice: Random, pair: tuple[float, float]) -> float:
    """A log-normal time, by its middle and 99th percentile."""
    middle, most = pair
    if middle <= 0 or most <= middle:
        return most
    return dice.lognormvariate(math.log(middle), math.log(most / middle) / _Z99)
