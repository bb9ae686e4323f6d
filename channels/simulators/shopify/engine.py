"""One GraphQL call from request to reply: version, token, cost, faults, keys, execution, in the vendor's order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import orjson
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    execute,
)

from channels.simulators.faults import Faults
from channels.simulators.shopify import bulk, cost, errors, mischief, mutations, reading, reads
from channels.simulators.shopify.idempotency import Keys
from channels.simulators.shopify.schema import Prepared, load_schema, prepare
from channels.simulators.shopify.shop import Shop
from channels.simulators.shopify.state import Level

VERSIONS: Final = ("2026-04", "2026-07", "2026-10")
SERVED: Final = "2026-07"
_DOCS: Final = "https://shopify.dev/api/usage/rate-limits"
_ERROR_PAGE: Final = b"<!DOCTYPE html><html><head><title>Shopify</title></head><body>Something went wrong</body></html>"


@cache
def _answering_schema() -> GraphQLSchema:
    """The schema with what answers on it: the same for every shop."""
    schema = load_schema()
    reads.install(schema, (*reads.TABLES, *mutations.TABLES))
    return schema


@dataclass(slots=True)
class Reply:
    """What goes back. `wire` is `ok`, `reset` (no answer, connection torn down) or `truncate` (body breaks off)."""

    status: int
    body: bytes
    headers: dict[str, str]
    wire: str = "ok"


@dataclass(slots=True)
class Ticket:
    """A call that was let in: wait `delay_s` real seconds, then `Engine.finish` it."""

    delay_s: float
    prepared: Prepared
    operation: OperationDefinitionNode
    name: str | None
    variables: dict[str, Any]
    points: int
    writing: mutations.Writing
    debug: bool
    skus: frozenset[str]
    root: str
    facts: dict[str, object] = field(default_factory=dict)


class Engine:
    """Answers GraphQL calls against one shop."""

    def __init__(self, shop: Shop, faults: Faults, bucket_size: float, restore_rate: float) -> None:
        self._shop = shop
        self._faults = faults
        self._size, self._rate = bucket_size, restore_rate
        self._schema = _answering_schema()
        shop.run_bulk = self._run_bulk
        self.reset()

    def reset(self) -> None:
        self._keys = Keys()
        self._bucket = cost.Bucket(self._size, self._rate, self._shop.clock.now())

    def limit(self, bucket_size: float, restore_rate: float) -> None:
        """Another plan: a full bucket of that size."""
        self._size, self._rate = bucket_size, restore_rate
        self._bucket = cost.Bucket(bucket_size, restore_rate, self._shop.clock.now())

    # -- letting in -----------------------------------------------------------------------------------------------

    def admit(self, request: Mapping[str, Any], *, debug: bool = False) -> Ticket | Reply:
        """Everything up to the point where the call would run."""
        try:
            prepared = prepare(str(request.get("query") or ""))
        except GraphQLSyntaxError as problem:
            spots = [{"line": spot.line, "column": spot.column} for spot in problem.locations or ()]
            shown = {
                "message": problem.message,
                "locations": spots,
                "extensions": {"code": "parseError"},
            }
            return self._answer({"errors": [shown]}, {"outcome": "invalid"})
        if prepared.errors:
            found = [errors.document_error(error, prepared) for error in prepared.errors]
            return self._answer({"errors": found}, {"outcome": "invalid"})
        name = request.get("operationName") or None
        operation = prepared.operation(name)
        if operation is None:
            text = (
                "An operation name is required" if name is None else f'No operation named "{name}"'
            )
            return self._answer({"errors": [{"message": text}]}, {"outcome": "invalid"})
        variables, wrong = errors.coerce_variables(
            self._schema, operation, request.get("variables") or {}
        )
        if wrong:
            return self._answer({"errors": wrong}, {"outcome": "invalid"})
        with self._shop.lock:
            return self._admit(prepared, operation, name, variables, debug)

    def _admit(
        self,
        prepared: Prepared,
        operation: OperationDefinitionNode,
        name: str | None,
        variables: dict[str, Any],
        debug: bool,
    ) -> Ticket | Reply:
        now = self._shop.clock.now()
        root = ",".join(
            node.name.value for node in operation.selection_set.selections if hasattr(node, "name")
        )
        skus = _skus(self._shop, variables)
        facts: dict[str, object] = {"operation": root, "rows": _rows(variables)}
        early = self._early_fault(root, skus, facts)
        if early is not None:
            return early
        points = cost.requested(cost.plan(prepared, name), variables)
        facts["requested"] = points
        if points > cost.MAX_SINGLE_QUERY:
            return self._too_dear(points, facts)
        if self._faults.draw("throttle", now, skus=skus, operation=root):
            self._bucket.empty(now)
        if not self._bucket.take(points, now):
            return self._throttled(points, facts)
        writing = mutations.Writing(mischief=mischief.of(self._faults, self._shop, root))
        try:
            writing.claims = mutations.claim_keys(
                self._schema, operation, variables, self._keys, self._shop
            )
        except GraphQLError as problem:
            return self._answer({"errors": [_shown(problem)]}, facts | {"outcome": "invalid"})
        fault = self._faults.draw("latency", now, skus=skus, operation=root)
        delay_s = fault.seconds if fault else 0.0
        return Ticket(
            delay_s, prepared, operation, name, variables, points, writing, debug, skus, root, facts
        )

    def _early_fault(
        self, root: str, skus: frozenset[str], facts: dict[str, object]
    ) -> Reply | None:
        now = self._shop.clock.now()
        fault = self._faults.draw("server_error", now, skus=skus, operation=root)
        if fault is not None:
            self._log(facts | {"outcome": "fault", "fault": "server_error"})
            return Reply(fault.status, _ERROR_PAGE, {"content-type": "text/html; charset=utf-8"})
        if self._faults.draw("html", now, skus=skus, operation=root):
            self._log(facts | {"outcome": "fault", "fault": "html"})
            return Reply(200, _ERROR_PAGE, {"content-type": "text/html; charset=utf-8"})
        return None

    # -- running --------------------------------------------------------------------------------------------------

    def finish(self, ticket: Ticket) -> Reply:
        """Run an admitted call and make its reply."""
        with self._shop.lock:
            now = self._shop.clock.now()
            if self._faults.draw("failed_write", now, skus=ticket.skus, operation=ticket.root):
                return self._failed(ticket)
            call = reading.Call(self._shop, writes=ticket.writing)
            result = self._execute(ticket.prepared, ticket.name, ticket.variables, call)
            self._settle_claims(ticket)
            reply = self._reply(ticket, result, call)
            touched = list(ticket.writing.touched)
            reset = self._faults.draw(
                "reset_after_apply", now, skus=ticket.skus, operation=ticket.root
            )
            cut = self._faults.draw("truncate", now, skus=ticket.skus, operation=ticket.root)
        if touched:
            self._edit_behind_their_back(touched)
        if reset is not None:
            reply.wire = "reset"
        elif cut is not None:
            reply.wire = "truncate"
        return reply

    def _execute(
        self, prepared: Prepared, name: str | None, variables: Mapping[str, Any], call: reading.Call
    ) -> ExecutionResult:
        result = execute(
            self._schema,
            prepared.document,
            context_value=call,
            variable_values=dict(variables),
            operation_name=name,
            field_resolver=reads.default_resolver,
        )
        if not isinstance(result, ExecutionResult):
            raise TypeError("resolvers are synchronous")
        return result

    def _settle_claims(self, ticket: Ticket) -> None:
        """A key whose call ended in a top-level error has done nothing and may be used again."""
        for claim in ticket.writing.claims.values():
            if not isinstance(claim, str) and claim.state == "running":
                self._keys.drop(claim)

    def _failed(self, ticket: Ticket) -> Reply:
        for claim in ticket.writing.claims.values():
            if not isinstance(claim, str):
                claim.state = "failed"
        self._log(ticket.facts | {"outcome": "fault", "fault": "failed_write"})
        return Reply(
            500, b'{"errors":"Internal Server Error"}', {"content-type": "application/json"}
        )

    def _reply(self, ticket: Ticket, result: ExecutionResult, call: reading.Call) -> Reply:
        now = self._shop.clock.now()
        charged = cost.actual(cost.plan(ticket.prepared, ticket.name), result.data)
        self._bucket.give_back(max(ticket.points - charged, 0), now)
        body: dict[str, object] = {}
        if result.errors:
            body["errors"] = [_shown(error) for error in result.errors]
        body["data"] = result.data
        price = self._cost(ticket.points, charged)
        extensions: dict[str, object] = {"cost": price}
        if ticket.debug:
            plan = cost.plan(ticket.prepared, ticket.name)
            price["fields"] = cost.breakdown(plan, ticket.variables)
        if call.warnings:
            extensions["search"] = call.warnings
        body["extensions"] = extensions
        return self._answer(body, ticket.facts | {"actual": charged, **_outcome(result)})

    def _edit_behind_their_back(self, levels: list[Level]) -> None:
        for level in levels:
            now = self._shop.clock.now()
            fault = self._faults.draw("external_edit", now, skus=(level.item.sku,))
            if fault is not None:
                with self._shop.act() as act:
                    self._shop.shift(act, level, available=fault.units)

    def _run_bulk(self, text: str) -> tuple[list[dict[str, object]], int]:
        call = reading.Call(self._shop, unlimited=True, writes=mutations.Writing())
        result = self._execute(prepare(text), None, {}, call)
        return bulk.flatten(result.data or {})

    # -- answers --------------------------------------------------------------------------------------------------

    def _cost(self, requested: int, actual: int | None) -> dict[str, object]:
        status = self._bucket.status(self._shop.clock.now())
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": status,
        }

    def _throttled(self, points: int, facts: dict[str, object]) -> Reply:
        shown = {
            "message": "Throttled",
            "extensions": {"code": "THROTTLED", "documentation": _DOCS},
        }
        body = {"errors": [shown], "extensions": {"cost": self._cost(points, None)}}
        return self._answer(body, facts | {"outcome": "throttled"})

    def _too_dear(self, points: int, facts: dict[str, object]) -> Reply:
        text = f"Query cost is {points}, which exceeds the single query max cost limit ({cost.MAX_SINGLE_QUERY})."
        facts_of = {"code": "MAX_COST_EXCEEDED", "cost": points, "maxCost": cost.MAX_SINGLE_QUERY}
        shown = {"message": text, "extensions": {**facts_of, "documentation": _DOCS}}
        return self._answer({"errors": [shown]}, facts | {"outcome": "too_dear"})

    def _answer(self, body: Mapping[str, object], facts: dict[str, object]) -> Reply:
        self._log(facts)
        return Reply(200, orjson.dumps(body), {"content-type": "application/json; charset=utf-8"})

    def _log(self, facts: dict[str, object]) -> None:
        self._shop.note("api", facts)


def _shown(error: GraphQLError) -> dict[str, object]:
    shown: dict[str, object] = {"message": error.message}
    if error.locations:
        shown["locations"] = [
            {"line": spot.line, "column": spot.column} for spot in error.locations
        ]
    shown["extensions"] = error.extensions or {"code": "INTERNAL_SERVER_ERROR"}
    if error.path:
        shown["path"] = error.path
    return shown


def _outcome(result: ExecutionResult) -> dict[str, object]:
    if result.errors:
        return {
            "outcome": "errors",
            "codes": [str((e.extensions or {}).get("code")) for e in result.errors],
        }
    codes = [
        str(error.get("code") or error.get("message"))
        for payload in (result.data or {}).values()
        if isinstance(payload, dict)
        for error in payload.get("userErrors") or ()
    ]
    return {"outcome": "user_errors", "codes": codes} if codes else {"outcome": "ok"}


_ITEM: Final = re.compile(
    r"gid://shopify/(?:InventoryItem/(\d+)|InventoryLevel/\d+\?inventory_item_id=(\d+))"
)


def _skus(shop: Shop, variables: Mapping[str, Any]) -> frozenset[str]:
    """The SKUs whose items or levels the variables name; only worked out to aim faults."""
    found: set[str] = set()
    for first, second in _ITEM.findall(orjson.dumps(variables, default=str).decode()):
        item = shop.items.get(int(first or second))
        if item is not None:
            found.add(item.sku)
    return frozenset(found)


def _rows(variables: Mapping[str, Any]) -> int:
    """The longest list in the variables: how many rows or ids the call carries."""
    sizes = [0]
    for value in variables.values():
        if isinstance(value, list):
            sizes.append(len(value))
        elif isinstance(value, dict):
            sizes += [len(inner) for inner in value.values() if isinstance(inner, list)]
    return max(sizes)
