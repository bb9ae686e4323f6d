"""One call in the vendor's order: operation, token, quota, parameters, work, answer; and the faults in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from channels.simulators.amazon import (
    feeds,
    inventory,
    listings,
    notifications,
    orders_api,
    orders_v0,
    outbound_api,
    pricing,
    reports,
)
from channels.simulators.amazon.errors import ApiError, quota_exceeded, unauthorized
from channels.simulators.amazon.models import GRANTLESS, Operation, find, read_body, read_query
from channels.simulators.amazon.service import Call, Handler, Service
from channels.simulators.amazon.tokens import Lwa
from channels.simulators.amazon.usage import UsagePlans
from channels.simulators.faults import Fault

HANDLERS: Final[Mapping[str, Handler]] = {
    **listings.handlers(),
    **feeds.handlers(),
    **inventory.handlers(),
    **orders_api.handlers(),
    **orders_v0.handlers(),
    **outbound_api.handlers(),
    **reports.handlers(),
    **notifications.handlers(),
    **pricing.handlers(),
}

_TOLD_RATE: Final = (200, 201, 202, 204, 400, 404)
"""Answers that carry `x-amzn-RateLimit-Limit`; a 403, a 429 and a 5xx never do."""


@dataclass(slots=True)
class Reply:
    """An HTTP answer. `wire` says how it leaves: ok, reset (no answer at all) or truncate (half of it)."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    wire: str = "ok"


@dataclass(slots=True)
class Ticket:
    """A call that was let in and waits `delay_s` real seconds before its work is done."""

    operation: Operation
    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    raw: bytes
    skus: tuple[str, ...]
    delay_s: float = 0.0


class Engine:
    """The API of one account; used under no lock of its own, the account's is enough."""

    def __init__(self, service: Service, lwa: Lwa, plans: UsagePlans) -> None:
        self._service = service
        self._account = service.account
        self._faults = service.faults
        self._lwa = lwa
        self._plans = plans

    def admit(
        self,
        method: str,
        raw_path: str,
        query: Mapping[str, Sequence[str]],
        headers: Mapping[str, str],
        raw: bytes,
    ) -> Ticket | Reply:
        """First half: refuse the call or let it in. Header names are lower case, the path still escaped."""
        now = self._account.clock.now()
        found = find(method, raw_path)
        if found is None:
            return self._answer(None, unauthorized(), ())
        operation, path = found
        skus = _skus(path, query, raw)
        try:
            token = headers.get("x-amz-access-token")
            self._lwa.check(token, now, grantless=operation.name in GRANTLESS)
            storm = self._strikes("throttle", now, operation, skus)
            if not self._plans.take(operation, now) or storm:
                raise quota_exceeded()
        except ApiError as error:
            return self._answer(operation, error, skus)
        broken = self._strikes("server_error", now, operation, skus)
        if broken:
            return self._answer(operation, _failure(broken.status), skus)
        if self._strikes("html", now, operation, skus):
            return self._page(operation, skus)
        late = self._strikes("latency", now, operation, skus)
        return Ticket(operation, path, query, raw, skus, late.seconds if late else 0.0)

    def finish(self, ticket: Ticket) -> Reply:
        """Second half: do the work and answer, or break the answer."""
        operation, skus = ticket.operation, ticket.skus
        now = self._account.clock.now()
        writes = operation.method != "GET"
        if writes and self._strikes("failed_write", now, operation, skus):
            return self._answer(operation, _failure(500), skus)
        try:
            result = self._work(ticket, now)
        except ApiError as error:
            return self._answer(operation, error, skus)
        reply = self._answer(operation, result, skus)
        if writes and self._strikes("reset_after_apply", now, operation, skus):
            reply.wire = "reset"
        elif self._strikes("truncate", now, operation, skus):
            reply.wire = "truncate"
        return reply

    def _work(self, ticket: Ticket, now: datetime) -> object:
        operation = ticket.operation
        call = Call(
            operation,
            ticket.path,
            read_query(operation, ticket.query),
            read_body(operation, ticket.raw),
            {name: tuple(given) for name, given in ticket.query.items()},
            now,
        )
        with self._account.lock:
            self._account.catch_up()
            return HANDLERS[operation.key](self._service, call)

    def _answer(self, operation: Operation | None, result: object, skus: Sequence[str]) -> Reply:
        if isinstance(result, ApiError):
            status, body = result.status, orjson.dumps(result.body())
        else:
            assert operation is not None
            status = operation.status
            body = b"" if result is None else orjson.dumps(result)
        reply = Reply(status, body, self._headers(operation, status))
        self._note(operation, status, skus, result)
        return reply

    def _page(self, operation: Operation, skus: Sequence[str]) -> Reply:
        headers = self._headers(operation, 200) | {"content-type": "text/html"}
        self._note(operation, 200, skus, "an HTML page")
        return Reply(200, b"<html><body>Something went wrong.</body></html>", headers)

    def _headers(self, operation: Operation | None, status: int) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "x-amzn-requestid": self._account.new_uuid(),
        }
        if operation is not None and status in _TOLD_RATE:
            headers["x-amzn-ratelimit-limit"] = str(self._plans.rate(operation))
        return headers

    def _note(
        self, operation: Operation | None, status: int, skus: Sequence[str], result: object
    ) -> None:
        facts: dict[str, object] = {
            "operation": operation.name if operation else None,
            "api": operation.api if operation else None,
            "status": status,
            "skus": list(skus),
        }
        if isinstance(result, ApiError):
            facts["error"] = result.code
        self._account.note("api", facts)

    def _strikes(
        self, kind: str, now: datetime, operation: Operation, skus: Sequence[str]
    ) -> Fault | None:
        return self._faults.draw(kind, now, skus=skus, operation=operation.name)


def _failure(status: int) -> ApiError:
    if status == 503:
        return ApiError(503, "ServiceUnavailable", "Service is temporarily unavailable.")
    text = "We encountered an internal error. Please try again."
    return ApiError(status, "InternalFailure", text)


def _skus(
    path: Mapping[str, str], query: Mapping[str, Sequence[str]], raw: bytes
) -> tuple[str, ...]:
    """The SKUs a call is about, for faults that aim at one; a feed's are aimed at when it is processed."""
    named = [path[name] for name in ("sku", "SellerSKU") if name in path]
    for given in query.get("sellerSkus", ()):
        named += given.split(",")
    if b"sellerSku" in raw:
        named += _body_skus(raw)
    return tuple(named)


def _body_skus(raw: bytes) -> list[str]:
    try:
        body: Any = orjson.loads(raw)
        return [str(item["sellerSku"]) for item in body["items"]]
    except (ValueError, KeyError, TypeError):
        return []
