"""Everything our Square client sends and is told fits Square's OpenAPI, in both eras; every call it has was made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from channels.base import Level
from channels.http import USER_AGENT
from channels.simulators.square import schema
from channels.simulators.square.app import make_app
from channels.simulators.square.serving import SquareRunning
from channels.square.client import VERSION
from tests.channels.simulators.square.contract import operation_of
from tests.channels.square_rig import OLDER, SquareRig, an_account
from tests.wire import square_calls
from tests.wire.openapi_judge import faults
from tests.wire.tap import Exchange, tapped
from tests.wire.walk import walk

TOPICS = ("inventory.count.updated", "order.created", "order.updated", "refund.created")


@pytest.fixture(scope="module", params=[OLDER, VERSION])
def heard(request: pytest.FixtureRequest) -> Iterator[Sequence[Exchange]]:
    """What went over the wire while the client of one era did everything it can."""
    with an_account() as running, tapped(make_app(running.simulator)) as tap:
        rig = SquareRig(_through(running, tap.url), version=request.param)
        walk(rig, TOPICS[:2], rig.locations)
        rig.channel.subscribe(TOPICS, "https://relay.example.com/hooks")
        _fill(rig)
        _give_back(rig)
        _move(rig)
        _another_halts(rig)
        rig.close()
        # The rig also calls the account itself, as a person with another application.
        yield [call for call in tap.heard if call.headers["user-agent"] == USER_AGENT]


def _through(running: SquareRunning, url: str) -> SquareRunning:
    return replace(running, facts=replace(running.facts, base_url=url))


def _fill(rig: SquareRig) -> None:
    """More than one write carries, and untracked, fractional and negative counts among what is read."""
    items: list[dict[str, Any]] = [
        {"variations": [{"sku": f"MANY-{number}", "stock": {"Oslo": 1}}]} for number in range(120)
    ]
    items += [
        {"variations": [{"sku": "BY-WEIGHT", "stock": {"Oslo": "2.5"}}]},
        {"variations": [{"sku": "LOOSE", "tracked": False}]},
    ]
    rig.do("items", items=items)
    rig.drift("SKU-C", -30)
    bindings = list(rig.bindings().values())
    rig.channel.push([Level(each, 3, 1) for each in bindings], key="many")
    rig.advance(10)
    list(rig.channel.snapshot(bindings))


def _give_back(rig: SquareRig) -> None:
    """Orders on more pages than one: a sale that partly comes back, a pickup."""
    mark = rig.now()
    for sku in ("SKU-A", "SKU-B", "SKU-C"):
        order = rig.order(sku, 2)
        lines = [{"sku": sku, "units": 1}]
        rig.do("give_back", order=order, lines=lines, restock=sku != "SKU-B")
    rig.pickup({"sku": "SKU-A", "units": 1})
    list(rig.channel.orders_since(mark))


def _move(rig: SquareRig) -> None:
    binding, moment = rig.bindings()["SKU-A"], rig.now() - timedelta(seconds=1)
    rig.channel.move(binding, rig.places["Bergen"], 1, at=moment, key="move")
    list(rig.channel.changes([binding], moment))


def _another_halts(rig: SquareRig) -> None:
    """A halt of what is sold at named places only."""
    binding = rig.bindings()["SKU-B"]
    rig.place(binding.item_id, everywhere=False, present=list(rig.places.values()))
    rig.channel.resume_sale(binding, rig.channel.stop_sale(binding))


def test_every_call_in_our_code_was_made(heard: Sequence[Exchange]) -> None:
    made = {(call.method, call.path) for call in heard}

    def was_made(method: str, path: str) -> bool:
        pattern = re.escape(path).replace(r"\{\}", "[^/]+")
        return any(method == verb and re.fullmatch(pattern, at) for verb, at in made)

    assert len(square_calls.in_code()) >= 10
    assert {call for call in square_calls.in_code() if not was_made(*call)} == set()


def test_every_call_and_every_answer_fits_the_openapi(heard: Sequence[Exchange]) -> None:
    wrong = {str(call): found for call in heard if (found := faults(call))}

    assert wrong == {}
    assert {call.status for call in heard} >= {200, 401, 429, 502}


def test_every_call_names_one_version(heard: Sequence[Exchange]) -> None:
    (version,) = {call.headers["square-version"] for call in heard}

    moves = [
        change
        for call in heard
        if (op := operation_of(call.method, call.path)) is not None
        and op["operationId"] == "BatchChangeInventory"
        for change in call.asked["changes"]
        if change["type"] != "PHYSICAL_COUNT"
    ]
    expected = "ADJUSTMENT" if schema.moves_are_adjustments(version) else "TRANSFER"
    assert {change["type"] for change in moves} == {expected}


def test_no_write_carries_more_than_a_hundred_changes(heard: Sequence[Exchange]) -> None:
    writes = [call.asked for call in heard if call.path == "/v2/inventory/changes/batch-create"]

    assert max(len(write["changes"]) for write in writes) == 100
    assert all(0 < len(write["idempotency_key"]) <= 128 for write in writes)
