"""Making Amazon send its notifications: a destination for the queue, one for the event bus, a subscription a type.

Most types go to SQS only and some to EventBridge only; the merchant's pipe brings both to the relay. Amazon keeps one
subscription a type and application, and knows no address of ours.

Source: https://developer-docs.amazon.com/sp-api/docs/notifications-api-v1-use-case-guide
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from channels.amazon.api import Missing, SellingPartner
from channels.amazon.notifications import EVENT_BRIDGE_ONLY, VERSIONS
from channels.base import Refused, Subscription
from channels.http import Json

#: The word for a pipe that the merchant goes without, knowingly.
WITHOUT: Final = "none"
#: How long it is taken for granted that nobody else changed a subscription.
_REMEMBERED: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Pipes:
    """Where Amazon shall write to.

    sqs_arn        of the queue
    event_bridge   "region:account" of the event bus
    relay          the address that the merchant's pipe posts both to
    """

    sqs_arn: str = ""
    event_bridge: str = ""
    relay: str = ""


class _Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Queue(_Camel):
    arn: str = ""


class _Bus(_Camel):
    region: str = ""
    account_id: str = ""


class _Resource(_Camel):
    sqs: _Queue | None = None
    event_bridge: _Bus | None = None

    @property
    def address(self) -> str:
        """The queue's ARN, or region:account of the bus."""
        if self.sqs is not None:
            return self.sqs.arn
        return (
            f"{self.event_bridge.region}:{self.event_bridge.account_id}"
            if self.event_bridge
            else ""
        )


class _Destination(_Camel):
    destination_id: str
    resource: _Resource = _Resource()


class _Destinations(_Camel):
    payload: tuple[_Destination, ...] = ()


class _MadeDestination(_Camel):
    payload: _Destination


class _Subscribed(_Camel):
    subscription_id: str
    destination_id: str = ""


class _Subscription(_Camel):
    payload: _Subscribed = Field()


class Subscriptions:
    """The subscriptions of one account.

    Amazon answers for one type a call and takes five calls and then one a second; there are more types than that. So
    what was learnt a moment ago is remembered, and who comes back after the limit goes on where it ended.
    """

    def __init__(self, api: SellingPartner, pipes: Pipes, now: Callable[[], datetime]) -> None:
        self._api = api
        self._pipes = pipes
        self._now = now
        self._learnt: dict[str, tuple[datetime, _Subscribed | None]] = {}

    def all(self) -> list[Subscription]:
        """What Amazon sends of the types that we read."""
        addresses = {one.destination_id: one.resource.address for one in _destinations(self._api)}
        found = []
        for kind in sorted(VERSIONS):
            known = self._known(kind)
            if known is not None:
                address = addresses.get(known.destination_id, known.destination_id)
                found.append(self._told(known, kind, address))
        return found

    def make(self, topics: Iterable[str]) -> list[Subscription]:
        """Make what is missing; returns what was made.

        raises    Refused when a pipe is not configured, or a type goes somewhere else already
        """
        wanted = {
            kind: address
            for kind in sorted(set(topics))
            if (address := _address(self._pipes, kind))
        }
        places = {one.resource.address: one.destination_id for one in _destinations(self._api)}
        made: list[Subscription] = []
        for kind, address in wanted.items():
            known = self._known(kind)
            if known is None:
                if address not in places:
                    places[address] = _make_destination(self._api, kind, address)
                subscribed = self._subscribe(kind, places[address])
                made.append(self._told(subscribed, kind, address))
            elif known.destination_id != places.get(address):
                raise Refused(
                    f"Amazon: {kind} goes to destination {known.destination_id} already, not to {address}; "
                    f"delete subscription {known.subscription_id} first",
                    code="SUBSCRIBED_ELSEWHERE",
                )
        return made

    def _told(self, known: _Subscribed, kind: str, address: str) -> Subscription:
        """Through one of our pipes a type comes to the relay; else it goes to where Amazon writes it."""
        ours = {self._pipes.sqs_arn, self._pipes.event_bridge}
        uri = self._pipes.relay if self._pipes.relay and address in ours else address
        return Subscription(known.subscription_id, kind, uri)

    def _known(self, kind: str) -> _Subscribed | None:
        now = self._now()
        learnt_at, known = self._learnt.get(kind, (None, None))
        if learnt_at is not None and now - learnt_at < _REMEMBERED:
            return known
        try:
            path = {"notificationType": kind}
            known = self._api.ask("getSubscription", _Subscription, path=path).payload
        except Missing:
            known = None
        self._learnt[kind] = (now, known)
        return known

    def _subscribe(self, kind: str, destination_id: str) -> _Subscribed:
        # Whatever comes of it, what was learnt before does not hold any more.
        self._learnt.pop(kind, None)
        answer = self._api.ask(
            "createSubscription",
            _Subscription,
            path={"notificationType": kind},
            body={"payloadVersion": VERSIONS[kind], "destinationId": destination_id},
        )
        self._learnt[kind] = (self._now(), answer.payload)
        return answer.payload


def _address(pipes: Pipes, kind: str) -> str:
    """Where a type goes; "" for one that the merchant goes without."""
    if kind not in VERSIONS:
        raise Refused(f"Amazon: {kind} is not a notification that Lockstep reads", code="UNKNOWN")
    option = "event_bridge" if kind in EVENT_BRIDGE_ONLY else "sqs_arn"
    address = pipes.event_bridge if kind in EVENT_BRIDGE_ONLY else pipes.sqs_arn
    if not address:
        raise Refused(
            f"Amazon: {kind} needs the channel's option {option}; set it, or to {WITHOUT!r} to go without",
            code="NO_PIPE",
        )
    return "" if address == WITHOUT else address


def _destinations(api: SellingPartner) -> tuple[_Destination, ...]:
    return api.ask("getDestinations", _Destinations).payload


def _make_destination(api: SellingPartner, kind: str, address: str) -> str:
    resource: dict[str, Json] = {"sqs": {"arn": address}}
    if kind in EVENT_BRIDGE_ONLY:
        region, _, account = address.partition(":")
        resource = {"eventBridge": {"region": region, "accountId": account}}
    name = "lockstep-eventbridge" if kind in EVENT_BRIDGE_ONLY else "lockstep-sqs"
    answer = api.ask(
        "createDestination",
        _MadeDestination,
        body={"name": name, "resourceSpecification": resource},
    )
    return answer.payload.destination_id
