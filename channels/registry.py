"""Kind of channel -> its lane: one dictionary, the only place that knows all vendors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from channels.base import Channel
from channels.limits import Limiter
from channels.names import Delivery, Names
from channels.shopify import client as shopify
from channels.shopify import webhook as shopify_webhook
from ledger.events import AnyFact


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one vendor, as it stands in the table `channel` and in the secrets.

    base_url   where the vendor's API is;  token  never logged, never shown
    options    what else the lane knows, such as Shopify's `api_version`
    """

    channel: str
    kind: str
    base_url: str
    token: str = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a vendor allows an account until it says otherwise: tokens when full, tokens regained a second."""

    maximum: float
    restore_per_s: float


class _Booker(Protocol):
    def __call__(self, *, source: str, channel: str, names: Names) -> list[AnyFact]: ...


@dataclass(frozen=True, slots=True)
class Message:
    """A notification that was read.

    vendor_ids   variants and locations to look up for `Names`
    silent       why it moves no stock, "" when it may
    facts        (source=, channel=, names=) -> canonical facts; raises Unmapped
    """

    topic: str
    vendor_ids: frozenset[str]
    silent: str
    facts: _Booker


@dataclass(frozen=True, slots=True)
class Lane:
    """What the house needs of a vendor.

    connect   (account, limiter, now) -> its client
    routing   headers -> what they say of the delivery, its signature among it
    verify    (body, signature, secrets) -> whether it is genuine
    read      (topic, body) -> Message; raises Unreadable
    topics    what to subscribe to
    bucket    the account's limit to begin with
    """

    kind: str
    connect: Callable[[Account, Limiter, Callable[[], datetime]], Channel]
    routing: Callable[[Mapping[str, str]], Delivery]
    verify: Callable[[bytes, str, Sequence[str]], bool]
    read: Callable[[str, bytes], Message]
    topics: frozenset[str]
    bucket: Allowance


def _connect_shopify(
    account: Account, limiter: Limiter, now: Callable[[], datetime]
) -> shopify.Shopify:
    return shopify.Shopify(
        account.channel,
        account.base_url,
        account.token,
        limiter=limiter,
        now=now,
        api_version=account.options.get("api_version", shopify.API_VERSION),
    )


def _read_shopify(topic: str, body: bytes) -> Message:
    parsed = shopify_webhook.parse(topic, body)
    return Message(
        topic=topic,
        vendor_ids=frozenset(shopify_webhook.vendor_ids(parsed)),
        silent=parsed.reason if isinstance(parsed, shopify_webhook.Nothing) else "",
        facts=partial(shopify_webhook.facts, parsed),
    )


LANES: Final[Mapping[str, Lane]] = {
    "shopify": Lane(
        kind="shopify",
        connect=_connect_shopify,
        routing=shopify_webhook.routing,
        verify=shopify_webhook.verify,
        read=_read_shopify,
        topics=shopify_webhook.KNOWN_TOPICS,
        # The Standard plan's; https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits
        bucket=Allowance(maximum=2000, restore_per_s=100),
    ),
}
