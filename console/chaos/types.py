"""Words of a schedule: what is done, how bad the weather is, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that somebody does, `after_s` seconds after the step before it began.

    verb    a method of `deeds.Deeds`;  facts: its arguments, as JSON could hold them
    """

    after_s: float
    verb: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        said = " ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"+{self.after_s:g}s {self.verb} {said}".rstrip()


@dataclass(frozen=True, slots=True)
class Weather:
    """How likely what goes wrong is, each from 0 to 1.

    bell_lost, bell_twice      a message of the broker
    dies                       a worker, somewhere in its task
    call_lost, answer_lost     a call that never arrives; one that takes effect and is not answered
    call_late                  a call that takes effect after its caller has given up
    call_twice                 a call that arrives twice
    call_slow                  an answer that takes seconds
    hook_lost, answer_of_hook_lost    a notification on its way to us; our answer to it
    """

    bell_lost: float = 0.0
    bell_twice: float = 0.0
    dies: float = 0.0
    call_lost: float = 0.0
    answer_lost: float = 0.0
    call_late: float = 0.0
    call_twice: float = 0.0
    call_slow: float = 0.0
    hook_lost: float = 0.0
    answer_of_hook_lost: float = 0.0


CALM = Weather()


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule: everything that happens follows from it.

    seed       of the dice that choose who goes on, and whom the weather strikes
    steps      what people and vendors do
    cast       who plays, of `casts.CASTS`
    sweep_s    the setting: how often waiting work is looked for
    skews_s    seconds by which the clocks of four workers' machines are ahead; empty: none is
    compared   whether a window of reconciliation goes by in any case, or only where all is not well before it
    """

    seed: int
    weather: Weather
    steps: tuple[Step, ...]
    cast: str = "two shops"
    sweep_s: float = 3.0
    compared: bool = True
    skews_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that was not kept: which invariant, and what was seen instead."""

    invariant: str
    says: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a schedule came to.

    digest    SHA-256 of all that happened and of the book in the end: the same plan gives the same
    taken     order lines that vendors took;  oversold: those beyond what was there, all inside somebody's lag
    turns     how often the director chose;  windows: of reconciliation after the storm, until all was well
    """

    seed: int
    breaches: tuple[Breach, ...]
    digest: str
    turns: int
    windows: int
    taken: int = 0
    oversold: int = 0
    trace: tuple[str, ...] = ()
