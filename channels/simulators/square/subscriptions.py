"""The Webhook Subscriptions API: where events are sent, and with which key they are signed."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from channels.simulators.square import bodies
from channels.simulators.square.calls import Call, page, whole
from channels.simulators.square.errors import ApiError, Problem, not_found, refusal
from channels.simulators.square.merchant import Act, Merchant
from channels.simulators.square.schema import is_version
from channels.simulators.square.state import Subscription

EVENT_TYPES: Final = {
    "inventory.count.updated": "2018-07-12",
    "order.created": "2020-04-22",
    "order.updated": "2020-04-22",
    "order.fulfillment.updated": "2020-04-22",
    "refund.created": "2020-02-26",
    "refund.updated": "2020-02-26",
}
"""What can be subscribed to here, and since which version."""


def subscribe(
    merchant: Merchant,
    act: Act,
    url: str,
    event_types: list[str],
    api_version: str,
    name: str = "Webhook subscription",
    *,
    signature_key: str | None = None,
) -> Subscription:
    """A new subscription with a key of its own, unless one is given."""
    number = 1 + max((s.number for s in merchant.subscriptions.values()), default=0)
    made = Subscription(
        number=number,
        id=f"wbhk_{merchant.new_uuid().replace('-', '')}",
        name=name,
        notification_url=url,
        event_types=event_types,
        api_version=api_version,
        signature_key=signature_key or merchant.ids.mixed(22),
        created_at=act.at,
        updated_at=act.at,
    )
    merchant.subscriptions[made.id] = made
    return made


def create(call: Call) -> dict[str, Any]:
    """The first subscription of an account gets the key the simulator was started with; others get their own."""
    asked = call.body["subscription"]
    url = _url(asked.get("notification_url"))
    first = call.merchant.signature_key if not call.merchant.subscriptions else None
    made = subscribe(
        call.merchant,
        call.writing(),
        url,
        _types(asked.get("event_types")),
        _version(asked.get("api_version") or call.version),
        asked.get("name") or "Webhook subscription",
        signature_key=first,
    )
    made.enabled = asked.get("enabled") is not False
    return {"subscription": bodies.subscription(made)}


def update(call: Call) -> dict[str, Any]:
    """Only the fields that are given change; the key stays."""
    found = _found(call)
    asked = call.body.get("subscription") or {}
    url = _url(asked["notification_url"]) if "notification_url" in asked else None
    types = _types(asked["event_types"]) if "event_types" in asked else None
    version = _version(asked["api_version"]) if "api_version" in asked else None
    found.notification_url = url or found.notification_url
    found.event_types = types or found.event_types
    found.api_version = version or found.api_version
    found.name = asked.get("name") or found.name
    if asked.get("enabled") is not None:
        found.enabled = asked["enabled"]
    found.updated_at = call.now
    return {"subscription": bodies.subscription(found, key=False)}


def rotate_key(call: Call) -> dict[str, Any]:
    """A new key at once; what is sent from now on is signed with it."""
    found = _found(call)
    found.signature_key = call.merchant.ids.mixed(22)
    found.updated_at = call.now
    return {"signature_key": found.signature_key}


def delete(call: Call) -> dict[str, Any]:
    del call.merchant.subscriptions[_found(call).id]
    return {}


def retrieve(call: Call) -> dict[str, Any]:
    return {"subscription": bodies.subscription(_found(call))}


def list_subscriptions(call: Call) -> dict[str, Any]:
    """Enabled ones unless `include_disabled`; without their keys."""
    disabled = call.query.get("include_disabled") == "true"
    rows = [s for s in call.merchant.subscriptions.values() if disabled or s.enabled]
    limit = whole(call.query, "limit", 100, 100)
    some, following = page(rows, lambda s: [s.number], limit, call.query.get("cursor"), call.query)
    body: dict[str, Any] = {"subscriptions": [bodies.subscription(s, key=False) for s in some]}
    return body if following is None else {**body, "cursor": following}


def list_event_types(call: Call) -> dict[str, Any]:
    since = [
        {"event_type": name, "api_version_introduced": version, "release_status": "PUBLIC"}
        for name, version in EVENT_TYPES.items()
    ]
    return {"event_types": list(EVENT_TYPES), "metadata": since}


def _found(call: Call) -> Subscription:
    id = call.path["subscription_id"]
    if id not in call.merchant.subscriptions:
        raise not_found("Subscription", id, "subscription_id")
    return call.merchant.subscriptions[id]


def _url(given: object) -> str:
    """Kept byte for byte: signatures are made over it."""
    parts = urlsplit(str(given or ""))
    if parts.scheme not in ("https", "http") or not parts.netloc:
        text = f"{given!r} is not a URL events can be sent to."
        raise refusal("INVALID_VALUE", text, "subscription.notification_url")
    return str(given)


def _types(given: object) -> list[str]:
    types = [str(one) for one in given] if isinstance(given, list) else []
    wrong = [one for one in types if one not in EVENT_TYPES]
    if not types or wrong:
        text = f"Not an event type: {', '.join(wrong) or 'none given'}."
        raise ApiError(400, [Problem("INVALID_VALUE", text, "subscription.event_types")])
    return types


def _version(given: object) -> str:
    if not is_version(str(given)):
        text = f"{given!r} is not a Square version."
        raise refusal("INVALID_SQUARE_VERSION_FORMAT", text, "subscription.api_version")
    return str(given)
