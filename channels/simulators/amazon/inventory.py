"""FBA inventory summaries v1: a reading of Amazon's stock that may be hours behind and may leave SKUs out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from channels.simulators.amazon.errors import invalid_input
from channels.simulators.amazon.notices import stamp
from channels.simulators.amazon.service import Call, Handler, Service
from channels.simulators.amazon.state import FbaParts, FbaReading, Listing

PAGE: Final = 50
TOKEN_S: Final = 30
"""The next token expires this long after it was made (fbaInventory.json)."""
_LONGEST_BACK: Final = timedelta(days=549)


def handlers() -> dict[str, Handler]:
    return {"fbaInventory.getInventorySummaries": get_summaries}


def get_summaries(service: Service, call: Call) -> object:
    query = call.query
    here = service.account.marketplace_id
    if query["marketplaceIds"] != [here] or query["granularityId"] != here:
        raise invalid_input("Invalid marketplace.")
    if "nextToken" in query:
        rows, start = _next_page(service, call)
    else:
        rows, start = _read(service, call), 0
    page = rows[start : start + PAGE]
    body: dict[str, Any] = {
        "payload": {
            "granularity": {"granularityType": "Marketplace", "granularityId": here},
            "inventorySummaries": [
                _summary(listing, reading, detailed=query["details"]) for listing, reading in page
            ],
        }
    }
    if start + PAGE < len(rows):
        token = service.pages.issue((_others(call), rows, start + PAGE), call.at, TOKEN_S)
        body["pagination"] = {"nextToken": token}
    return body


def _next_page(service: Service, call: Call) -> tuple[list[tuple[Listing, FbaReading]], int]:
    others, rows, start = service.pages.read(call.query["nextToken"], call.at)
    if others != _others(call):
        raise invalid_input("The parameters differ from those the next token was made for.")
    return rows, start


def _others(call: Call) -> dict[str, tuple[str, ...]]:
    return {name: given for name, given in call.given.items() if name != "nextToken"}


def _read(service: Service, call: Call) -> list[tuple[Listing, FbaReading]]:
    """What the summaries know now, by SKU. A time filter makes the SKU filters void, as the vendor says."""
    query = call.query
    since: datetime | None = query.get("startDateTime")
    if since is not None and since < call.at - _LONGEST_BACK:
        raise invalid_input("startDateTime is more than 18 months ago.")
    wanted = None if since else _wanted(query)
    found = []
    for sku, listing in sorted(service.account.listings.items()):
        if not listing.history or (wanted is not None and sku not in wanted):
            continue
        reading = _reading(service, listing, call.at)
        if reading is None or service.strikes("absent_row", call.at, [sku]):
            continue
        if since is not None and (
            reading.noticed_at <= since or service.strikes("missed_change", call.at, [sku])
        ):
            continue
        found.append((listing, reading))
    return found


def _wanted(query: Mapping[str, Any]) -> list[str] | None:
    if "sellerSkus" in query:
        return list(query["sellerSkus"])
    return [query["sellerSku"]] if "sellerSku" in query else None


def _reading(service: Service, listing: Listing, now: datetime) -> FbaReading | None:
    """The newest reading that is old enough to be known; None when the SKU is too new for that."""
    stale = service.strikes("stale_reading", now, [listing.sku])
    lag_s = service.account.pace.fba_lag_s + (stale.seconds if stale else 0.0)
    known = now - timedelta(seconds=lag_s)
    old = (reading for reading in reversed(listing.history) if reading.at <= known)
    return next(old, None)


def _summary(listing: Listing, reading: FbaReading, *, detailed: bool) -> dict[str, Any]:
    parts = reading.parts
    summary: dict[str, Any] = {
        "asin": listing.asin,
        "fnSku": listing.fnsku,
        "sellerSku": listing.sku,
        "condition": "NewItem",
        "lastUpdatedTime": stamp(reading.noticed_at),
        "productName": listing.title,
        "totalQuantity": parts.total,
        "stores": [],
    }
    return summary | ({"inventoryDetails": _details(parts)} if detailed else {})


def _details(parts: FbaParts) -> dict[str, Any]:
    terms = ("Short", "Mid", "Long")
    return {
        "fulfillableQuantity": parts.fulfillable,
        "inboundWorkingQuantity": parts.inbound_working,
        "inboundShippedQuantity": parts.inbound_shipped,
        "inboundReceivingQuantity": parts.inbound_receiving,
        "reservedQuantity": {
            "totalReservedQuantity": parts.reserved,
            "pendingCustomerOrderQuantity": parts.reserved_orders,
            "pendingTransshipmentQuantity": parts.reserved_transfer,
            "fcProcessingQuantity": parts.reserved_processing,
        },
        "researchingQuantity": {
            "totalResearchingQuantity": parts.researching,
            "researchingQuantityBreakdown": [
                {
                    "name": f"researchingQuantityIn{term}Term",
                    "quantity": parts.researching if term == "Short" else 0,
                }
                for term in terms
            ],
        },
        "unfulfillableQuantity": {
            "totalUnfulfillableQuantity": parts.unfulfillable,
            "customerDamagedQuantity": parts.customer_damaged,
            "warehouseDamagedQuantity": parts.warehouse_damaged,
            "distributorDamagedQuantity": parts.distributor_damaged,
            "carrierDamagedQuantity": parts.carrier_damaged,
            "defectiveQuantity": parts.defective,
            "expiredQuantity": parts.expired,
        },
    }
