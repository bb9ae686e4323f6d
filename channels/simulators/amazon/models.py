"""The vendor's models: which operations there are, their usage plans, and whether a request's parameters are in order.

The data is `models.json.gz` (see SOURCES.md). Paths are matched on the raw path, segment by segment, so that a SKU with
an unescaped slash finds no operation, as at the vendor.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import unquote

from channels.simulators.amazon.errors import ApiError, invalid_input

GRANTLESS: Final = frozenset(
    {
        "createDestination",
        "deleteDestination",
        "deleteSubscriptionById",
        "getDestination",
        "getDestinations",
        "getSubscriptionById",
    }
)
"""Operations that want a token of the client itself, not of a seller (developer-docs, Grantless operations)."""

UNREADABLE: Final = "Request has missing or invalid parameters and cannot be parsed."


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of one model. `key` is unique: two models have a getOrder.

    status            of a good answer
    rate_per_s, burst the usage plan
    """

    api: str
    name: str
    method: str
    path: tuple[str, ...]
    rate_per_s: float
    burst: int
    status: int
    parameters: tuple[Mapping[str, Any], ...]

    @property
    def key(self) -> str:
        return f"{self.api}.{self.name}"

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Path parameters when the (still escaped) segments fit, else None."""
        if len(segments) != len(self.path):
            return None
        found: dict[str, str] = {}
        for wanted, given in zip(self.path, segments, strict=True):
            if wanted.startswith("{"):
                found[wanted[1:-1]] = unquote(given)
            elif wanted != given:
                return None
        return found


@lru_cache(maxsize=1)
def load() -> dict[str, Any]:
    """The trimmed models by name: `paths` and `definitions`."""
    packed = files("channels.simulators.amazon").joinpath("models.json.gz").read_bytes()
    models: dict[str, Any] = json.loads(gzip.decompress(packed))
    return models


@lru_cache(maxsize=1)
def operations() -> tuple[Operation, ...]:
    """Every served operation; fixed paths before those with parameters."""
    found = [
        _operation(api, path, method, op)
        for api, model in load().items()
        for path, methods in model["paths"].items()
        for method, op in methods.items()
    ]
    return tuple(sorted(found, key=lambda op: sum(part.startswith("{") for part in op.path)))


def find(method: str, raw_path: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation and its path parameters; None when there is none (the vendor then says 403)."""
    segments = raw_path.strip("/").split("/")
    for operation in operations():
        if operation.method == method:
            found = operation.match(segments)
            if found is not None:
                return operation, found
    return None


def read_query(operation: Operation, query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The query's parameters by name: lists, whole numbers, booleans and moments already made.

    Parameters the model does not know are ignored, as at the vendor.
    raises   ApiError 400 for a missing, malformed or too long one
    """
    found: dict[str, Any] = {}
    for parameter in operation.parameters:
        if parameter.get("in") != "query":
            continue
        name = parameter["name"]
        given = [text for text in query.get(name, ()) if text]
        if given:
            found[name] = _value(parameter, given)
        elif parameter.get("required"):
            raise invalid_input(f"Missing required parameter: {name}.")
        elif "default" in parameter:
            found[name] = parameter["default"]
    return found


def read_body(operation: Operation, raw: bytes) -> Any:
    """The JSON body, checked against the model's definition; None when the operation has none."""
    body = next((p for p in operation.parameters if p.get("in") == "body"), None)
    if body is None:
        return None
    try:
        given = json.loads(raw)
    except ValueError:
        raise invalid_input(UNREADABLE) from None
    definitions = load()[operation.api]["definitions"]
    trouble = _trouble(body["schema"], given, definitions, "")
    if trouble:
        raise ApiError(400, "InvalidInput", UNREADABLE, trouble)
    return given


def moment(text: str, name: str = "") -> datetime:
    """An ISO 8601 date-time, aware, in UTC. Raises ApiError 400."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise invalid_input(f"Invalid value for parameter: {name}.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _operation(api: str, path: str, method: str, op: Mapping[str, Any]) -> Operation:
    return Operation(
        api,
        op["operationId"],
        method.upper(),
        tuple(path.strip("/").split("/")),
        op["usagePlan"][0],
        op["usagePlan"][1],
        int(next(code for code in sorted(op["responses"]) if code.startswith("2"))),
        tuple(op["parameters"]),
    )


def _value(parameter: Mapping[str, Any], given: Sequence[str]) -> Any:
    if parameter["type"] == "array":
        items = [part for text in given for part in text.split(",")]
        longest = parameter.get("maxItems")
        if longest is not None and len(items) > longest:
            raise invalid_input(f"Parameter {parameter['name']} has more than {longest} values.")
        return [_scalar(parameter["items"], item, parameter["name"]) for item in items]
    return _scalar(parameter, given[0], parameter["name"])


def _scalar(schema: Mapping[str, Any], text: str, name: str) -> Any:
    wrong = invalid_input(f"Invalid value for parameter: {name}.")
    if schema.get("type") == "integer":
        if not re.fullmatch(r"-?\d{1,9}", text):
            raise wrong
        number = int(text)
        if not schema.get("minimum", number) <= number <= schema.get("maximum", number):
            raise wrong
        return number
    if schema.get("type") == "boolean":
        # Amazon's own SDK for Python spells them True and False.
        if text.lower() not in ("true", "false"):
            raise wrong
        return text.lower() == "true"
    if text not in schema.get("enum", (text,)):
        raise wrong
    return moment(text, name) if schema.get("format") == "date-time" else text


_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def _trouble(
    schema: Mapping[str, Any], given: Any, definitions: Mapping[str, Any], at: str
) -> str | None:
    """What is wrong with a body, or None: type, enum, length and required members, all the way down."""
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    kind = schema.get("type")
    if kind in _TYPES and (
        not isinstance(given, _TYPES[kind]) or (isinstance(given, bool) and kind != "boolean")
    ):
        return f"{at or 'body'} is no {kind}"
    if given not in schema.get("enum", (given,)):
        return f"{at} is none of {', '.join(schema['enum'])}"
    if isinstance(given, dict):
        return _trouble_inside(schema, given, definitions, at)
    if isinstance(given, list | str) and not _fits(schema, given):
        return f"{at} has a length of {len(given)}"
    if isinstance(given, list) and "items" in schema:
        checks = (
            _trouble(schema["items"], one, definitions, f"{at}[{n}]") for n, one in enumerate(given)
        )
        return next((found for found in checks if found), None)
    return None


def _trouble_inside(
    schema: Mapping[str, Any], given: dict[str, Any], definitions: Mapping[str, Any], at: str
) -> str | None:
    missing = [name for name in schema.get("required", ()) if name not in given]
    if missing:
        return f"{at or 'body'} lacks {', '.join(missing)}"
    known = schema.get("properties", {})
    checks = (
        _trouble(known[name], value, definitions, f"{at}.{name}".lstrip("."))
        for name, value in given.items()
        if name in known
    )
    return next((found for found in checks if found), None)


def _fits(schema: Mapping[str, Any], given: Sequence[Any]) -> bool:
    kind = "Items" if isinstance(given, list) else "Length"
    least, most = schema.get(f"min{kind}", 0), schema.get(f"max{kind}", len(given))
    return bool(least <= len(given) <= most)
