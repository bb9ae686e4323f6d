"""The door for Amazon's notifications: is it genuine, what is it, and what does it say about stock.

Amazon writes to an SQS queue and to EventBridge. What takes them from there is the merchant's own pipe; its contract is

    POST <relay>/hooks/amazon, the body one notification as Amazon wrote it, or the EventBridge event around it
    X-Pipe-Signature: base64(HMAC-SHA256(secret, raw body))
    anything but a 2xx is sent again; a notification may come twice, late and in any order

Source: notification schemas at commit 34dc93f of github.com/amzn/selling-partner-api-models;
https://developer-docs.amazon.com/sp-api/docs/notification-type-values
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from channels.amazon import booking, order_documents, wire
from channels.base import Sighting, Unreadable
from channels.lane import Message, Signed, nothing
from channels.names import Delivery

_SIGNATURE: Final = "x-pipe-signature"
#: The order API does not tell the last two minutes; asked before, it costs one of twenty calls and says nothing.
_ORDER_API_LAG_S: Final = 125.0

ORDER_CHANGE: Final = "ORDER_CHANGE"
MFN_UNITS: Final = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"
FBA_UNITS: Final = "FBA_INVENTORY_AVAILABILITY_CHANGES"

#: What we ask Amazon to send, with the version of its payload.
VERSIONS: Final[Mapping[str, str]] = {
    ORDER_CHANGE: "1.0",
    MFN_UNITS: "1.0",
    FBA_UNITS: "1.0",
    "ANY_OFFER_CHANGED": "1.0",
    "FEED_PROCESSING_FINISHED": "2020-09-04",
    "REPORT_PROCESSING_FINISHED": "2020-09-04",
}
#: Types that Amazon sends to EventBridge only; the others of ours go to SQS only.
EVENT_BRIDGE_ONLY: Final = frozenset(
    {
        "BRANDED_ITEM_CONTENT_CHANGE",
        "ITEM_PRODUCT_TYPE_CHANGE",
        "LISTINGS_ITEM_ISSUES_CHANGE",
        MFN_UNITS,
        "LISTINGS_ITEM_STATUS_CHANGE",
        "PRODUCT_TYPE_DEFINITIONS_CHANGE",
    }
)

#: No listing shows more; what says so is no number of units.
_MOST_UNITS: Final = 1_000_000_000

_SHOWN: Final = "a channel's stock level never changes the ledger; reconciliation compares it"
#: Types that say nothing about stock by themselves, and why.
_SILENT: Final[Mapping[str, str]] = {
    MFN_UNITS: _SHOWN,
    FBA_UNITS: "Amazon's own count; the mirror of its network compares it, orders and its ledger are booked",
    "ANY_OFFER_CHANGED": "who offers it at which price; kept for the featured offer, no stock moves",
    "B2B_ANY_OFFER_CHANGED": "who offers it at which price to businesses; no stock moves",
    "FEED_PROCESSING_FINISHED": "a bell: the receipt of the feed is asked for what became of its rows",
    "REPORT_PROCESSING_FINISHED": "a bell: the report is fetched by whoever ordered it",
    "ITEM_INVENTORY_EVENT_CHANGE": "hourly figures of Amazon retail; no stock of the seller",
    "ITEM_SALES_EVENT_CHANGE": "hourly figures of Amazon retail; orders are booked one by one",
    "DETAIL_PAGE_TRAFFIC_EVENT": "how often a page was looked at",
    "FULFILLMENT_ORDER_STATUS": "a multi-channel order; whoever placed it asks for its state",
    "FBA_OUTBOUND_SHIPMENT_STATUS": "names a shipment without its units; the order's own change books them",
    "SHIPMENT_TRACKING_MILESTONE_CHANGED": "where a parcel is; it left when it was shipped",
    "LISTINGS_ITEM_STATUS_CHANGE": "whether a listing can be bought; reconciliation compares its units",
    "LISTINGS_ITEM_ISSUES_CHANGE": "what is wrong with a listing's data",
    "BRANDED_ITEM_CONTENT_CHANGE": "texts and pictures of an item",
    "ITEM_PRODUCT_TYPE_CHANGE": "master data of an item",
    "PRODUCT_TYPE_DEFINITIONS_CHANGE": "master data of Amazon",
    "PRICING_HEALTH": "prices only",
    "FEE_PROMOTION": "fees only",
    "TRANSACTION_UPDATE": "money only",
    "DATA_KIOSK_QUERY_PROCESSING_FINISHED": "concerns a query of figures",
    "ACCOUNT_STATUS_CHANGED": "concerns the seller's account; the API's own answers decide whether we go on",
    "ORDER_STATUS_CHANGE": "no longer sent by Amazon; ORDER_CHANGE took its place",
    "MFN_ORDER_STATUS_CHANGE": "no longer sent by Amazon; ORDER_CHANGE took its place",
}


def signed(headers: Mapping[str, str]) -> Signed:
    """The pipe's signature; its headers do not say which seller it is about."""
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    return Signed("", lower.get(_SIGNATURE, ""))


def verify(body: bytes, signature: str, secrets: Sequence[str], url: str) -> bool:
    """Whether one of the pipe's secrets signed exactly these bytes; the address is not part of it."""
    given = signature.strip().encode("utf-8", errors="replace")
    genuine = False
    for secret in secrets:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
        matches = hmac.compare_digest(base64.b64encode(digest), given)
        # An empty secret would accept what anybody can sign; no early return, so that time tells nothing.
        genuine |= matches and bool(secret)
    return genuine


def routing(headers: Mapping[str, str], body: bytes) -> Delivery:
    """What a notification says of itself; one that cannot be read says nothing, and `read` says why."""
    signature = signed(headers).signature
    try:
        notice = wire.notice(body)
    except Unreadable:
        return Delivery("", "", "", "", signature, None)
    return Delivery(
        topic=notice.kind,
        delivery_id=notice.notification_id,
        event_id="",
        account=_seller(notice.payload),
        signature=signature,
        triggered_at=moment(notice.event_time) or moment(notice.publish_time),
    )


def read(topic: str, body: bytes) -> Message:
    """A notification, or an order of the order API, as a message. Raises Unreadable with the field that is wrong."""
    if topic == wire.ORDER_DOCUMENT:
        return _order(topic, order_documents.of_document(body))
    notice = wire.notice(body)
    if notice.kind == ORDER_CHANGE:
        event_time = moment(notice.event_time) or moment(notice.publish_time)
        return _order(topic, order_documents.of_notification(notice.payload, event_time))
    seen: Callable[[wire.Notice], Sighting] | None = _SIGHTINGS.get(notice.kind)
    return Message(
        topic=topic,
        vendor_ids=frozenset(),
        silent=_SILENT.get(notice.kind)
        or f"{notice.kind} is not a notification that Lockstep reads",
        facts=nothing,
        sightings=() if seen is None else (seen(notice),),
    )


def _order(topic: str, told: booking.Snapshot | str) -> Message:
    if isinstance(told, str):
        return Message(topic, frozenset(), told, nothing)
    if not told.lines:
        return Message(topic, frozenset(), "no line of it has a SKU of the seller", nothing)
    return Message(
        topic=topic,
        vendor_ids=told.mentioned,
        silent="",
        facts=partial(booking.facts, told),
        asks_orders=told.is_in_doubt,
        asks_after_s=_ORDER_API_LAG_S,
    )


def _merchant_units(notice: wire.Notice) -> Sighting:
    payload = notice.payload
    sku, code = payload.get("sku"), payload.get("fulfillmentchannelcode")
    units = payload.get("quantity")
    if not isinstance(sku, str) or not sku:
        raise Unreadable(f"{notice.kind}: Sku is missing")
    if not isinstance(code, str) or not code:
        raise Unreadable(f"{notice.kind}: FulfillmentChannelCode is missing")
    is_amazons = code.startswith(wire.AMAZON_PREFIX)
    return Sighting(
        item_id=sku,
        vendor_location_id=wire.FBA if is_amazons else code,
        units=None if is_amazons else _whole(units),
        at=_when(notice),
    )


def _fba_units(notice: wire.Notice) -> Sighting:
    """What can be sold in Amazon's network; None where its marketplaces do not agree: a read-back settles that."""
    sku, told = notice.payload.get("sku"), notice.payload.get("fulfillmentinventorybymarketplace")
    if not isinstance(sku, str) or not sku:
        raise Unreadable(f"{notice.kind}: SKU is missing")
    if not isinstance(told, list):
        raise Unreadable(f"{notice.kind}: FulfillmentInventoryByMarketplace is missing")
    inventories = [one.get("fulfillmentinventory") for one in told if isinstance(one, dict)]
    units = {_whole(one.get("fulfillable")) for one in inventories if isinstance(one, dict)}
    return Sighting(
        item_id=sku,
        vendor_location_id=wire.FBA,
        units=units.pop() if len(units) == 1 else None,
        at=_when(notice),
    )


def _whole(value: object) -> int | None:
    """A number of units that anybody can have; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) <= _MOST_UNITS else None


_SIGHTINGS: Final[Mapping[str, Callable[[wire.Notice], Sighting]]] = {
    MFN_UNITS: _merchant_units,
    FBA_UNITS: _fba_units,
}


def _when(notice: wire.Notice) -> datetime:
    at = moment(notice.event_time) or moment(notice.publish_time)
    if at is None:
        raise Unreadable(f"{notice.kind}: EventTime is missing")
    return at


def _seller(payload: Mapping[str, object]) -> str:
    """The seller that a notification is about: in its payload, or one level below."""
    inner = [value for value in payload.values() if isinstance(value, dict)]
    for place in (payload, *inner):
        for name in ("sellerid", "merchantid"):
            found = place.get(name)
            if isinstance(found, str):
                return found
    return ""


def moment(text: str) -> datetime | None:
    """An ISO 8601 time with its offset, of our days; None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo and wire.is_of_our_days(found) else None
