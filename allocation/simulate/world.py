"""The world of one SKU: what physically lies where, what each channel shows, and who buys when.

A strategy decides what is shown; the world decides what is sold, oversold and lost.

A channel takes of an order line what it shows (the rest is lost) and lowers its own number at once. What it took is
oversold as far as the locations that may serve the line do not have it at that moment; such units are refunded at once
and burden nobody later. Locations of the kind `mirror` are another's who holds the stock, sells it and shows it: their
numbers are always true.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from allocation.simulate.score import Tally
from allocation.simulate.types import Event, Line, Movement, Place, Stream, Way
from allocation.types import Rules, Show

#: Something that happens later, told the time.
Later = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where channels show numbers and from where they serve.

    draws      place -> locations whose units it shows, in the order they serve
    pooled     channel -> its one place, where it pools
    mirrors    places that another keeps true
    kinds      channel -> kind of vendor
    """

    draws: Mapping[Place, tuple[str, ...]]
    pooled: Mapping[str, Place]
    mirrors: frozenset[Place]
    kinds: Mapping[str, str]

    def place_of(self, channel: str, location: str) -> Place | None:
        """The place whose number an order line is taken from; None where the channel shows nothing."""
        place = self.pooled.get(channel) or (channel, location)
        return place if place in self.draws else None


def layout_of(rules: Rules) -> Layout:
    """The layout that a rule file describes."""
    draws: dict[Place, tuple[str, ...]] = {}
    pooled: dict[str, Place] = {}
    for channel in rules.channels:
        if channel.show is Show.PER_LOCATION:
            draws |= {(channel.name, location): (location,) for location in channel.locations}
        elif channel.show_at is not None:
            pooled[channel.name] = (channel.name, channel.show_at)
            draws[channel.name, channel.show_at] = channel.locations
    mirrors = frozenset(
        place
        for place, locations in draws.items()
        if all(rules.locations[location].kind == "mirror" for location in locations)
    )
    return Layout(draws, pooled, mirrors, {c.name: c.kind for c in rules.channels})


@dataclass(frozen=True, slots=True)
class Sale:
    """What became of an order line.

    place    whose number it was taken from
    taken    units by location, as far as they were there
    """

    line: Line
    at: float
    place: Place
    accepted: int
    sold: int
    taken: tuple[tuple[str, int], ...]


class Strategy(Protocol):
    """Who decides what each channel of one SKU shows; it acts through `World.show` and `World.later`."""

    def begins(self, world: World) -> None:
        """The first numbers, at time 0."""

    def wanted(self, world: World, line: Line, place: Place) -> None:
        """A customer orders; calls `world.take` now or later."""

    def sold(self, world: World, sale: Sale) -> None:
        """A channel took an order line and lowered its own number."""

    def moved(self, world: World, location: str, units: int, at: float) -> None:
        """The stock of a location changed by something that is no sale."""


class World:
    """One SKU under one strategy.

    truth    units by location, never below 0
    shown    units by place
    """

    def __init__(
        self, stream: Stream, layout: Layout, tally: Tally, listed: Collection[Place], ends: float
    ) -> None:
        self.stream = stream
        self.layout = layout
        self.tally = tally
        self.truth = {location: max(0, units) for location, units in stream.opening.items()}
        self.shown: dict[Place, int] = dict.fromkeys(listed, 0)
        self._ends = ends
        self._starving_since: dict[Place, float] = {}
        self._later: list[tuple[float, int, Later]] = []
        self._number = 0
        self._on_the_way: dict[str, int] = {}
        self._sold_of: dict[str, int] = {}
        self._drawing: dict[str, list[Place]] = {}
        for place in self.shown:
            for location in layout.draws[place]:
                self._drawing.setdefault(location, []).append(place)

    def run(self, strategy: Strategy) -> None:
        """Let everything happen, in order of time; what falls on the same moment in the order it was foreseen."""
        self.begin(strategy)
        later = self._later
        for event in self.stream.events:
            while later and later[0][0] <= event.at:
                at, _, then = heapq.heappop(later)
                then(at)
            self.happen(strategy, event)
        while later and later[0][0] <= self._ends:
            at, _, then = heapq.heappop(later)
            then(at)
        self.end()

    def begin(self, strategy: Strategy) -> None:
        """The first numbers are shown."""
        strategy.begins(self)
        for place in self.shown:
            self._look(place, 0.0)

    def happen(self, strategy: Strategy, event: Event) -> None:
        """Let one event happen, for whoever keeps the time of many SKUs himself."""
        if isinstance(event, Line):
            self._ordered(strategy, event)
        else:
            self._moved(strategy, event)

    def end(self) -> None:
        """Nothing happens any more: count what was starving until now."""
        for since in self._starving_since.values():
            self.tally.starvation_s += max(0.0, self._ends - since)

    def later(self, at: float, then: Later) -> None:
        """Let something happen at a time."""
        self._number += 1
        heapq.heappush(self._later, (at, self._number, then))

    def pool(self, place: Place) -> int:
        """Units that are there for a place."""
        truth = self.truth
        return sum(truth.get(location, 0) for location in self.layout.draws[place])

    def show(self, place: Place, units: int, at: float) -> None:
        """A place shows this number from now on."""
        self.shown[place] = units
        self._look(place, at)

    def take(self, line: Line, place: Place, offered: int, at: float) -> Sale:
        """Accept an order line as far as `offered`, ship what is there, and count it."""
        accepted = min(line.units, max(0, offered))
        there = self.pool(place)
        sold = min(accepted, there)
        self.tally.line(line.units, accepted, sold, there, line.price)
        taken = self._serve(line.location, self.layout.draws[place], sold)
        if line.key and sold:
            self._sold_of[line.key] = self._sold_of.get(line.key, 0) + sold
        for location, _ in taken:
            self._look_at(location, at)
        return Sale(line, at, place, accepted, sold, taken)

    def _ordered(self, strategy: Strategy, line: Line) -> None:
        place = self.layout.place_of(line.channel, line.location)
        if place is None or place not in self.shown:
            self.tally.line(line.units, 0, 0, 0, line.price)
            self.tally.unserved_units += line.units
        elif place in self.layout.mirrors:
            strategy.sold(self, self.take(line, place, self.pool(place), line.at))
        else:
            strategy.wanted(self, line, place)

    def _serve(
        self, wanted: str, locations: Sequence[str], units: int
    ) -> tuple[tuple[str, int], ...]:
        """Take units out of the stock, from where they were wanted first."""
        taken: list[tuple[str, int]] = []
        for location in sorted(locations, key=lambda name: name != wanted):
            part = min(units, self.truth.get(location, 0))
            if part:
                self.truth[location] -= part
                units -= part
                taken.append((location, part))
        return tuple(taken)

    def _moved(self, strategy: Strategy, movement: Movement) -> None:
        location, units = movement.location, movement.units
        match movement.way:
            case Way.RECEIVE:
                # What was sent before the history began comes in as it was written down.
                units = min(units, self._on_the_way.get(movement.ref, units))
                if movement.ref in self._on_the_way:
                    self._on_the_way[movement.ref] -= units
            case Way.CANCEL:
                units = min(units, self._sold_of.get(movement.ref, 0))
                self._sold_of[movement.ref] = self._sold_of.get(movement.ref, 0) - units
            case Way.PLAIN | Way.SHIP:
                units = max(units, -self.truth.get(location, 0))
        if movement.way is Way.SHIP:
            self._on_the_way[movement.ref] = self._on_the_way.get(movement.ref, 0) - units
        if units:
            self.truth[location] = self.truth.get(location, 0) + units
            self._look_at(location, movement.at)
            strategy.moved(self, location, units, movement.at)

    def _look_at(self, location: str, at: float) -> None:
        for place in self._drawing.get(location, ()):
            self._look(place, at)

    def _look(self, place: Place, at: float) -> None:
        """Note since when a place shows nothing although its pool has some."""
        if place in self.layout.mirrors:
            self.shown[place] = self.pool(place)
            return
        since = self._starving_since.get(place)
        if self.shown[place] <= 0 < self.pool(place):
            if since is None:
                self._starving_since[place] = at
        elif since is not None:
            del self._starving_since[place]
            self.tally.starvation_s += at - since


def listed_places(stream: Stream, layout: Layout) -> list[Place]:
    """Where a SKU is listed: every place that draws on a location where the SKU ever was, or was wanted."""
    known = {location for location, units in stream.opening.items() if units > 0}
    known |= {event.location for event in stream.events}
    return sorted(
        place for place, locations in layout.draws.items() if not known.isdisjoint(locations)
    )


def take_what_is_shown(world: World, strategy: Strategy, line: Line, place: Place) -> None:
    """What a channel does with an order: it takes what it shows, and shows that much less."""
    shown = world.shown[place]
    sale = world.take(line, place, shown, line.at)
    if sale.accepted:
        world.show(place, shown - sale.accepted, line.at)
        strategy.sold(world, sale)
