"""Shopify in the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from channels.lane import Account, Lane, Message, Signed
from channels.limits import Allowance, Limits
from channels.names import Delivery
from channels.shopify import client, webhook

#: The Standard plan's; https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits
STANDARD: Final = Allowance(maximum=2000, restore_per_s=100)


def connect(account: Account, limits: Limits, now: Callable[[], datetime]) -> client.Shopify:
    """A client of one shop."""
    return client.Shopify(
        account.channel,
        account.base_url,
        account.token,
        limiter=limits("", STANDARD),
        now=now,
        api_version=account.options.get("api_version", client.API_VERSION),
    )


def signed(headers: Mapping[str, str]) -> Signed:
    """The shop and the signature, as the headers say."""
    said = webhook.routing(headers)
    return Signed(said.account, said.signature)


def verify(body: bytes, signature: str, secrets: Sequence[str], url: str) -> bool:
    """Whether one of the app's secrets signed the body; the address is not part of it."""
    return webhook.verify(body, signature, secrets)


def routing(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Everything stands in the headers."""
    return webhook.routing(headers)


def read(topic: str, body: bytes) -> Message:
    """A webhook as a message; raises Unreadable."""
    parsed = webhook.parse(topic, body)
    return Message(
        topic=topic,
        vendor_ids=frozenset(webhook.vendor_ids(parsed)),
        silent=parsed.reason if isinstance(parsed, webhook.Nothing) else "",
        facts=partial(webhook.facts, parsed),
        sightings=parsed.seen if isinstance(parsed, webhook.Nothing) else (),
        asks_orders=webhook.asks_orders(topic, parsed),
    )


LANE: Final = Lane(
    kind="shopify",
    secrets=frozenset({"token"}),
    connect=connect,
    signed=signed,
    verify=verify,
    routing=routing,
    read=read,
    topics=webhook.KNOWN_TOPICS,
    bulk=connect,
    holds=connect,
)
