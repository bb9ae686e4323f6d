"""Both doors, asked what their schema allows and what it does not: no 5xx, and nobody is let in who is not known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from console.access.types import Role
from ledger.db import connect
from tests.console.api_door import Api, an_api
from tests.console.door import TOKEN, Door, a_door, set_up_channels, the_settings
from tests.servers import Clock, Database

#: The relay has no schema of its own: senders have theirs. What it takes is little.
RELAY: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "relay", "version": "1"},
    "paths": {
        "/hooks/{kind}": {
            "post": {
                "parameters": [
                    {
                        "name": "kind",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "string", "enum": ["shopify", "amazon", "square", "x"]},
                    },
                    {
                        "name": "X-Shopify-Topic",
                        "in": "header",
                        "schema": {"type": "string"},
                    },
                    {
                        "name": "X-Shopify-Hmac-Sha256",
                        "in": "header",
                        "schema": {"type": "string"},
                    },
                ],
                "requestBody": {"content": {"application/json": {"schema": {}}}},
                "responses": {"200": {"description": "kept"}},
            }
        },
        "/events": {
            "post": {
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "properties": {
                                        "kind": {"enum": ["adjustment", "count", "order"]},
                                        "source": {"type": "string"},
                                        "id": {"type": "string"},
                                        "occurred_at": {"type": "string"},
                                        "sku": {"type": "string"},
                                        "location": {"type": "string"},
                                        "units": {"type": "integer"},
                                    },
                                },
                            }
                        }
                    }
                },
                "responses": {"200": {"description": "kept"}},
            }
        },
        "/availability/{sku}": {
            "get": {
                "parameters": [
                    {"name": "sku", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "location", "in": "query", "schema": {"type": "string"}},
                ],
                "responses": {"200": {"description": "a number"}},
            }
        },
    },
}


@pytest.fixture
def api(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Api]:
    with an_api(database, clock, tmp_path) as api:
        yield api


@pytest.fixture
def relay(database: Database) -> Iterator[Door]:
    set_up_channels(database)
    engine = connect(database.app_url)
    with a_door(the_settings(), engine, database) as door:
        yield door
    engine.dispose()


def each(schema: dict[str, Any]) -> list[Any]:
    """Every operation of a schema."""
    found = schemathesis.openapi.from_dict(schema)
    return [result.ok() for result in found.get_all_operations() if isinstance(result, Ok)]


def rubbish(operation: Any, ask: Any, most: int) -> None:
    """Ask what the schema allows, and what it does not."""
    for mode in GenerationMode:
        try:
            cases = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=most,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=cases)
            def run(case: Any) -> None:
                ask(case)

            run()
        except schemathesis.errors.SchemathesisError:
            # Nothing of it can be wrong.
            continue


def fall(schema: dict[str, Any], url: str, token: str, most: int) -> dict[str, Any]:
    """What falls, and what lets a stranger in: by operation."""
    wrong: dict[str, Any] = {}
    known, nobody = ({"Authorization": f"Bearer {word}"} for word in (token, "nobody"))
    with requests.Session() as wire:
        for operation in each(schema):
            strangers = 0

            def ask(case: Any, operation: Any = operation) -> None:
                nonlocal strangers
                told = case.call(base_url=url, session=wire, headers=known, timeout=20)
                if told.status_code >= 500:
                    wrong[operation.label] = (told.status_code, told.text, case.as_curl_command())
                if strangers < most / 2:
                    strangers += 1
                    let = case.call(base_url=url, session=wire, headers=nobody, timeout=20)
                    if let.status_code < 400 or let.status_code >= 500:
                        wrong[operation.label] = ("a stranger got", let.status_code, let.text)
                wire.cookies.clear()

            rubbish(operation, ask, most)
    return wrong


# A hundred and more routes, each asked some times: on a machine with other work that takes its minutes.
@pytest.mark.timeout(600)
def test_no_rubbish_makes_the_api_fall_or_lets_a_stranger_in(api: Api) -> None:
    assert fall(api.schema, api.url, api.tokens[Role.ADMIN], 2) == {}


@pytest.mark.battery
@pytest.mark.timeout(1200)
def test_much_rubbish_makes_the_api_fall_as_little(api: Api) -> None:
    assert fall(api.schema, api.url, api.tokens[Role.ADMIN], 30) == {}


def test_no_rubbish_makes_the_relay_fall_or_lets_a_stranger_in(relay: Door) -> None:
    assert fall(RELAY, relay.url, TOKEN, 10) == {}
