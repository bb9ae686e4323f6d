"""A seller's account at Amazon in a schedule: what he ships himself, told by patches or by feeds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import orjson
from requests.models import PreparedRequest

from channels.amazon import notifications
from channels.amazon.client import Amazon
from channels.amazon.operations import OPERATIONS
from channels.base import Channel
from channels.simulators.agenda import Agenda
from channels.simulators.amazon.account import Refused, Unknown
from channels.simulators.amazon.app import make_app
from channels.simulators.amazon.control import Control
from channels.simulators.amazon.simulator import AmazonSimulator
from channels.simulators.clock import Clock
from channels.simulators.courier import Post
from console.chaos.account import Account, by_verb
from console.chaos.casts import Cast

#: What a seller's account may refuse by itself.
REFUSALS: Final = (Refused, Unknown)

_QUEUE: Final = "arn:aws:sqs:us-east-1:111122223333:lockstep"
_BUS: Final = ("us-east-1", "111122223333")
_OFFER: Final = re.compile(r"/listings/2021-08-01/items/[^/]+/([^/?]+)$")
#: Seconds from an accepted write until buyers see it: sooner than our read-back, and some of the time later.
_PACE: Final = {"apply_s": 4.0, "queue_s": 20.0, "work_s": 30.0}


def amazon(
    name: str,
    cast: Cast,
    clock: Clock,
    post: Post,
    stock: Mapping[tuple[str, str], int],
    number: int,
) -> Account:
    """A seller who ships all he sells from the first place.

    stock    (SKU, location of ours) -> units he offers
    """
    simulator = AmazonSimulator(clock, seed=number, agenda=Agenda(clock, threads=0), post=post)
    simulator.base_url = f"http://{name}.chaos"
    do = partial(by_verb, Control(simulator).verbs())
    place = cast.places[0]
    do("pace", **_PACE)
    do(
        "listings",
        listings=[{"sku": sku, "units": stock.get((sku, place), 0)} for sku in cast.skus],
    )
    return Account(
        name=name,
        kind="amazon",
        base_url=simulator.base_url,
        simulator=simulator,
        app=make_app(simulator),
        secrets={
            "client_id": simulator.lwa.client_id,
            "client_secret": simulator.lwa.client_secret,
            "refresh_token": simulator.lwa.refresh_token,
        },
        webhook_secret=simulator.hook_secret,
        do=do,
        places={place: "DEFAULT"},
        levels=partial(_levels, do, place),
        limit=_limit,
        listen=partial(_listens, simulator),
        options={
            "seller_id": simulator.account.seller_id,
            "marketplace_id": simulator.account.marketplace_id,
            "lwa_url": f"{simulator.base_url}/auth/o2/token",
            "sqs_arn": _QUEUE,
            "event_bridge": ":".join(_BUS),
            "notification_url": f"http://relay.chaos/hooks/{name}",
        },
        ships="ship_order",
        named="orderId",
        gives_back=True,
        asks=partial(_asks, place),
        made=_by_feeds if cast.feeds else _as_it_is,
    )


def _levels(do: Callable[..., Any], place: str) -> dict[tuple[str, str], int]:
    return {(each["sku"], place): int(each["units"]) for each in do("state")["listings"]}


def _listens(simulator: AmazonSimulator, topics: Iterable[str], uri: str) -> None:
    """The seller's queue and bus, a subscription for each type, and the pipe that posts both to us."""
    simulator.pipe.url = uri
    by_client = simulator.token("sellingpartnerapi::notifications")
    region, account = _BUS
    resources: dict[str, object] = {
        "sqs": {"arn": _QUEUE},
        "eventBridge": {"region": region, "accountId": account},
    }
    destinations = {
        kind: _answered(
            simulator.call(
                "POST",
                "/notifications/v1/destinations",
                body={"name": f"lockstep-{kind.lower()}", "resourceSpecification": {kind: of}},
                token=by_client,
            ).body
        )["destinationId"]
        for kind, of in resources.items()
    }
    for topic in sorted(topics):
        # Calls of a person in the console, long ago: none of our limits.
        simulator.plans.reset()
        kind = "eventBridge" if topic in notifications.EVENT_BRIDGE_ONLY else "sqs"
        body = {
            "payloadVersion": notifications.VERSIONS[topic],
            "destinationId": destinations[kind],
        }
        _answered(
            simulator.call("POST", f"/notifications/v1/subscriptions/{topic}", body=body).body
        )
    simulator.plans.reset()


def _answered(body: bytes) -> Mapping[str, Any]:
    found: Any = orjson.loads(body)
    if "payload" not in found:
        raise ValueError(f"the seller's account is not made as it should be: {found}")
    payload: Mapping[str, Any] = found["payload"]
    return payload


def _limit(operation: str) -> tuple[str, float]:
    """Each operation has a limit of its own, as Amazon publishes it."""
    of = OPERATIONS.get(operation)
    return (operation, of.burst / of.rate_per_s) if of is not None else ("", 0.0)


def _asks(place: str, request: PreparedRequest) -> Mapping[tuple[str, str], int]:
    """Units that a patch of an offer asks for."""
    path = _OFFER.search(urlsplit(request.url or "").path)
    if request.method != "PATCH" or path is None:
        return {}
    patches: Any = orjson.loads(request.body or b"{}").get("patches", [])
    return {
        (unquote(path[1]), place): int(value["quantity"])
        for patch in patches
        for value in patch.get("value", [])
        if "quantity" in value
    }


def _as_it_is(client: Channel) -> Channel:
    return client


def _by_feeds(client: Channel) -> Channel:
    """A client that writes two rows by a feed already; real ones do from 301 rows on."""
    assert isinstance(client, Amazon), client
    client.direct_rows = 1
    return client
