"""The operations we call: where they are and what Amazon lets an account call them.

A usage plan is a token bucket per operation, selling partner and application: `burst` calls when full, `rate_per_s`
regained. These are the defaults; `x-amzn-RateLimit-Limit` of an answer tells another rate where the seller has one.

Source: the usage plans in the models of github.com/amzn/selling-partner-api-models, commit 34dc93f, 2026-08-05.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `path` has its parameters in braces.

    grantless   wants a token of the application itself, not of a seller
    """

    name: str
    method: str
    path: str
    burst: float
    rate_per_s: float
    grantless: bool = False

    @property
    def is_read(self) -> bool:
        """It changes nothing, so that a broken connection may be tried once more at once."""
        return self.method == "GET"


_ITEM = "/listings/2021-08-01/items/{sellerId}/{sku}"
_FEEDS = "/feeds/2021-06-30"
_REPORTS = "/reports/2021-06-30"
_TOLD = "/notifications/v1"
_MCF = "/fba/outbound/2020-07-01/fulfillmentOrders"

_ALL: Final = (
    Operation("getListingsItem", "GET", _ITEM, 10, 5),
    Operation("patchListingsItem", "PATCH", _ITEM, 5, 5),
    Operation("searchListingsItems", "GET", "/listings/2021-08-01/items/{sellerId}", 5, 5),
    Operation("createFeedDocument", "POST", f"{_FEEDS}/documents", 15, 0.5),
    Operation("createFeed", "POST", f"{_FEEDS}/feeds", 15, 0.0083),
    Operation("getFeed", "GET", f"{_FEEDS}/feeds/{{feedId}}", 15, 2),
    Operation("getFeedDocument", "GET", f"{_FEEDS}/documents/{{feedDocumentId}}", 10, 0.0222),
    Operation("createReport", "POST", f"{_REPORTS}/reports", 15, 0.0167),
    Operation("getReport", "GET", f"{_REPORTS}/reports/{{reportId}}", 15, 2),
    Operation("getReports", "GET", f"{_REPORTS}/reports", 10, 0.0222),
    Operation("getReportDocument", "GET", f"{_REPORTS}/documents/{{reportDocumentId}}", 15, 0.0167),
    Operation("searchOrders", "GET", "/orders/2026-01-01/orders", 20, 0.0056),
    Operation("getOrder", "GET", "/orders/2026-01-01/orders/{orderId}", 30, 0.5),
    Operation("getInventorySummaries", "GET", "/fba/inventory/v1/summaries", 2, 2),
    Operation("createFulfillmentOrder", "POST", _MCF, 30, 2),
    Operation("getFulfillmentOrder", "GET", f"{_MCF}/{{sellerFulfillmentOrderId}}", 30, 2),
    Operation("listAllFulfillmentOrders", "GET", _MCF, 30, 2),
    Operation(
        "cancelFulfillmentOrder", "PUT", f"{_MCF}/{{sellerFulfillmentOrderId}}/cancel", 30, 2
    ),
    Operation("getItemOffers", "GET", "/products/pricing/v0/items/{Asin}/offers", 1, 0.5),
    Operation("getListingOffers", "GET", "/products/pricing/v0/listings/{SellerSKU}/offers", 2, 1),
    Operation("getDestinations", "GET", f"{_TOLD}/destinations", 5, 1, grantless=True),
    Operation("createDestination", "POST", f"{_TOLD}/destinations", 5, 1, grantless=True),
    Operation("getSubscription", "GET", f"{_TOLD}/subscriptions/{{notificationType}}", 5, 1),
    Operation("createSubscription", "POST", f"{_TOLD}/subscriptions/{{notificationType}}", 5, 1),
)

OPERATIONS: Final[Mapping[str, Operation]] = {operation.name: operation for operation in _ALL}
