"""Work that is due later on a simulator's clock, done by background threads."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from datetime import datetime

from channels.simulators.clock import Clock


class Agenda:
    """Runs jobs when the simulated clock reaches their moment.

    threads   who do them; with 0 nobody does but whoever calls `do_one`

    Threads start with the first job. A job that raises takes its thread's current job with it, not the thread: jobs
    are expected to handle their own errors, so what escapes is kept in `failures` for a test to look at.
    """

    def __init__(self, clock: Clock, threads: int = 4) -> None:
        self._clock = clock
        self._threads = threads
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._running = 0
        self._started = False
        self._workers: list[threading.Thread] = []
        self._stopped = False
        self.failures: list[BaseException] = []
        if threads:
            clock.on_advance(self._wake)

    def call_at(self, moment: datetime, job: Callable[[], None]) -> None:
        """Run `job` once, at or soon after `moment`."""
        with self._changed:
            if self._stopped:
                return
            heapq.heappush(self._heap, (moment, next(self._order), job))
            self._start()
            self._changed.notify()

    def due_at(self) -> datetime | None:
        """The moment of the next job; None when there is none."""
        if not self._threads:
            # Whoever asks is the only one who takes a job away.
            return self._heap[0][0] if self._heap else None
        with self._changed:
            return self._heap[0][0] if self._heap else None

    def do_one(self) -> bool:
        """Do the next job in this thread if its moment has come; what it raises is raised. False when none was due."""
        with self._changed:
            if not self._due():
                return False
            job = heapq.heappop(self._heap)[2]
        job()
        return True

    def clear(self) -> None:
        """Forget every job that has not begun."""
        with self._changed:
            self._heap.clear()
            self._changed.notify_all()

    def waiting(self) -> int:
        """Jobs not begun, due or not."""
        with self._changed:
            return len(self._heap)

    def settle(self, timeout_s: float = 5.0) -> bool:
        """Wait until nothing is due and nothing runs; False when `timeout_s` (real) passed first."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while self._running or self._due():
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(min(left_s, 0.05))
        return True

    def stop(self, timeout_s: float = 6.0) -> None:
        """Forget what is waiting and wait for the jobs that run, at most `timeout_s` (real) each."""
        with self._changed:
            self._stopped = True
            self._heap.clear()
            self._changed.notify_all()
        for worker in self._workers:
            worker.join(timeout_s)

    def _due(self) -> bool:
        return bool(self._heap) and self._heap[0][0] <= self._clock.now()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _start(self) -> None:
        if self._started:
            return
        self._started = True
        for number in range(self._threads):
            worker = threading.Thread(target=self._work, name=f"agenda-{number}", daemon=True)
            self._workers.append(worker)
            worker.start()

    def _take(self) -> Callable[[], None] | None:
        with self._changed:
            while not self._stopped:
                if self._due():
                    self._running += 1
                    return heapq.heappop(self._heap)[2]
                wait_s = self._clock.real_seconds_until(self._heap[0][0]) if self._heap else None
                self._changed.wait(wait_s)
        return None

    def _work(self) -> None:
        while (job := self._take()) is not None:
            try:
                job()
            except BaseException as failure:
                self.failures.append(failure)
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()
