"""Shopify's webhooks: is it genuine, what is it, and what does it say about stock.

    verify(body, ...) -> routing(headers) -> parse(topic, body) -> vendor_ids(parsed) -> facts(parsed, ...)

Source: https://shopify.dev/docs/apps/build/webhooks and the bodies in `tests/channels/shopify_bodies`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, assert_never

from pydantic import ValidationError

from channels.base import Sighting, Unreadable
from channels.names import Delivery, Names
from channels.shopify import booking, wire
from ledger.events import AnyFact

#: Every topic whose body can move stock. Orders come whole; refunds and fulfillments repeat a part of one, sooner.
ORDER_TOPICS = frozenset(
    f"orders/{event}"
    for event in ("create", "updated", "cancelled", "paid", "fulfilled", "partially_fulfilled")
)
FULFILLMENT_TOPICS = frozenset({"fulfillments/create", "fulfillments/update"})
REFUND_TOPICS = frozenset({"refunds/create"})
TOPICS = ORDER_TOPICS | FULFILLMENT_TOPICS | REFUND_TOPICS

#: Worth a subscription besides: they ring for a look at the channel, though they move no stock.
BELL_TOPICS = frozenset(
    {
        "orders/edited",
        "inventory_levels/update",
        "inventory_levels/connect",
        "inventory_levels/disconnect",
        "inventory_items/update",
        "products/update",
        "products/delete",
        "variants/in_stock",
        "variants/out_of_stock",
        "locations/create",
        "locations/update",
        "locations/activate",
        "locations/deactivate",
        "locations/delete",
    }
)
#: They move stock, or say where it is held, without telling enough: the order API is asked at once. That the app was
#: thrown out is believed when that call is refused.
ASKING_TOPICS = frozenset(
    {
        "reverse_fulfillment_orders/dispose",
        "returns/process",
        "fulfillment_orders/moved",
        "app/uninstalled",
    }
)
KNOWN_TOPICS = TOPICS | BELL_TOPICS | ASKING_TOPICS

#: Topics that say nothing about stock by themselves, by their first part or whole name, and why.
_SILENT = {
    "orders/edited": "an edit names changes only; the orders/updated that follows carries the whole order",
    "orders/delete": "only a closed or cancelled order can be deleted; what it held was settled before",
    "orders": "says nothing about the units of an order",
    "fulfillment_orders": "a plan to fulfill; the fulfillment itself moves the units",
    "fulfillments": "not a change of a fulfillment",
    "returns": "a return is an intention; what was done with the goods is told by its dispositions",
    "returns/process": "what was done with the goods is asked of the order API",
    "reverse_fulfillment_orders": "names no order and no item; what was done with them is asked of the order API",
    "fulfillment_orders/moved": "where the order is served now is asked of the order API",
    "app/uninstalled": "whether the app is gone is asked of the API",
    "inventory_levels": "a channel's stock level never changes the ledger; reconciliation compares it",
    "inventory_items": "master data of an item",
    "inventory_transfers": "transfers are booked by whoever ships and receives them",
    "inventory_shipments": "transfers are booked by whoever ships and receives them",
    "products": "master data of a product",
    "variants": "an echo of a stock level",
    "locations": "master data of a location",
    "app": "concerns the app's installation",
    "bulk_operations": "concerns a bulk read",
    "draft_orders": "a draft holds no stock until it becomes an order",
    "order_transactions": "money only",
    "product_listings": "what is published, not how much",
    "product_publications": "what is published, not how much",
    "app_purchases_one_time": "concerns the app's billing",
    "app_subscriptions": "concerns the app's billing",
}


@dataclass(frozen=True, slots=True)
class Nothing:
    """A notification that moves no stock, and why.

    seen    what it says the shop shows; never booked
    """

    topic: str
    reason: str
    seen: tuple[Sighting, ...] = ()


Parsed: TypeAlias = wire.Order | wire.Refund | wire.Fulfillment | Nothing


def verify(body: bytes, signature: str, secrets: Sequence[str]) -> bool:
    """Whether one of the app's secrets signed exactly these bytes.

    secrets   the new and, up to an hour after a rotation, the old one; none at all verifies nothing
    """
    given = signature.strip().encode("utf-8", errors="replace")
    genuine = False
    for secret in secrets:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
        matches = hmac.compare_digest(base64.b64encode(digest), given)
        # An empty secret would accept what anybody can sign; no early return, so that time tells nothing.
        genuine |= matches and bool(secret)
    return genuine


def routing(headers: Mapping[str, str]) -> Delivery:
    """What the headers say, spelt with or without `X-`, in any case. No signature covers them."""
    lower = {name.lower().removeprefix("x-"): value.strip() for name, value in headers.items()}

    def header(name: str) -> str:
        return lower.get(f"shopify-{name}", "")

    return Delivery(
        topic=header("topic").lower(),
        delivery_id=header("webhook-id"),
        event_id=header("event-id"),
        account=header("shop-domain").lower(),
        signature=header("hmac-sha256"),
        triggered_at=_moment(header("triggered-at")),
    )


def parse(topic: str, body: bytes) -> Parsed:
    """The body as a value. Raises Unreadable, naming the field that is wrong but none of the customer's data."""
    topic = topic.strip().lower()
    model: type[wire.Order | wire.Refund | wire.Fulfillment]
    if topic in ORDER_TOPICS:
        model = wire.Order
    elif topic in REFUND_TOPICS:
        model = wire.Refund
    elif topic in FULFILLMENT_TOPICS:
        model = wire.Fulfillment
    else:
        return Nothing(topic, _why_silent(topic), _seen(topic, body))
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise Unreadable(f"{topic}: {place}: {first['msg']}") from None


def asks_orders(topic: str, parsed: Parsed) -> bool:
    """Whether the order API must be asked for what this notification is about."""
    if isinstance(parsed, wire.Refund):
        return parsed.returned is not None
    return topic.strip().lower() in ASKING_TOPICS


def vendor_ids(parsed: Parsed) -> set[str]:
    """The variant and location gids that `facts` may ask `Names` for."""
    if isinstance(parsed, Nothing):
        return set()
    return booking.mentioned(parsed)


def facts(parsed: Parsed, *, source: str, channel: str, names: Names) -> list[AnyFact]:
    """What the notification says about stock, as canonical facts.

    source, channel   go into every fact;  names   ours for the vendor's ids
    returns           facts with ids of their own: the same fact has the same id in every body that carries it
    raises            Unmapped with everything that has no name yet
    """
    book = booking.Book(source=source, channel=channel, names=names)
    match parsed:
        case wire.Order():
            return book.order(parsed)
        case wire.Refund():
            return book.refund(parsed)
        case wire.Fulfillment():
            return book.fulfillment(parsed)
        case Nothing():
            return []
        case _:
            assert_never(parsed)


def _seen(topic: str, body: bytes) -> tuple[Sighting, ...]:
    if topic != "inventory_levels/update":
        return ()
    try:
        level = wire.Level.model_validate_json(body)
    except ValidationError:
        # It is a hint only: one that cannot be read is none.
        return ()
    location = wire.location_gid(level.location_id)
    return (Sighting(level.item_gid, location, level.available, level.updated_at),)


def _why_silent(topic: str) -> str:
    reason = _SILENT.get(topic) or _SILENT.get(topic.partition("/")[0])
    return reason or f"{topic or 'a notification without a topic'} is not a topic Lockstep reads"


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
