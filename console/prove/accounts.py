"""The vendors of the proof, in memory: what they list, what they show, how customers buy there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from channels.simulators.amazon.app import make_app as amazon_app
from channels.simulators.amazon.control import Control as AmazonControl
from channels.simulators.amazon.simulator import AmazonSimulator
from channels.simulators.memory import Wire
from channels.simulators.shopify.app import make_app as shopify_app
from channels.simulators.shopify.control import Control as ShopifyControl
from channels.simulators.shopify.simulator import ShopifySimulator
from channels.simulators.square.app import make_app as square_app
from channels.simulators.square.control import Control as SquareControl
from channels.simulators.square.simulator import SquareSimulator
from console.prove.clockwork import Clockwork
from console.prove.demand import HOME
from console.prove.partner import PARTNER, PARTNERSHIP, STORE, Partner

SHOP, TILLS, MARKET = "shopify", "retail_pos", "amazon_fbm"
STORES: Final = ("STORE-1", "STORE-2", "STORE-3")
PLACES: Final = (HOME, *STORES)
_URLS: Final = {
    SHOP: "https://shop.invalid",
    TILLS: "https://tills.invalid",
    MARKET: "https://market.invalid",
}
_SQS: Final = "arn:aws:sqs:us-east-1:111122223333:lockstep"

#: (SKU, units)
Basket = Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow the world is, in seconds; each pair is the middle and the 99th percentile of a log-normal time.

    hook_s    from an order to the vendor's message at our door, by channel
    call_s    a call to a vendor and its answer
    apply_s   from Amazon's answer until the listing shows it
    lost      part of the messages that never come, and of the writes that are taken and not shown, from 0 to 1
    """

    hook_s: Mapping[str, tuple[float, float]]
    call_s: tuple[float, float]
    apply_s: float
    lost: float


class Accounts:
    """One shop, one market, one seller's tills, one wholesale partner."""

    def __init__(self, works: Clockwork, post: Any, seed: int, pace: Pace) -> None:
        clock, agenda = works.clock, works.agenda
        self.shop = ShopifySimulator(clock, seed=seed, agenda=agenda, post=post)
        self.tills = SquareSimulator(clock, seed=seed, agenda=agenda, post=post)
        self.market = AmazonSimulator(clock, seed=seed, agenda=agenda, post=post)
        self.partner = Partner(works, seed)
        self.shop.base_url, self.market.base_url = _URLS[SHOP], _URLS[MARKET]
        self._shop = ShopifyControl(self.shop)
        self._tills = SquareControl(self.tills)
        self._market = AmazonControl(self.market)
        self._market.pace({"apply_s": pace.apply_s})
        self._market.pipe({"url": hook_of(MARKET)})
        self._shop_ids = {p: _id(self._shop.location({"name": p})) for p in PLACES}
        self._till_ids = {p: _id(self._tills.location({"name": p})) for p in STORES}
        self._variations: dict[str, str] = {}
        #: Channels where anything is listed.
        self.selling: tuple[str, ...] = ()
        faults = {
            SHOP: self.shop.faults,
            TILLS: self.tills.faults,
            MARKET: self.market.faults,
        }
        self._swallowing = {
            name: of.set("swallow", now=clock.now(), rate=pace.lost, seed=seed)
            for name, of in faults.items()
            if pace.lost
        }
        self.apps = {
            SHOP: shopify_app(self.shop),
            TILLS: square_app(self.tills),
            MARKET: amazon_app(self.market),
        }

    def wires(self, make: Any = Wire) -> dict[str, Wire]:
        """What answers for each address."""
        return {_URLS[name]: make(app, self.shop.clock) for name, app in self.apps.items()}

    def rules(self) -> str:
        """The rule file: who sells what lies where, and nothing else: no buffer, no percent, no cap."""
        facts = self.market
        options = {
            "seller_id": facts.account.seller_id,
            "marketplace_id": facts.account.marketplace_id,
            "lwa_url": f"{_URLS[MARKET]}/auth/o2/token",
            "sqs_arn": _SQS,
            "event_bridge": "without",
        }
        by_id = {SHOP: self._shop_ids, TILLS: self._till_ids, MARKET: {HOME: "DEFAULT"}}
        stores = "".join(f'[locations.{store}]\nkind = "store"\n' for store in STORES)
        channels = [
            _channel(SHOP, "shopify", _URLS[SHOP], by_id[SHOP], {}),
            _channel(
                TILLS, "square", _URLS[TILLS], by_id[TILLS], {"notification_url": hook_of(TILLS)}
            ),
            _channel(MARKET, "amazon", _URLS[MARKET], by_id[MARKET], options),
            _channel(PARTNER, "edi", "sftp://partner.invalid/orders", {HOME: STORE}, PARTNERSHIP),
        ]
        return f"[locations.{HOME}]\n{stores}\n" + "\n".join(channels)

    def secrets(self) -> dict[str, dict[str, str]]:
        """What proves us to each, by name."""
        lwa = self.market.lwa
        return {
            SHOP: {"token": self.shop.token},
            TILLS: {"token": self.tills.token},
            MARKET: {
                "client_id": lwa.client_id,
                "client_secret": lwa.client_secret,
                "refresh_token": lwa.refresh_token,
            },
        }

    def signing(self) -> dict[str, str]:
        """What each signs its messages with."""
        keys = {s.signature_key for s in self.tills.merchant.subscriptions.values()}
        return {
            SHOP: self.shop.secret,
            TILLS: next(iter(keys), self.tills.signature_key),
            MARKET: self.market.hook_secret,
        }

    def list_goods(self, listed: Mapping[str, Sequence[str]], wholesale: Sequence[str]) -> None:
        """List everything; nothing of it is in stock yet.

        listed       SKU -> locations where it is sold
        wholesale    SKUs in the partner's catalogue
        """
        self._shop.products(
            {
                "products": [
                    {"variants": [{"sku": sku, "stock": dict.fromkeys(places, 0)}]}
                    for sku, places in listed.items()
                ]
            }
        )
        items = [
            {"variations": [{"sku": sku, "stock": dict.fromkeys(stores, 0)}]}
            for sku, places in listed.items()
            if (stores := [place for place in places if place in STORES])
        ]
        if items:
            self._tills.items({"items": items})
        self._market.listings(
            {"listings": [{"sku": sku, "units": 0} for sku, at in listed.items() if HOME in at]}
        )
        self.selling = (SHOP, MARKET, TILLS) if items else (SHOP, MARKET)
        if wholesale:
            self.partner.list_goods(wholesale)
            self.selling = (*self.selling, PARTNER)
        merchant = self.tills.merchant
        self._variations = {
            one.sku: one.id for one in merchant.objects.values() if one.type == "ITEM_VARIATION"
        }

    def shown(self, channel: str, location: str, sku: str) -> int:
        """Units that a customer sees now."""
        if channel == SHOP:
            return self.shop.shop.level(sku, location).units["available"]
        if channel == TILLS:
            at = self._till_ids[location]
            return int(self.tills.merchant.quantity(self._variations[sku], at))
        self.market.account.catch_up()
        return self.market.account.listing(sku).merchant_units or 0

    def swallowed(self, channel: str) -> int:
        """Writes that this channel took and does not show, since the start."""
        fault = self._swallowing.get(channel)
        return fault.struck if fault is not None else 0

    def sell(self, channel: str, location: str, basket: Basket) -> None:
        """A customer buys; every unit was shown."""
        lines = [{"sku": sku, "units": units} for sku, units in basket]
        if channel == SHOP:
            self._shop.order({"lines": lines, "location": location})
        elif channel == TILLS:
            self._tills.sale({"lines": lines, "location": location})
        else:
            self._market.order({"lines": lines, "paid": True})


def hook_of(channel: str) -> str:
    """Where a vendor is told to call."""
    kinds = {SHOP: "shopify", TILLS: "square", MARKET: "amazon"}
    return f"https://relay.invalid/hooks/{kinds[channel]}"


def _channel(
    name: str, kind: str, url: str, ids: Mapping[str, str], options: Mapping[str, str]
) -> str:
    told = "\n".join(f"{json.dumps(vendor)} = {json.dumps(at)}" for at, vendor in ids.items())
    more = "\n".join(f"{key} = {json.dumps(value)}" for key, value in options.items())
    show = 'show = "per_location"\n' if len(ids) > 1 else ""
    return (
        f'[channels.{name}]\nkind = "{kind}"\nbase_url = "{url}"\nlocations = {json.dumps(list(ids))}\n{show}'
        f"[channels.{name}.vendor_locations]\n{told}\n[channels.{name}.options]\n{more}\n"
    )


def _id(made: object) -> str:
    assert isinstance(made, dict), made
    return str(made["id"])
