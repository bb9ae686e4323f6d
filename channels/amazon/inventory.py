"""Amazon's stock read over the network: all of it, what changed since, or some SKUs; fifty rows an answer.

The time filter misses changes and rows are left out (selling-partner-api-docs issues 294 and 3130, models issue 1897):
a SKU that is not in an answer is unknown, and everything is read once a day whatever the filter says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from channels.amazon.api import SellingPartner
from channels.amazon.fba import Page, Summaries, page_of
from channels.base import Binding, Reading

#: Most SKUs of one getInventorySummaries (its model).
AT_ONCE: Final = 50


def walk(api: SellingPartner, since: datetime | None, token: str = "") -> Iterator[Page]:
    """SKUs whose stock changed after `since` as far as Amazon noticed, or every SKU that it tells of.

    since     at most 18 months back
    token     of the page before, to go on from there with the same `since`
    raises    Refused when the token is older than 30 seconds
    """
    wanted: dict[str, str] = {}
    if since is not None:
        wanted["startDateTime"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _pages(api, wanted, token)


def of_skus(api: SellingPartner, seller_skus: Sequence[str]) -> Iterator[Page]:
    """These seller SKUs, fifty a call; a SKU with a comma is asked for alone, for a list is one text with commas."""
    plain = [sku for sku in dict.fromkeys(seller_skus) if "," not in sku]
    for start in range(0, len(plain), AT_ONCE):
        yield from _pages(api, {"sellerSkus": ",".join(plain[start : start + AT_ONCE])})
    for sku in dict.fromkeys(seller_skus):
        if "," in sku:
            yield from _pages(api, {"sellerSku": sku})


def snapshot(
    api: SellingPartner, bindings: Sequence[Binding], now: Callable[[], datetime]
) -> Iterator[Reading]:
    """What can be sold of these bindings in Amazon's network, as of Amazon's own time; left out rows are unknown."""
    found = {
        reading.seller_sku: reading
        for page in of_skus(api, [binding.item_id for binding in bindings])
        for reading in page.readings
    }
    for binding in bindings:
        reading = found.get(binding.item_id)
        if reading is None:
            yield Reading(binding, None, None, None, now())
        else:
            parts = reading.parts
            yield Reading(binding, parts.fulfillable, parts.pending_orders, reading.as_of, now())


def _pages(api: SellingPartner, wanted: dict[str, str], token: str = "") -> Iterator[Page]:
    # With a next token every other parameter must be there again, letter for letter.
    query = {
        "details": "true",
        "granularityType": "Marketplace",
        "granularityId": api.marketplace_id,
        "marketplaceIds": api.marketplace_id,
        **wanted,
    }
    while True:
        answer = api.ask(
            "getInventorySummaries",
            Summaries,
            query={**query, "nextToken": token} if token else query,
        )
        page = page_of(answer)
        yield page
        if not page.next_token:
            return
        token = page.next_token
