"""The static sandbox: recorded answers to recorded requests, matched by the parameters a pair names and no others."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

from channels.simulators.amazon.errors import invalid_input
from channels.simulators.amazon.models import Operation, find


@dataclass(frozen=True, slots=True)
class Pair:
    """One recorded answer; `wanted` holds the values a request must have to get it."""

    api: str
    operation: str
    status: int
    wanted: Mapping[str, Any]
    answer: object


@lru_cache(maxsize=1)
def pairs() -> tuple[Pair, ...]:
    """Every pair of the operations that the account serves, in the models' order."""
    packed = files("channels.simulators.amazon").joinpath("sandbox.json.gz").read_bytes()
    recorded: dict[str, list[dict[str, Any]]] = json.loads(gzip.decompress(packed))
    return tuple(
        Pair(api, one["operation"], one["status"], _wanted(one["request"]), one["response"])
        for api, cases in recorded.items()
        for one in cases
    )


@dataclass(frozen=True, slots=True)
class Other:
    """A recorded answer of an operation that only the sandbox has; `path` has its parameters in braces."""

    pair: Pair
    method: str
    path: tuple[str, ...]

    def fits(
        self, method: str, raw_path: str, query: Mapping[str, Sequence[str]], raw: bytes
    ) -> bool:
        # An empty last segment is a value too.
        segments = raw_path.removeprefix("/").split("/")
        if method != self.method or len(segments) != len(self.path):
            return False
        given: dict[str, Any] = {"body": json.loads(raw) if raw else None}
        for wanted, segment in zip(self.path, segments, strict=True):
            if wanted.startswith("{"):
                given[wanted[1:-1]] = unquote(segment)
            elif wanted != segment:
                return False
        for name, value in self.pair.wanted.items():
            if name in query:
                given[name] = _typed(query[name], value)
        return all(given.get(name) == value for name, value in self.pair.wanted.items())


def _typed(sent: Sequence[str], wanted: object) -> object:
    """A query's value, typed as the recorded one."""
    if isinstance(wanted, list):
        return [part for text in sent for part in text.split(",")]
    return int(sent[0]) if isinstance(wanted, int) and sent[0].isdigit() else sent[0]


@lru_cache(maxsize=1)
def others() -> tuple[Other, ...]:
    """Every pair of operations that are not served, in the models' order."""
    packed = files("channels.simulators.amazon").joinpath("sandbox_others.json.gz").read_bytes()
    recorded: list[dict[str, Any]] = json.loads(gzip.decompress(packed))
    return tuple(
        Other(
            Pair(
                one["api"],
                one["operation"],
                one["status"],
                _wanted(one["request"]),
                one["response"],
            ),
            one["method"],
            tuple(one["path"].strip("/").split("/")),
        )
        for one in recorded
    )


def answer(
    method: str, raw_path: str, query: Mapping[str, Sequence[str]], raw: bytes
) -> tuple[int, object]:
    """Status and body of the most particular pair that matches; 400 when none does, as the sandbox says."""
    found = find(method, raw_path)
    if found is None:
        fitting = [one.pair for one in others() if one.fits(method, raw_path, query, raw)]
    else:
        operation, path = found
        given = _given(operation, path, query, raw)
        fitting = [
            pair
            for pair in pairs()
            if (pair.api, pair.operation) == (operation.api, operation.name)
            and all(given.get(name) == value for name, value in pair.wanted.items())
        ]
    if not fitting:
        return 400, invalid_input("Could not match input arguments").body()
    best = max(fitting, key=lambda pair: len(pair.wanted))
    return best.status, best.answer


def _wanted(request: Mapping[str, Any]) -> dict[str, Any]:
    parameters = request.get("parameters", {})
    return {name: one["value"] for name, one in parameters.items() if "value" in one}


def _given(
    operation: Operation,
    path: Mapping[str, str],
    query: Mapping[str, Sequence[str]],
    raw: bytes,
) -> dict[str, Any]:
    """What was sent, typed as the pairs hold it."""
    given: dict[str, Any] = dict(path)
    for parameter in operation.parameters:
        name, sent = parameter["name"], query.get(parameter["name"])
        if parameter["in"] == "query" and sent:
            parts = [part for text in sent for part in text.split(",")]
            kind = parameter.get("type")
            given[name] = parts if kind == "array" else parts[0]
            if kind == "integer" and parts[0].isdigit():
                given[name] = int(parts[0])
        elif parameter["in"] == "body" and raw:
            given["body"] = json.loads(raw)
    return given
