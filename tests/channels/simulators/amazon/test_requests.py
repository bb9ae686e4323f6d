"""What the API says to a request that does not fit the model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channels.simulators.amazon.seller import Seller

LISTINGS = "/listings/2021-08-01/items"
SUMMARIES = {
    "granularityType": "Marketplace",
    "granularityId": "ATVPDKIKX0DER",
    "marketplaceIds": "ATVPDKIKX0DER",
}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/fba/inventory/v1/summaries", {"granularityId": "ATVPDKIKX0DER"}),
        ("/fba/inventory/v1/summaries", {**SUMMARIES, "granularityType": "Country"}),
        ("/fba/inventory/v1/summaries", {**SUMMARIES, "details": "yes"}),
        ("/fba/inventory/v1/summaries", {**SUMMARIES, "startDateTime": "yesterday"}),
        ("/fba/inventory/v1/summaries", {**SUMMARIES, "startDateTime": "2024-07-01T00:00:00Z"}),
        ("/fba/inventory/v1/summaries", {**SUMMARIES, "sellerSkus": ",".join("x" * 51)}),
        ("/fba/inventory/v1/summaries", {**SUMMARIES, "marketplaceIds": ["A1", "A2"]}),
        ("/orders/2026-01-01/orders", {}),
        ("/orders/2026-01-01/orders", {"createdAfter": "TEST_CASE_400"}),
        ("/orders/2026-01-01/orders/TEST_CASE_400", {}),
        ("/orders/v0/orders", {"MarketplaceIds": "ATVPDKIKX0DER"}),
        ("/feeds/2021-06-30/feeds", {}),
        ("/feeds/2021-06-30/feeds", {"feedTypes": "X", "processingStatuses": "BAD_VALUE"}),
        ("/feeds/2021-06-30/feeds", {"feedTypes": "X", "pageSize": "0"}),
        ("/feeds/2021-06-30/feeds", {"feedTypes": "X", "pageSize": "some"}),
        ("/feeds/2021-06-30/feeds/badFeedId1", {}),
        ("/reports/2021-06-30/reports/badReportId1", {}),
        ("/reports/2021-06-30/documents/badDocumentId1", {}),
    ],
)
def test_a_query_that_does_not_fit_is_invalid_input(
    seller: Seller, path: str, query: dict[str, Any]
) -> None:
    answer = seller.call("GET", path, query)

    assert (answer.status, answer.errors) == (400, ["InvalidInput"])


@pytest.mark.parametrize("spelling", ["true", "True", "TRUE"])
def test_yes_is_understood_as_any_sdk_spells_it(seller: Seller, spelling: str) -> None:
    answer = seller.call("GET", "/fba/inventory/v1/summaries", {**SUMMARIES, "details": spelling})

    rows = answer.body["payload"]["inventorySummaries"]
    assert all("inventoryDetails" in row for row in rows)
    assert rows


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/2021-06-30/feeds/123456",
        "/reports/2021-06-30/reports/123456",
        "/orders/2026-01-01/orders/111-1111111-1111111",
        "/orders/v0/orders/111-1111111-1111111",
        "/orders/v0/orders/111-1111111-1111111/orderItems",
        "/fba/outbound/2020-07-01/fulfillmentOrders/none",
        "/notifications/v1/subscriptions/ORDER_CHANGE",
    ],
)
def test_a_thing_that_is_not_there_is_not_found(seller: Seller, path: str) -> None:
    answer = seller.call("GET", path)

    assert (answer.status, answer.errors) == (404, ["NotFound"])


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"patches": []},
        {"productType": "PRODUCT"},
        {"productType": "PRODUCT", "patches": []},
        {"productType": 7, "patches": [{"op": "merge", "path": "/attributes/brand", "value": []}]},
        {"productType": "PRODUCT", "patches": [{"op": "move", "path": "/attributes/brand"}]},
        {"productType": "PRODUCT", "patches": {"op": "merge", "path": "/attributes/brand"}},
        {"productType": "PRODUCT", "patches": [{"op": "merge", "path": "/attributes/brand/0"}]},
        {"productType": "PRODUCT", "patches": [{"op": "merge", "path": "/attributes/brand"}]},
    ],
)
def test_a_patch_that_cannot_be_read_is_invalid_input(seller: Seller, body: object) -> None:
    answer = seller.call("PATCH", seller.simulator.item_path("FBM-1"), seller.here(), body)

    assert (answer.status, answer.errors) == (400, ["InvalidInput"])


def test_a_missing_value_is_named_by_its_index(seller: Seller) -> None:
    patches = [{"op": "replace", "path": "/attributes/fulfillment_availability"}]

    answer = seller.patch("FBM-1", patches=patches)

    assert answer.body["errors"][0]["message"] == "Value is missing for patch at index of 0."


@pytest.mark.parametrize("path", ["/nowhere", "/listings/2021-08-01", "/orders/2027-01-01/orders"])
def test_a_path_that_is_no_operation_is_denied(seller: Seller, path: str) -> None:
    assert seller.call("GET", path).errors == ["Unauthorized"]


def test_a_bare_slash_in_a_sku_is_denied_and_an_escaped_one_is_not(seller: Seller) -> None:
    seller.do("listing", sku="A/B 50%", units=4)
    owner = seller.account.seller_id

    assert seller.call("GET", f"{LISTINGS}/{owner}/A/B", seller.here()).status == 403
    assert seller.call("GET", f"{LISTINGS}/{owner}/A%2FB%2050%25", seller.here()).status == 200


def test_another_sellers_listing_is_denied(seller: Seller) -> None:
    assert seller.call("GET", f"{LISTINGS}/A1STRANGER/FBM-1", seller.here()).status == 403


def test_a_foreign_marketplace_is_invalid_input(seller: Seller) -> None:
    path = seller.simulator.item_path("FBM-1")

    assert seller.call("GET", path, {"marketplaceIds": "A1F83G8C2ARO7P"}).errors == ["InvalidInput"]


def test_an_unknown_sku_has_the_listings_apis_own_code(seller: Seller) -> None:
    answer = seller.item("NOPE")

    assert (answer.status, answer.errors) == (404, ["NOT_FOUND"])
    assert (
        answer.body["errors"][0]["message"] == "SKU 'NOPE' not found in marketplace ATVPDKIKX0DER"
    )


def test_every_answer_has_a_request_id_of_its_own(seller: Seller) -> None:
    ids = {seller.item("FBM-1").headers["x-amzn-requestid"] for _ in range(5)}

    assert len(ids) == 5


def test_the_log_tells_every_call_with_its_operation_status_and_skus(seller: Seller) -> None:
    seller.patch("FBM-1", 4)
    seller.item("NOPE")

    calls = seller.do("events", kind="api")["events"]

    assert [(c["operation"], c["status"], c["skus"]) for c in calls] == [
        ("patchListingsItem", 200, ["FBM-1"]),
        ("getListingsItem", 404, ["NOPE"]),
    ]
