"""Words of the registry: an account at a vendor, a notification that was read, and what the house needs of a lane."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from sqlalchemy import Engine

from channels.base import Channel, HoldsOrders, ReadsInBulk, Sighting
from channels.limits import Limits
from channels.names import Delivery, Names
from ledger.events import AnyFact


@dataclass(frozen=True, slots=True)
class Account:
    """One account at one vendor, as it stands in the table `channel` and in the secrets.

    base_url   where the vendor's API is
    secrets    by name, never logged, never shown; most lanes know one: `token`
    options    what else the lane knows, such as Shopify's `api_version`
    memory     the house's own database, for a lane whose vendor keeps nothing that could be asked
    """

    channel: str
    kind: str
    base_url: str
    secrets: Mapping[str, str] = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    memory: Engine | None = field(default=None, repr=False, compare=False)

    @property
    def token(self) -> str:
        """The secret called `token`, "" where there is none."""
        return self.secrets.get("token", "")


@dataclass(frozen=True, slots=True)
class Signed:
    """What the headers say of a delivery's sender, before anything of it is believed.

    account    the vendor's name of the shop or seller, "" where the headers do not say
    """

    account: str
    signature: str


class Booker(Protocol):
    """Facts of a message, once the vendor's ids have names. Raises Unmapped."""

    def __call__(self, *, source: str, channel: str, names: Names) -> list[AnyFact]: ...


@dataclass(frozen=True, slots=True)
class Message:
    """A notification that was read.

    vendor_ids    variants and locations to look up for `Names`
    silent        why it moves no stock, "" when it may
    sightings     what it says the channel shows; never booked
    asks_orders   it names orders without telling them: the order API is to be asked, so many seconds from now
    """

    topic: str
    vendor_ids: frozenset[str]
    silent: str
    facts: Booker
    sightings: tuple[Sighting, ...] = ()
    asks_orders: bool = False
    asks_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Lane:
    """What the house needs of a vendor.

    secrets   names of the secrets an account must have
    connect   (account, limits, now) -> its client
    signed    headers -> who says to have sent it, and the signature
    verify    (body, signature, secrets, url) -> whether it is genuine; `url` is the channel's `notification_url`
    routing   (headers, body) -> what the genuine delivery says of itself
    read      (topic, body) -> Message; raises Unreadable
    topics    what to subscribe to
    bulk      (account, limits, now) -> how to read its whole catalogue at once; None where the vendor cannot
    orders_lag_s   how far the vendor's order API is behind at most, in seconds, its clock's error included
    lists     whether the vendor can be asked for what it lists; else a mapping file says it
    sells_when     when the vendor takes units off its own number: with the order, only when they leave, or never
    holds     (account, limits, now) -> how to hold an order; None where the vendor's API cannot
    hold_by_hand    what a person does instead, as a sentence that begins small
    """

    kind: str
    secrets: frozenset[str]
    connect: Callable[[Account, Limits, Callable[[], datetime]], Channel]
    signed: Callable[[Mapping[str, str]], Signed]
    verify: Callable[[bytes, str, Sequence[str], str], bool]
    routing: Callable[[Mapping[str, str], bytes], Delivery]
    read: Callable[[str, bytes], Message]
    topics: frozenset[str]
    bulk: Callable[[Account, Limits, Callable[[], datetime]], ReadsInBulk] | None = None
    orders_lag_s: float = 5.0
    lists: bool = True
    sells_when: Literal["ordered", "left", "never"] = "ordered"
    holds: Callable[[Account, Limits, Callable[[], datetime]], HoldsOrders] | None = None
    hold_by_hand: str = "tell the warehouse not to ship it"


def nothing(*, source: str, channel: str, names: Names) -> list[AnyFact]:
    """The `facts` of a message that moves no stock."""
    return []
