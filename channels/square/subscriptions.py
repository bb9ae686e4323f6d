"""Webhook subscriptions. One subscription is one address with many types and one signature key.

What is missing at an address is added to the subscription that is there already: a second one would sign with a second
key, which nobody has told us.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final
from urllib.parse import quote

from channels.base import Subscription
from channels.http import Json
from channels.square import wire
from channels.square.api import Api

PATH: Final = "/v2/webhooks/subscriptions"
NAME: Final = "Lockstep"


def listed(api: Api) -> list[Subscription]:
    """Every type of every enabled subscription of the application."""
    return [each for found in _all(api) if found.enabled is not False for each in _flat(found)]


def ensure(api: Api, topics: Iterable[str], uri: str, now: datetime) -> list[Subscription]:
    """Make sure that these types are sent to this address; returns those that were not before.

    now   goes into the key of a new subscription: one that somebody deleted can be made again
    """
    wanted = sorted(set(topics))
    there = next((found for found in _all(api) if found.notification_url == uri), None)
    if there is None:
        made = _create(api, wanted, uri, now)
        return [each for each in _flat(made) if each.topic in wanted]
    sent = set(there.event_types) if there.enabled is not False else set()
    missing = [topic for topic in wanted if topic not in sent]
    if not missing:
        return []
    changed = _update(api, there, missing)
    return [each for each in _flat(changed) if each.topic in missing]


def _create(api: Api, topics: list[str], uri: str, now: datetime) -> wire.WebhookSubscription:
    said: dict[str, Json] = {
        "name": NAME,
        "event_types": topics,
        "notification_url": uri,
        "api_version": api.version,
    }
    key = hashlib.sha256(f"{uri}|{now.isoformat()}".encode()).hexdigest()[:45]
    body: dict[str, Json] = {"idempotency_key": key, "subscription": said}
    return api.ask("POST", PATH, wire.Subscribed, body=body).subscription


def _update(
    api: Api, there: wire.WebhookSubscription, missing: list[str]
) -> wire.WebhookSubscription:
    types = sorted({*there.event_types, *missing})
    body: dict[str, Json] = {"subscription": {"enabled": True, "event_types": types}}
    path = f"{PATH}/{quote(there.id, safe='')}"
    return api.ask("PUT", path, wire.Subscribed, body=body).subscription


def _all(api: Api) -> Iterator[wire.WebhookSubscription]:
    """Disabled ones too."""
    query = {"include_disabled": "true"}
    while True:
        page = api.ask("GET", PATH, wire.WebhookSubscriptions, query=query, is_read=True)
        yield from page.subscriptions
        if not page.cursor:
            return
        query = {**query, "cursor": page.cursor}


def _flat(found: wire.WebhookSubscription) -> Iterator[Subscription]:
    for topic in found.event_types:
        yield Subscription(found.id, topic, found.notification_url or "")
