"""The vendor's OpenAPI, trimmed, and what it says about a request: types, enums, lengths, required fields.

Two eras. Before `Square-Version` 2026-07-15 a move between locations is a TRANSFER and an adjustment has one
`location_id`; from then on a move is an ADJUSTMENT with `from_location_id` and `to_location_id`, and the other
spellings are retired (developer.squareup.com/docs/changelog/connect-logs/2026-07-15). The OpenAPI is of 2025-08-20, so
the later era is patched in here.
"""

from __future__ import annotations

import copy
import gzip
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from channels.simulators.square.errors import Problem

FILE: Final = Path(__file__).with_name("openapi_2025-08-20.json.gz")
MOVES_SINCE: Final = "2026-07-15"
"""The first version in which a move between locations is an ADJUSTMENT."""
NEWEST: Final = "2026-08-19"
_VERSION: Final = re.compile(r"20\d\d-[01]\d-[0-3]\d")

REASONS: Final = [
    "RECEIVED", "DAMAGED", "THEFT", "LOST", "RETURNED", "SPOILAGE_WASTE", "SAMPLES_PROMOTIONAL", "INTERNAL_USE",
    "VENDOR_RETURN", "PRODUCTION_WASTE", "SALE", "RECOUNT", "TRANSFER", "IN_TRANSIT", "CANCELED_SALE", "CUSTOM",
]  # fmt: skip
"""Types of `reason_id`; square/square-python-sdk 45.1.0.20260819, `inventory_adjustment_reason_id_type.py`."""

_SINCE_MOVES: Final = {
    "from_location_id": {"type": "string", "maxLength": 100, "nullable": True},
    "to_location_id": {"type": "string", "maxLength": 100, "nullable": True},
    "physical_count_id": {"type": "string", "readOnly": True},
    "reason_id": {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"type": "string", "enum": REASONS},
            "custom_reason_id": {"type": "string", "nullable": True},
        },
    },
}
"""Added to InventoryAdjustment; square/square-python-sdk 45.1.0.20260819, `inventory_adjustment.py`."""


def is_version(text: str) -> bool:
    return _VERSION.fullmatch(text) is not None


def moves_are_adjustments(version: str) -> bool:
    return version >= MOVES_SINCE


@cache
def _read() -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(gzip.decompress(FILE.read_bytes()))
    return document


def paths() -> Mapping[str, Any]:
    """path -> method -> operation, as in the OpenAPI."""
    found: Mapping[str, Any] = _read()["paths"]
    return found


def schemas(version: str) -> Mapping[str, Any]:
    """name -> schema, as of a `Square-Version`."""
    return _schemas(moves_are_adjustments(version))


@cache
def _schemas(moves: bool) -> Mapping[str, Any]:
    found: dict[str, Any] = copy.deepcopy(_read()["components"]["schemas"])
    # The vendor's own example of UpdateOrder leaves out `location_id`, which Order wants: an update is sparse.
    found["SparseOrder"] = {**found["Order"], "required": []}
    update = found["UpdateOrderRequest"]["properties"]
    update["order"] = {"$ref": "#/components/schemas/SparseOrder"}
    if moves:
        adjustment = found["InventoryAdjustment"]["properties"]
        del adjustment["location_id"]
        adjustment.update(_SINCE_MOVES)
        del found["InventoryChange"]["properties"]["transfer"]
        found["InventoryChangeType"]["enum"].remove("TRANSFER")
        found["InventoryState"]["enum"].append("UNTRACKED")
    return found


def problems(name: str, body: object, version: str) -> list[Problem]:
    """Everything the schema `name` has against a request's body, in its order; empty when it fits."""
    known = schemas(version)
    return list(_check(known[name], body, "", known))


def _check(
    schema: Mapping[str, Any], value: object, path: str, known: Mapping[str, Any]
) -> Iterator[Problem]:
    if value is None:
        return
    if "$ref" in schema:
        schema = known[schema["$ref"].rsplit("/", 1)[-1]]
    kind = schema.get("type")
    if kind == "object":
        yield from _check_object(schema, value, path, known)
    elif kind == "array":
        yield from _check_array(schema, value, path, known)
    elif kind == "string":
        yield from _check_string(schema, value, path)
    elif kind == "integer":
        yield from _check_integer(schema, value, path)
    elif kind == "boolean" and not isinstance(value, bool):
        yield Problem("EXPECTED_BOOLEAN", "Expected a boolean value.", path)


def _check_object(
    schema: Mapping[str, Any], value: object, path: str, known: Mapping[str, Any]
) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem("EXPECTED_OBJECT", "Expected an object.", path or None)
        return
    for name in schema.get("required", ()):
        if value.get(name) in (None, ""):
            detail = f"Missing required parameter: {name}."
            yield Problem("MISSING_REQUIRED_PARAMETER", detail, _below(path, name))
    fields = schema.get("properties")
    if fields is None:
        return
    for name, given in value.items():
        if name in fields:
            yield from _check(fields[name], given, _below(path, name), known)
        else:
            detail = f"The parameter {name} is not known."
            yield Problem("UNKNOWN_BODY_PARAMETER", detail, _below(path, name))


def _check_array(
    schema: Mapping[str, Any], value: object, path: str, known: Mapping[str, Any]
) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem("EXPECTED_ARRAY", "Expected an array.", path)
        return
    for index, one in enumerate(value):
        yield from _check(schema["items"], one, f"{path}[{index}]", known)


def _check_string(schema: Mapping[str, Any], value: object, path: str) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield Problem("EXPECTED_STRING", "Expected a string value.", path)
    elif "enum" in schema and value not in schema["enum"]:
        yield Problem("INVALID_ENUM_VALUE", f"{value!r} is not a valid enum value.", path)
    elif len(value) > schema.get("maxLength", len(value)):
        most = schema["maxLength"]
        yield Problem("VALUE_TOO_LONG", f"Must not be longer than {most} characters.", path)


def _check_integer(schema: Mapping[str, Any], value: object, path: str) -> Iterator[Problem]:
    if not isinstance(value, int) or isinstance(value, bool):
        yield Problem("EXPECTED_INTEGER", "Expected an integer value.", path)
    elif value < schema.get("minimum", value):
        yield Problem("VALUE_TOO_LOW", f"Must be at least {schema['minimum']}.", path)
    elif value > schema.get("maximum", value):
        yield Problem("VALUE_TOO_HIGH", f"Must be at most {schema['maximum']}.", path)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
