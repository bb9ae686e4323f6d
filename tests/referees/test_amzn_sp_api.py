"""Amazon's own SDK (`amzn-sp-api`) against the simulated seller: its models read every answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from spapi.api.fba_inventory_v1.fba_inventory_api import FbaInventoryApi
from spapi.api.listings_items_v2021_08_01.listings_api import ListingsApi
from spapi.api.notifications_v1.notifications_api import NotificationsApi
from spapi.api.orders_v2026_01_01.search_orders_api import SearchOrdersApi
from spapi.auth.credentials import SPAPIConfig
from spapi.client import SPAPIClient
from spapi.models.listings_items_v2021_08_01 import ListingsItemPatchRequest, PatchOperation
from spapi.rest import ApiException

from channels.simulators.amazon.control import Control
from channels.simulators.amazon.serving import AmazonRunning


@pytest.fixture
def sdk(amazon: AmazonRunning) -> Iterator[Any]:
    """A client of the SDK with the seller's refresh token."""
    facts = amazon.facts
    config = SPAPIConfig(facts.client_id, facts.client_secret, refresh_token=facts.refresh_token)
    client = SPAPIClient(config, oauth_endpoint=facts.lwa_url, endpoint=facts.base_url)
    yield client.api_client
    client.api_client.rest_client.pool_manager.clear()


def do(amazon: AmazonRunning, verb: str, **facts: Any) -> Any:
    """Something the merchant, a buyer or Amazon does."""
    return Control(amazon.simulator).verbs()[verb](facts)


def patch_of(units: int) -> ListingsItemPatchRequest:
    """A stock patch in the SDK's own words."""
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": units}]
    one = PatchOperation(op="merge", path="/attributes/fulfillment_availability", value=value)
    return ListingsItemPatchRequest(product_type="PRODUCT", patches=[one])


def test_the_sdk_reads_what_a_listing_offers(amazon: AmazonRunning, sdk: Any, sku: str) -> None:
    do(amazon, "listing", sku=sku, units=10)

    item = ListingsApi(sdk).get_listings_item(
        amazon.facts.seller_id,
        sku,
        [amazon.facts.marketplace_id],
        included_data=["summaries", "fulfillmentAvailability"],
    )

    assert item.sku == sku
    assert [each.quantity for each in item.fulfillment_availability] == [10]
    assert item.summaries[0].marketplace_id == amazon.facts.marketplace_id


def test_the_sdk_writes_stock(amazon: AmazonRunning, sdk: Any, sku: str) -> None:
    do(amazon, "listing", sku=sku, units=10)

    answer = ListingsApi(sdk).patch_listings_item(
        amazon.facts.seller_id, sku, [amazon.facts.marketplace_id], patch_of(4)
    )
    do(amazon, "advance", seconds=60)

    assert (answer.sku, answer.status) == (sku, "ACCEPTED")
    (listing,) = do(amazon, "state", sku=sku)["listings"]
    assert listing["units"] == 4


def test_the_sdk_reads_what_lies_in_amazons_network(
    amazon: AmazonRunning, sdk: Any, sku: str
) -> None:
    do(amazon, "listing", sku=sku, fba={"fulfillable": 20, "inbound_shipped": 5})
    market = amazon.facts.marketplace_id

    answer = FbaInventoryApi(sdk).get_inventory_summaries(
        "Marketplace", market, [market], details=True, seller_skus=[sku]
    )

    (row,) = answer.payload.inventory_summaries
    assert row.inventory_details.fulfillable_quantity == 20
    assert row.inventory_details.inbound_shipped_quantity == 5


def test_the_sdk_finds_an_order(amazon: AmazonRunning, sdk: Any, sku: str) -> None:
    do(amazon, "listing", sku=sku, units=10)
    placed = do(amazon, "order", lines=[{"sku": sku, "units": 2}])
    do(amazon, "advance", seconds=600)
    since = amazon.simulator.clock.now() - timedelta(days=1)

    answer = SearchOrdersApi(sdk).search_orders(
        last_updated_after=since, marketplace_ids=[amazon.facts.marketplace_id]
    )

    lines = {order.order_id: order.order_items for order in answer.orders}[placed["orderId"]]
    assert [(line.product.seller_sku, line.quantity_ordered) for line in lines] == [(sku, 2)]


def test_the_sdk_is_told_that_a_listing_is_not_there(
    amazon: AmazonRunning, sdk: Any, sku: str
) -> None:
    with pytest.raises(ApiException) as refused:
        ListingsApi(sdk).get_listings_item(
            amazon.facts.seller_id, sku, [amazon.facts.marketplace_id]
        )

    assert refused.value.status == 404
    assert "NOT_FOUND" in refused.value.body


def test_the_sdk_is_refused_when_its_token_was_revoked(
    amazon: AmazonRunning, sdk: Any, sku: str
) -> None:
    do(amazon, "listing", sku=sku, units=10)
    sdk.configuration.access_token_cache.get_lwa_access_token()
    do(amazon, "revoke_tokens")

    with pytest.raises(ApiException) as refused:
        ListingsApi(sdk).get_listings_item(
            amazon.facts.seller_id, sku, [amazon.facts.marketplace_id]
        )

    assert refused.value.status == 403


def test_the_sdk_manages_destinations_with_a_token_of_its_own(amazon: AmazonRunning) -> None:
    facts = amazon.facts
    scope = "sellingpartnerapi::notifications"
    config = SPAPIConfig(facts.client_id, facts.client_secret, scope=scope)
    client = SPAPIClient(config, oauth_endpoint=facts.lwa_url, endpoint=facts.base_url)
    try:
        answer = NotificationsApi(client.api_client).get_destinations()
    finally:
        client.api_client.rest_client.pool_manager.clear()

    assert answer.errors is None
    assert answer.payload is not None
