"""The broker in memory: messages that say "look now", lost and doubled by dice, and the clock that sends some."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from console.chaos.types import Weather

#: A bell that was rung and not heard is not rung again for so long (`workers.flows.bells`).
_LIFE: Final = timedelta(seconds=3)
#: Seconds between two messages of the clock, as in `celeryconfig.py`.
BEAT: Final = {
    "sweep": 3.0,
    "look_early": 3.0,
    "measure": 30.0,
    "open_windows": 900.0,
    "seal": 60.0,
    "forget": 3600.0,
}
#: A look that found nothing would find nothing again: while nothing happens each comes after twice the time of the one
#: before, up to so many seconds.
_SELDOM: Final = {"sweep": 240.0, "look_early": 240.0, "measure": 900.0, "seal": 900.0}

#: Seconds between two looks when nothing goes wrong.
_CALM_S: Final = 30.0


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """A message for workers. `due_at` is when one may take it."""

    due_at: datetime
    number: int
    task: str = field(compare=False)
    channel: str = field(compare=False, default="")
    window_at: str = field(compare=False, default="")

    @property
    def name(self) -> str:
        """The bell it answers."""
        return ":".join((self.task, self.channel, *filter(None, [self.window_at])))


class Broker:
    """Redis and beat of one house."""

    def __init__(
        self,
        now: Callable[[], datetime],
        dice: Random,
        weather: Callable[[], Weather],
        *,
        sweep_s: float,
    ) -> None:
        self._every = BEAT | {"sweep": sweep_s, "look_early": sweep_s}
        self._now, self._dice, self._weather = now, dice, weather
        self._heap: list[Message] = []
        self._numbers = itertools.count()
        self._pending: dict[str, datetime] = {}
        self._beats = dict.fromkeys(BEAT, now())
        self._idle = dict.fromkeys(BEAT, 0)
        self._beats_at = now()

    def ring(
        self,
        task: str,
        channel: str = "",
        /,
        *,
        window_at: str = "",
        after_s: float = 0.0,
    ) -> None:
        """Send a message, unless its bell is pending; it may be lost, or come twice."""
        at = self._now()
        message = self._message(task, channel, window_at, after_s)
        if self._pending.get(message.name, at) > at:
            return
        self._pending[message.name] = at + _LIFE
        if self._dice.random() >= self._weather().bell_lost:
            heapq.heappush(self._heap, message)
            if self._dice.random() < self._weather().bell_twice:
                again = self._message(task, channel, window_at, self._dice.uniform(0.0, 10.0))
                heapq.heappush(self._heap, again)

    def again(self, message: Message) -> None:
        """Whoever took this died: the broker hands it out again."""
        late = self._message(message.task, message.channel, message.window_at, 300.0)
        heapq.heappush(self._heap, late)

    def heard(self, message: Message) -> None:
        """From here on its bell may be rung again."""
        self._pending.pop(message.name, None)

    def waiting(self) -> list[Message]:
        """Messages that can be taken now, the oldest first."""
        at = self._now()
        if not self._heap or self._heap[0].due_at > at:
            return []
        return sorted(message for message in self._heap if message.due_at <= at)

    def has_message_by(self, moment: datetime) -> bool:
        """Whether there is a message that can be taken at that moment."""
        return bool(self._heap) and self._heap[0].due_at <= moment

    def take(self, message: Message) -> None:
        """It is on its way to a worker."""
        self._heap.remove(message)
        heapq.heapify(self._heap)

    def emptied(self) -> None:
        """Everything in memory is gone."""
        self._heap.clear()
        self._pending.clear()

    def touch(self) -> None:
        """Something happened: what waits is looked for as often as the settings say again."""
        self._idle |= {"sweep": 0, "look_early": 0}
        self._beats_at = self._first_beat()

    def calm(self) -> None:
        """From here on waiting work is looked for seldom: bells are not lost any more."""
        self._every |= {"sweep": _CALM_S, "look_early": _CALM_S}
        self._beats_at = self._first_beat()

    def beat(self) -> None:
        """Send what the clock asks for by now."""
        at = self._now()
        if self._beats_at > at:
            return
        for task, every_s in self._every.items():
            if self._next_beat(task) > at:
                continue
            self._beats[task] = at
            self._idle[task] += 1
            if task == "open_windows":
                self._beats[task] = datetime.fromtimestamp(
                    at.timestamp() // every_s * every_s, at.tzinfo
                )
            if self._dice.random() >= self._weather().bell_lost / 3:
                heapq.heappush(self._heap, self._message(task, "", "", 0.0))
        self._beats_at = self._first_beat()

    def _first_beat(self) -> datetime:
        return min(map(self._next_beat, BEAT))

    def _next_beat(self, task: str) -> datetime:
        """When the clock asks for this again."""
        every_s = self._every[task]
        if task in _SELDOM:
            every_s = min(_SELDOM[task], every_s * 2 ** max(0, self._idle[task] - 1))
        return self._beats[task] + timedelta(seconds=every_s)

    def moments(self) -> list[datetime]:
        """When the clock asks for something next, and when the next message may be taken, or might have been."""
        return [self._beats_at, *(message.due_at for message in self._heap[:1])]

    def _message(self, task: str, channel: str, window_at: str, after_s: float) -> Message:
        due_at = self._now() + timedelta(seconds=after_s)
        return Message(due_at, next(self._numbers), task, channel, window_at)
