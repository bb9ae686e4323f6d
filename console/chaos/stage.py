"""Workers that take turns: each runs in a thread, and only one of all goes on at a time.

A worker hands over where the real ones could be overtaken: before each of its transactions, before and after each call
of a vendor. Inside a transaction nobody hands over, so nobody waits for a lock of somebody who stands still. Where a
worker may die (before and after each commit, before and after each call) it can be told to: what it has not committed
is gone, and nothing it still tries reaches anybody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any


class Died(BaseException):
    """The process that did this is gone. Not an Exception: no flow may catch it."""


class NotOver(RuntimeError):
    """A worker called a vendor with a transaction open."""


def _held() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class Thread:
    """A thread that does one task after another: to begin one takes as long as some statements.

    turn    what it waits for;  task    what it does next, None: it ends
    """

    turn: threading.Lock = field(default_factory=_held)
    task: Callable[[], object] | None = None

    def live(self) -> None:
        """Do what it is given, turn by turn."""
        while True:
            self.turn.acquire()
            if self.task is None:
                return
            self.task()


@dataclass(eq=False)
class Worker:
    """One task on its way.

    dies_at        the how-manieth point at which it dies; None: it lives
    wakes_at       it does not go on before
    connections    what it holds of the database
    thread         which runs it
    at             where it stands
    ahead_s        seconds by which the clock of its machine is ahead
    called         whether it called a vendor
    wrote          whether it changed anything in the database
    """

    name: str
    task: Callable[[], object]
    dies_at: int | None = None
    wakes_at: datetime | None = None
    ahead_s: float = 0.0
    at: str = "begins"
    points: int = 0
    over: bool = False
    dead: bool = False
    wrote: bool = False
    called: bool = False
    error: BaseException | None = None
    connections: list[Any] = field(default_factory=list)
    thread: Thread | None = None


class Stage:
    """The workers of one house."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self._idle: list[Thread] = []
        self._director = _held()
        self._me = threading.local()

    def enter(self, worker: Worker) -> None:
        """Have a worker stand ready to begin."""
        self.workers.append(worker)
        if self._idle:
            worker.thread = self._idle.pop()
        else:
            worker.thread = Thread()
            threading.Thread(target=worker.thread.live, name="worker", daemon=True).start()
        worker.thread.task = partial(copy_context().run, self._live, worker)

    def go_on(self, worker: Worker) -> None:
        """Let a worker go on until it hands over or is done."""
        assert worker.thread is not None, "who goes on has entered"
        worker.wakes_at = None
        worker.thread.turn.release()
        self._director.acquire()
        if worker.over:
            self.workers.remove(worker)
            self._idle.append(worker.thread)

    def clear(self) -> None:
        """Everybody dies where they stand."""
        for worker in list(self.workers):
            worker.dead = True
            self.go_on(worker)

    def close(self) -> None:
        """Nobody enters any more."""
        while self._idle:
            thread = self._idle.pop()
            thread.task = None
            thread.turn.release()

    @property
    def on(self) -> Worker | None:
        """The worker that runs in this thread; None in the director's."""
        return getattr(self._me, "worker", None)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What is done here is no part of the worker of this thread: nobody takes a turn, and nobody dies of it."""
        worker = self.on
        self._me.worker = None
        try:
            yield
        finally:
            self._me.worker = worker

    def hand_over(self, at: str, *, until: datetime | None = None) -> None:
        """Let others go on; not in the middle of a transaction. The director never waits."""
        worker = self.on
        if worker is None or worker.connections:
            return
        if not worker.dead:
            worker.at, worker.wakes_at = at, until
            assert worker.thread is not None, "who is on has entered"
            self._director.release()
            worker.thread.turn.acquire()
        if worker.dead:
            raise Died(worker.name)

    def point(self, at: str) -> None:
        """A place where a worker may die."""
        worker = self.on
        if worker is None:
            return
        worker.points += 1
        if worker.points == worker.dies_at:
            worker.dead, worker.at = True, f"dies {at}"
        if worker.dead:
            # Its transaction is taken back on the way out, at once; a server does it when it sees its client gone.
            raise Died(worker.name)

    def refuse_inside_transaction(self) -> None:
        """Raises NotOver when the worker of this thread holds the database while it calls a vendor."""
        worker = self.on
        if worker is not None:
            worker.called = True
        if worker is not None and worker.connections:
            raise NotOver(f"{worker.name} calls a vendor inside a transaction")

    def _live(self, worker: Worker) -> None:
        self._me.worker = worker
        try:
            if not worker.dead:
                worker.task()
        except Died:
            pass
        except BaseException as error:
            worker.error = error
        finally:
            self._me.worker = None
            worker.over = True
            self._director.release()
