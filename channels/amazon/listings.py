"""What the seller ships: units written one SKU a call and applied later, and read back twenty SKUs a call.

A write is a `merge` of `fulfillment_availability`: `replace` would drop handling time and restock date (models issues
4406 and 4841). Amazon accepts a write for a SKU it does not have, and one for a SKU that it ships itself; the second
converts the offer (models issue 2061). Therefore every SKU is looked at, twenty a call, just before it is written.
An accepted write is applied some seconds later; INVALID comes with 200.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from channels.amazon.api import Missing, SellingPartner
from channels.amazon.operations import OPERATIONS
from channels.amazon.wire import FBA, MERCHANT, Item, Items, Submission
from channels.base import (
    Binding,
    ChannelError,
    Confirmed,
    Level,
    NotSent,
    Outcome,
    Refused,
    Rejected,
    Throttled,
    Unauthorised,
)
from channels.http import Json

#: Most SKUs of one searchListingsItems (its model).
AT_ONCE: Final = 20
READ_ONLY: Final = "FBA_IS_READ_ONLY"
_ATTRIBUTE: Final = "/attributes/fulfillment_availability"
#: Any product type will do where only stock is written (Listings Items guide, "Update quantity").
_PRODUCT_TYPE: Final = "PRODUCT"
#: Amazon gives the first thousand results of a search; the next search begins where the last one ended.
_MOST_RESULTS: Final = 1000


def is_fba(binding: Binding) -> bool:
    """Whether Amazon ships this binding's units."""
    return binding.vendor_location_id == FBA


def read_only(level: Level) -> Rejected:
    """The answer for units that Amazon itself counts."""
    return Rejected(
        level,
        READ_ONLY,
        f"{level.binding.sku}: Amazon ships it and counts it; nobody pushes units to FBA. "
        "Send stock to Amazon instead",
    )


def converted(binding: Binding) -> Refused:
    """The error for an offer that the seller shipped once and Amazon ships now."""
    return Refused(
        f"{binding.item_id}: bound as shipped by the seller, but Amazon ships it now; a push would convert the offer. "
        "Bind the channel again (`lockstep channel map`)",
        code=READ_ONLY,
    )


def patches(code: str, units: int) -> list[Json]:
    """The one change that sets units and leaves everything else of the offer as it is."""
    entry: Json = {"fulfillment_channel_code": code, "quantity": max(0, units)}
    return [{"op": "merge", "path": _ATTRIBUTE, "value": [entry]}]


def message(level: Level) -> dict[str, Json]:
    """The same change as a message of a listings feed, without its number."""
    binding = level.binding
    return {
        "sku": binding.item_id,
        "operationType": "PATCH",
        "productType": _PRODUCT_TYPE,
        "patches": patches(binding.vendor_location_id, level.units),
    }


# ---- write ----


def push(api: SellingPartner, levels: Sequence[Level]) -> list[Outcome]:
    """Write these levels one by one, until the limit runs out; one outcome each, in order.

    raises    ChannelError when nothing at all could be written; Unauthorised in any case
    """
    outcomes: list[Outcome] = []
    for start in range(0, len(levels), AT_ONCE):
        chunk = levels[start : start + AT_ONCE]
        try:
            outcomes += _chunk(api, chunk, is_first=start == 0)
        except Unauthorised:
            raise
        except ChannelError as error:
            if not outcomes:
                raise
            outcomes += _not_sent(chunk, error)
        if isinstance(outcomes[-1], NotSent):
            return _left_for_later(outcomes, levels)
    return outcomes


def _left_for_later(outcomes: Sequence[Outcome], levels: Sequence[Level]) -> list[Outcome]:
    """Everything from the first row that was not sent, until the bucket is full again or enough for the rest.

    Coming back for every single write would cost a look at twenty listings each time.
    """
    done = [outcome for outcome in outcomes if not isinstance(outcome, NotSent)]
    first = outcomes[len(done)]
    assert isinstance(first, NotSent)
    plan = OPERATIONS["patchListingsItem"]
    rest = levels[len(done) :]
    wait_s = max(first.retry_after_s, min(len(rest), plan.burst) / plan.rate_per_s)
    return [*done, *(NotSent(level, wait_s) for level in rest)]


def _chunk(api: SellingPartner, levels: Sequence[Level], *, is_first: bool) -> list[Outcome]:
    skus = [level.binding.item_id for level in levels if not is_fba(level.binding)]
    there = {item.sku: item for item in read(api, skus)}
    outcomes: list[Outcome] = []
    for place, level in enumerate(levels):
        try:
            outcomes.append(_write(api, level, there.get(level.binding.item_id)))
        except Unauthorised:
            raise
        except Refused as refusal:
            outcomes.append(Rejected(level, refusal.code, str(refusal)))
        except ChannelError as error:
            # What was written is kept; whether this row was is unknown, and to write it again is harmless.
            if is_first and place == 0:
                raise
            return outcomes + _not_sent(levels[place:], error)
    return outcomes


def _not_sent(levels: Sequence[Level], error: ChannelError) -> list[Outcome]:
    wait_s = error.retry_after_s if isinstance(error, Throttled) else 1.0
    return [NotSent(level, wait_s) for level in levels]


def _write(api: SellingPartner, level: Level, item: Item | None) -> Outcome:
    binding = level.binding
    if is_fba(binding):
        return read_only(level)
    if item is None:
        return Rejected(level, "NOT_FOUND", f"Amazon has no listing {binding.item_id!r}")
    if item.by_amazon:
        raise converted(binding)
    submission = submit(api, binding, level.units)
    if submission.status == "INVALID":
        issue = next((one for one in submission.issues if one.severity == "ERROR"), None)
        code, words = (
            (issue.code, issue.message) if issue else ("INVALID", "Amazon does not say why")
        )
        return Rejected(level, code or "INVALID", words or "Amazon does not say why")
    return Confirmed(level)


def submit(api: SellingPartner, binding: Binding, units: int) -> Submission:
    """One write, whatever the listing is by now."""
    return api.ask(
        "patchListingsItem",
        Submission,
        path={"sellerId": api.seller_id, "sku": binding.item_id},
        query={"marketplaceIds": api.marketplace_id, "issueLocale": "en_US"},
        body={
            "productType": _PRODUCT_TYPE,
            "patches": patches(binding.vendor_location_id, units),
        },
    )


# ---- read ----


def read(api: SellingPartner, skus: Sequence[str]) -> Iterator[Item]:
    """Listings with their units, twenty a call; a SKU that Amazon does not have is not among them."""
    # A list is one text with commas, so that a SKU with a comma has to be asked for alone.
    plain = [sku for sku in dict.fromkeys(skus) if "," not in sku]
    for start in range(0, len(plain), AT_ONCE):
        yield from search(api, identifiers=plain[start : start + AT_ONCE]).items
    for sku in dict.fromkeys(skus):
        if "," in sku:
            found = one(api, sku)
            if found is not None:
                yield found


def one(api: SellingPartner, sku: str) -> Item | None:
    """One listing with its units; None when Amazon has none."""
    try:
        return api.ask(
            "getListingsItem",
            Item,
            path={"sellerId": api.seller_id, "sku": sku},
            query={
                "marketplaceIds": api.marketplace_id,
                "includedData": "summaries,fulfillmentAvailability",
            },
        )
    except Missing:
        return None


def search(
    api: SellingPartner,
    *,
    identifiers: Sequence[str] = (),
    created_after: datetime | None = None,
    page_token: str = "",
) -> Items:
    """One page of listings: these SKUs, or all of them by age."""
    query = {
        "marketplaceIds": api.marketplace_id,
        "includedData": "summaries,fulfillmentAvailability",
        "pageSize": str(AT_ONCE),
    }
    if identifiers:
        query |= {"identifiersType": "SKU", "identifiers": ",".join(identifiers)}
    else:
        query |= {"sortBy": "createdDate", "sortOrder": "ASC"}
    if created_after is not None:
        query["createdAfter"] = created_after.isoformat()
    if page_token:
        query["pageToken"] = page_token
    return api.ask("searchListingsItems", Items, path={"sellerId": api.seller_id}, query=query)


def everything(api: SellingPartner) -> Iterator[Item]:
    """Every listing once, oldest first, past the number of results that one search gives."""
    seen: set[str] = set()
    created_after: datetime | None = None
    while True:
        newest, results = created_after, 0
        for item in _pages(api, created_after):
            results += 1
            newest = max(filter(None, (newest, _created(item))), default=None)
            if item.sku not in seen:
                seen.add(item.sku)
                yield item
        if results < _MOST_RESULTS or newest == created_after:
            return
        created_after = newest


def _pages(api: SellingPartner, created_after: datetime | None) -> Iterator[Item]:
    token = ""
    while True:
        page = search(api, created_after=created_after, page_token=token)
        yield from page.items
        token = page.pagination.next_token or ""
        if not token:
            return


def _created(item: Item) -> datetime | None:
    return max((one.created_date for one in item.summaries if one.created_date), default=None)


def bindings_of(item: Item) -> Iterator[tuple[str, str]]:
    """(vendor location, ASIN) of each place a listing's units are at; where Amazon ships too, only Amazon's."""
    asin = next((summary.asin for summary in item.summaries if summary.asin), "")
    if item.by_amazon:
        yield FBA, asin
        return
    for availability in item.availabilities or ():
        yield availability.fulfillment_channel_code or MERCHANT, asin
