"""Usage plans: a bucket per operation, filled by the clock, told only in good company."""

from __future__ import annotations

import pytest

from channels.simulators.amazon.models import operations
from tests.channels.simulators.amazon.seller import Seller

RATE = "x-amzn-ratelimit-limit"

# (rate per second, burst) as the models' tables say; copied here by hand so that a parsing mistake cannot hide.
PLANS = {
    "listingsItems_2021-08-01.patchListingsItem": (5, 5),
    "listingsItems_2021-08-01.getListingsItem": (5, 10),
    "listingsItems_2021-08-01.putListingsItem": (5, 10),
    "listingsItems_2021-08-01.searchListingsItems": (5, 5),
    "feeds_2021-06-30.createFeed": (0.0083, 15),
    "feeds_2021-06-30.createFeedDocument": (0.5, 15),
    "feeds_2021-06-30.getFeed": (2, 15),
    "feeds_2021-06-30.getFeeds": (0.0222, 10),
    "fbaInventory.getInventorySummaries": (2, 2),
    "orders_2026-01-01.searchOrders": (0.0056, 20),
    "orders_2026-01-01.getOrder": (0.5, 30),
    "ordersV0.getOrders": (0.0167, 20),
    "fulfillmentOutbound_2020-07-01.createFulfillmentOrder": (2, 30),
    "reports_2021-06-30.createReport": (0.0167, 15),
    "reports_2021-06-30.getReport": (2, 15),
    "notifications.createSubscription": (1, 5),
    "productPricingV0.getItemOffers": (0.5, 1),
    "productPricingV0.getListingOffers": (1, 2),
}


def test_the_plans_are_the_vendors() -> None:
    served = {one.key: (one.rate_per_s, one.burst) for one in operations()}

    assert {key: served[key] for key in PLANS} == PLANS


def test_a_burst_is_served_and_the_next_call_is_over_quota(seller: Seller) -> None:
    answers = [seller.patch("FBM-1", 5) for _ in range(6)]

    assert [answer.status for answer in answers] == [200] * 5 + [429]
    assert answers[-1].errors == ["QuotaExceeded"]
    assert RATE not in answers[-1].headers
    assert "retry-after" not in answers[-1].headers
    assert "x-amzn-requestid" in answers[-1].headers


def test_tokens_come_back_at_the_plans_rate(seller: Seller) -> None:
    since = "2026-07-01T00:00:00Z"
    for _ in range(20):
        assert seller.search(lastUpdatedAfter=since).status == 200

    assert seller.search(lastUpdatedAfter=since).status == 429
    seller.later(178)
    assert seller.search(lastUpdatedAfter=since).status == 429, "0.0056 a second is one in 178.6"
    seller.later(1)
    assert seller.search(lastUpdatedAfter=since).status == 200


def test_a_refused_call_spends_nothing_and_a_bad_request_does(seller: Seller) -> None:
    for _ in range(2):
        assert seller.summaries(granularityId="A1").status == 400

    assert [seller.summaries().status for _ in range(3)] == [429] * 3
    seller.later(0.5)
    assert seller.summaries().status == 200


def test_a_full_bucket_holds_no_more_than_its_burst(seller: Seller) -> None:
    seller.summaries()
    seller.later(3600)

    assert [seller.summaries().status for _ in range(3)] == [200, 200, 429]


def test_operations_of_the_same_name_have_buckets_of_their_own(seller: Seller) -> None:
    order = seller.do("order", lines=[{"sku": "FBM-1", "units": 1}])["orderId"]
    for _ in range(30):
        seller.call("GET", f"/orders/v0/orders/{order}")

    assert seller.call("GET", f"/orders/v0/orders/{order}").status == 429
    assert seller.call("GET", f"/orders/2026-01-01/orders/{order}").status == 200


@pytest.mark.parametrize(
    ("sku", "query", "status"),
    [("FBM-1", {}, 200), ("FBM-1", {"includedData": "wrong"}, 400), ("NOPE", {}, 404)],
)
def test_the_rate_is_told_on_answers_of_the_operation_itself(
    seller: Seller, sku: str, query: dict[str, str], status: int
) -> None:
    answer = seller.call("GET", seller.simulator.item_path(sku), seller.here(**query))

    assert answer.status == status
    assert answer.headers[RATE] == "5.0"


def test_the_rate_is_not_told_with_a_server_error(seller: Seller) -> None:
    seller.do("fault", kind="server_error", status=503, count=1)

    answer = seller.item("FBM-1")

    assert (answer.status, answer.errors) == (503, ["ServiceUnavailable"])
    assert RATE not in answer.headers


def test_another_plan_counts_from_the_next_call_and_is_told(seller: Seller) -> None:
    seller.do("limit", operation="getInventorySummaries", rate=10, burst=3)

    answers = [seller.summaries() for _ in range(4)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers[RATE] == "10.0"


def test_a_storm_throttles_until_it_is_over(seller: Seller) -> None:
    seller.do("fault", kind="throttle", seconds=30)

    assert seller.item("FBM-1").status == 429
    assert seller.patch("FBM-1", 1).status == 429
    seller.later(30)
    assert seller.item("FBM-1").status == 200
