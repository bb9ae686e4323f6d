"""The simulators' clock: it runs with the wall, faster than the wall, or stands still until moved."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Time as a simulated vendor sees it.

    start   aware; the wall's time when absent
    scale   simulated seconds per real second; 0 holds the clock still until `advance`
    """

    def __init__(self, start: datetime | None = None, scale: float = 1.0) -> None:
        self._start = start or datetime.fromtimestamp(time.time(), UTC)
        self._scale = scale
        self._begun_s = time.monotonic()
        self._advanced_s = 0.0
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        #: The moment of a clock that is held, told without a computation: it is asked at every step of a schedule.
        self._held = self._start if scale == 0 else None

    @classmethod
    def held(cls, start: datetime | None = None) -> Clock:
        """A clock that moves only by `advance`."""
        return cls(start, scale=0.0)

    def now(self) -> datetime:
        """The simulated moment, aware, UTC."""
        if self._held is not None:
            return self._held
        passed_s = (time.monotonic() - self._begun_s) * self._scale
        with self._lock:
            return self._start + timedelta(seconds=passed_s + self._advanced_s)

    def advance(self, seconds: float) -> datetime:
        """Move forward and wake whoever waits for a moment; returns the new moment."""
        if seconds < 0:
            raise ValueError("a clock does not go back")
        with self._lock:
            self._advanced_s += seconds
            if self._held is not None:
                self._held = self._start + timedelta(seconds=self._advanced_s)
        for listener in self._listeners:
            listener()
        return self.now()

    def creep(self, step_s: float, moment: datetime) -> None:
        """As `advance(step_s)` again and again until `moment` has come, at a held clock that nobody listens to."""
        with self._lock:
            while self._start + timedelta(seconds=self._advanced_s) < moment:
                self._advanced_s += step_s
            self._held = self._start + timedelta(seconds=self._advanced_s)

    def real_seconds_until(self, moment: datetime) -> float | None:
        """How long to wait in real seconds; None when only `advance` can bring the moment."""
        ahead_s = (moment - self.now()).total_seconds()
        if ahead_s <= 0:
            return 0.0
        return ahead_s / self._scale if self._scale else None

    def on_advance(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every `advance`."""
        self._listeners.append(listener)
