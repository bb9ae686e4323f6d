"""Amazon in the registry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from channels.amazon import notifications, orders
from channels.amazon.api import SellingPartner
from channels.amazon.client import SETTLE_S, Amazon
from channels.amazon.subscriptions import Pipes
from channels.amazon.tokens import LWA_URL, Credentials, Tokens
from channels.base import Unauthorised
from channels.http import READ_S
from channels.lane import Account, Lane
from channels.limits import Limits

#: Options of a channel that say whose account it is; without them no call can be made.
_NEEDED: Final = ("seller_id", "marketplace_id")


def api_of(
    account: Account, limits: Limits, now: Callable[[], datetime], *, read_s: float = READ_S
) -> SellingPartner:
    """The account's API. Raises Unauthorised when an option is missing that says whose account it is."""
    missing = [name for name in _NEEDED if not account.options.get(name)]
    if missing:
        raise Unauthorised(
            f"channel {account.channel} lacks {' and '.join(missing)} in its options; both stand in Seller Central"
        )
    secrets = account.secrets
    tokens = Tokens(
        Credentials(
            secrets.get("client_id", ""),
            secrets.get("client_secret", ""),
            secrets.get("refresh_token", ""),
        ),
        now=now,
        lwa_url=account.options.get("lwa_url", LWA_URL),
        read_s=read_s,
    )
    return SellingPartner(
        account.base_url,
        tokens,
        limits=limits,
        seller_id=account.options["seller_id"],
        marketplace_id=account.options["marketplace_id"],
        read_s=read_s,
    )


def connect(
    account: Account, limits: Limits, now: Callable[[], datetime], *, read_s: float = READ_S
) -> Amazon:
    """A client of one seller's account."""
    options = account.options
    return Amazon(
        account.channel,
        api_of(account, limits, now, read_s=read_s),
        now=now,
        pipes=Pipes(
            options.get("sqs_arn", ""),
            options.get("event_bridge", ""),
            options.get("notification_url", ""),
        ),
        settle_s=float(options.get("settle_s", SETTLE_S)),
    )


LANE: Final = Lane(
    kind="amazon",
    secrets=frozenset({"client_id", "client_secret", "refresh_token"}),
    connect=connect,
    signed=notifications.signed,
    verify=notifications.verify,
    routing=notifications.routing,
    read=notifications.read,
    topics=frozenset(notifications.VERSIONS),
    orders_lag_s=orders.LAG_S + 5,
    hold_by_hand="do not confirm a shipment; a seller-fulfilled order that cannot ship is cancelled "
    "in Seller Central (Manage orders) before its ship-by date",
)
