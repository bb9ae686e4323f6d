"""The Orders, Refunds and Locations APIs: search, retrieve, and the progress of a pickup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from channels.simulators.square import bodies, selling
from channels.simulators.square.calls import Call, microseconds, moment, page, whole
from channels.simulators.square.errors import not_found, not_simulated, refusal
from channels.simulators.square.merchant import Refused
from channels.simulators.square.state import Order, Refund

MAX_LOCATIONS: Final = 10
PAGE: Final = 500
MAX_PAGE: Final = 1000


def search(call: Call) -> dict[str, Any]:
    """By location (1 to 10), state, time, fulfillment and source; sorted by the time that is filtered."""
    body = call.body
    places = body.get("location_ids") or []
    if not places:
        text = "At least one location is needed."
        raise refusal("MISSING_REQUIRED_PARAMETER", text, "location_ids")
    if len(places) > MAX_LOCATIONS:
        raise refusal("ARRAY_LENGTH_TOO_LONG", f"At most {MAX_LOCATIONS}.", "location_ids")
    limit = body.get("limit") or PAGE
    if not 1 <= limit <= MAX_PAGE:
        raise refusal("INVALID_VALUE", f"limit must be between 1 and {MAX_PAGE}.", "limit")
    query = body.get("query") or {}
    name, descending = _sorting(query)
    wanted = query.get("filter") or {}
    sign = -1 if descending else 1

    def key(order: Order) -> list[Any]:
        return [sign * microseconds(_time(order, name) or order.created_at), order.id]

    rows = [
        order
        for order in call.merchant.orders.values()
        if order.location.id in places and _matches(order, wanted)
    ]
    some, following = page(sorted(rows, key=key), key, limit, body.get("cursor"), body)
    answer = _entries(some) if body.get("return_entries") else _whole_orders(some)
    return answer if following is None else {**answer, "cursor": following}


def _sorting(query: Mapping[str, Any]) -> tuple[str, bool]:
    """Which time, and whether newest first. A time filter and the sort name the same field."""
    sort = query.get("sort") or {}
    name = str(sort.get("sort_field") or "CREATED_AT")
    times = (query.get("filter") or {}).get("date_time_filter") or {}
    for filtered in times:
        if filtered.upper() != name:
            text = f"Filtering by {filtered} wants sort_field {filtered.upper()}."
            raise refusal("INVALID_VALUE", text, "query.sort.sort_field")
    if name == "CLOSED_AT" and not _closed_only(query):
        text = "Sorting by CLOSED_AT wants a state_filter of closed states."
        raise refusal("INVALID_VALUE", text, "query.filter.state_filter")
    return name, sort.get("sort_order") != "ASC"


def _closed_only(query: Mapping[str, Any]) -> bool:
    states = ((query.get("filter") or {}).get("state_filter") or {}).get("states") or []
    return bool(states) and set(states) <= {"COMPLETED", "CANCELED"}


def _time(order: Order, name: str) -> datetime | None:
    return {
        "CREATED_AT": order.created_at,
        "UPDATED_AT": order.updated_at,
        "CLOSED_AT": order.closed_at,
    }[name]


def _matches(order: Order, wanted: Mapping[str, Any]) -> bool:
    states = (wanted.get("state_filter") or {}).get("states")
    sources = (wanted.get("source_filter") or {}).get("source_names")
    if wanted.get("customer_filter"):
        raise not_simulated("search by customer")
    return (
        (not states or order.state in states)
        and (not sources or order.source_name in sources)
        and _fulfilled_as(order, wanted.get("fulfillment_filter") or {})
        and _within(order, wanted.get("date_time_filter") or {})
    )


def _fulfilled_as(order: Order, wanted: Mapping[str, Any]) -> bool:
    types, states = wanted.get("fulfillment_types"), wanted.get("fulfillment_states")
    if not types and not states:
        return True
    pickup = order.fulfillment
    return (
        pickup is not None
        and (not types or "PICKUP" in types)
        and (not states or pickup.state in states)
    )


def _within(order: Order, times: Mapping[str, Any]) -> bool:
    for name, bounds in times.items():
        at = _time(order, name.upper())
        path = f"query.filter.date_time_filter.{name}"
        start, end = bounds.get("start_at"), bounds.get("end_at")
        if at is None or (start and at < moment(start, f"{path}.start_at")):
            return False
        if end and at > moment(end, f"{path}.end_at"):
            return False
    return True


def _entries(orders: Iterable[Order]) -> dict[str, Any]:
    entries = []
    for order in orders:
        entry: dict[str, Any] = {"order_id": order.id, "location_id": order.location.id}
        if order.version is not None:
            entry["version"] = order.version
        entries.append(entry)
    return {"order_entries": entries}


def _whole_orders(orders: Iterable[Order]) -> dict[str, Any]:
    return {"orders": [bodies.order(order) for order in orders]}


def retrieve(call: Call) -> dict[str, Any]:
    return {"order": bodies.order(_order(call))}


def batch_retrieve(call: Call) -> dict[str, Any]:
    """Those that exist; the others are left out."""
    wanted = call.body["order_ids"]
    if len(wanted) > 100:
        raise refusal("ARRAY_LENGTH_TOO_LONG", "At most 100 ids.", "order_ids")
    found = [call.merchant.orders[id] for id in wanted if id in call.merchant.orders]
    place = call.body.get("location_id")
    return _whole_orders(x for x in found if not place or x.location.id == place)


def update(call: Call) -> dict[str, Any]:
    """A sparse order: the state of its fulfillment, or CANCELED. Its version must be the present one."""
    order = _order(call)
    sparse = call.body.get("order") or {}
    if order.version is None:
        raise refusal("BAD_REQUEST", "Orders not made through the API cannot be updated.")
    if sparse.get("version") != order.version:
        text = f"The order's version is {order.version}; the request has {sparse.get('version')}."
        raise refusal("CONFLICT", text, "order.version", 409)
    other = set(sparse) - {"version", "location_id", "state", "fulfillments"}
    if other or call.body.get("fields_to_clear"):
        raise not_simulated(f"updating {', '.join(sorted(other)) or 'cleared fields'} of an order")
    try:
        _apply(call, order, sparse)
    except Refused as refused:
        raise refusal("BAD_REQUEST", str(refused)) from None
    return {"order": bodies.order(order)}


def _apply(call: Call, order: Order, sparse: Mapping[str, Any]) -> None:
    steps: Sequence[Mapping[str, Any]] = sparse.get("fulfillments") or ()
    for step in steps:
        if order.fulfillment is None or step.get("uid") != order.fulfillment.uid:
            text = f"The order has no fulfillment {step.get('uid')!r}."
            raise refusal("NOT_FOUND", text, "order.fulfillments[0].uid", 404)
        if step.get("state"):
            selling.move_on(call.merchant, call.writing(), order, str(step["state"]))
    state = sparse.get("state")
    if state == "CANCELED":
        selling.cancel(call.merchant, call.writing(), order)
    elif state not in (None, order.state):
        raise not_simulated(f"setting an order to {state}")


def _order(call: Call) -> Order:
    id = call.path["order_id"]
    if id not in call.merchant.orders:
        raise not_found("Order", id)
    return call.merchant.orders[id]


# -- refunds and locations --------------------------------------------------------------------------------------------


def list_refunds(call: Call) -> dict[str, Any]:
    """Newest first unless `sort_order` is ASC, at one location when `location_id` is given."""
    query = call.query
    sign = 1 if query.get("sort_order") == "ASC" else -1

    def key(refund: Refund) -> list[Any]:
        return [sign * microseconds(refund.created_at), refund.id]

    rows = [one for one in call.merchant.refunds.values() if _refund_matches(one, query)]
    limit = whole(query, "limit", 100, 100)
    some, following = page(sorted(rows, key=key), key, limit, query.get("cursor"), query)
    body: dict[str, Any] = {"refunds": [bodies.refund(one) for one in some]}
    return body if following is None else {**body, "cursor": following}


def _refund_matches(one: Refund, query: Mapping[str, str]) -> bool:
    since, until = query.get("begin_time"), query.get("end_time")
    return (
        query.get("location_id") in (None, one.order.location.id)
        and query.get("status") in (None, one.status)
        and (since is None or one.created_at >= moment(since, "begin_time"))
        and (until is None or one.created_at <= moment(until, "end_time"))
    )


def retrieve_refund(call: Call) -> dict[str, Any]:
    id = call.path["refund_id"]
    if id not in call.merchant.refunds:
        raise not_found("Refund", id)
    return {"refund": bodies.refund(call.merchant.refunds[id])}


def list_locations(call: Call) -> dict[str, Any]:
    merchant = call.merchant
    return {"locations": [bodies.location(x, merchant.id) for x in merchant.locations.values()]}


def retrieve_location(call: Call) -> dict[str, Any]:
    """By id; `main` is the oldest."""
    ref, merchant = call.path["location_id"], call.merchant
    found = next(iter(merchant.locations.values()), None) if ref == "main" else None
    found = found or merchant.locations.get(ref)
    if found is None:
        raise not_found("Location", ref, "location_id")
    return {"location": bodies.location(found, merchant.id)}
