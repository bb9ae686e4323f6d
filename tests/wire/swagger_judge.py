"""Amazon's models as the judge of a call and its answer, by JSON Schema and not by the simulator's own reading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import jsonschema

from tests.wire.tap import Exchange

Models = Mapping[str, Mapping[str, Any]]
"""Name of an API -> its Swagger 2.0 document: `paths` and `definitions`."""


@dataclass(frozen=True, slots=True)
class Found:
    """The operation a call is for; `path` holds the path's parameters, unescaped."""

    name: str
    spec: Mapping[str, Any]
    parameters: tuple[Mapping[str, Any], ...]
    definitions: Mapping[str, Any]
    path: Mapping[str, str]


def operation_of(models: Models, call: Exchange) -> Found | None:
    """The operation by method and path; None when Amazon has none there."""
    segments = call.path.strip("/").split("/")
    found: list[tuple[int, Found]] = []
    for model in models.values():
        for path, methods in model["paths"].items():
            wanted = path.strip("/").split("/")
            spec = methods.get(call.method.lower())
            if spec is None or not _matches(wanted, segments):
                continue
            values = {
                want[1:-1]: unquote(given)
                for want, given in zip(wanted, segments, strict=True)
                if want.startswith("{")
            }
            shared = (*methods.get("parameters", ()), *spec.get("parameters", ()))
            parameters = tuple(_followed(model, one) for one in shared)
            op = Found(spec["operationId"], spec, parameters, model["definitions"], values)
            found.append((len(values), op))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _matches(wanted: list[str], given: list[str]) -> bool:
    return len(wanted) == len(given) and all(
        want.startswith("{") or want == got for want, got in zip(wanted, given, strict=True)
    )


def _followed(model: Mapping[str, Any], parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in parameter:
        return parameter
    named: Mapping[str, Any] = model["parameters"][parameter["$ref"].rsplit("/", 1)[-1]]
    return named


def faults(models: Models, call: Exchange) -> list[str]:
    """What the model says against a call and its answer, nothing when both are fine."""
    op = operation_of(models, call)
    if op is None:
        return [f"Amazon has no {call.method} {call.path}"]
    found = [*_headers(call), *_parameters(op, call), *_body(op, call), *_answer(op, call)]
    return [f"{op.name}: {fault}" for fault in found]


def _headers(call: Exchange) -> Iterator[str]:
    for name in ("x-amz-access-token", "user-agent"):
        if not call.headers.get(name):
            yield f"no header {name}"


def _parameters(op: Found, call: Exchange) -> Iterator[str]:
    known = {one["name"]: one for one in op.parameters if one["in"] == "query"}
    for name in sorted(call.query.keys() - known.keys()):
        yield f"{name} is no parameter"
    for name, parameter in known.items():
        if name in call.query:
            yield from _value(parameter, call.query[name])
        elif parameter.get("required"):
            yield f"{name} is missing"
    for parameter in op.parameters:
        if parameter["in"] == "path":
            yield from _value(parameter, [op.path[parameter["name"]]])


def _value(parameter: Mapping[str, Any], given: list[str]) -> Iterator[str]:
    name = parameter["name"]
    if parameter["type"] != "array":
        if len(given) != 1:
            yield f"{name} is sent {len(given)} times"
        yield from _scalar(parameter, given[0], name)
        return
    parts = [part for text in given for part in text.split(",")]
    if not parameter.get("minItems", 0) <= len(parts) <= parameter.get("maxItems", len(parts)):
        yield f"{name} has {len(parts)} values"
    for part in parts:
        yield from _scalar(parameter["items"], part, name)


def _scalar(schema: Mapping[str, Any], text: str, name: str) -> Iterator[str]:
    kind = schema.get("type")
    made: Any = text
    if kind == "boolean":
        if text not in ("true", "false"):
            yield f"{name} is no boolean: {text!r}"
        return
    if kind in ("integer", "number"):
        if not re.fullmatch(r"-?\d+" if kind == "integer" else r"-?\d+(\.\d+)?", text):
            yield f"{name} is no {kind}: {text!r}"
            return
        made = float(text) if kind == "number" else int(text)
    if schema.get("format") == "date-time":
        yield from _moment(text, name)
    rules = {key: schema[key] for key in schema.keys() & _RULES}
    for error in jsonschema.Draft4Validator({"type": kind, **rules}).iter_errors(made):
        yield f"{name}: {error.message}"
    if text == "":
        yield f"{name} is empty"


_RULES = {"enum", "minimum", "maximum", "minLength", "maxLength", "pattern"}


def _moment(text: str, name: str) -> Iterator[str]:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        yield f"{name} is no date-time: {text!r}"
        return
    if moment.tzinfo is None:
        yield f"{name} has no time zone: {text!r}"


def _body(op: Found, call: Exchange) -> Iterator[str]:
    wanted = next((one for one in op.parameters if one["in"] == "body"), None)
    if wanted is None:
        if call.body:
            yield "has no body, and one was sent"
        return
    if not call.body:
        if wanted.get("required"):
            yield "the body is missing"
        return
    yield from _against(wanted["schema"], call.asked, op.definitions, "body")


def _answer(op: Found, call: Exchange) -> Iterator[str]:
    """Broken connections and bodies that are no JSON are bad luck, which no model describes."""
    if call.status == 0 or "json" not in call.answered_as:
        return
    promised = op.spec["responses"].get(str(call.status))
    if promised is None:
        if call.status < 500:
            yield f"{call.status} is no answer of it"
        return
    try:
        told = call.told
    except ValueError:
        return
    if "schema" in promised:
        yield from _against(promised["schema"], told, op.definitions, f"answer {call.status}")


def _against(
    schema: Mapping[str, Any], given: Any, definitions: Mapping[str, Any], where: str
) -> Iterator[str]:
    wanted = {**_strict(schema), "definitions": _strict(definitions)}
    for error in jsonschema.Draft4Validator(wanted).iter_errors(given):
        yield f"{where} {error.json_path}: {error.message[:300]}"


def _strict(node: Any) -> Any:
    """An object that names its members has no others: a misspelt one would be lost in silence."""
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: _strict(value) for name, value in node.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made
