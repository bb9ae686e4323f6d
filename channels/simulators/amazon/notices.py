"""Bodies of notifications, as the vendor's notification schemas have them; made in the act that causes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from channels.simulators.amazon.account import Account, Act, Notice
from channels.simulators.amazon.state import MERCHANT, Job, Line, Listing, Offer, Order

ORDER_CHANGE: Final = "ORDER_CHANGE"
MFN_UNITS: Final = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
FBA_UNITS: Final = "FBA_INVENTORY_AVAILABILITY_CHANGES"
ANY_OFFER: Final = "ANY_OFFER_CHANGED"
FEED_DONE: Final = "FEED_PROCESSING_FINISHED"
REPORT_DONE: Final = "REPORT_PROCESSING_FINISHED"

CAMEL: Final = {FEED_DONE: "2020-09-04", REPORT_DONE: "2020-09-04"}
"""Types whose envelope is written in camelCase, with their payload version; all others are PascalCase, 1.0."""

VERSIONS: Final = dict.fromkeys((ORDER_CHANGE, MFN_UNITS, FBA_UNITS, ANY_OFFER), "1.0") | CAMEL
"""Every served type and its payload version."""

EVENT_BRIDGE_ONLY: Final = frozenset({MFN_UNITS})
"""Types that only EventBridge carries; the others here only go to SQS (developer-docs, Set up notifications)."""

V0_STATUS: Final = {
    "PENDING_AVAILABILITY": "PendingAvailability",
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
    "UNFULFILLABLE": "Unfulfillable",
}


def stamp(at: datetime) -> str:
    """ISO 8601 with milliseconds, UTC."""
    return f"{at.strftime('%Y-%m-%dT%H:%M:%S')}.{at.microsecond // 1000:03d}Z"


def money(cents: int) -> dict[str, object]:
    return {"Amount": cents / 100, "CurrencyCode": "USD"}


def stock_changed(account: Account, act: Act) -> None:
    """Tell of every listing whose units this act changed."""
    for sku, before in act.merchant.items():
        listing = account.listings.get(sku)
        after = listing.merchant_units if listing else None
        if listing is not None and after != before:
            payload = {
                "SellerId": account.seller_id,
                "FulfillmentChannelCode": MERCHANT,
                "Sku": sku,
                "Quantity": after or 0,
            }
            _tell(act, MFN_UNITS, payload, sku)
    for sku in sorted(act.fba):
        if sku in account.listings:
            _tell(act, FBA_UNITS, _fba(account, account.listings[sku]), sku)


def order_changed(
    account: Account, act: Act, order: Order, reason: str, *, kind: str = "OrderStatusChange"
) -> None:
    """ORDER_CHANGE at order level: enough to book stock without asking."""
    body = {
        "NotificationLevel": "OrderLevel",
        "SellerId": account.seller_id,
        "AmazonOrderId": order.order_id,
        "OrderChangeType": kind,
        "OrderChangeTrigger": {"TimeOfOrderChange": stamp(act.at), "ChangeReason": reason},
        "Summary": _order_summary(account, order),
    }
    skus = [line.sku for line in order.lines]
    _tell(act, ORDER_CHANGE, {"OrderChangeNotification": body}, *skus)


def offers_changed(account: Account, act: Act, asin: str, offers: list[Offer]) -> None:
    """ANY_OFFER_CHANGED for one ASIN: who offers it, who has the featured offer."""
    featured = [offer for offer in offers if offer.featured]
    cheapest = sorted(offers, key=lambda offer: offer.price_cents + offer.shipping_cents)[:1]
    counts = [
        {
            "Condition": "new",
            "FulfillmentChannel": channel,
            "OfferCount": sum(offer.by_amazon is amazon for offer in offers),
        }
        for channel, amazon in (("Amazon", True), ("Merchant", False))
    ]
    typical = money(cheapest[0].price_cents if cheapest else 0)
    summary = {
        "NumberOfOffers": counts,
        "LowestPrices": [
            _price(o) | {"FulfillmentChannel": "Amazon" if o.by_amazon else "Merchant"}
            for o in cheapest
        ],
        "BuyBoxPrices": [_price(offer) for offer in featured],
        "ListPrice": typical,
        "MinimumAdvertisedPrice": typical,
        "SuggestedLowerPricePlusShipping": typical,
        "TotalBuyBoxEligibleOffers": len(offers),
        "SalesRankings": [],
        "NumberOfBuyBoxEligibleOffers": counts,
        "CompetitivePriceThreshold": typical,
    }
    body = {
        "SellerId": account.seller_id,
        "OfferChangeTrigger": {
            "MarketplaceId": account.marketplace_id,
            "ASIN": asin,
            "ItemCondition": "new",
            "TimeOfOfferChange": stamp(act.at),
            "OfferChangeType": "External",
        },
        "Summary": summary,
        "Offers": [_offer(offer) for offer in offers],
    }
    skus = [listing.sku for listing in account.listings.values() if listing.asin == asin]
    _tell(act, ANY_OFFER, {"AnyOfferChangedNotification": body}, *skus)


def job_finished(account: Account, act: Act, kind: str, job: Job) -> None:
    """A feed or a report ended; DONE, FATAL or CANCELLED."""
    name = "feed" if kind == FEED_DONE else "report"
    body: dict[str, object] = {
        "sellerId": account.seller_id,
        "accountId": f"amzn1.merchant.o.{account.seller_id}",
        f"{name}Id": job.job_id,
        f"{name}Type": job.kind,
        "processingStatus": job.status,
    }
    if job.result_id is not None:
        document = "resultFeedDocumentId" if kind == FEED_DONE else "reportDocumentId"
        body[document] = job.result_id
    _tell(act, kind, {f"{name}ProcessingFinishedNotification": body})


def envelope(
    notice: Notice,
    *,
    application_id: str,
    subscription_id: str,
    notification_id: str,
    sent: datetime,
) -> dict[str, object]:
    """The whole notification in the spelling of its type."""
    version = VERSIONS[notice.kind]
    body: dict[str, Any] = {
        "notificationVersion": CAMEL.get(notice.kind, "1.0"),
        "notificationType": notice.kind,
        "payloadVersion": version,
        "eventTime": stamp(notice.at),
        "payload": notice.payload,
        "notificationMetadata": {
            "applicationId": application_id,
            "subscriptionId": subscription_id,
            "publishTime": stamp(sent),
            "notificationId": notification_id,
        },
    }
    if notice.kind in CAMEL:
        return body
    metadata = {_pascal(name): value for name, value in body["notificationMetadata"].items()}
    return {_pascal(name): value for name, value in body.items()} | {
        "NotificationMetadata": metadata
    }


def _tell(act: Act, kind: str, payload: Mapping[str, Any], *skus: str) -> None:
    if not act.silent:
        act.notices.append(Notice(kind, payload, act.at, frozenset(skus)))


def _pascal(name: str) -> str:
    return name[0].upper() + name[1:]


def _fba(account: Account, listing: Listing) -> dict[str, Any]:
    parts = listing.fba
    inventory = {
        "InboundQuantityBreakdown": {
            "Working": parts.inbound_working,
            "Shipped": parts.inbound_shipped,
            "Receiving": parts.inbound_receiving,
        },
        "Fulfillable": parts.fulfillable,
        "Unfulfillable": parts.unfulfillable,
        "Researching": parts.researching,
        "ReservedQuantityBreakdown": {
            "WarehouseProcessing": parts.reserved_processing,
            "WarehouseTransfer": parts.reserved_transfer,
            "PendingCustomerOrder": parts.reserved_orders,
        },
        "FutureSupplyBuyable": 0,
        "PendingCustomerOrderInTransit": 0,
    }
    return {
        "SellerId": account.seller_id,
        "FNSKU": listing.fnsku,
        "ASIN": listing.asin,
        "SKU": listing.sku,
        "FulfillmentInventoryByMarketplace": [
            {
                "MarketplaceId": account.marketplace_id,
                "ItemName": listing.title,
                "FulfillmentInventory": inventory,
                "Stores": [],
            }
        ],
    }


def _order_summary(account: Account, order: Order) -> dict[str, Any]:
    ship_by = order.created_at + timedelta(days=2)
    return {
        "MarketplaceId": account.marketplace_id,
        "OrderStatus": V0_STATUS[order.status],
        "PurchaseDate": stamp(order.created_at),
        "DestinationPostalCode": order.postal_code,
        "FulfillmentType": "AFN" if order.by_amazon else "MFN",
        "OrderType": "StandardOrder",
        "NumberOfItemsShipped": sum(line.shipped for line in order.lines),
        "NumberOfItemsUnshipped": sum(line.open for line in order.lines),
        "EarliestShipDate": stamp(order.created_at),
        "LatestShipDate": stamp(ship_by),
        "OrderPrograms": [],
        "ShippingPrograms": [],
        "OrderItems": [_order_line(line) for line in order.lines],
    }


def _order_line(line: Line) -> dict[str, Any]:
    """The supply source is a required field of the schema, and empty without Multi-Location Inventory."""
    return {
        "OrderItemId": line.item_id,
        "SellerSKU": line.sku,
        "SupplySourceId": "",
        "OrderItemStatus": "Shipped" if line.shipped and not line.open else "Unshipped",
        "Quantity": line.units,
        "QuantityShipped": line.shipped,
        "IsBuyerRequestedCancel": line.cancel_requested,
    }


def _price(offer: Offer) -> dict[str, Any]:
    return {
        "Condition": "new",
        "LandedPrice": money(offer.price_cents + offer.shipping_cents),
        "ListingPrice": money(offer.price_cents),
        "Shipping": money(offer.shipping_cents),
    }


def _offer(offer: Offer) -> dict[str, Any]:
    return {
        "SellerId": offer.seller_id,
        "SubCondition": "new",
        "SellerFeedbackRating": {"FeedbackCount": 100, "SellerPositiveFeedbackRating": 98},
        "ShippingTime": {
            "MinimumHours": 24,
            "MaximumHours": 48,
            "AvailabilityType": "NOW",
            "AvailableDate": "",
        },
        "ListingPrice": money(offer.price_cents),
        "Points": {"PointsNumber": 0},
        "Shipping": money(offer.shipping_cents),
        "ShipsFrom": {"Country": "US", "State": "WA"},
        "IsFulfilledByAmazon": offer.by_amazon,
        "IsBuyBoxWinner": offer.featured,
        "PrimeInformation": {"IsOfferPrime": offer.by_amazon, "IsOfferNationalPrime": False},
        "IsExpeditedShippingAvailable": offer.by_amazon,
        "IsFeaturedMerchant": True,
        "ShipsDomestically": True,
        "ShipsInternationally": False,
    }
