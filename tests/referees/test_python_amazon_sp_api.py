"""The Python community's SDK (`python-amazon-sp-api`) against the simulated seller: a second opinion."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest
from sp_api.api import FeedsV20210630, Inventories, ListingsItemsV20210801, Notifications
from sp_api.auth import AccessTokenClient
from sp_api.base import Marketplaces
from sp_api.base.exceptions import (
    SellingApiForbiddenException,
    SellingApiNotFoundException,
    SellingApiRequestThrottledException,
)

from channels.simulators.amazon.control import Control
from channels.simulators.amazon.serving import AmazonRunning

Sdk: TypeAlias = Callable[[Any], Any]


@pytest.fixture
def sdk(amazon: AmazonRunning) -> Iterator[Sdk]:
    """Class of the SDK -> a client of it that talks to the simulator."""
    facts = amazon.facts
    door = urlsplit(facts.lwa_url)
    signing = {"scheme": "http://", "host": door.netloc, "path": door.path}
    credentials = {
        "refresh_token": facts.refresh_token,
        "lwa_app_id": facts.client_id,
        "lwa_client_secret": facts.client_secret,
    }
    with ExitStack() as opened:

        def made(kind: Any) -> Any:
            client = kind(
                Marketplaces.US,
                credentials=credentials,
                auth_token_client_class=type("OurDoor", (AccessTokenClient,), signing),
            )
            client.endpoint = facts.base_url
            opened.callback(client.close)
            opened.callback(client._auth._transport.close)
            return client

        yield made


def do(amazon: AmazonRunning, verb: str, **facts: Any) -> Any:
    """Something the merchant, a buyer or Amazon does."""
    return Control(amazon.simulator).verbs()[verb](facts)


def availability(units: int) -> dict[str, Any]:
    return {
        "op": "merge",
        "path": "/attributes/fulfillment_availability",
        "value": [{"fulfillment_channel_code": "DEFAULT", "quantity": units}],
    }


def test_the_sdk_reads_what_a_listing_offers(amazon: AmazonRunning, sdk: Sdk, sku: str) -> None:
    do(amazon, "listing", sku=sku, units=10)

    item = sdk(ListingsItemsV20210801).get_listings_item(
        amazon.facts.seller_id, sku, includedData=["summaries", "fulfillmentAvailability"]
    )

    assert item.payload["sku"] == sku
    assert [each["quantity"] for each in item.payload["fulfillmentAvailability"]] == [10]


def test_the_sdk_is_told_the_rate_it_may_call_at(amazon: AmazonRunning, sdk: Sdk, sku: str) -> None:
    do(amazon, "listing", sku=sku, units=10)

    item = sdk(ListingsItemsV20210801).get_listings_item(amazon.facts.seller_id, sku)

    assert float(item.rate_limit) == 5.0


def test_the_sdk_writes_stock(amazon: AmazonRunning, sdk: Sdk, sku: str) -> None:
    do(amazon, "listing", sku=sku, units=10)

    answer = sdk(ListingsItemsV20210801).patch_listings_item(
        amazon.facts.seller_id,
        sku,
        marketplaceIds=[amazon.facts.marketplace_id],
        body={"productType": "PRODUCT", "patches": [availability(4)]},
    )
    do(amazon, "advance", seconds=60)

    assert answer.payload["status"] == "ACCEPTED"
    (listing,) = do(amazon, "state", sku=sku)["listings"]
    assert listing["units"] == 4


def test_the_sdk_sends_a_feed_and_reads_its_report(
    amazon: AmazonRunning, sdk: Sdk, sku: str
) -> None:
    do(amazon, "listing", sku=sku, units=10)
    feeds = sdk(FeedsV20210630)
    message = {
        "messageId": 1,
        "sku": sku,
        "operationType": "PATCH",
        "productType": "PRODUCT",
        "patches": [availability(7)],
    }
    header = {"sellerId": amazon.facts.seller_id, "version": "2.0", "issueLocale": "en_US"}
    text = json.dumps({"header": header, "messages": [message]})

    _, made = feeds.submit_feed(
        "JSON_LISTINGS_FEED",
        io.BytesIO(text.encode()),
        "application/json; charset=UTF-8",
        marketplaceIds=[amazon.facts.marketplace_id],
    )
    do(amazon, "advance", seconds=300)
    feed = feeds.get_feed(made.payload["feedId"]).payload
    report = json.loads(feeds.get_feed_document(feed["resultFeedDocumentId"]))
    do(amazon, "advance", seconds=60)

    assert feed["processingStatus"] == "DONE"
    assert report["summary"]["messagesAccepted"] == 1
    (listing,) = do(amazon, "state", sku=sku)["listings"]
    assert listing["units"] == 7


def test_the_sdk_reads_what_lies_in_amazons_network(
    amazon: AmazonRunning, sdk: Sdk, sku: str
) -> None:
    do(amazon, "listing", sku=sku, fba={"fulfillable": 20})

    answer = sdk(Inventories).get_inventory_summary_marketplace(details=True, sellerSkus=[sku])

    (row,) = answer.payload["inventorySummaries"]
    assert row["inventoryDetails"]["fulfillableQuantity"] == 20


def test_the_sdk_makes_a_destination_with_a_token_of_its_own(sdk: Sdk) -> None:
    queue = "arn:aws:sqs:us-east-1:444455556666:stock"
    notifications = sdk(Notifications)

    made = notifications.create_destination("stock", arn=queue)

    kept = {each["destinationId"] for each in notifications.get_destinations().payload}
    assert made.payload["destinationId"] in kept


def test_the_sdk_is_told_that_a_listing_is_not_there(
    amazon: AmazonRunning, sdk: Sdk, sku: str
) -> None:
    with pytest.raises(SellingApiNotFoundException) as refused:
        sdk(ListingsItemsV20210801).get_listings_item(amazon.facts.seller_id, sku)

    assert refused.value.amzn_code == "NOT_FOUND"


def test_the_sdk_may_not_ask_for_another_sellers_listing(sdk: Sdk, sku: str) -> None:
    with pytest.raises(SellingApiForbiddenException):
        sdk(ListingsItemsV20210801).get_listings_item("A1SOMEBODYELSE", sku)


def test_the_sdk_is_throttled_without_being_told_for_how_long(
    amazon: AmazonRunning, sdk: Sdk, sku: str
) -> None:
    do(amazon, "listing", sku=sku, units=10)
    do(amazon, "fault", kind="throttle", operation="getListingsItem", count=1)

    with pytest.raises(SellingApiRequestThrottledException) as refused:
        sdk(ListingsItemsV20210801).get_listings_item(amazon.facts.seller_id, sku)

    assert "retry-after" not in refused.value.headers
    assert "x-amzn-ratelimit-limit" not in refused.value.headers
