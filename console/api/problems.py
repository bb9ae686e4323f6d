"""What goes wrong, as problem JSON (RFC 9457): what it is, which one, what to do next. Rubbish is never a 5xx."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from console.access.types import Forbidden, NotApplied, Refusal, Unfit, Unknown
from console.views.listing import BadCursor
from workers.wiring import NotSetUp

log = structlog.get_logger()

TYPE = "application/problem+json"
_MOST_FAULTS = 10


class Problem(Exception):
    """An answer that is none.

    title    what it is
    which    the field, object or route it is about
    next     what to do
    faults   what is to be put right, one by one
    """

    def __init__(
        self,
        status: int,
        title: str,
        *,
        which: str = "",
        next: str = "",
        headers: Mapping[str, str] | None = None,
        faults: Sequence[str] = (),
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.which, self.next = status, title, which, next
        self.faults = list(faults)
        self.headers = dict(headers or {})


def answer(problem: Problem) -> Response:
    """A problem as it goes over the wire."""
    said: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.title,
        "which": problem.which,
        "next": problem.next,
    }
    if problem.faults:
        said["faults"] = problem.faults
    return Response(
        orjson.dumps(said), status_code=problem.status, headers=problem.headers, media_type=TYPE
    )


def of(error: Exception) -> Problem:
    """What an error is to who asked."""
    if isinstance(error, Problem):
        return error
    for kind, told in _ANSWERS:
        if isinstance(error, kind):
            return told(error)
    number = uuid4().hex[:12]
    log.error("api.failed", error_id=number, error=type(error).__name__, exc_info=error)
    return Problem(
        500,
        "a mistake in Lockstep",
        which=f"error {number}",
        next=f"report it with its number, {number}: the log of this process says more under it",
    )


def _away(error: Exception) -> Problem:
    log.error("api.database.away", error=type(error).__name__)
    return Problem(
        503,
        "the database does not answer now",
        next="ask again in some seconds; see in /api/v1/audit whether a change went through",
        headers={"Retry-After": "5"},
    )


def _invalid(error: RequestValidationError) -> Problem:
    faults = [
        f"{'.'.join(str(part)[:80] for part in each['loc'])}: {str(each['msg'])[:200]}"
        for each in error.errors()
    ]
    more = f" (+{len(faults) - _MOST_FAULTS} more)" if len(faults) > _MOST_FAULTS else ""
    return Problem(
        422,
        "; ".join(faults[:_MOST_FAULTS]) + more,
        which=faults[0].partition(":")[0] if faults else "",
        next="correct it as /api/v1/openapi.json says",
    )


def _http(error: HTTPException) -> Problem:
    return Problem(
        error.status_code,
        str(error.detail),
        next="see /api/v1/openapi.json" if error.status_code in (404, 405) else "",
        headers=error.headers,
    )


# The first that fits. What passed every check of ours and the database cannot take is rubbish all the same.
_ANSWERS: tuple[tuple[type[Exception], Callable[[Any], Problem]], ...] = (
    (
        Forbidden,
        lambda e: Problem(403, str(e), which=e.verb.name, next="use a token of a higher role"),
    ),
    (Unknown, lambda e: Problem(404, str(e), next="look the name up in its list")),
    (Unfit, lambda e: Problem(422, str(e), next="correct it and send it again", faults=e.faults)),
    (
        NotApplied,
        lambda e: Problem(424, str(e), next="mend its cause, then replay it from the inbox"),
    ),
    (Refusal, lambda e: Problem(409, str(e), next="see what stands in its way, then ask again")),
    (BadCursor, lambda e: Problem(422, str(e), which="after", next="leave `after` out to begin")),
    (NotSetUp, lambda e: Problem(409, str(e), next="set it up as the message says")),
    (RequestValidationError, _invalid),
    (HTTPException, _http),
    (
        DataError,
        lambda _: Problem(
            422, "a value is outside of what can be kept", next="correct the request"
        ),
    ),
    (SQLAlchemyError, _away),
)


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem."""

    def handle(_request: Request, error: Exception) -> Response:
        return answer(of(error))

    for kind in (
        Problem, Forbidden, Refusal, BadCursor, NotSetUp, RequestValidationError, HTTPException, SQLAlchemyError
    ):  # fmt: skip
        app.add_exception_handler(kind, handle)
    app.add_exception_handler(Exception, handle)
