"""Every strategy on the same history, and their scores side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from allocation.planning.tiers import Tier, classes
from allocation.rules import goes_by_tier
from allocation.simulate.lockstep import Lockstep
from allocation.simulate.naive import (
    Spectator,
    connector_60min,
    hub_15min,
    point_to_point,
    spreadsheet,
)
from allocation.simulate.plan import Plan
from allocation.simulate.score import Score, Tally, score
from allocation.simulate.seasons import Seasons
from allocation.simulate.types import Delays, History, Line, Stream, Unusable
from allocation.simulate.world import Layout, Strategy, World, layout_of, listed_places
from allocation.types import Rules

NAIVE = ("hub_15min", "point_to_point", "spreadsheet")
BEST = "omniscient"

#: Told (done, of) from time to time.
Progress = Callable[[int, int], None]
_Make = Callable[[Random], Strategy]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A strategy and the layout of the channels it works with."""

    make: _Make
    layout: Layout


def simulate(
    history: History,
    rules: Mapping[str, Rules],
    delays: Delays,
    seed: int,
    progress: Progress = lambda done, of: None,
) -> dict[str, Score]:
    """Play a history under every strategy.

    rules      name of the strategy, as in `lockstep` and `today` -> rules the engine is to follow; the others take
               the layout of the first
    seed       the same seed gives the same scores
    returns    scores by name: the engine's, then the naive ones, then the best possible
    raises     Unusable when the rules have no channel that shows anything
    """
    return _scores(history, _entries(history, rules, delays), seed, progress)


def beside(
    history: History, rules: Rules, seed: int, progress: Progress = lambda done, of: None
) -> dict[str, Score]:
    """Play a history under everything but the engine: the naive strategies, connectors too, and the best possible one.

    rules      whose layout of channels and locations they work with
    returns, raises    as `simulate`
    """
    layout = layout_of(rules)
    if not layout.draws:
        raise Unusable("the rules have no channel that shows a number; add one")
    entries = _others(history.start, layout)
    entries["connector_60min"] = _Entry(lambda seed: connector_60min(), layout)
    return _scores(history, entries, seed, progress)


def _scores(
    history: History, entries: Mapping[str, _Entry], seed: int, progress: Progress
) -> dict[str, Score]:
    tallies = {name: Tally() for name in entries}
    for done, stream in enumerate(history.streams):
        progress(done, len(history.streams))
        for name, entry in entries.items():
            strategy = entry.make(Random(f"{seed}:{name}:{stream.sku}"))
            _play(stream, strategy, entry.layout, tallies[name], history.ends)
    progress(len(history.streams), len(history.streams))
    best, priced = tallies[BEST], _is_priced(history.streams)
    return {name: score(name, tally, best, priced=priced) for name, tally in tallies.items()}


def _entries(history: History, rules: Mapping[str, Rules], delays: Delays) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    start = history.start
    by_tier = any(goes_by_tier(each) for each in rules.values())
    tiers = _tiers(history.streams) if by_tier else {}
    layouts = {name: layout_of(each) for name, each in rules.items()}
    for name, each in rules.items():
        if not layouts[name].draws:
            raise Unusable(f"the rules of {name} have no channel that shows a number; add one")
        entries[name] = _Entry(
            _engine(Plan(Seasons(each, start), layouts[name], delays, tiers)), layouts[name]
        )
    return entries | _others(start, next(iter(layouts.values())))


def _others(start: datetime, layout: Layout) -> dict[str, _Entry]:
    nightly_s, weekly_s = _seconds_until(start, 2, None), _seconds_until(start, 9, 0)
    all_true = replace(layout, mirrors=frozenset(layout.draws))
    return {
        "hub_15min": _Entry(lambda seed: hub_15min(), layout),
        "point_to_point": _Entry(lambda seed: point_to_point(seed, nightly_s), layout),
        "spreadsheet": _Entry(lambda seed: spreadsheet(weekly_s), layout),
        BEST: _Entry(lambda seed: Spectator(), all_true),
    }


def _engine(plan: Plan) -> _Make:
    return lambda seed: Lockstep(plan, seed)


def _play(stream: Stream, strategy: Strategy, layout: Layout, tally: Tally, ends: float) -> None:
    World(stream, layout, tally, listed_places(stream, layout), ends).run(strategy)


def _tiers(streams: Sequence[Stream]) -> dict[str, Tier]:
    """The tier of each SKU by what was wanted of it in the whole time, which a forecast would have to guess."""
    wanted = [sum(e.units for e in stream.events if isinstance(e, Line)) for stream in streams]
    found = classes([float(units) for units in wanted])
    return {stream.sku: tier for stream, tier in zip(streams, found, strict=True)}


def _is_priced(streams: Sequence[Stream]) -> bool:
    """Whether every order line has a price."""
    lines = (event for stream in streams for event in stream.events if isinstance(event, Line))
    return all(line.price is not None for line in lines)


def _seconds_until(start: datetime, hour: int, weekday: int | None) -> float:
    """From the start to the next such hour, of such a day of the week (0 is Monday) where one is given."""
    at = start.replace(hour=hour, minute=0, second=0, microsecond=0)
    while at <= start or weekday not in (None, at.weekday()):
        at += timedelta(days=1)
    return (at - start).total_seconds()
