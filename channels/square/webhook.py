"""Square's notifications: genuine or not, what they are, and what they ask for.

A notification about an order or a refund tells ids and a state, never a line: it only asks for a look at the order API.
One about counts is an echo of what the till did or of our own push: something was seen, nothing is booked.
Source: https://developer.squareup.com/docs/webhooks/step3validate and the OpenAPI's event schemas.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from channels.base import Sighting, Unreadable
from channels.names import Delivery
from channels.square import orders, wire
from channels.square.counts import IN_STOCK
from channels.square.units import Fractional, whole_units

COUNTS: Final = "inventory.count.updated"
ASKING: Final = frozenset(
    {
        "order.created",
        "order.updated",
        "order.fulfillment.updated",
        "refund.created",
        "refund.updated",
    }
)
#: What to subscribe to.
TOPICS: Final = ASKING | {COUNTS}

_SILENT: Final[Mapping[str, str]] = {
    "location": "master data of a location",
    "catalog": "master data of a product",
    "payment": "money only; the order of the sale has its own notification",
    "customer": "concerns a customer",
    "invoice": "money only; the order behind it has its own notification",
    "labor": "concerns the staff",
    "loyalty": "concerns a customer",
    "oauth": "concerns the application's access",
}
Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Asks:
    """Something happened to an order: look at the order API."""

    topic: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Counts as the account shows them.

    left_out   counts that are no sighting, each with its reason
    """

    topic: str
    sightings: tuple[Sighting, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """A notification that concerns no stock, and why."""

    topic: str
    reason: str


Parsed: TypeAlias = Asks | Seen | Nothing | wire.OrderDocument


def verify(body: bytes, signature: str, secrets: Sequence[str], url: str) -> bool:
    """Whether one of the subscription's keys signed exactly this address and these bytes.

    url   byte for byte as it stands in the subscription; a proxy in between may have called us by another
    """
    given = signature.strip().encode("utf-8", errors="replace")
    genuine = False
    for secret in secrets:
        digest = hmac.new(secret.encode(), url.encode() + body, hashlib.sha256).digest()
        matches = hmac.compare_digest(base64.b64encode(digest), given)
        # An empty secret or address would accept what anybody can sign; no early return, so that time tells nothing.
        genuine |= matches and bool(secret) and bool(url)
    return genuine


def signature_of(headers: Mapping[str, str]) -> str:
    """The signature, "" where there is none. Square's headers name neither the seller nor the event."""
    for name, value in headers.items():
        if name.lower() == "x-square-hmacsha256-signature":
            return value.strip()
    return ""


def routing(headers: Mapping[str, str], body: bytes) -> Delivery:
    """What a genuine body says of itself. Retries of a notification have its event id too. Raises Unreadable."""
    event = _read(wire.Event, "a notification", body)
    return Delivery(
        topic=event.type.strip().lower(),
        delivery_id=event.event_id,
        event_id=event.event_id,
        account=event.merchant_id,
        signature=signature_of(headers),
        triggered_at=event.created_at,
    )


def parse(topic: str, body: bytes) -> Parsed:
    """The body as a value. Raises Unreadable, naming the field that is wrong but none of the customer's data."""
    topic = topic.strip().lower()
    if topic == orders.TOPIC:
        return _order(body)
    if topic in ASKING:
        _read(wire.Event, topic, body)
        return Asks(topic)
    if topic == COUNTS:
        return _seen(topic, _read(wire.CountsUpdated, topic, body))
    return Nothing(topic, _why_silent(topic))


def _order(body: bytes) -> wire.OrderDocument:
    try:
        return _read(wire.OrderDocument, orders.TOPIC, body)
    except Unreadable:
        try:
            left = wire.UnreadDocument.model_validate_json(body)
        except ValidationError:
            pass
        else:
            raise Unreadable(f"{orders.TOPIC}: order {left.unread.id}: {left.problem}") from None
        raise


def _seen(topic: str, told: wire.CountsUpdated) -> Seen:
    sightings: list[Sighting] = []
    left_out: list[str] = []
    for count in told.counts:
        what = f"{count.catalog_object_id} at {count.location_id}"
        if count.state != IN_STOCK:
            left_out.append(f"{what} is {count.state}, which is not for sale")
            continue
        try:
            units = whole_units(count.quantity)
        except Fractional as problem:
            left_out.append(f"{what}: {problem}")
            continue
        except ValueError as problem:
            raise Unreadable(f"{topic}: {what}: {problem}") from None
        sightings.append(
            Sighting(count.catalog_object_id, count.location_id, units, count.calculated_at)
        )
    return Seen(topic, tuple(sightings), tuple(left_out))


def _read(model: type[Body], topic: str, body: bytes) -> Body:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise Unreadable(f"{topic}: {wire.first_problem(error)}") from None


def _why_silent(topic: str) -> str:
    reason = _SILENT.get(topic) or _SILENT.get(topic.partition(".")[0])
    return reason or f"{topic or 'a notification without a type'} is not a type Lockstep reads"
