"""Square's own SDK (`squareup`) against the simulated account: it reads every answer and checks every signature."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from square import Square
from square.core.api_error import ApiError
from square.utils.webhooks_helper import verify_signature

from channels.simulators.square.control import Control
from channels.simulators.square.serving import SquareRunning, start_square
from tests.channels.simulators.shopdesk import mailbox


@pytest.fixture
def sdk(square: SquareRunning) -> Iterator[Any]:
    """A client of the SDK with the account's token, in the version the SDK was made for."""
    with httpx.Client() as wire:
        yield Square(base_url=square.facts.base_url, token=square.facts.token, httpx_client=wire)


def do(square: SquareRunning, verb: str, **facts: Any) -> Any:
    """Something that happens in the shop."""
    return Control(square.simulator).verbs()[verb](facts)


def stocked(square: SquareRunning, sku: str, **stock: int) -> str:
    """The variation's id of a new SKU with this stock; places are made when they are missing."""
    known = {place.name for place in square.simulator.merchant.locations.values()}
    for place in stock.keys() - known:
        do(square, "location", name=place)
    made = do(square, "item", variations=[{"sku": sku, "stock": stock}])
    return str(made["variations"][0]["id"])


def place_of(square: SquareRunning, name: str) -> str:
    places = square.simulator.merchant.locations.values()
    return next(place.id for place in places if place.name == name)


def now(square: SquareRunning) -> str:
    moment: datetime = square.simulator.clock.now()
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_the_sdk_reads_counts(square: SquareRunning, sdk: Any, sku: str) -> None:
    variation = stocked(square, sku, Main=10)

    counts = list(sdk.inventory.batch_get_counts(catalog_object_ids=[variation]))

    assert [(c.catalog_object_id, c.state, c.quantity) for c in counts] == [
        (variation, "IN_STOCK", "10")
    ]


def test_the_sdk_counts_a_shelf(square: SquareRunning, sdk: Any, sku: str) -> None:
    variation = stocked(square, sku, Main=10)
    count = {
        "catalog_object_id": variation,
        "location_id": place_of(square, "Main"),
        "state": "IN_STOCK",
        "quantity": "7",
        "occurred_at": now(square),
    }

    answer = sdk.inventory.batch_create_changes(
        idempotency_key=f"count-{sku}",
        changes=[{"type": "PHYSICAL_COUNT", "physical_count": count}],
    )

    assert [each.quantity for each in answer.counts] == ["7"]
    assert answer.errors is None


def test_the_sdk_moves_stock_between_locations_in_the_newest_words(
    square: SquareRunning, sdk: Any, sku: str
) -> None:
    variation = stocked(square, sku, Main=10, Second=1)
    move = {
        "catalog_object_id": variation,
        "from_location_id": place_of(square, "Main"),
        "to_location_id": place_of(square, "Second"),
        "from_state": "IN_STOCK",
        "to_state": "IN_STOCK",
        "quantity": "4",
        "occurred_at": now(square),
    }

    sdk.inventory.batch_create_changes(
        idempotency_key=f"move-{sku}", changes=[{"type": "ADJUSTMENT", "adjustment": move}]
    )

    counts = sdk.inventory.batch_get_counts(catalog_object_ids=[variation], states=["IN_STOCK"])
    assert {c.location_id: c.quantity for c in counts} == {
        place_of(square, "Main"): "6",
        place_of(square, "Second"): "5",
    }


def test_the_sdk_walks_the_catalogue_and_the_locations(
    square: SquareRunning, sdk: Any, sku: str
) -> None:
    variation = stocked(square, sku, Main=1)

    items = list(sdk.catalog.list(types="ITEM"))
    places = sdk.locations.list().locations

    found = {v.id: v.item_variation_data.sku for i in items for v in i.item_data.variations}
    assert found[variation] == sku
    assert place_of(square, "Main") in {place.id for place in places}


def test_the_sdk_finds_a_sale(square: SquareRunning, sdk: Any, sku: str) -> None:
    variation = stocked(square, sku, Main=10)
    do(square, "sale", location="Main", lines=[{"sku": sku, "units": 2}])

    answer = sdk.orders.search(location_ids=[place_of(square, "Main")], return_entries=False)

    sold = [(line.catalog_object_id, line.quantity) for o in answer.orders for line in o.line_items]
    assert (variation, "2") in sold


def test_the_sdk_is_refused_without_a_good_token(square: SquareRunning) -> None:
    with httpx.Client() as wire:
        stranger = Square(base_url=square.facts.base_url, token="EAAAnobody", httpx_client=wire)

        with pytest.raises(ApiError) as refused:
            stranger.locations.list()

    assert refused.value.status_code == 401
    assert [each.code for each in refused.value.errors] == ["UNAUTHORIZED"]


def test_the_sdk_is_told_which_key_was_used_before(
    square: SquareRunning, sdk: Any, sku: str
) -> None:
    variation = stocked(square, sku, Main=10)

    def count(units: str) -> Any:
        counted = {
            "catalog_object_id": variation,
            "location_id": place_of(square, "Main"),
            "state": "IN_STOCK",
            "quantity": units,
            "occurred_at": now(square),
        }
        return sdk.inventory.batch_create_changes(
            idempotency_key=f"once-{sku}",
            changes=[{"type": "PHYSICAL_COUNT", "physical_count": counted}],
        )

    count("5")
    with pytest.raises(ApiError) as refused:
        count("6")

    assert refused.value.status_code == 400
    assert [each.code for each in refused.value.errors] == ["IDEMPOTENCY_KEY_REUSED"]


def test_the_sdk_subscribes_and_accepts_our_signature() -> None:
    with mailbox() as box, httpx.Client() as wire:
        running = start_square(seed=3, notification_url=box.url)
        try:
            stocked(running, "SKU-HOOK", Main=10)
            box.received.clear()
            do(running, "sale", location="Main", lines=[{"sku": "SKU-HOOK", "units": 1}])
            box.wait_for(1)
            sdk = Square(
                base_url=running.facts.base_url, token=running.facts.token, httpx_client=wire
            )
            subscribed = [each.notification_url for each in sdk.webhooks.subscriptions.list()]
        finally:
            running.stop()

    headers, body = box.received[0]
    said = {
        "request_body": body.decode(),
        "signature_header": headers["x-square-hmacsha256-signature"],
        "signature_key": running.facts.signature_key,
    }
    assert subscribed == [box.url]
    assert verify_signature(**said, notification_url=box.url)
    assert not verify_signature(**said, notification_url=box.url + "/")
