"""Everything our Amazon client sends and is told fits Amazon's models, and every operation it can call was called."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from channels.amazon import inventory, mcf, outbound, reports
from channels.amazon.operations import OPERATIONS
from channels.base import Binding, Level
from channels.simulators.amazon.app import make_app
from channels.simulators.amazon.models import load
from channels.simulators.amazon.serving import AmazonRunning
from tests.channels.amazon_rig import CHANNEL, LOCATIONS, AmazonRig, an_account
from tests.wire import swagger_judge
from tests.wire.tap import Exchange, tapped
from tests.wire.walk import walk

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT.parent / "shared/data/channels/amazon/schema"
SCHEMAS = ROOT / "tests/channels/simulators/amazon/schemas"
TOPICS = (
    "ANY_OFFER_CHANGED",
    "FBA_INVENTORY_AVAILABILITY_CHANGES",
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE",
    "ORDER_CHANGE",
)


@pytest.fixture(scope="module")
def heard() -> Iterator[Sequence[Exchange]]:
    """What went over the wire while the client did everything it can."""
    with an_account() as running, tapped(make_app(running.simulator)) as tap:
        running.simulator.base_url = tap.url
        rig = AmazonRig(_through(running, tap.url))
        walk(rig, TOPICS, LOCATIONS)
        _feed(rig)
        _mirror(rig)
        _ship(rig)
        _report(rig)
        rig.close()
        yield tap.heard


def _through(running: AmazonRunning, url: str) -> AmazonRunning:
    facts = replace(running.facts, base_url=url, lwa_url=f"{url}/auth/o2/token")
    return replace(running, facts=facts)


def _feed(rig: AmazonRig) -> None:
    """More rows than go one by one, one of them unknown."""
    rig.listed({f"MANY-{number}": 1 for number in range(300)})
    bindings = [_bound(f"MANY-{number}", "DEFAULT") for number in range(300)]
    levels = [Level(each, 2, 1) for each in [*bindings, rig.unknown(bindings[0])]]
    outcomes = rig.channel.push(levels, key="feed")
    receipt = getattr(outcomes[0], "receipt", "")
    assert receipt, outcomes[:3]
    assert rig.channel.answers(receipt, levels) is None
    rig.advance(300)
    assert rig.channel.answers(receipt, levels) is not None


def _bound(sku: str, place: str) -> Binding:
    return Binding(CHANNEL, sku, LOCATIONS[place], sku, place, variant_id=sku)


def _mirror(rig: AmazonRig) -> None:
    """What Amazon ships: read whole, since a moment, and by SKU."""
    rig.do("listings", listings=[{"sku": f"FBA-{n}", "fba": {"fulfillable": 3}} for n in range(60)])
    rig.advance(9000)
    list(rig.channel.snapshot([_bound(f"FBA-{number}", "FBA") for number in range(60)]))
    rig.advance(60)
    list(inventory.walk(rig.channel.api, None))
    rig.advance(60)
    list(inventory.walk(rig.channel.api, rig.now() - timedelta(days=1)))
    rig.advance(60)
    list(inventory.of_skus(rig.channel.api, ["FBA-1", "FBA-2,B"]))


def _ship(rig: AmazonRig) -> None:
    """Multi-Channel Fulfillment: one order that is shipped, one that cannot be."""
    address = mcf.Address.model_validate(
        {
            "name": "A. Buyer",
            "addressLine1": "1 Main St",
            "city": "Seattle",
            "stateOrRegion": "WA",
            "postalCode": "98101",
            "countryCode": "US",
        }
    )
    for seller_id, units in (("SHOP-1001", 1), ("SHOP-1002", 99)):
        wanted = mcf.Wanted(seller_id, seller_id, rig.now(), (mcf.McfLine("1", "FBA-1", units),))
        outbound.create(rig.channel.api, wanted, address)
        outbound.create(rig.channel.api, wanted, address)
    assert outbound.show(rig.channel.api, "NOT-OURS") is None
    list(outbound.changed_since(rig.channel.api, rig.now() - timedelta(days=1)))


def _report(rig: AmazonRig) -> None:
    since = rig.now() - timedelta(days=1)
    asked = reports.ask_for(rig.channel.api, "GET_LEDGER_DETAIL_VIEW_DATA", since=since)
    assert reports.fetch(rig.channel.api, asked).state == "waiting"
    rig.advance(300)
    assert reports.fetch(rig.channel.api, asked).state == "ready"
    assert reports.fetch(rig.channel.api, "123456").state == "failed"


def _calls(heard: Sequence[Exchange]) -> list[Exchange]:
    """Calls of the API; Login with Amazon and presigned files are no part of the models."""
    return [one for one in heard if not one.path.startswith(("/auth/", "/files/"))]


def _called_in_code() -> set[str]:
    """Every operation that some file of ours calls, by the name it says."""
    files = [*(ROOT / "channels/amazon").rglob("*.py"), *(ROOT / "workers").rglob("*.py")]
    return {
        node.args[0].value
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("ask", "call")
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
        and node.args[0].value in OPERATIONS
    }


def _named(heard: Sequence[Exchange]) -> set[str]:
    found = (swagger_judge.operation_of(load(), call) for call in _calls(heard))
    return {one.name for one in found if one is not None}


def test_every_operation_we_call_was_called(heard: Sequence[Exchange]) -> None:
    assert len(_called_in_code()) >= 15
    assert _called_in_code() - _named(heard) == set()


def test_every_operation_is_where_the_model_has_it_with_its_usage_plan() -> None:
    models = {
        spec["operationId"]: (method.upper(), path, *spec["usagePlan"])
        for name, model in load().items()
        if name != "ordersV0"
        for path, methods in model["paths"].items()
        for method, spec in methods.items()
    }

    ours = {
        name: (one.method, one.path, one.rate_per_s, one.burst) for name, one in OPERATIONS.items()
    }
    assert {name: models.get(name) for name in ours} == ours


def test_every_call_and_every_answer_fits_the_shipped_models(heard: Sequence[Exchange]) -> None:
    wrong = {str(call): found for call in _calls(heard) if (found := _faults(load(), call))}

    assert wrong == {}
    assert {call.status for call in heard} >= {200, 201, 202, 400, 404, 429, 502}


def test_every_call_and_every_answer_fits_the_published_models(heard: Sequence[Exchange]) -> None:
    if not PUBLISHED.is_dir():
        pytest.skip("the vendor's models are not beside the repository")
    models = {path.stem: json.loads(path.read_text()) for path in PUBLISHED.glob("models/*.json")}

    wrong = {str(call): found for call in _calls(heard) if (found := _faults(models, call))}

    assert wrong == {}


def _faults(models: swagger_judge.Models, call: Exchange) -> list[str]:
    return swagger_judge.faults(models, call)


def test_every_feed_we_upload_is_what_its_schema_wants(heard: Sequence[Exchange]) -> None:
    sent = [c for c in heard if c.path.startswith("/files/") and c.method == "PUT" and c.body]
    schema: dict[str, Any] = json.loads(
        (SCHEMAS / "listings-feed-message-schema-v2.json").read_text()
    )

    messages = [message for feed in sent for message in feed.asked["messages"]]
    wrong = [
        f"{error.json_path}: {error.message}"
        for message in messages
        for error in jsonschema.Draft7Validator(schema).iter_errors(message)
    ]
    assert wrong == []
    assert len(messages) == 301
    assert all(feed.asked["header"]["version"] == "2.0" for feed in sent)


def test_a_presigned_url_never_sees_a_token(heard: Sequence[Exchange]) -> None:
    files = [call for call in heard if call.path.startswith("/files/")]

    assert files
    assert not [str(call) for call in files if "x-amz-access-token" in call.headers]


def test_login_with_amazon_is_asked_in_its_own_form(heard: Sequence[Exchange]) -> None:
    logins = [call for call in heard if call.path.startswith("/auth/")]

    kinds = {call.headers["content-type"].split(";")[0] for call in logins}
    assert kinds == {"application/x-www-form-urlencoded"}
    assert any(b"grant_type=refresh_token" in call.body for call in logins)
    assert any(b"grant_type=client_credentials" in call.body for call in logins)
