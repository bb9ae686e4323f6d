"""Connections to PostgreSQL that are kept by who reads often: to ask the pool each time costs more than the reading."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

Read = TypeVar("Read")


class Held:
    """As many connections as there are readers at the same time, taken from the engine once. Only for reading.

    Each statement stands alone: a transaction around one would be two more round trips.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    def read(self, work: Callable[[Connection], Read]) -> Read:
        """What `work` reads; done once more on a new connection where the kept one had died.

        raises   SQLAlchemyError
        """
        kept = self._take()
        if kept is not None:
            try:
                return self._on(kept, work)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
        return self._on(self._engine.connect(), work)

    def close(self) -> None:
        """Give back what is idle now, and what is not when its work is done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _on(self, connection: Connection, work: Callable[[Connection], Read]) -> Read:
        try:
            found = work(connection)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return found
        connection.close()
        return found
