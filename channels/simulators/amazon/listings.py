"""Listings Items 2021-08-01: writes that are accepted now and applied later, and reads of what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from channels.simulators.amazon import stock
from channels.simulators.amazon.account import Account
from channels.simulators.amazon.attributes import (
    Attributes,
    Issue,
    issues_of,
    missing,
    names_in,
    patched,
    written,
)
from channels.simulators.amazon.errors import ApiError, invalid_input, unauthorized
from channels.simulators.amazon.notices import stamp
from channels.simulators.amazon.service import Call, Handler, Service
from channels.simulators.amazon.state import MERCHANT, Listing

Change = Callable[[Attributes], Attributes | None]
"""Attributes as they are when it is applied -> as they shall be; None removes the listing."""

_REQUIRED: Final = {
    "LISTING": ("item_name", "condition_type"),
    "LISTING_PRODUCT_ONLY": ("item_name",),
    "LISTING_OFFER_ONLY": ("condition_type",),
}
_DAY_S: Final = 86_400


def handlers() -> dict[str, Handler]:
    return {
        "listingsItems_2021-08-01.getListingsItem": get_item,
        "listingsItems_2021-08-01.searchListingsItems": search,
        "listingsItems_2021-08-01.patchListingsItem": patch_item,
        "listingsItems_2021-08-01.putListingsItem": put_item,
        "listingsItems_2021-08-01.deleteListingsItem": delete_item,
    }


# -- writes -------------------------------------------------------------------------------------------------------


def patch_item(service: Service, call: Call) -> object:
    """Accepted even for a SKU that is not there: the write then leads to no listing (models issue 4402)."""
    _check(service, call)
    patches = call.body["patches"]
    issues, change = patching(service.account, call.path["sku"], patches)
    return _answer(service, call, issues, change)


def put_item(service: Service, call: Call) -> object:
    _check(service, call)
    requirements = call.body.get("requirements", "LISTING")
    attributes = written(call.body["attributes"], service.account.marketplace_id)
    issues, change = replacing(attributes, requirements)
    return _answer(service, call, issues, change, product_type=call.body["productType"])


def delete_item(service: Service, call: Call) -> object:
    _check(service, call)
    return _answer(service, call, [], lambda _: None)


def patching(
    account: Account, sku: str, patches: Sequence[Mapping[str, Any]]
) -> tuple[list[Issue], Change]:
    """What patches would do: what is wrong with them, and the change. Raises ApiError 400."""
    listing = account.listings.get(sku)
    here = account.marketplace_id
    preview = patched(listing.attributes if listing else {}, patches, here)
    return issues_of(preview, names_in(patches)), lambda now: patched(now, patches, here)


def replacing(attributes: Attributes, requirements: str) -> tuple[list[Issue], Change]:
    """What a whole new set of attributes would do."""
    absent = [missing(name) for name in _REQUIRED[requirements] if name not in attributes]
    return [*absent, *issues_of(attributes, list(attributes))], lambda _: attributes


def submit(
    service: Service, sku: str, change: Change, at: datetime, product_type: str | None = None
) -> None:
    """Have an accepted change applied after the usual while, or later, or never."""
    account = service.account
    if service.strikes("swallow", at, [sku]):
        account.note("stock", {"sku": sku, "swallowed": True})
        return
    late = service.strikes("late_apply", at, [sku])
    wait_s = account.pace.apply_s + (late.seconds if late else 0.0)
    account.later(at, wait_s, lambda due: _apply(service, sku, change, due, product_type))


def spoiled(service: Service, sku: str, at: datetime) -> list[Issue]:
    """The issue that the fault `invalid` puts into a submission."""
    if not service.strikes("invalid", at, [sku]):
        return []
    text = "The SKU is blocked from editing while it is under review."
    return [{"code": "8560", "message": text, "severity": "ERROR", "categories": []}]


def _answer(
    service: Service,
    call: Call,
    issues: list[Issue],
    change: Change,
    *,
    product_type: str | None = None,
) -> object:
    sku = call.path["sku"]
    preview = call.query.get("mode") == "VALIDATION_PREVIEW"
    if not preview:
        issues = [*issues, *spoiled(service, sku, call.at)]
    wrong = any(issue["severity"] == "ERROR" for issue in issues)
    if not wrong and not preview:
        submit(service, sku, change, call.at, product_type)
    answer: dict[str, object] = {
        "sku": sku,
        "status": "INVALID" if wrong else "VALID" if preview else "ACCEPTED",
        "submissionId": service.account.new_uuid().replace("-", ""),
        "issues": issues,
    }
    if preview and "identifiers" in call.query.get("includedData", ()):
        listing = service.account.listings.get(sku)
        here = service.account.marketplace_id
        answer["identifiers"] = [{"marketplaceId": here, "asin": listing.asin}] if listing else []
    return answer


def _apply(
    service: Service, sku: str, change: Change, at: datetime, product_type: str | None
) -> None:
    account = service.account
    with account.happening(at) as act:
        listing = account.listings.get(sku)
        if listing is None and product_type is not None:
            new = stock.NewListing(sku, units=0, product_type=product_type)
            listing = stock.create(account, act, new)
        if listing is None:
            return
        account.touch_merchant(act, listing)
        after = change(listing.attributes)
        if after is None:
            del account.listings[sku]
            return
        listing.attributes = after
        account.note("stock", {"sku": sku, "merchant_units": listing.merchant_units})
        edit = service.strikes("external_edit", at, [sku])
    if edit and listing.availability(MERCHANT) is not None:
        with account.happening(at) as act:
            units = max((listing.merchant_units or 0) + edit.units, 0)
            stock.set_merchant(account, act, listing, units)


# -- reads --------------------------------------------------------------------------------------------------------


def get_item(service: Service, call: Call) -> object:
    _check(service, call)
    sku, here = call.path["sku"], service.account.marketplace_id
    listing = service.account.listings.get(sku)
    if listing is None:
        raise ApiError(404, "NOT_FOUND", f"SKU '{sku}' not found in marketplace {here}")
    return item(listing, here, call.query["includedData"])


def search(service: Service, call: Call) -> object:
    """One page of at most 20; the page token remembers the place, the filters come again with it."""
    _check(service, call)
    query = call.query
    if ("identifiers" in query) is not ("identifiersType" in query):
        raise invalid_input("identifiers and identifiersType go together.")
    found = [one for one in service.account.listings.values() if _matches(one, query)]
    _sort(found, query["sortBy"], query["sortOrder"])
    start, size = 0, query["pageSize"]
    if "pageToken" in query:
        start = service.pages.read(query["pageToken"], call.at)
    page: dict[str, str] = {}
    if start + size < len(found):
        page["nextToken"] = service.pages.issue(start + size, call.at, _DAY_S)
    if start:
        page["previousToken"] = service.pages.issue(max(start - size, 0), call.at, _DAY_S)
    here = service.account.marketplace_id
    items = [item(one, here, query["includedData"]) for one in found[start : start + size]]
    return {"numberOfResults": len(found), "pagination": page, "items": items}


def item(listing: Listing, marketplace: str, included: Sequence[str]) -> dict[str, Any]:
    """A listing in the API's form, with the wanted data sets."""
    makers: dict[str, Callable[[], object]] = {
        "summaries": lambda: [_summary(listing, marketplace)],
        "attributes": lambda: listing.attributes,
        "issues": lambda: listing.issues,
        "offers": lambda: _offers(listing, marketplace),
        "fulfillmentAvailability": lambda: _availability(listing),
        "procurement": list,
        "relationships": lambda: [{"marketplaceId": marketplace, "relationships": []}],
        "productTypes": lambda: [
            {"marketplaceId": marketplace, "productType": listing.product_type}
        ],
    }
    return {"sku": listing.sku} | {name: makers[name]() for name in included}


def statuses(listing: Listing) -> list[str]:
    """BUYABLE while somebody has units of it."""
    buyable = bool(listing.merchant_units) or (listing.by_amazon and listing.fba.fulfillable > 0)
    return ["BUYABLE", "DISCOVERABLE"] if buyable else ["DISCOVERABLE"]


def _check(service: Service, call: Call) -> None:
    if service.account.marketplace_id not in call.query["marketplaceIds"]:
        raise invalid_input("Invalid 'marketplaceIds' provided.")
    if call.path["sellerId"] != service.account.seller_id:
        raise unauthorized()


def _summary(listing: Listing, marketplace: str) -> dict[str, object]:
    condition = listing.attributes.get("condition_type") or [{}]
    summary: dict[str, object] = {
        "marketplaceId": marketplace,
        "asin": listing.asin,
        "productType": listing.product_type,
        "conditionType": condition[0].get("value", "new_new"),
        "status": statuses(listing),
        "itemName": listing.title,
        "createdDate": stamp(listing.created_at),
        "lastUpdatedDate": stamp(listing.updated_at),
    }
    return summary | ({"fnSku": listing.fnsku} if listing.by_amazon else {})


def _availability(listing: Listing) -> list[dict[str, object]]:
    """Units only for what the seller ships; Amazon's own stock is read elsewhere."""
    shown: list[dict[str, object]] = []
    for entry in listing.attributes.get("fulfillment_availability", ()):
        code = entry["fulfillment_channel_code"]
        units = {} if code.startswith("AMAZON_") else {"quantity": entry.get("quantity") or 0}
        shown.append({"fulfillmentChannelCode": code, **units})
    return shown


def _offers(listing: Listing, marketplace: str) -> list[dict[str, object]]:
    if not listing.price_cents:
        return []
    price = {"currencyCode": "USD", "amount": f"{listing.price_cents / 100:.2f}"}
    audience = {"value": "ALL", "displayName": "Sell on Amazon"}
    offer = {"marketplaceId": marketplace, "offerType": "B2C", "price": price}
    return [{**offer, "audience": audience}]


def _matches(listing: Listing, query: Mapping[str, Any]) -> bool:
    kinds = {"SKU": listing.sku, "ASIN": listing.asin, "FNSKU": listing.fnsku}
    if "identifiers" in query and kinds.get(query["identifiersType"]) not in query["identifiers"]:
        return False
    shown = statuses(listing)
    if not set(query.get("withStatus", ())) <= set(shown):
        return False
    if set(query.get("withoutStatus", ())) & set(shown):
        return False
    severities = {issue["severity"] for issue in listing.issues}
    if "withIssueSeverity" in query and not severities & set(query["withIssueSeverity"]):
        return False
    return _within(listing.created_at, query, "created") and _within(
        listing.updated_at, query, "lastUpdated"
    )


def _within(at: datetime, query: Mapping[str, Any], name: str) -> bool:
    after: datetime = query.get(f"{name}After", at)
    before: datetime = query.get(f"{name}Before", at)
    return after <= at <= before


def _sort(found: list[Listing], by: str, order: str) -> None:
    keys: dict[str, Callable[[Listing], Any]] = {
        "sku": lambda one: one.sku,
        "createdDate": lambda one: (one.created_at, one.sku),
        "lastUpdatedDate": lambda one: (one.updated_at, one.sku),
    }
    found.sort(key=keys[by], reverse=order == "DESC")
