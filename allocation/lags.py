"""How far each channel is behind, from our own records: each stage, and what buffers are computed with.

From a sale on a channel until the others show it, it is told and booked (detect), waits in the queue (queue), is sent
and confirmed (push) and comes to be shown (visible). A stage that was never measured counts with its share of the
default, one that has too few samples now keeps what it was. While a channel does not take what it should show, the age
of the oldest of it is added (stale).

Theory. Sales that come at random and are not heard of yet are a Poisson number. Its mean is their pace times the mean
time until they are heard of, however these times are spread (Palm's theorem). A stage counts with its 95th percentile
and what the later ones add to that on average, which is never below the mean. So the one message in fifty that is
lost, and found by asking a quarter of an hour later, makes a buffer larger by its share, not by all that is sold in
that quarter of an hour.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from allocation.types import Lag

#: The stages, in the order in which they follow each other.
STAGES: Final = ("detect", "queue", "push", "visible")
#: Samples of the last hour are enough when there are so many; fewer of a day than that are none.
ENOUGH: Final = 20
FEWEST: Final = 5
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(hours=24)
_USUAL: Final = 0.95
#: What is in use lies on this grid, and falls only when the measured value is so much below it.
_STEP: Final = 1.25
_SLACK: Final = 1.6


@dataclass(frozen=True, slots=True)
class Sample:
    """How long one order or push took, in seconds, and when it was booked or sent."""

    at: datetime
    lag_s: float


@dataclass(frozen=True, slots=True)
class Record:
    """What our records say of one channel.

    samples     by stage
    unshown     since when the oldest number waits that the channel should have taken; None when none does
    unread      since when the oldest read-back is due that nobody has asked for; None when none is
    """

    channel: str
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    unshown: datetime | None = None
    unread: datetime | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """How far a channel is behind, in seconds.

    stages      by stage, see `behind_s`; one that was never measured is missing
    samples     how many each rests on now; fewer than five leave what was measured before
    stale_s     how much longer than usual something has been waiting to be shown
    hear_s, show_s    what buffers are computed with, None while nothing was ever measured
    """

    channel: str
    stages: Mapping[str, float]
    stale_s: float
    samples: Mapping[str, int]
    hear_s: float | None
    show_s: float | None
    measured_at: datetime

    @property
    def assumed(self) -> tuple[str, ...]:
        """Stages that were never measured: they count with their share of the default."""
        return tuple(stage for stage in STAGES if stage not in self.stages)

    @property
    def in_use(self) -> Lag | None:
        """What the engine computes with."""
        if self.hear_s is None or self.show_s is None:
            return None
        return Lag(hear_s=self.hear_s, show_s=self.show_s)


def nearest_rank(values: Iterable[float], quantile: float) -> float:
    """The smallest value that at least this part (0 to 1) of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]


def behind_s(lags_s: Sequence[float]) -> float:
    """The 95th percentile and what the later ones add to it on average: at least the mean, and no single one's size.

    source    Palm 1938, "Analysis of the Erlang traffic formulae for busy-signal arrangements", Ericsson Technics
    """
    usual_s = nearest_rank(lags_s, _USUAL)
    return usual_s + sum(max(0.0, lag_s - usual_s) for lag_s in lags_s) / len(lags_s)


def chosen(samples: Sequence[Sample], now: datetime) -> list[float]:
    """The samples to go by: of the last hour, of the last day when these are few, none when those are too few."""
    hour = [sample.lag_s for sample in samples if sample.at > now - HOUR]
    if len(hour) >= ENOUGH:
        return hour
    day = [sample.lag_s for sample in samples if sample.at > now - DAY]
    return day if len(day) >= FEWEST else []


def measured(record: Record, before: Measured | None, default_s: float, now: datetime) -> Measured:
    """What the records come to.

    before       what was measured last
    default_s    lag of a channel that was never measured, all stages together
    """
    found = {stage: chosen(record.samples.get(stage, ()), now) for stage in STAGES}
    stages = dict(before.stages) if before else {}
    stages |= {stage: behind_s(lags) for stage, lags in found.items() if lags}
    counted = {stage: stages.get(stage, default_s / len(STAGES)) for stage in STAGES}
    stale_s = _stale_s(record, counted, now)
    hear_s = show_s = None
    if stages or stale_s:
        hear_s = in_use_s(counted["detect"], before.hear_s if before else None)
        show = counted["queue"] + counted["push"] + counted["visible"] + stale_s
        show_s = in_use_s(show, before.show_s if before else None)
    samples = {stage: len(lags) for stage, lags in found.items()}
    return Measured(record.channel, stages, stale_s, samples, hear_s, show_s, now)


def _stale_s(record: Record, counted: Mapping[str, float], now: datetime) -> float:
    """How much longer than usual the oldest number has been waiting to be taken, or to be read back."""
    late_s = [0.0]
    if record.unshown is not None:
        age_s = (now - record.unshown).total_seconds()
        late_s.append(age_s - counted["queue"] - counted["push"])
    if record.unread is not None:
        late_s.append((now - record.unread).total_seconds() - counted["visible"])
    return max(late_s)


def in_use_s(measured_s: float, before_s: float | None) -> float:
    """What is computed with: the measured value rounded up, changed at once when it rises and late when it falls.

    A lag that moves a little would else change the numbers of every SKU, again and again.
    """
    if before_s is not None and before_s / _SLACK <= measured_s <= before_s:
        return before_s
    return on_grid(measured_s)


def on_grid(lag_s: float) -> float:
    """The next of 1, 1.25, 1.25^2, ... seconds that is not less."""
    steps = math.ceil(math.log(max(lag_s, 1.0), _STEP) - 1e-9)
    return float(_STEP**steps)
