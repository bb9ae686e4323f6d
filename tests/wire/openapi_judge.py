"""Square's OpenAPI as the judge of a call and its answer, in the words of the version the call names.

The published OpenAPI is older than the change of 2026-07-15; what changed then is patched into the schemas in
`channels/simulators/square/schema.py`, each line with its source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from jsonschema.exceptions import best_match

from channels.simulators.square import schema
from tests.channels.simulators.square.contract import errors_of, operation_of, schema_of
from tests.wire.tap import Exchange


def faults(call: Exchange) -> list[str]:
    """What the OpenAPI says against a call and its answer, nothing when both are fine."""
    op = operation_of(call.method, call.path)
    if op is None:
        return [f"Square has no {call.method} {call.path}"]
    version = call.headers.get("square-version", "")
    if not schema.is_version(version):
        return [f"{op['operationId']}: no Square-Version: {version!r}"]
    found = [*_headers(call), *_query(op, call), *_body(op, call, version)]
    found += _answer(op, call, version)
    return [f"{op['operationId']} at {version}: {fault}" for fault in found]


def _headers(call: Exchange) -> Iterator[str]:
    if not re.fullmatch(r"Bearer \S+", call.headers.get("authorization", "")):
        yield "no bearer token"
    if call.body and call.headers.get("content-type", "").split(";")[0] != "application/json":
        yield "the body is not said to be JSON"
    if "%" in unquote(call.path):
        yield "the path is escaped twice"


def _query(op: Mapping[str, Any], call: Exchange) -> Iterator[str]:
    known = {one["name"]: one for one in op.get("parameters", ()) if one["in"] == "query"}
    for name in sorted(call.query.keys() - known.keys()):
        yield f"{name} is no parameter"
    for name, parameter in known.items():
        given = call.query.get(name)
        if given is None:
            if parameter.get("required"):
                yield f"{name} is missing"
        elif len(given) != 1:
            yield f"{name} is sent {len(given)} times"
        else:
            yield from _scalar(parameter["schema"], given[0], name)


def _scalar(wanted: Mapping[str, Any], text: str, name: str) -> Iterator[str]:
    if wanted.get("type") == "boolean" and text not in ("true", "false"):
        yield f"{name} is no boolean: {text!r}"
    if wanted.get("type") == "integer" and not re.fullmatch(r"-?\d+", text):
        yield f"{name} is no integer: {text!r}"
    if text not in wanted.get("enum", (text,)):
        yield f"{name} is none of {wanted['enum']}"


def _body(op: Mapping[str, Any], call: Exchange, version: str) -> Iterator[str]:
    wanted = op.get("requestBody")
    if wanted is None:
        if call.body:
            yield "has no body, and one was sent"
        return
    try:
        asked = call.asked
    except ValueError:
        yield "the body is no JSON"
        return
    yield from _against(schema_of(wanted), asked, version, "body")


def _answer(op: Mapping[str, Any], call: Exchange, version: str) -> Iterator[str]:
    """Broken connections and bodies that are no JSON are bad luck, which no schema describes."""
    if call.status == 0 or "json" not in call.answered_as:
        return
    try:
        told = call.told
    except ValueError:
        return
    if call.status == 200:
        yield from _against(schema_of(op["responses"]["200"]), told, version, "answer 200")
        return
    if set(told) != {"errors"} or not told["errors"]:
        yield f"answer {call.status} is not errors and nothing else"
    for error in told.get("errors", ()):
        yield from _against("Error", error, version, f"answer {call.status}")


def _against(name: str, given: Any, version: str, where: str) -> Iterator[str]:
    for error in errors_of(name, given, version):
        deepest = best_match([error])
        yield f"{where} {deepest.json_path}: {deepest.message[:300]}"
