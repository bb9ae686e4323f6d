"""The director of a schedule: who goes on next, by dice; when nobody can, the clock goes to the next moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from random import Random
from typing import Any, Final, TypeAlias

from sqlalchemy import Engine

from channels.simulators.clock import Clock
from console.chaos import checks
from console.chaos.broker import Message
from console.chaos.casts import CASTS, Cast
from console.chaos.deeds import Deeds
from console.chaos.house import House, people, subscribe
from console.chaos.operators import put_right
from console.chaos.plants import PLANTS
from console.chaos.stage import Stage, Worker
from console.chaos.types import CALM, Breach, Outcome, Plan
from workers.errands import ERRANDS, On
from workers.settings import Settings

#: Tasks at once.
_WORKERS: Final = 4
#: Points of a task at which it may die, if it is to die.
_POINTS: Final = 14
#: What time goes by in where nobody can do anything, at least; seconds.
_STEP_S: Final = 0.001
#: A choice takes a moment, seconds.
_MOMENT_S: Final = 0.004
#: Windows after the storm in which all must come right: the second judges what the first repaired.
WINDOWS: Final = 3
WINDOW_S: Final = 900
#: Seconds in which a sweep comes and what it rings for is done.
_REST_S: Final = 45
#: Sweeps before a judgement, at most: what is still left after them nobody works.
_SWEEPS: Final = 3
#: Choices of one schedule; more is a loop without end.
_MOST_TURNS: Final = 15_000

#: What only looks, and writes down that it did: after it there is no more to be found than before.
_LOOKS: Final = frozenset(
    {"sweep", "look_early", "read_early", "open_windows", "measure", "seal", "forget"}
)

Choice: TypeAlias = tuple[str, Callable[[], object]]


class Endless(Exception):
    """The workers never come to rest."""


class Director:
    """One schedule on its way."""

    def __init__(self, plan: Plan, house: House, stage: Stage) -> None:
        self.plan, self.house, self.stage = plan, house, stage
        self.dice, self.clock = house.dice, house.clock
        self.deeds = Deeds(house, skews_s=plan.skews_s, deadly=plan.weather.dies > 0)
        self.turns = self.windows = self._worked = 0
        self.broken: list[Breach] = []
        self._steps = list(plan.steps)
        self._step_at = self._next_step(self.clock.now())
        self._numbers = 0
        self._messages: dict[Worker, Message] = {}

    def storm(self) -> None:
        """Until every step is done."""
        self.house.weather = weather = self.plan.weather
        # A number that is set without compare-and-set may cross a sale: what is found then is there.
        self.deeds.troubled.update((*self.house.cast.tills, *self.house.cast.slow))
        if weather.call_lost or weather.answer_lost or weather.call_late or weather.call_twice:
            self.deeds.troubled.update(self.house.accounts)
        while self._steps:
            self._turn()

    def settle(self) -> list[Breach]:
        """Faults end, and windows go by until all is well; what is not well after the last of them."""
        self.house.weather = CALM
        for account in self.house.accounts.values():
            for fault in account.simulator.faults.all():
                # Kept for its count, and struck no more.
                fault.rate, fault.count = 0.0, 0
        self.house.broker.calm()
        put_right(self.house)
        self.house.note("the storm is over")
        begun = self.clock.now().timestamp() // WINDOW_S * WINDOW_S
        found = [Breach("nothing waits", "no window has gone by")]
        if not self.plan.compared:
            found = self._at_rest(self.clock.now() + timedelta(seconds=self.house.cast.after_s))
        while found and self.windows < WINDOWS:
            self.windows += 1
            seconds = begun + self.windows * WINDOW_S + self.house.cast.after_s
            found = self._at_rest(datetime.fromtimestamp(seconds, UTC))
        return [*self.broken, *found]

    def _at_rest(self, moment: datetime) -> list[Breach]:
        """What does not hold at a moment, when sweeps were heard and what they rang for is done."""
        self._until(moment)
        self.house.broker.touch()
        self.until(_REST_S)
        # Who worked a moment ago may have left something to the sweep, or have rung a bell that nobody heard yet; so
        # may those that the sweep rings for.
        for _ in range(_SWEEPS):
            worked = self._worked
            self.house.broker.ring("sweep")
            self._hear_out()
            if self._worked == worked:
                break
        return checks.breaches(self.house, self.deeds)

    def _hear_out(self) -> None:
        """Go on until every bell was heard; whoever rings longer than a rest takes is not waited for."""
        end = self.clock.now() + timedelta(seconds=_REST_S)
        while self.clock.now() < end and (
            self.stage.workers or self.house.broker.has_message_by(end)
        ):
            self._turn(end)
        self.until(0)

    def until(self, seconds: float) -> None:
        """Let so much time go by, and whoever is at work then end it."""
        self._until(self.clock.now() + timedelta(seconds=seconds))

    def _until(self, moment: datetime) -> None:
        while self.clock.now() < moment:
            self._turn(moment)
        while self.stage.workers:
            self._turn()

    def later(self, seconds: float, name: str, deed: Callable[[], object]) -> None:
        """A deed of the way, so much later."""
        self._numbers -= 1
        at = self.clock.now() + timedelta(seconds=seconds)
        self.house.later.append((at, self._numbers, name, deed))

    # ---- one choice ----

    def _turn(self, until: datetime | None = None) -> None:
        self.house.broker.beat()
        choices = self._choices()
        if not choices:
            self._wait(until)
            return
        self.turns += 1
        if self.turns > _MOST_TURNS:
            raise Endless(f"no end after {self.turns} choices: {self.house.trace[-1]}")
        name, deed = choices[self.dice.randrange(len(choices))]
        self.house.note(name)
        deed()
        self.clock.advance(self.dice.random() * _MOMENT_S)

    def _choices(self) -> list[Choice]:
        at = self.clock.now()
        found: list[Choice] = [
            (f"{worker.name}#{worker.points} {worker.at}", partial(self._go_on, worker))
            for worker in self.stage.workers
            if worker.wakes_at is None or worker.wakes_at <= at
        ]
        if len(self.stage.workers) < _WORKERS:
            found += [
                (f"take {message.name}", partial(self._take, message))
                for message in self.house.broker.waiting()
            ]
        for name, account in self.house.accounts.items():
            due_at = account.simulator.agenda.due_at()
            if due_at is not None and due_at <= at:
                found.append((f"{name} sends", account.simulator.agenda.do_one))
        if self.house.later:
            found += [
                (entry[2], partial(self._do_later, entry))
                for entry in sorted(self.house.later, key=lambda entry: entry[:2])
                if entry[0] <= at
            ]
        if self._steps and self._step_at <= at:
            found.append((str(self._steps[0]), self._step))
        return found

    def _wait(self, until: datetime | None) -> None:
        """Nobody can go on: the clock goes to the next moment."""
        moments = self.house.broker.moments()
        moments += [w.wakes_at for w in self.stage.workers if w.wakes_at is not None]
        moments += [entry[0] for entry in self.house.later]
        for account in self.house.accounts.values():
            due_at = account.simulator.agenda.due_at()
            if due_at is not None:
                moments.append(due_at)
        if self._steps:
            moments.append(self._step_at)
        if until is not None:
            moments.append(until)
        at = self.clock.now()
        if min(moments) <= at:
            # A message waits for one of the workers, who all wait for vendors.
            self.clock.creep(_STEP_S, min(moment for moment in moments if moment > at))
            return
        self.clock.advance(max((min(moments) - at).total_seconds(), _STEP_S))

    def _go_on(self, worker: Worker) -> None:
        self.stage.go_on(worker)
        if not worker.over:
            return
        message = self._messages.pop(worker)
        self.house.afterwards(self.house, message.task)
        if message.task == "reconcile" and worker.called and not worker.dead:
            self.deeds.compared[message.channel, message.window_at] += 1
        if worker.wrote and message.task not in _LOOKS:
            self.house.broker.touch()
        if worker.dead:
            self.house.note(f"{worker.name} {worker.at}")
            # Acknowledged late: the broker hands it out again, if it still knows of it.
            if self.dice.random() < 0.5:
                self.house.broker.again(message)
        if worker.error is not None:
            self.house.note(f"{worker.name} raised {worker.error!r}")
            self.broken.append(Breach("tasks end well", f"{worker.name}: {worker.error!r}"))

    def _take(self, message: Message) -> None:
        self.house.broker.take(message)
        self.house.broker.heard(message)
        if message.task in self.house.without:
            return
        self._worked += message.task not in _LOOKS
        on = On(self.house.wiring, self.house.broker.ring, message.channel, message.window_at)
        dies_at = None
        if self.dice.random() < self.house.weather.dies:
            dies_at = self.dice.randint(1, _POINTS)
        worker = Worker(message.name, partial(ERRANDS[message.task], on), dies_at)
        if self.plan.skews_s:
            worker.ahead_s = self.plan.skews_s[message.number % len(self.plan.skews_s)]
        self._messages[worker] = message
        self.stage.enter(worker)

    def _do_later(self, entry: Any) -> None:
        self.house.later.remove(entry)
        self.house.broker.touch()
        entry[3]()

    def _step(self) -> None:
        step = self._steps.pop(0)
        self.house.broker.touch()
        self.deeds.do(step)
        self._step_at = self._next_step(self.clock.now())

    def _next_step(self, at: datetime) -> datetime:
        return at + timedelta(seconds=self._steps[0].after_s) if self._steps else at


def house_of(
    plan: Plan, cast: Cast, engine: Engine, clock: Clock, stage: Stage, dice: Random
) -> House:
    """The house that a schedule is played in."""
    settings = Settings.model_construct(sweep_s=plan.sweep_s)
    return House(engine, clock, stage, dice, cast, settings=settings)


def play(
    plan: Plan,
    engine: Engine,
    stage: Stage,
    clock: Clock,
    shown: Mapping[tuple[str, str, str], int],
    *,
    plant: str = "",
    keep_trace: bool = False,
) -> Outcome:
    """Play one schedule in a house that stands as it was opened.

    shown    (channel, SKU, location) -> units the vendors show
    plant    a mistake that this house makes, of `plants.PLANTS`
    """
    house = house_of(plan, CASTS[plan.cast], engine, clock, stage, Random(f"dice {plan.seed}"))
    if plant:
        PLANTS[plant].spoil(house)
    director = Director(plan, house, stage)
    with people(house, shown, director.later):
        try:
            subscribe(house)
            try:
                director.storm()
                found = director.settle()
            except Endless as endless:
                found = [Breach("it comes to rest", str(endless))]
            digest = _digest(house)
        finally:
            stage.clear()
            for client in house.clients.values():
                close = getattr(client, "close", None)
                if close is not None:
                    close()
    return Outcome(
        plan.seed,
        tuple(found),
        digest,
        director.turns,
        director.windows,
        director.deeds.taken,
        director.deeds.oversold,
        tuple(house.trace) if keep_trace or found else (),
    )


_END: Final = (
    """SELECT concat_ws(' ', sku, location, state, units, version) AS line FROM balance
       ORDER BY sku, location, state""",
    """SELECT concat_ws(' ', channel, sku, location, units, number) AS line FROM target
       ORDER BY channel, sku, location""",
    "SELECT concat_ws(' ', source, delivery_id, state) AS line FROM inbox ORDER BY id",
    "SELECT concat_ws(' ', id, channel, sku, location, units, outcome) AS line FROM push ORDER BY id",
)


def _digest(house: House) -> str:
    """A name for all that happened and for what the book holds in the end."""
    ends = [row.line for statement in _END for row in house.rows(statement)]
    return sha256("\n".join([*house.trace, *ends]).encode()).hexdigest()
