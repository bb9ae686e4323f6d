"""Messages that nobody can read. Each is dropped with a line in the log, and the worker lives on.

Celery's consumer ends at some of them, and Redis hands the same message to whoever comes next: one bad message would
end every worker again and again. What a dropped one was about stands in PostgreSQL, and the sweep rings for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from celery.worker.consumer import Consumer
from kombu.transport import redis
from kombu.transport.virtual import Empty

log = structlog.get_logger()

#: What reading rubbish raises: no JSON, no text, no envelope, nested too deeply.
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)
_NEXT = "it is dropped; what waits stands in PostgreSQL, and the sweep rings for it"


class Reader(Consumer):
    """A consumer that sets aside a message which it cannot make a task of."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """What is called with each message."""
        take = super().create_task_handler(*args, **kwargs)

        def take_or_drop(message: Any) -> Any:
            try:
                return take(message)
            except _UNREADABLE as error:
                log.error("worker.message.unreadable", error=repr(error)[:200], next=_NEXT)
                message.reject_log_error(log, self.connection_errors)  # type: ignore[attr-defined]  # stubs lack it

        return take_or_drop


class _Channel(redis.Channel):
    def _brpop_read(self, **options: Any) -> Any:
        """One item of a queue. What is no message was taken off the queue by being read."""
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # stubs lack it
        except _UNREADABLE as error:
            log.error("worker.message.unreadable", error=repr(error)[:200], next=_NEXT)
            raise Empty from None


class Transport(redis.Transport):
    """Redis as kombu speaks it, for queues in which anything may lie."""

    Channel = _Channel
