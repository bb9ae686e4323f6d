"""Shopify's own SDK (`shopifyapp`) against the simulated shop: its answers to calls, its check of webhooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from shopify_app import ShopifyApp

from channels.simulators.serve import Running, start
from channels.simulators.shopify.control import Control
from tests.channels.simulators.shopdesk import document, mailbox


class Detour(httpx.HTTPTransport):  # type: ignore[misc]  # httpx is only in .venv-referees
    """The SDK calls https://<shop>.myshopify.com and nothing else; what it sends goes to the simulator instead."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._to = httpx.URL(base_url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host.endswith(".myshopify.com")
        request.url = request.url.copy_with(
            scheme=self._to.scheme, host=self._to.host, port=self._to.port
        )
        return super().handle_request(request)


class Sdk:
    """The app as its own SDK runs it."""

    def __init__(self, running: Running, wire: httpx.Client) -> None:
        self._shop = running.facts.shop.removesuffix(".myshopify.com")
        self._token = running.facts.token
        self._wire = wire
        self.app = ShopifyApp("client", running.facts.webhook_secret)

    def ask(self, query: str, *, token: str | None = None, **variables: Any) -> Any:
        return self.app.admin_graphql_request(
            query,
            shop=self._shop,
            access_token=token or self._token,
            api_version="2026-07",
            variables=variables,
            http_client=self._wire,
        )


@pytest.fixture
def sdk(shopify: Running) -> Iterator[Sdk]:
    with httpx.Client(transport=Detour(shopify.facts.base_url)) as wire:
        yield Sdk(shopify, wire)


def do(shopify: Running, verb: str, **facts: Any) -> Any:
    """Something that happens in the shop."""
    return Control(shopify.simulator).verbs()[verb](facts)


def stocked(shopify: Running, sku: str, units: int) -> dict[str, Any]:
    """A new SKU at the location Main: its level as the shop holds it."""
    if "Main" not in {place.name for place in shopify.simulator.shop.locations.values()}:
        do(shopify, "location", name="Main")
    do(shopify, "product", title=sku, variants=[{"sku": sku, "stock": {"Main": units}}])
    (level,) = do(shopify, "state", sku=sku)["levels"]
    found: dict[str, Any] = level
    return found


def row_of(shopify: Running, sku: str, units: int, expected: int) -> dict[str, Any]:
    shop = shopify.simulator.shop
    return {
        "inventoryItemId": shop.variant(sku).item.gid,
        "locationId": shop.location("Main").gid,
        "quantity": units,
        "changeFromQuantity": expected,
    }


def stock_input(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"name": "available", "reason": "correction", "quantities": list(rows)}


def test_the_sdk_reads_a_level(shopify: Running, sdk: Sdk, sku: str) -> None:
    stocked(shopify, sku, 10)
    level = shopify.simulator.shop.level(sku, "Main").gid

    answer = sdk.ask(document("readback_nodes"), ids=[level])

    (node,) = answer.data["nodes"]
    assert answer.ok
    assert {q["name"]: q["quantity"] for q in node["quantities"]}["available"] == 10
    assert answer.extensions["cost"]["throttleStatus"]["maximumAvailable"] > 0


def test_the_sdk_writes_stock(shopify: Running, sdk: Sdk, sku: str) -> None:
    stocked(shopify, sku, 10)

    rows = stock_input(row_of(shopify, sku, 4, expected=10))
    answer = sdk.ask(document("set"), input=rows, key=f"key-{sku}")

    assert answer.ok
    assert answer.data["inventorySetQuantities"]["userErrors"] == []
    (level,) = do(shopify, "state", sku=sku)["levels"]
    assert level["available"] == 4


def test_the_sdk_is_told_that_the_shop_shows_something_else(
    shopify: Running, sdk: Sdk, sku: str
) -> None:
    stocked(shopify, sku, 10)

    rows = stock_input(row_of(shopify, sku, 4, expected=9))
    answer = sdk.ask(document("set"), input=rows, key=f"key-{sku}")

    (error,) = answer.data["inventorySetQuantities"]["userErrors"]
    assert answer.ok
    assert error["code"] == "CHANGE_FROM_QUANTITY_STALE"


def test_the_sdk_sees_a_write_without_a_key_as_an_error_of_the_call(
    shopify: Running, sdk: Sdk, sku: str
) -> None:
    stocked(shopify, sku, 10)
    without_key = (
        document("set").replace("@idempotent(key: $key)", "").replace(", $key: String!", "")
    )

    answer = sdk.ask(without_key, input=stock_input(row_of(shopify, sku, 4, expected=10)))

    assert (answer.ok, answer.log.code) == (False, "graphql_errors")
    assert "@idempotent" in answer.response.body


def test_the_sdk_is_refused_without_a_good_token(sdk: Sdk) -> None:
    answer = sdk.ask("{ shop { name } }", token="shpat_nobody")

    assert not answer.ok
    assert answer.http_logs[-1].res.status == 401


def test_the_sdk_accepts_our_webhooks_and_no_others() -> None:
    running = start("shopify", seed=3)
    try:
        with mailbox() as box, httpx.Client(transport=Detour(running.facts.base_url)) as wire:
            sdk = Sdk(running, wire)
            subscription = {"uri": box.url, "format": "JSON"}
            made = sdk.ask(document("webhook"), topic="ORDERS_CREATE", sub=subscription)
            stocked(running, "SKU-HOOK", 10)
            do(running, "order", lines=[{"sku": "SKU-HOOK", "units": 1}], location="Main")
            box.wait_for(1)
    finally:
        running.stop()

    headers, body = box.received[0]
    request = {"method": "POST", "url": box.url, "headers": headers, "body": body.decode()}
    changed = request | {"body": body.decode() + " "}
    assert made.ok, made
    assert headers["x-shopify-topic"] == "orders/create"
    assert sdk.app.verify_webhook_req(request).ok
    assert not sdk.app.verify_webhook_req(changed).ok
