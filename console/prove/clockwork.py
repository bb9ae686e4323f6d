"""One thread's time: what customers and vendors do, and what the house does, each at its simulated moment.

Two kinds of things happen. The world's (an order, a delivery that arrives) go on whatever the house does: also while a
call of the house is on its way. The house's work one after the other, as one worker would do it, and takes the time
its calls take.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

from channels.simulators.agenda import Agenda
from channels.simulators.clock import Clock

Job = Callable[[], None]


class Clockwork:
    """Seconds count from the start.

    agenda    what the vendors have to do later
    """

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.clock = Clock.held(start)
        self.agenda = Agenda(self.clock, threads=0)
        self._now = 0.0
        self._number = 0
        self._world: list[tuple[float, int, Job]] = []
        self._house: list[tuple[float, int, Job]] = []
        self._once: dict[str, float] = {}
        self._demand: Iterator[tuple[float, Job]] = iter(())
        self._next: tuple[float, Job] | None = None

    @property
    def now_s(self) -> float:
        """Seconds since the start."""
        return self._now

    def now(self) -> datetime:
        """The moment."""
        return self.clock.now()

    def at(self, seconds: float) -> datetime:
        """A second as a moment."""
        return self.start + timedelta(seconds=seconds)

    def seconds(self, moment: datetime) -> float:
        """A moment as seconds since the start."""
        return (moment - self.start).total_seconds()

    def world_later(self, after_s: float, job: Job) -> None:
        """Something that happens whatever the house does."""
        self._number += 1
        heapq.heappush(self._world, (self._now + after_s, self._number, job))

    def house_later(self, after_s: float, job: Job) -> None:
        """Something that the house does when it comes to it, not before then."""
        self._number += 1
        heapq.heappush(self._house, (self._now + after_s, self._number, job))

    def house_once(self, name: str, after_s: float, job: Job) -> None:
        """As `house_later`, once for all that ask by one name: at the earliest moment that any of them asks for."""
        at = self._now + after_s
        if at < self._once.get(name, math.inf):
            self._once[name] = at
            self.house_later(after_s, partial(self._do_once, name, at, job))

    def forget_once(self) -> None:
        """Nothing that was asked for by name happens any more."""
        self._once.clear()

    def _do_once(self, name: str, at: float, job: Job) -> None:
        # Who asked for a later moment has been answered by the earlier one.
        if self._once.get(name) == at:
            del self._once[name]
            job()

    def on_the_way(self, seconds: float) -> None:
        """Time passes while the house waits for an answer: the world goes on."""
        until = self._now + seconds
        while (at := self._world_at()) is not None and at <= until:
            self._do_world(at)
        self._go_to(until)

    def run(self, demand: Iterator[tuple[float, Job]], ends: float) -> None:
        """Let everything happen that is to happen until then.

        demand    (second, what customers do then), by time
        """
        self._demand = demand
        self._pull()
        while True:
            world, house = self._world_at(), self._house[0][0] if self._house else None
            at = min((each for each in (world, house) if each is not None), default=None)
            if at is None or max(at, self._now) > ends:
                return
            if world is not None and (house is None or world <= max(house, self._now)):
                self._do_world(world)
            else:
                moment, _, job = heapq.heappop(self._house)
                self._go_to(moment)
                job()

    def _pull(self) -> None:
        self._next = next(self._demand, None)

    def _world_at(self) -> float | None:
        due = self.agenda.due_at()
        moments = [
            self._world[0][0] if self._world else None,
            self._next[0] if self._next else None,
            None if due is None else self.seconds(due),
        ]
        return min((each for each in moments if each is not None), default=None)

    def _do_world(self, at: float) -> None:
        self._go_to(at)
        if self.agenda.do_one():
            return
        if self._world and self._world[0][0] <= at:
            heapq.heappop(self._world)[2]()
        elif self._next is not None:
            job = self._next[1]
            self._pull()
            job()

    def _go_to(self, at: float) -> None:
        if at > self._now:
            # From the start each time: added up, microseconds would be lost.
            self.clock.advance(max(0.0, (self.at(at) - self.clock.now()).total_seconds()))
            self._now = at
