"""Refusals in the vendor's shape, and the answer that goes over the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

Wire = Literal["ok", "reset", "truncate"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of `errors`. `field` is a path into the request: `changes[0].physical_count.quantity`."""

    code: str
    detail: str
    field: str | None = None
    category: str = "INVALID_REQUEST_ERROR"

    def as_json(self) -> dict[str, str]:
        body = {"category": self.category, "code": self.code, "detail": self.detail}
        return body if self.field is None else {**body, "field": self.field}


class ApiError(Exception):
    """A call that is refused as a whole, with one HTTP status and every problem found."""

    def __init__(self, status: int, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.detail for problem in problems))
        self.status = status
        self.problems = tuple(problems)

    def as_json(self) -> dict[str, list[dict[str, str]]]:
        return {"errors": [problem.as_json() for problem in self.problems]}


def refusal(code: str, detail: str, field: str | None = None, status: int = 400) -> ApiError:
    """An INVALID_REQUEST_ERROR with one problem."""
    return ApiError(status, [Problem(code, detail, field)])


def not_found(what: str, ref: str, field: str | None = None) -> ApiError:
    return refusal("NOT_FOUND", f"{what} with ID {ref!r} was not found.", field, 404)


def unauthorized(code: str, detail: str) -> ApiError:
    return ApiError(401, [Problem(code, detail, category="AUTHENTICATION_ERROR")])


def rate_limited() -> ApiError:
    detail = "The request was rejected because too many requests came in a short time."
    return ApiError(429, [Problem("RATE_LIMITED", detail, category="RATE_LIMIT_ERROR")])


def unavailable(status: int) -> ApiError:
    """Square's own trouble: 500 to 599."""
    code = {502: "BAD_GATEWAY", 503: "SERVICE_UNAVAILABLE", 504: "GATEWAY_TIMEOUT"}.get(
        status, "INTERNAL_SERVER_ERROR"
    )
    return ApiError(status, [Problem(code, "Square could not serve it.", category="API_ERROR")])


def not_simulated(what: str) -> ApiError:
    problem = Problem("NOT_IMPLEMENTED", f"Not simulated: {what}.", category="API_ERROR")
    return ApiError(501, [problem])


@dataclass(slots=True)
class Reply:
    """What goes back. `wire` says how: whole, cut off in the middle, or not at all."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    wire: Wire = "ok"

    @classmethod
    def json(cls, body: Any, status: int = 200) -> Reply:
        return cls(status, orjson.dumps(body), {"content-type": "application/json"})
