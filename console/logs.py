"""Logs of a process: one event a line, JSON, ids as fields; nothing of a payload, nothing secret.

A line is made without payloads; what follows is the net under that. Libraries put rows and parameters into the words of
their errors, and a vendor may say back what it was sent.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog

#: What stands in the place of what is not to be written.
HIDDEN: Final = "***"
#: Shorter ones would be found in words that say something else.
_SHORTEST: Final = 6

#: Fields that hold what is not to be written, however they came to be logged.
_FIELDS: Final = re.compile(
    r"(^|_)(token|secret|password|authorization|cookie|signature|email|phone|address|buyer|customer|payload|body|headers)s?$"
)
# In the words of errors: a row that PostgreSQL refused, the parameters of a statement, a message that Celery could not
# read, the password of an address.
_SAID: Final = (
    re.compile(r"(?<=DETAIL:  )[^\n]*"),
    re.compile(r"(?<=\[parameters: ).*?(?=\]\n|\]$)", re.DOTALL),
    re.compile(r"(?<=message body was:).*?(?=The full contents|Thank you|$)", re.DOTALL),
    re.compile(r"(?<=contents of the message headers:).*", re.DOTALL),
    re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)"),
)


def without_payloads(_: Any, __: str, said: Any) -> Any:
    """Fields that are named after secrets, buyers and payloads, and rows in the words of errors, are hidden."""
    return {
        name: HIDDEN if _FIELDS.search(name) and value not in (None, "") else _scrubbed(value)
        for name, value in said.items()
    }


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        for pattern in _SAID:
            value = pattern.sub(HIDDEN, value)
        return value
    if isinstance(value, Mapping):
        return without_payloads(None, "", value)
    if isinstance(value, list | tuple):
        return [_scrubbed(each) for each in value]
    return value


def one_line(secrets: Iterable[str]) -> Callable[[Any, str, Any], str]:
    """Writes a line as JSON, and hides these words in it."""
    known = {
        form
        for secret in secrets
        if len(secret) >= _SHORTEST
        for form in (secret, json.dumps(secret)[1:-1])
    }
    # The longest first: one may begin another.
    words = sorted(known, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, words))) if words else None

    render = structlog.processors.JSONRenderer(sort_keys=False)

    def write(logger: Any, name: str, said: Any) -> str:
        line = str(render(logger, name, said))
        return pattern.sub(HIDDEN, line) if pattern else line

    return write


#: One list for the life of the process: a logger that wrote once keeps the list it had then.
_STEPS: Final[list[structlog.typing.Processor]] = []


def configure(level: str, secrets: Iterable[str] = ()) -> None:
    """Write the logs of structlog and of the libraries to stderr in one form.

    level      DEBUG, INFO, WARNING or ERROR
    secrets    what no line may hold
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    _STEPS[:] = [*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter]
    structlog.configure(
        processors=_STEPS,
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
                without_payloads,
                one_line(secrets),
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
    # Below these they write what goes over the wire, tokens and all.
    for wordy in ("urllib3", "paramiko", "slack_sdk"):
        logging.getLogger(wordy).setLevel(max(root.level, logging.INFO))
