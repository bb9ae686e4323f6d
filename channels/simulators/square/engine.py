"""One call in the vendor's order: route, token, version, throttle, body, idempotency key, endpoint, answer."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from channels.simulators.faults import Faults
from channels.simulators.square import catalogue, inventory, orders, schema, subscriptions
from channels.simulators.square.calls import Call
from channels.simulators.square.errors import (
    ApiError,
    Problem,
    Reply,
    rate_limited,
    refusal,
    unauthorized,
    unavailable,
)
from channels.simulators.square.merchant import Merchant

Endpoint = Callable[[Call], dict[str, Any]]

READS: Final[Mapping[str, Endpoint]] = {
    "ListLocations": orders.list_locations,
    "RetrieveLocation": orders.retrieve_location,
    "BatchRetrieveInventoryCounts": inventory.batch_retrieve_counts,
    "BatchRetrieveInventoryChanges": inventory.batch_retrieve_changes,
    "RetrieveInventoryCount": inventory.retrieve_count,
    "RetrieveInventoryChanges": inventory.retrieve_changes,
    "RetrieveInventoryAdjustment": inventory.retrieve_adjustment,
    "RetrieveInventoryPhysicalCount": inventory.retrieve_physical_count,
    "RetrieveInventoryTransfer": inventory.retrieve_transfer,
    "ListCatalog": catalogue.list_objects,
    "SearchCatalogObjects": catalogue.search,
    "RetrieveCatalogObject": catalogue.retrieve,
    "BatchRetrieveCatalogObjects": catalogue.batch_retrieve,
    "SearchOrders": orders.search,
    "RetrieveOrder": orders.retrieve,
    "BatchRetrieveOrders": orders.batch_retrieve,
    "ListPaymentRefunds": orders.list_refunds,
    "GetPaymentRefund": orders.retrieve_refund,
    "ListWebhookEventTypes": subscriptions.list_event_types,
    "ListWebhookSubscriptions": subscriptions.list_subscriptions,
    "RetrieveWebhookSubscription": subscriptions.retrieve,
}
WRITES: Final[Mapping[str, Endpoint]] = {
    "BatchChangeInventory": inventory.batch_create,
    "UpsertCatalogObject": catalogue.upsert,
    "BatchUpsertCatalogObjects": catalogue.batch_upsert,
    "DeleteCatalogObject": catalogue.delete,
    "UpdateOrder": orders.update,
    "CreateWebhookSubscription": subscriptions.create,
    "UpdateWebhookSubscription": subscriptions.update,
    "UpdateWebhookSubscriptionSignatureKey": subscriptions.rotate_key,
    "DeleteWebhookSubscription": subscriptions.delete,
}
TOKENS: Final = {
    "expired": ("ACCESS_TOKEN_EXPIRED", "The access token has expired."),
    "revoked": ("ACCESS_TOKEN_REVOKED", "The access token has been revoked."),
}
"""What may be the matter with the right token."""


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    operation: str
    request: str | None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call let in: `delay_s` real seconds to wait (the latency fault), then `finish` it.

    life   of the account that let it in; a call does not outlive a reset
    """

    route: Route
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: dict[str, Any]
    version: str
    skus: tuple[str, ...]
    delay_s: float
    life: int


class Engine:
    """The API's front: everything that is the same for all endpoints.

    token_is         valid, expired or revoked
    default_version  for calls without `Square-Version`
    """

    def __init__(
        self, merchant: Merchant, faults: Faults, token: str, default_version: str
    ) -> None:
        self._merchant = merchant
        self._faults = faults
        self._token = token
        self._default_version = default_version
        self._routes = _routes()
        self._life = 0
        self.reset()

    def reset(self) -> None:
        self._life += 1
        self.token_is = "valid"
        self._answers: dict[tuple[str, str], tuple[bytes, bytes]] = {}
        self._allowance = 0.0
        self._allowed_at: datetime | None = None
        self._per_second = 0.0
        self._burst = 0.0

    def limit(self, per_second: float, burst: float) -> None:
        """Answer 429 above this rate; 0 is without a limit, as in the beginning."""
        self._per_second, self._burst = per_second, burst
        self._allowance, self._allowed_at = burst, None

    def admit(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        raw: bytes,
    ) -> Ticket | Reply:
        """First half of a call: refuse it, or let it in. Header names are lower case."""
        version = headers.get("square-version") or self._default_version
        operation = "none"
        try:
            route, variables = self._route(method, path)
            operation = route.operation
            self._authorize(headers)
            if not schema.is_version(version):
                text = f"{version!r} is not of the form YYYY-MM-DD."
                raise refusal("INVALID_SQUARE_VERSION_FORMAT", text, "Square-Version")
            self._take_allowance()
            body = _decode(raw) if route.request else {}
            skus = self._skus(body)
            strange = self._strange(operation, skus)
            if strange is not None:
                return self._logged(strange, operation, version)
            late = self._draw("latency", operation, skus)
            delay_s = late.seconds if late else 0.0
            return Ticket(route, variables, query, body, version, skus, delay_s, self._life)
        except ApiError as refused:
            return self._logged(self._refusal(refused, operation), operation, version)

    def finish(self, ticket: Ticket) -> Reply:
        """Second half of a call: do it and answer."""
        operation = ticket.route.operation
        try:
            if ticket.life != self._life:
                raise unavailable(503)
            reply = self._perform(ticket)
        except ApiError as refused:
            reply = self._refusal(refused, operation)
        if reply.status == 200:
            if self._draw("reset_after_apply", operation, ticket.skus):
                reply.wire = "reset"
            elif self._draw("truncate", operation, ticket.skus):
                reply.wire = "truncate"
        return self._logged(reply, operation, ticket.version, ticket.body)

    # -- before the endpoint --------------------------------------------------------------------------------------

    def _route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        matching = [(r, m) for r in self._routes if (m := r.pattern.fullmatch(path))]
        for route, found in matching:
            if route.method == method:
                return route, found.groupdict()
        if matching:
            raise refusal("METHOD_NOT_ALLOWED", f"{method} is not allowed here.", None, 405)
        raise refusal("NOT_FOUND", "Resource not found.", None, 404)

    def _authorize(self, headers: Mapping[str, str]) -> None:
        given = headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise unauthorized("UNAUTHORIZED", "This request could not be authorized.")
        if self.token_is in TOKENS:
            raise unauthorized(*TOKENS[self.token_is])

    def _take_allowance(self) -> None:
        if not self._per_second:
            return
        with self._merchant.lock:
            now = self._merchant.clock.now()
            passed_s = (now - (self._allowed_at or now)).total_seconds()
            self._allowed_at = now
            self._allowance = min(self._burst, self._allowance + passed_s * self._per_second)
            if self._allowance < 1:
                raise rate_limited()
            self._allowance -= 1

    def _strange(self, operation: str, skus: tuple[str, ...]) -> Reply | None:
        """Answers of faults that strike before anything happens."""
        throttled = self._draw("throttle", operation, skus)
        if throttled is not None:
            reply = Reply.json(rate_limited().as_json(), 429)
            if throttled.retry_after_s is not None:
                reply.headers["retry-after"] = f"{throttled.retry_after_s:g}"
            return reply
        broken = self._draw("server_error", operation, skus)
        if broken is not None:
            return Reply.json(unavailable(broken.status).as_json(), broken.status)
        if self._draw("html", operation, skus):
            return Reply(
                200, b"<html><body>Maintenance</body></html>", {"content-type": "text/html"}
            )
        return None

    def _skus(self, body: Mapping[str, Any]) -> tuple[str, ...]:
        """SKUs a request is about, as far as it names variations."""
        ids = list(body.get("catalog_object_ids") or ())
        for change in body.get("changes") or ():
            for part in change.values() if isinstance(change, dict) else ():
                if isinstance(part, dict):
                    ids.append(part.get("catalog_object_id"))
        known = self._merchant.objects
        return tuple({known[id].sku for id in ids if isinstance(id, str) and id in known})

    # -- the endpoint ---------------------------------------------------------------------------------------------

    def _perform(self, ticket: Ticket) -> Reply:
        route = ticket.route
        if route.request:
            found = schema.problems(route.request, ticket.body, ticket.version)
            if found:
                raise ApiError(400, found)
        if route.operation in READS:
            with self._merchant.lock:
                return Reply.json(READS[route.operation](self._call(ticket)))
        return self._write(ticket)

    def _write(self, ticket: Ticket) -> Reply:
        """A write, once per idempotency key. Keys of refused calls stay free; a key never expires."""
        operation = ticket.route.operation
        key = ticket.body.get("idempotency_key")
        asked = orjson.dumps([ticket.path, ticket.body], option=orjson.OPT_SORT_KEYS)
        with self._merchant.lock:
            known = self._answers.get((operation, key)) if key else None
            if known is not None and known[0] != asked:
                text = "The idempotency key was used with different request parameters."
                raise refusal("IDEMPOTENCY_KEY_REUSED", text, "idempotency_key")
            if known is not None:
                return Reply(200, known[1], {"content-type": "application/json"})
            if self._draw("failed_write", operation, ticket.skus):
                raise unavailable(500)
            reply = self._act(ticket)
            if key:
                self._answers[operation, key] = (asked, reply.body)
            return reply

    def _act(self, ticket: Ticket) -> Reply:
        with self._merchant.act() as act:
            call = self._call(ticket, act)
            reply = Reply.json(WRITES[ticket.route.operation](call))
        for then in call.after:
            with self._merchant.act() as act:
                then(act)
        return reply

    def _call(self, ticket: Ticket, act: Any = None) -> Call:
        return Call(
            merchant=self._merchant,
            faults=self._faults,
            operation=ticket.route.operation,
            version=ticket.version,
            body=ticket.body,
            path=ticket.path,
            query=ticket.query,
            now=act.at if act else self._merchant.now(),
            act=act,
        )

    # -- after the endpoint ---------------------------------------------------------------------------------------

    def _refusal(self, refused: ApiError, operation: str) -> Reply:
        return Reply.json(refused.as_json(), refused.status)

    def _logged(
        self, reply: Reply, operation: str, version: str, body: Mapping[str, Any] | None = None
    ) -> Reply:
        reply.headers["square-version"] = version
        codes = []
        if reply.status >= 400:
            codes = [error["code"] for error in orjson.loads(reply.body)["errors"]]
        facts: dict[str, object] = {
            "operation": operation,
            "status": reply.status,
            "outcome": "ok" if reply.status < 400 else "errors",
            "codes": codes,
            "wire": reply.wire,
        }
        if body:
            facts["rows"] = len(body.get("changes") or ())
            facts["key"] = body.get("idempotency_key")
        self._merchant.note("api", facts)
        return reply

    def _draw(self, kind: str, operation: str, skus: tuple[str, ...]) -> Any:
        now = self._merchant.clock.now()
        return self._faults.draw(kind, now, skus=skus, operation=operation)


def _decode(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        problem = Problem("EXPECTED_JSON_BODY", "The body must be a JSON object.")
        raise ApiError(400, [problem])
    return body


def _routes() -> list[Route]:
    """From the OpenAPI's paths, fixed ones before those with variables."""
    routes = []
    for path, methods in sorted(schema.paths().items(), key=lambda pair: pair[0].count("{")):
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            ref = content.get("application/json", {}).get("schema", {}).get("$ref")
            name = operation["operationId"]
            if name in READS or name in WRITES:
                request = ref.rsplit("/", 1)[-1] if ref else None
                routes.append(Route(method.upper(), pattern, name, request))
    return routes
