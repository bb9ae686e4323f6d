"""Logs of a process: one event a line, JSON, ids as fields; nothing of a payload, nothing secret."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Write the logs of structlog and of the libraries to stderr in one form.

    level    DEBUG, INFO, WARNING or ERROR
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    # The process's own stderr: Celery puts a logger in the place of sys.stderr, a test its own stream for a while.
    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(sort_keys=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # One line a request or a received task says nothing that the tables do not.
    for chatty in (
        "uvicorn.access",
        "celery.worker.strategy",
        "celery.app.trace",
        "kombu",
        "alembic",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("celery.beat").setLevel(logging.INFO)
