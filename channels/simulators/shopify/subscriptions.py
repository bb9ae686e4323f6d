"""Webhook subscriptions: who is told about which topic, and the checks a new one has to pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from graphql import GraphQLResolveInfo

from channels.simulators.shopify import search
from channels.simulators.shopify.ids import parse_gid
from channels.simulators.shopify.shop import Act, Shop
from channels.simulators.shopify.state import Subscription
from channels.simulators.shopify.writes import UserError

API_VERSION: Final = "2026-07"

_RESOURCES: Final = sorted(
    [
        "APP",
        "APP_PURCHASES_ONE_TIME",
        "APP_SUBSCRIPTIONS",
        "BULK_OPERATIONS",
        "CARTS",
        "CHANNELS",
        "CHECKOUTS",
        "COLLECTIONS",
        "COLLECTION_LISTINGS",
        "COLLECTION_PUBLICATIONS",
        "COMPANIES",
        "COMPANY_CONTACTS",
        "COMPANY_LOCATIONS",
        "CUSTOMERS",
        "CUSTOMER_GROUPS",
        "CUSTOMER_PAYMENT_METHODS",
        "DISCOUNTS",
        "DISPUTES",
        "DOMAINS",
        "DRAFT_ORDERS",
        "FULFILLMENTS",
        "FULFILLMENT_EVENTS",
        "FULFILLMENT_HOLDS",
        "FULFILLMENT_ORDERS",
        "INVENTORY_ITEMS",
        "INVENTORY_LEVELS",
        "INVENTORY_SHIPMENTS",
        "INVENTORY_TRANSFERS",
        "LOCALES",
        "LOCATIONS",
        "MARKETS",
        "METAFIELD_DEFINITIONS",
        "METAOBJECTS",
        "ORDERS",
        "ORDER_TRANSACTIONS",
        "PAYMENT_SCHEDULES",
        "PAYMENT_TERMS",
        "PRODUCTS",
        "PRODUCT_FEEDS",
        "PRODUCT_LISTINGS",
        "PRODUCT_PUBLICATIONS",
        "PROFILES",
        "REFUNDS",
        "RETURNS",
        "REVERSE_DELIVERIES",
        "REVERSE_FULFILLMENT_ORDERS",
        "SCHEDULED_PRODUCT_LISTINGS",
        "SEGMENTS",
        "SELLING_PLAN_GROUPS",
        "SHOP",
        "SUBSCRIPTION_BILLING_ATTEMPTS",
        "SUBSCRIPTION_CONTRACTS",
        "TAX_PARTNERS",
        "TAX_SERVICES",
        "TAX_SUMMARIES",
        "TENDER_TRANSACTIONS",
        "THEMES",
        "VARIANTS",
    ],
    key=len,
    reverse=True,
)
_NAME: Final = re.compile(r"[A-Za-z0-9_-]*")


def header_topic(enum: str) -> str:
    """`INVENTORY_LEVELS_UPDATE` as the header spells it: `inventory_levels/update`."""
    for resource in _RESOURCES:
        if enum.startswith(f"{resource}_"):
            return f"{resource}/{enum[len(resource) + 1 :]}".lower()
    return enum.lower()


def enum_topic(header: str) -> str:
    return header.replace("/", "_").upper()


def create(
    shop: Shop, act: Act, topic: str, given: Mapping[str, Any]
) -> tuple[Subscription | None, list[UserError]]:
    """`webhookSubscriptionCreate`, JSON over HTTP or HTTPS only."""
    errors = _check(shop, header_topic(topic), given, None)
    if errors:
        return None, errors
    number = shop.ids.next("WebhookSubscription")
    made = Subscription(number, header_topic(topic), _uri(given), act.at, act.at)
    _fill(made, given)
    shop.subscriptions[number] = made
    return made, []


def update(
    shop: Shop, act: Act, gid: str, given: Mapping[str, Any]
) -> tuple[Subscription | None, list[UserError]]:
    """`webhookSubscriptionUpdate`: what is not given stays."""
    found = _find(shop, gid)
    if found is None:
        return None, [UserError(None, ("id",), "Webhook subscription does not exist")]
    errors = _check(shop, found.topic, {"uri": found.uri, **given}, found)
    if errors:
        return None, errors
    found.uri = _uri({"uri": found.uri, **given})
    _fill(found, given)
    found.updated_at = act.at
    return found, []


def delete(shop: Shop, gid: str) -> tuple[str | None, list[UserError]]:
    found = _find(shop, gid)
    if found is None:
        return None, [UserError(None, ("id",), "Webhook subscription does not exist")]
    del shop.subscriptions[found.number]
    return gid, []


def _find(shop: Shop, gid: str) -> Subscription | None:
    parsed = parse_gid(gid)
    return (
        shop.subscriptions.get(parsed[1]) if parsed and parsed[0] == "WebhookSubscription" else None
    )


def _uri(given: Mapping[str, Any]) -> str:
    return str(given.get("uri") or given.get("callbackUrl") or "").strip()


def _fill(into: Subscription, given: Mapping[str, Any]) -> None:
    into.filter = given.get("filter", into.filter)
    into.include_fields = list(given.get("includeFields") or into.include_fields)
    into.metafield_namespaces = list(given.get("metafieldNamespaces") or into.metafield_namespaces)
    into.name = given.get("name") or into.name


def _check(
    shop: Shop, topic: str, given: Mapping[str, Any], existing: Subscription | None
) -> list[UserError]:
    errors = _check_address(_uri(given))
    if given.get("format") == "XML":
        text = "Format 'xml' is invalid for this webhook topic. Allowed formats: json"
        errors.append(UserError(None, ("webhookSubscription", "format"), text))
    others = [s for s in shop.subscriptions.values() if s is not existing]
    same = (s for s in others if s.topic == topic and s.uri == _uri(given))
    if any((s.filter or "") == (given.get("filter") or "") for s in same):
        text = "Address for this topic has already been taken"
        errors.append(UserError(None, ("webhookSubscription", "callbackUrl"), text))
    return errors + _check_name(given.get("name"), [s.name for s in others if s.name])


def _check_address(uri: str) -> list[UserError]:
    text = None
    if not uri:
        text = "Address can't be blank"
    elif urlsplit(uri).scheme not in ("http", "https"):
        text = f"Address protocol {uri.split(':', 1)[0]}:// is not supported"
    elif not urlsplit(uri).hostname:
        text = "Address is invalid"
    return [UserError(None, ("webhookSubscription", "callbackUrl"), text)] if text else []


def _check_name(name: str | None, taken: list[str]) -> list[UserError]:
    if name is None:
        return []
    texts: list[str] = []
    if not name:
        texts.append("Name is too short (minimum is 1 character)")
    if not name or not _NAME.fullmatch(name):
        texts.append(
            "Name name field can only contain alphanumeric characters, underscores, and hyphens"
        )
    if name.lower() in (other.lower() for other in taken):
        texts.append("Name already exists, no duplicate allowed")
    return [UserError(None, ("webhookSubscription", "name"), text) for text in texts]


def _list(_: object, info: GraphQLResolveInfo, **args: Any) -> search.Page:
    topics = [header_topic(topic) for topic in args.get("topics") or ()]
    wanted = args.get("uri") or args.get("callbackUrl")
    rows = [
        s
        for s in info.context.shop.subscriptions.values()
        if (not topics or s.topic in topics) and wanted in (None, s.uri)
    ]
    return search.page(rows, lambda s: (s.created_at, s.number), args)


def _stamp(at: Any) -> str:
    return str(at.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _plain(get: Callable[[Subscription], Any]) -> Callable[..., Any]:
    return lambda subscription, _info: get(subscription)


FIELDS: Final[dict[str, dict[str, Callable[..., Any]]]] = {
    "QueryRoot": {
        "webhookSubscriptions": _list,
        "webhookSubscriptionsCount": lambda _, info, **args: {
            "count": len(info.context.shop.subscriptions),
            "precision": "EXACT",
        },
    },
    "WebhookSubscription": {
        "id": _plain(lambda s: s.gid),
        "legacyResourceId": _plain(lambda s: str(s.number)),
        "topic": _plain(lambda s: enum_topic(s.topic)),
        "uri": _plain(lambda s: s.uri),
        "callbackUrl": _plain(lambda s: s.uri),
        "endpoint": _plain(lambda s: {"__typename": "WebhookHttpEndpoint", "callbackUrl": s.uri}),
        "format": _plain(lambda s: "JSON"),
        "filter": _plain(lambda s: s.filter),
        "includeFields": _plain(lambda s: s.include_fields),
        "metafieldNamespaces": _plain(lambda s: s.metafield_namespaces),
        "metafields": _plain(lambda s: []),
        "name": _plain(lambda s: s.name),
        "apiVersion": _plain(
            lambda s: {"handle": API_VERSION, "displayName": API_VERSION, "supported": True}
        ),
        "createdAt": _plain(lambda s: _stamp(s.created_at)),
        "updatedAt": _plain(lambda s: _stamp(s.updated_at)),
    },
}
