"""Orders read from Square's order API, each as a document of ours: the order in its words and what those leave open.

A notification names an order and tells nothing of its lines, so this is the only way in for orders. What the order
leaves open is looked up in the same breath, because a drain does no network: whether Square counts a line's variation
there, and, for goods that came back, the stock adjustments that say where they were put.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import ValidationError

from channels.base import ChannelOrder, Unreadable
from channels.http import Json
from channels.square import catalogue, history, wire
from channels.square.api import Api

SEARCH: Final = "/v2/orders/search"
#: The topic of our document; no event type of Square's is spelt so.
TOPIC: Final = "order.read"
#: Locations of one search, and orders of one page (OpenAPI, SearchOrdersRequest; at most 1000 a page).
LOCATIONS: Final = 10
PAGE: Final = 200
#: An adjustment may be recorded a little before its order.
_BEFORE: Final = timedelta(minutes=1)
_RETURNED: Final = frozenset({"IN_STOCK", "RETURNED_BY_CUSTOMER"})


def orders_since(
    api: Api, mark: datetime, *, only: Collection[str] = (), page: int = PAGE
) -> Iterator[ChannelOrder]:
    """Orders created or changed at or after `mark`, oldest change first.

    only   locations to read; all of the seller's when empty
    """
    places = sorted(only) if only else locations(api)
    groups = [places[start : start + LOCATIONS] for start in range(0, len(places), LOCATIONS)]
    found = [_orders_at(api, group, mark, page) for group in groups]
    return heapq.merge(*found, key=lambda order: (order.updated_at, order.order_id))


def locations(api: Api) -> list[str]:
    """The ids of all the seller's locations, inactive ones too: their last orders count."""
    found = api.ask("GET", "/v2/locations", wire.Locations, is_read=True)
    return sorted(location.id for location in found.locations)


def _orders_at(
    api: Api, places: Sequence[str], mark: datetime, page: int
) -> Iterator[ChannelOrder]:
    asked: dict[str, Json] = {
        "location_ids": list(places),
        "limit": page,
        "query": {
            "filter": {
                "date_time_filter": {"updated_at": {"start_at": _precise(mark)}},
            },
            # The vendor wants the time that is filtered to be the time that is sorted by.
            "sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"},
        },
    }
    for found in api.pages(SEARCH, wire.Orders, asked):
        read = [_told(order) for order in found.orders]
        known = _documents(api, [order for order in read if isinstance(order, wire.Order)])
        # In the order of the page, which is that of their changes.
        for order in read:
            yield next(known) if isinstance(order, wire.Order) else order


def _told(order: Mapping[str, object]) -> wire.Order | ChannelOrder:
    """An order; one that says too little as a document that the inbox refuses in words, so that the page goes on.

    raises    Unreadable for one that has not even an id and a time
    """
    try:
        return wire.Order.model_validate(order)
    except ValidationError as error:
        problem = wire.first_problem(error)
    try:
        unread = wire.Unread.model_validate(order)
    except ValidationError:
        raise Unreadable(f"Square: {SEARCH}: an order: {problem}") from None
    document = wire.UnreadDocument(unread=unread, problem=problem)
    return ChannelOrder(
        order_id=unread.id,
        updated_at=unread.updated_at,
        delivery_id=f"order:{unread.id}:{unread.updated_at.astimezone(UTC).isoformat()}:unread",
        topic=TOPIC,
        body=document.model_dump_json().encode(),
    )


def _documents(api: Api, orders: Sequence[wire.Order]) -> Iterator[ChannelOrder]:
    """One page of orders with what belongs to them: one look at the catalogue, one at the history of what came back."""
    named = {line.catalog_object_id for order in orders for line in _lines(order)}
    known = catalogue.variations(api, {each for each in named if each}) if any(named) else {}
    restocked = _restocked(api, orders)
    for order in orders:
        yield _channel_order(order, known, restocked.get(order.id, []))


def _lines(order: wire.Order) -> Iterator[wire.Line | wire.ReturnLine]:
    yield from order.line_items
    for back in order.returns:
        yield from back.return_line_items


def _restocked(api: Api, orders: Sequence[wire.Order]) -> dict[str, list[wire.Adjustment]]:
    """Order id -> the adjustments that took in what came back with it."""
    back = [order for order in orders if order.returns]
    if not back:
        return {}
    items = {line.catalog_object_id for order in back for line in _lines(order)}
    owners = {refund.id: order.id for order in back for refund in order.refunds}
    owners |= {order.id: order.id for order in back}
    found: dict[str, list[wire.Adjustment]] = {}
    for change in history.raw(
        api,
        {item for item in items if item},
        {order.location_id for order in back},
        since=min(order.created_at for order in back) - _BEFORE,
        types=("ADJUSTMENT",),
    ):
        adjustment = change.adjustment
        if adjustment is None or adjustment.to_state not in _RETURNED:
            continue
        owner = owners.get(adjustment.refund_id or "") or owners.get(
            adjustment.transaction_id or ""
        )
        if owner is not None:
            found.setdefault(owner, []).append(adjustment)
    return found


def _channel_order(
    order: wire.Order,
    known: Mapping[str, wire.Variation],
    restocked: Sequence[wire.Adjustment],
) -> ChannelOrder:
    updated_at = order.updated_at.astimezone(UTC)
    document = {
        # Only what is read: names and notes of customers are nobody's business here.
        "order": order.model_dump(mode="json", exclude_none=True),
        "catalogue": {
            line.catalog_object_id: _named(known.get(line.catalog_object_id), order.location_id)
            for line in _lines(order)
            if line.catalog_object_id
        },
        "restocked": [each.model_dump(mode="json", exclude_none=True) for each in restocked],
    }
    delivery_id = f"order:{order.id}:{updated_at.isoformat()}"
    if restocked:
        # Goods may be put back after the order was read: then it is another document of the same revision.
        ids = ",".join(sorted(each.id for each in restocked))
        delivery_id += f":{hashlib.sha256(ids.encode()).hexdigest()[:12]}"
    return ChannelOrder(
        order_id=order.id,
        updated_at=updated_at,
        delivery_id=delivery_id,
        topic=TOPIC,
        body=json.dumps(document, separators=(",", ":")).encode(),
    )


def _named(variation: wire.Variation | None, location: str) -> dict[str, object]:
    """What the catalogue says; of a variation that is gone nothing, so that it counts as counted."""
    if variation is None or variation.item_variation_data is None:
        return {}
    return {
        "sku": variation.item_variation_data.sku or "",
        "tracked": variation.is_tracked(location),
    }


def _precise(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
