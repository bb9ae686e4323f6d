"""Wholesale partners in the registry. Their documents come by the exchange, never by a hook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from channels.base import Refused, Unreadable
from channels.edi.client import WholesalePartner
from channels.edi.partner import BadPartner, partner_of
from channels.lane import Account, Lane, Message, Signed
from channels.limits import Limits
from channels.names import Delivery

KIND: Final = "edi"


def connect(account: Account, limits: Limits, now: Callable[[], datetime]) -> WholesalePartner:
    """A client of one partner; raises Refused when its options do not describe it."""
    try:
        partner = partner_of(account.channel, account.options)
    except BadPartner as error:
        raise Refused(f"{error}; correct the rules and apply them", code="options") from None
    if account.memory is None:
        raise Refused(f"{account.channel}: a partner needs the house's database", code="memory")
    return WholesalePartner(partner, account.memory, now=now)


def signed(headers: Mapping[str, str]) -> Signed:
    """Nobody signs: no hook leads here."""
    return Signed("", "")


def verify(body: bytes, signature: str, secrets: Sequence[str], url: str) -> bool:
    """Nothing that comes by a hook is genuine."""
    return False


def routing(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Never asked, because nothing is verified."""
    return Delivery("", "", "", "", "", None)


def read(topic: str, body: bytes) -> Message:
    """Interchanges are worked by a flow of their own, which answers them in the same transaction."""
    raise Unreadable(f"{topic}: a partner's documents come through its folder, not by a hook")


LANE: Final = Lane(
    kind=KIND,
    secrets=frozenset(),
    connect=connect,
    signed=signed,
    verify=verify,
    routing=routing,
    read=read,
    topics=frozenset(),
    lists=False,
    sells_when="never",
    hold_by_hand="answer the line with an 855 that promises a later date, or call the partner: X12 "
    "has no call that holds an order of ours",
)
