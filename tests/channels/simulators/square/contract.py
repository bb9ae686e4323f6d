"""The vendor's OpenAPI as a judge: what an answer or a notification must look like, without a field too many."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from channels.simulators.square import schema

EVENTS = {
    "inventory.count.updated": "InventoryCountUpdatedEvent",
    "order.created": "OrderCreatedEvent",
    "order.updated": "OrderUpdatedEvent",
    "order.fulfillment.updated": "OrderFulfillmentUpdatedEvent",
    "refund.created": "RefundCreatedEvent",
    "refund.updated": "RefundUpdatedEvent",
}


def judge_answer(method: str, path: str, status: int, body: Any, version: str) -> None:
    """Fails the test when an answer is not the vendor's. Refusals are `errors` and nothing else."""
    if status == 200:
        _judge(_response(method, path), body, version)
        assert not body.get("errors")
    else:
        assert set(body) == {"errors"}
        assert body["errors"]
        for error in body["errors"]:
            _judge("Error", error, version)


def judge_event(body: Any, version: str = schema.NEWEST) -> None:
    """Fails the test when a notification is not the vendor's."""
    _judge(EVENTS[body["type"]], body, version)


def operation_of(method: str, path: str) -> Mapping[str, Any] | None:
    """The operation by method and path, fixed paths before those with parameters; None when Square has none there."""
    for pattern, methods in sorted(schema.paths().items(), key=lambda pair: pair[0].count("{")):
        if method.lower() in methods and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path):
            found: Mapping[str, Any] = methods[method.lower()]
            return found
    return None


def schema_of(content: Mapping[str, Any]) -> str:
    """The name of the schema of a request body or an answer of an operation."""
    return str(content["content"]["application/json"]["schema"]["$ref"]).rsplit("/", 1)[-1]


def errors_of(name: str, body: Any, version: str) -> Iterator[ValidationError]:
    """What the schema says against a body, in the words of the version."""
    yield from _validator(name, schema.moves_are_adjustments(version)).iter_errors(body)


def _response(method: str, path: str) -> str:
    operation = operation_of(method, path)
    assert operation is not None, f"the vendor has no {method} {path}"
    return schema_of(operation["responses"]["200"])


def _judge(name: str, body: Any, version: str) -> None:
    wrong = [f"{error.json_path}: {error.message}" for error in errors_of(name, body, version)]
    assert not wrong, f"{name}: {wrong}"


@cache
def _validator(name: str, moves: bool) -> Any:
    return Draft202012Validator({**_strict(moves), "$ref": f"#/components/schemas/{name}"})


@cache
def _strict(moves: bool) -> Mapping[str, Any]:
    version = schema.NEWEST if moves else "2025-08-20"
    return {"components": {"schemas": _converted(schema.schemas(version))}}


def _converted(node: Any) -> Any:
    """OpenAPI 3.0 to JSON Schema: `nullable` becomes a type, and an object has no fields but its own."""
    if isinstance(node, list):
        return [_converted(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: _converted(value) for name, value in node.items() if name != "nullable"}
    if "properties" in made and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") is True else made
