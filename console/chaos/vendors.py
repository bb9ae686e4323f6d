"""The simulated accounts of a schedule: made anew for each, all on one clock, their jobs done one at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from channels.simulators.agenda import Agenda
from channels.simulators.clock import Clock
from channels.simulators.courier import Post
from channels.simulators.faults import UnknownFault
from channels.simulators.server import BadRequest
from channels.simulators.shopify import subscriptions
from channels.simulators.shopify.app import make_app
from channels.simulators.shopify.control import Control
from channels.simulators.shopify.shop import Refused, Unknown
from channels.simulators.shopify.simulator import ShopifySimulator
from channels.simulators.square.app import make_app as make_square_app
from channels.simulators.square.control import Control as SquareControl
from channels.simulators.square.merchant import Refused as SquareRefused
from channels.simulators.square.merchant import Unknown as SquareUnknown
from channels.simulators.square.simulator import SquareSimulator
from console.chaos.account import Account, by_verb
from console.chaos.casts import Cast
from console.chaos.market import REFUSALS as MARKET_REFUSALS
from console.chaos.market import amazon
from console.chaos.partner import REFUSALS as PARTNER_REFUSALS
from console.chaos.partner import edi

#: Calls at once and calls a second that a till's account allows: what our client assumes (`channels/square/lane.py`).
TILL_PLAN: Final = (20.0, 10.0)
#: What a vendor's own act may refuse: that is its own no, and no fault of ours.
REFUSALS: Final = (
    Refused,
    Unknown,
    SquareRefused,
    SquareUnknown,
    *MARKET_REFUSALS,
    *PARTNER_REFUSALS,
    BadRequest,
    UnknownFault,
)


def shopify(
    name: str,
    cast: Cast,
    clock: Clock,
    post: Post,
    stock: Mapping[tuple[str, str], int],
    number: int,
) -> Account:
    """A shop with our SKUs at both places.

    stock    (SKU, location of ours) -> units it shows
    """
    simulator = ShopifySimulator(
        clock,
        domain=f"{name}.myshopify.com",
        token=f"token-{name}",
        secret=f"secret-{name}",
        seed=number,
        bucket_size=cast.plan[0],
        restore_rate=cast.plan[1],
        agenda=Agenda(clock, threads=0),
        post=post,
    )
    simulator.base_url = f"http://{name}.chaos"
    verbs = Control(simulator).verbs()
    do = partial(by_verb, verbs)
    places = {ours: str(do("location", name=ours.title())["id"]) for ours in cast.places}
    do(
        "products",
        products=[
            {
                "variants": [
                    {
                        "sku": sku,
                        "policy": "DENY",
                        "stock": {
                            place.title(): stock.get((sku, place), 0) for place in cast.places
                        },
                    }
                ]
            }
            for sku in cast.skus
        ],
    )

    return Account(
        name=name,
        kind="shopify",
        base_url=simulator.base_url,
        simulator=simulator,
        app=make_app(simulator),
        secrets={"token": simulator.token},
        webhook_secret=simulator.secret,
        do=do,
        places=places,
        levels=partial(_shop_levels, do),
        limit=lambda _: ("", cast.plan[0] / cast.plan[1]),
        listen=partial(_shop_listens, simulator),
    )


def _shop_levels(do: Callable[..., Any]) -> dict[tuple[str, str], int]:
    return {
        (level["sku"], level["location"].upper()): int(level["available"])
        for level in do("state")["levels"]
    }


def _shop_listens(simulator: ShopifySimulator, topics: Iterable[str], uri: str) -> None:
    # Without the API, whose calls would take a tenth of every schedule.
    with simulator.shop.act() as act:
        for topic in sorted(topics):
            made, errors = subscriptions.create(
                simulator.shop, act, subscriptions.enum_topic(topic), {"uri": uri}
            )
            if made is None:
                raise ValueError(f"{simulator.shop.domain} does not tell of {topic}: {errors}")


def square(
    name: str,
    cast: Cast,
    clock: Clock,
    post: Post,
    stock: Mapping[tuple[str, str], int],
    number: int,
) -> Account:
    """A merchant's account with a till at both places; `stock` as of `shopify`."""
    hook = f"http://relay.chaos/hooks/{name}"
    simulator = SquareSimulator(
        clock,
        token=f"token-{name}",
        signature_key=f"secret-{name}",
        notification_url=hook,
        seed=number,
        agenda=Agenda(clock, threads=0),
        post=post,
    )
    do = partial(by_verb, SquareControl(simulator).verbs())
    do("limit", per_second=TILL_PLAN[1], burst=TILL_PLAN[0])
    places = {ours: str(do("location", name=ours.title())["id"]) for ours in cast.places}
    do(
        "items",
        items=[
            {
                "variations": [
                    {
                        "sku": sku,
                        "stock": {
                            place.title(): stock.get((sku, place), 0) for place in cast.places
                        },
                    }
                ]
            }
            for sku in cast.skus
        ],
    )

    def levels() -> dict[tuple[str, str], int]:
        return {
            (level["sku"], level["location"].upper()): int(level["quantity"])
            for level in do("state")["levels"]
            if level["state"] == "IN_STOCK"
        }

    return Account(
        name=name,
        kind="square",
        base_url=f"http://{name}.chaos",
        simulator=simulator,
        app=make_square_app(simulator),
        secrets={"token": simulator.token},
        webhook_secret=simulator.signature_key,
        do=do,
        places=places,
        levels=levels,
        limit=lambda _: ("", TILL_PLAN[0] / TILL_PLAN[1]),
        listen=lambda topics, uri: None,  # it tells the address above from its beginning
    )


_MAKES: Final = {"shopify": shopify, "square": square, "amazon": amazon, "edi": edi}


def accounts(
    cast: Cast, clock: Clock, post: Post, shown: Mapping[tuple[str, str, str], int]
) -> dict[str, Account]:
    """Every account, by its channel's name.

    shown    (channel, SKU, location) -> units it shows from the beginning
    """
    return {
        name: _MAKES[kind](
            name,
            cast,
            clock,
            post,
            {(sku, place): units for (of, sku, place), units in shown.items() if of == name},
            number,
        )
        for number, (name, kind) in enumerate(cast.kinds.items(), 1)
    }


@dataclass(frozen=True, slots=True)
class Refusals:
    """When calls under one limit of an account were refused because there were too many, and when one came twice.

    fills_s    seconds in which all that is allowed comes back: so long the vendor still counts one that came twice
    """

    at: tuple[datetime, ...]
    doubled: tuple[datetime, ...]
    fills_s: float


def throttled(account: Account, doubled: Collection[datetime] = ()) -> list[Refusals]:
    """Each limit that refused a call, in the vendor's own count, those that a fault refused too.

    doubled    when calls to the account came twice
    """
    refused: defaultdict[tuple[str, float], list[datetime]] = defaultdict(list)
    twice: defaultdict[tuple[str, float], set[datetime]] = defaultdict(set)
    for entry in account.simulator.log.since(0, "api"):
        limit = account.limit(str(entry.facts.get("operation")))
        if entry.at in doubled:
            twice[limit].add(entry.at)
        if entry.facts.get("outcome") == "throttled" or entry.facts.get("status") == 429:
            refused[limit].append(entry.at)
    return [
        Refusals(tuple(at), tuple(sorted(twice[limit])), limit[1]) for limit, at in refused.items()
    ]
