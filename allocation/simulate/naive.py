"""What houses do without a ledger that is told at once: a sheet, point-to-point connections, a hub every quarter hour.

Each is the kindest form of itself: nothing is late beyond its own design, and only what is said to get lost gets lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from allocation.simulate.types import Line, Place
from allocation.simulate.world import Sale, World, take_what_is_shown

MINUTE_S = 60.0
DAY_S = 86_400.0


class Spectator:
    """Decides nothing: where every place mirrors what is there, first come, first served sells the most it can."""

    def begins(self, world: World) -> None:
        """Nothing to show."""

    def wanted(self, world: World, line: Line, place: Place) -> None:
        """Take what is shown."""
        take_what_is_shown(world, self, line, place)

    def sold(self, world: World, sale: Sale) -> None:
        """Nothing to tell."""

    def moved(self, world: World, location: str, units: int, at: float) -> None:
        """Nothing to tell."""


class Rounds:
    """All channels are set to what their pool has, at fixed hours; between them each lowers only its own number.

    every_s     seconds between two rounds
    first_s     when the first one after the start is; at the start all numbers are right
    """

    def __init__(self, every_s: float, first_s: float) -> None:
        self._every_s = every_s
        self._first_s = first_s
        self._next = -1.0

    def begins(self, world: World) -> None:
        """Right at the start."""
        self._round(world, 0.0)

    def wanted(self, world: World, line: Line, place: Place) -> None:
        """Take what is shown."""
        take_what_is_shown(world, self, line, place)

    def sold(self, world: World, sale: Sale) -> None:
        """The next round will tell."""
        self._await(world, sale.at)

    def moved(self, world: World, location: str, units: int, at: float) -> None:
        """The next round will tell."""
        self._await(world, at)

    def _await(self, world: World, at: float) -> None:
        # A round that finds nothing changed changes nothing: only the next one after a change is played.
        if self._next <= at:
            rounds = math.floor((at - self._first_s) / self._every_s) + 1
            self._next = self._first_s + rounds * self._every_s
            world.later(self._next, lambda now: self._round(world, now))

    def _round(self, world: World, at: float) -> None:
        for place in world.shown:
            if place not in world.layout.mirrors:
                world.show(place, world.pool(place), at)


class PointToPoint(Rounds):
    """Each change is told to every channel as so many units more or less, late, not always; by night all are set.

    polling_s    from a change until the channels have it
    loss         part of the messages that get lost, 0 to 1
    """

    def __init__(self, seed: Random, *, polling_s: float, loss: float, nightly_s: float) -> None:
        super().__init__(DAY_S, nightly_s)
        self._seed = seed
        self._polling_s = polling_s
        self._loss = loss
        self._last_round = 0.0

    def sold(self, world: World, sale: Sale) -> None:
        """Tell the others what is gone."""
        super().sold(world, sale)
        locations = world.layout.draws[sale.place]
        self._tell(world, locations, -sale.accepted, sale.at, but=sale.place)

    def moved(self, world: World, location: str, units: int, at: float) -> None:
        """Tell all what came or went."""
        super().moved(world, location, units, at)
        self._tell(world, (location,), units, at, but=None)

    def _tell(
        self, world: World, locations: Sequence[str], units: int, at: float, *, but: Place | None
    ) -> None:
        for place in world.shown:
            if (
                place != but
                and place not in world.layout.mirrors
                and not set(locations).isdisjoint(world.layout.draws[place])
                and self._seed.random() >= self._loss
            ):
                self._send(world, place, units, at)

    def _send(self, world: World, place: Place, units: int, at: float) -> None:
        def arrives(now: float) -> None:
            # What a night's numbers already hold is not told again.
            if self._last_round <= at:
                world.show(place, max(0, world.shown[place] + units), now)

        world.later(at + self._polling_s, arrives)

    def _round(self, world: World, at: float) -> None:
        self._last_round = at
        super()._round(world, at)


def hub_15min() -> Rounds:
    """A hub that sets every channel each quarter of an hour, without buffers."""
    return Rounds(15 * MINUTE_S, 15 * MINUTE_S)


def connector_60min() -> Rounds:
    """Connectors between each shop and the books, as one vendor documents its own, in their kindest form.

    Orders come in every 20 minutes and numbers go out every 60; here those that go out know every order until then.
    source    docs.oracle.com, NetSuite Connector, "Sync Frequency and Directional Flows", read 2026-11
    """
    return Rounds(60 * MINUTE_S, 60 * MINUTE_S)


def spreadsheet(first_s: float) -> Rounds:
    """A sheet that is worked out once a week and typed in everywhere."""
    return Rounds(7 * DAY_S, first_s)


def point_to_point(seed: Random, nightly_s: float) -> PointToPoint:
    """Connections that poll every five minutes and lose one message in fifty."""
    return PointToPoint(seed, polling_s=5 * MINUTE_S, loss=0.02, nightly_s=nightly_s)
