"""Square in the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from channels.lane import Account, Booker, Lane, Message, Signed, nothing
from channels.limits import Allowance, Limits
from channels.names import Names
from channels.square import booking, client, webhook, wire
from ledger.events import AnyFact

#: Square publishes no number; what it refuses with a 429 closes the bucket for as long as it says.
ASSUMED: Final = Allowance(maximum=20, restore_per_s=10)


def connect(account: Account, limits: Limits, now: Callable[[], datetime]) -> client.Square:
    """A client of one seller's account.

    secrets   `token`; `application_token` where that one is a seller's
    options   `square_version`; `location_ids`, separated by commas, to read the orders of these locations only
    """
    listed = account.options.get("location_ids", "").split(",")
    return client.Square(
        account.channel,
        account.base_url,
        account.token,
        limiter=limits("", ASSUMED),
        now=now,
        application_token=account.secrets.get("application_token", ""),
        version=account.options.get("square_version", client.VERSION),
        only=[each.strip() for each in listed if each.strip()],
    )


def signed(headers: Mapping[str, str]) -> Signed:
    """The signature; the headers do not name the seller."""
    return Signed("", webhook.signature_of(headers))


def read(topic: str, body: bytes) -> Message:
    """A notification, or an order of the order API, as a message; raises Unreadable."""
    parsed = webhook.parse(topic, body)
    match parsed:
        case wire.OrderDocument():
            return Message(topic, booking.mentioned(parsed), "", _booker(parsed))
        case webhook.Asks():
            silent = "names an order and tells no lines; the order API is asked for it"
            return Message(topic, frozenset(), silent, nothing, asks_orders=True)
        case webhook.Seen():
            silent = "; ".join(("an echo of what the channel shows", *parsed.left_out))
            return Message(topic, frozenset(), silent, nothing, sightings=parsed.sightings)
        case webhook.Nothing():
            return Message(topic, frozenset(), parsed.reason, nothing)


def _booker(document: wire.OrderDocument) -> Booker:
    def facts(*, source: str, channel: str, names: Names) -> list[AnyFact]:
        return booking.Book(document, source=source, channel=channel, names=names).facts()

    return facts


LANE: Final = Lane(
    kind="square",
    secrets=frozenset({"token"}),
    connect=connect,
    signed=signed,
    verify=webhook.verify,
    routing=webhook.routing,
    read=read,
    topics=webhook.TOPICS,
    # A pickup stays IN_STOCK until it is fetched; a till sale is ordered and gone at once.
    sells_when="left",
    hold_by_hand="set the order aside in the Square Dashboard (Orders) and tell the shop: Square has "
    "fulfillment states and none that holds",
)
