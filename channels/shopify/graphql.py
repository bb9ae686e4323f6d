"""One GraphQL call: pay from the account's bucket, send, and turn every kind of refusal into one of our errors.

Shopify answers HTTP 200 for nearly everything; what went wrong stands in `errors` (the whole call) or in a payload's
`userErrors` (our input), which the callers read.
Source: https://shopify.dev/docs/api/admin-graphql#status_and_error_codes
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from channels.base import ChannelError, Refused, Throttled, Unauthorised, Unavailable
from channels.http import Http, Json, Reply
from channels.limits import Limiter
from channels.paid import Paid
from channels.shopify.answers import Cost
from channels.shopify.documents import Document

Answer = TypeVar("Answer", bound=BaseModel)

#: How long to leave a first request alone that is still running under the same key (vendor: seconds).
CONCURRENT_RETRY_S = 2.0
_AT_LEAST_S = 1.0
_TEMPORARY = frozenset({"INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"})


class GraphQL:
    """The Admin API of one shop.

    path      of the endpoint, with the version in it
    limiter   the account's bucket
    """

    def __init__(self, http: Http, path: str, limiter: Limiter) -> None:
        self._http = http
        self._path = path
        self._limiter = limiter
        self._costs: dict[str, float] = {}

    @property
    def vendor_time(self) -> datetime | None:
        """The vendor's clock by its last answer, in whole seconds; None before the first."""
        return self._http.vendor_time

    def ask(self, document: Document, variables: Mapping[str, Json], model: type[Answer]) -> Answer:
        """Send the document and read its `data`.

        raises   ChannelError: Throttled before or after sending, Unauthorised for a missing scope, Refused for a
                 document or variables that the vendor rejects, Unavailable when it is unknown what happened
        """
        paid = Paid(self._limiter, self._costs.get(document.text, document.cost))
        try:
            reply = self._http.post_json(
                self._path,
                {"query": document.text, "variables": variables},
                idempotent_read=document.is_read,
                again=paid.again,
            )
        except Throttled as refusal:
            self._limiter.close(refusal.retry_after_s)
            raise
        body = self._http.json_object(reply)
        cost = _cost(body)
        if cost is not None:
            self._costs[document.text] = cost.requested
            status = cost.status
            self._limiter.correct(
                status.available, status.maximum, status.restore_rate, ticket=paid.ticket
            )
        if body.get("errors"):
            raise _error(body["errors"], cost)
        return self._read(model, body, reply)

    def _read(self, model: type[Answer], body: Mapping[str, object], reply: Reply) -> Answer:
        try:
            return model.model_validate(body.get("data"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "data"
            raise self._http.unreadable(f"{place}: {first['msg']}", reply.body) from None


def _cost(body: Mapping[str, object]) -> Cost | None:
    extensions = body.get("extensions")
    try:
        return Cost.model_validate(extensions.get("cost") if isinstance(extensions, dict) else None)
    except ValidationError:
        return None


def _error(errors: object, cost: Cost | None) -> ChannelError:
    code, message = _first(errors)
    what = f"Shopify: {code or 'error'}: {message}"
    if code == "THROTTLED":
        return Throttled(what, retry_after_s=_wait_s(cost))
    if code == "IDEMPOTENCY_CONCURRENT_REQUEST":
        return Throttled(what, retry_after_s=CONCURRENT_RETRY_S)
    if code == "ACCESS_DENIED":
        return Unauthorised(f"{what}; grant the app the scope and install it again")
    if code in _TEMPORARY:
        return Unavailable(what)
    return Refused(what, code=code or "ERRORS")


def _first(errors: object) -> tuple[str, str]:
    first = errors[0] if isinstance(errors, list) and errors else errors
    if not isinstance(first, dict):
        return "", str(first)[:200]
    extensions = first.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return str(code or ""), str(first.get("message", ""))[:500]


def _wait_s(cost: Cost | None) -> float:
    """Seconds until the bucket holds what the call asked for.

    source   https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits
    """
    if cost is None or cost.status.restore_rate <= 0:
        return _AT_LEAST_S
    missing = cost.requested - cost.status.available
    return max(_AT_LEAST_S, missing / cost.status.restore_rate)
