"""A limit that is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from channels.around import Around
from channels.base import Throttled
from channels.limits import SHORTEST_WAIT_S, Limiter

Told = TypeVar("Told")


class Patient(Around):
    """A limit that is waited for, at a door where a person waits for thousands of rows; never in a worker.

    pause         how to wait
    patience_s    longest wait for one call, in all
    """

    def __init__(
        self, limiter: Limiter, pause: Callable[[float], None], *, patience_s: float = 300.0
    ) -> None:
        super().__init__(limiter)
        self._pause = pause
        self._patience_s = patience_s

    def take(self, cost: float) -> str:
        """As the limit's own, when its time has come; raises Throttled when that is too far away."""
        return self._waited(lambda: self._limiter.take(cost))

    def afford(self, cost: float) -> None:
        """As the limit's own, when its time has come; raises Throttled when that is too far away."""
        self._waited(lambda: self._limiter.afford(cost))

    def _waited(self, ask: Callable[[], Told]) -> Told:
        left_s = self._patience_s
        while True:
            try:
                return ask()
            except Throttled as refusal:
                wait_s = max(SHORTEST_WAIT_S, refusal.retry_after_s)
                left_s -= wait_s
                if left_s < 0:
                    raise
                self._pause(wait_s)
