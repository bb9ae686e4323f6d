"""The control plane: what the merchant, buyers, Amazon's people and bad luck do to the account, as named operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from channels.simulators.amazon import notices, orders, outbound, stock
from channels.simulators.amazon.account import Act, Pace, Refused, Unknown
from channels.simulators.amazon.models import operations
from channels.simulators.amazon.orders_api import shown
from channels.simulators.amazon.simulator import AmazonSimulator
from channels.simulators.amazon.state import MERCHANT, PARTS, Listing, Offer, Order, Stranded
from channels.simulators.commands import Commands, units_of
from channels.simulators.server import BadRequest, Verb

Facts = Mapping[str, Any]

_ALL_DATA = ("PROCEEDS", "FULFILLMENT", "PACKAGES", "CANCELLATION")
_ADDRESS = {
    "name": "A. Buyer",
    "addressLine1": "1 Main Street",
    "city": "Seattle",
    "stateOrRegion": "WA",
    "postalCode": "98109",
    "countryCode": "US",
}


class Control:
    """Operations by name; each takes the request's JSON and returns JSON. All raise Refused or Unknown."""

    def __init__(self, simulator: AmazonSimulator) -> None:
        self._simulator = simulator
        self._account = simulator.account

    def verbs(self) -> dict[str, Verb]:
        """Every public method by its name, and what all simulators have in common."""
        own = {
            name: getattr(self, name)
            for name in vars(Control)
            if not name.startswith("_") and name != "verbs"
        }
        return {**Commands(self._simulator).verbs(), **own}

    # -- catalogue ------------------------------------------------------------------------------------------------

    def listing(self, facts: Facts) -> object:
        """sku, units (own stock) or fba {part: units}; title?, price?, handling_days?, asin?, product_type?, inches?,
        pounds?"""
        with self._account.act() as act:
            return _listing(stock.create(self._account, act, _new(facts)))

    def listings(self, facts: Facts) -> object:
        """listings: many of `listing` in one call"""
        return {"listings": [self.listing(one) for one in facts["listings"]]}

    def delete_listing(self, facts: Facts) -> object:
        """sku: gone at once, as the merchant does it by hand"""
        with self._account.act():
            self._account.listing(str(facts["sku"]))
            del self._account.listings[str(facts["sku"])]
        return {"deleted": facts["sku"]}

    # -- orders ---------------------------------------------------------------------------------------------------

    def order(self, facts: Facts) -> object:
        """lines: [{sku, units, price?}], paid?, by_amazon?"""
        with self._account.act() as act:
            return self._shown(self._place(act, facts))

    def orders(self, facts: Facts) -> object:
        """orders: many of `order`; one that is refused shows as {"refused": why}"""
        placed: list[object] = []
        for one in facts["orders"]:
            try:
                placed.append(self.order(one))
            except Refused as refused:
                placed.append({"refused": str(refused)})
        return {"orders": placed}

    def pay_order(self, facts: Facts) -> object:
        """order: PENDING becomes UNSHIPPED"""
        with self._account.act() as act:
            order = self._order(facts)
            orders.pay(self._account, act, order)
        return self._shown(order)

    def ship_order(self, facts: Facts) -> object:
        """order, lines?: [{sku, units}]; everything open when absent"""
        with self._account.act() as act:
            order = self._order(facts)
            chosen = {_item_of(order, one["sku"]): units_of(one) for one in facts.get("lines", ())}
            orders.ship(self._account, act, order, chosen or None)
        return self._shown(order)

    def ask_to_cancel(self, facts: Facts) -> object:
        """order: the buyer asks, nothing is cancelled yet"""
        with self._account.act() as act:
            order = self._order(facts)
            orders.ask_to_cancel(self._account, act, order)
        return self._shown(order)

    def cancel_order(self, facts: Facts) -> object:
        """order, skus?, by?: BUYER | MERCHANT | AMAZON, restock?: own stock goes on offer again"""
        with self._account.act() as act:
            order = self._order(facts)
            orders.cancel(
                self._account,
                act,
                order,
                facts.get("skus"),
                by=str(facts.get("by", "BUYER")),
                restock=bool(facts.get("restock", True)),
            )
        return self._shown(order)

    def mcf(self, facts: Facts) -> object:
        """lines: [{sku, units}], id?, policy?, hold?: an MCF order, as if from the seller's console"""
        items = [
            {
                "sellerSku": one["sku"],
                "sellerFulfillmentOrderItemId": f"{n}",
                "quantity": units_of(one),
            }
            for n, one in enumerate(facts["lines"], 1)
        ]
        with self._account.act() as act:
            seller_id = str(facts.get("id") or f"MCF-{self._account.new_digits(8)}")
            request = {
                "sellerFulfillmentOrderId": seller_id,
                "displayableOrderId": seller_id,
                "displayableOrderDate": notices.stamp(act.at),
                "displayableOrderComment": "Thank you",
                "shippingSpeedCategory": "Standard",
                "destinationAddress": _ADDRESS,
                "fulfillmentPolicy": facts.get("policy", "FillOrKill"),
                "fulfillmentAction": "Hold" if facts.get("hold") else "Ship",
                "items": items,
            }
            made = outbound.create(self._account, act, request)
        return {"id": made.seller_id, "status": made.status}

    # -- stock ----------------------------------------------------------------------------------------------------

    def drift(self, facts: Facts) -> object:
        """sku, units (change), part?: of FBA, else own stock; nobody is told, no ledger row"""
        listing = self._account.listing(str(facts["sku"]))
        with self._account.act(silent=True) as act:
            if "part" in facts:
                self._account.move_fba(act, listing, {_part(facts): units_of(facts)})
            else:
                before = listing.merchant_units or 0
                stock.set_merchant(self._account, act, listing, before + units_of(facts))
        return _listing(listing)

    def external_edit(self, facts: Facts) -> object:
        """sku, units: somebody sets own stock by hand, and Amazon tells of it"""
        listing = self._account.listing(str(facts["sku"]))
        with self._account.act() as act:
            stock.set_merchant(self._account, act, listing, units_of(facts))
        return _listing(listing)

    def inbound(self, facts: Facts) -> object:
        """sku, units, step: planned | shipped | arrived | received"""
        listing = self._account.listing(str(facts["sku"]))
        with self._account.act() as act:
            stock.inbound(self._account, act, listing, _some(facts), str(facts["step"]))
        return _listing(listing)

    def fba_return(self, facts: Facts) -> object:
        """sku, units, order?, part?: fulfillable | customer_damaged | carrier_damaged | defective"""
        listing = self._account.listing(str(facts["sku"]))
        with self._account.act() as act:
            part = str(facts.get("part", "fulfillable"))
            order_id = str(facts.get("order", ""))
            units = _some(facts)
            stock.customer_return(self._account, act, listing, units, part=part, order_id=order_id)
        return _listing(listing)

    def adjust(self, facts: Facts) -> object:
        """sku, units, kind: lost | found | damaged | disposed | researching | transfer_out | transfer_in"""
        listing = self._account.listing(str(facts["sku"]))
        with self._account.act() as act:
            stock.adjust(self._account, act, listing, str(facts["kind"]), _some(facts))
        return _listing(listing)

    def strand(self, facts: Facts) -> object:
        """sku, reason: nobody can buy what Amazon holds of it; reason null: somebody can again"""
        listing = self._account.listing(str(facts["sku"]))
        with self._account.act() as act:
            reason = facts.get("reason")
            listing.stranded = None if reason is None else Stranded(str(reason), act.at)
        return {"sku": listing.sku, "stranded": listing.stranded is not None}

    def offers(self, facts: Facts) -> object:
        """sku, offers: [{seller?, price, shipping?, by_amazon?, featured?}]; without seller it is our own"""
        listing = self._account.listing(str(facts["sku"]))
        with self._account.act() as act:
            told = [_offer(one, self._account.seller_id) for one in facts["offers"]]
            self._account.offers[listing.asin] = told
            notices.offers_changed(self._account, act, listing.asin, told)
        return {"asin": listing.asin, "offers": [asdict(offer) for offer in told]}

    # -- how Amazon behaves ---------------------------------------------------------------------------------------

    def pace(self, facts: Facts) -> object:
        """apply_s?, queue_s?, work_s?, outbound_s?, orders_s?, fba_lag_s?: simulated seconds"""
        known = {one.name for one in fields(Pace)}
        if set(facts) - known:
            raise BadRequest(f"pace knows {', '.join(sorted(known))}")
        with self._account.lock:
            for name, seconds in facts.items():
                setattr(self._account.pace, name, float(seconds))
            return asdict(self._account.pace)

    def limit(self, facts: Facts) -> object:
        """operation, rate, burst: another usage plan, with a full bucket; of both versions where two share a name"""
        found = [one for one in operations() if one.name == facts["operation"]]
        if not found:
            raise Unknown(f"no operation {facts['operation']!r}")
        for one in found:
            self._simulator.plans.change(one, float(facts["rate"]), float(facts["burst"]))
        return {"operations": [one.key for one in found]}

    def pipe(self, facts: Facts) -> object:
        """url (null: unsent), wrapped?: where the merchant's AWS pipe posts notifications"""
        self._simulator.pipe.url = facts["url"]
        self._simulator.pipe.wrapped = bool(facts.get("wrapped", False))
        return {"url": self._simulator.pipe.url, "wrapped": self._simulator.pipe.wrapped}

    def revoke_tokens(self, _: Facts) -> object:
        """Every access token is invalid from now on; the refresh token still works"""
        return {"revoked": self._simulator.lwa.revoke()}

    def state(self, facts: Facts) -> object:
        """sku?: listings with their stock as it truly is, and how much of everything there is"""
        self._account.catch_up()
        with self._account.lock:
            wanted = facts.get("sku")
            kept = self._account.listings.values()
            return {
                "now": self._simulator.clock.now().isoformat(),
                "listings": [_listing(one) for one in kept if wanted in (None, one.sku)],
                "orders": len(self._account.orders),
                "feeds": {job.job_id: job.status for job in self._account.feeds.values()},
                "mcf": {one.seller_id: one.status for one in self._account.outbounds.values()},
                "subscriptions": [
                    {"id": one.subscription_id, "type": one.notification_type}
                    for one in self._account.subscriptions.values()
                ],
                "deliveries_waiting": self._simulator.agenda.waiting(),
            }

    def show_order(self, facts: Facts) -> object:
        """order: as the orders API shows it, with every data set"""
        self._account.catch_up()
        with self._account.lock:
            return self._shown(self._order(facts))

    # -- reading requests -----------------------------------------------------------------------------------------

    def _place(self, act: Act, facts: Facts) -> Order:
        wanted = [stock.Wanted(one["sku"], units_of(one), _cents(one)) for one in facts["lines"]]
        return orders.place(
            self._account,
            act,
            wanted,
            paid=bool(facts.get("paid", True)),
            by_amazon=facts.get("by_amazon"),
        )

    def _order(self, facts: Facts) -> Order:
        return self._account.order(str(facts["order"]))

    def _shown(self, order: Order) -> object:
        return shown(order, _ALL_DATA, self._account.marketplace_id) | {"status": order.status}


def _new(facts: Facts) -> stock.NewListing:
    fba = facts.get("fba")
    if fba is not None and set(fba) - set(PARTS):
        raise BadRequest(f"fba knows {', '.join(PARTS)}")
    return stock.NewListing(
        str(facts["sku"]),
        str(facts.get("title", "")),
        None if fba is not None else units_of(facts),
        fba,
        facts.get("handling_days"),
        _cents(facts) or 1999,
        facts.get("asin"),
        str(facts.get("product_type", "PRODUCT")),
        _inches(facts.get("inches")),
        float(facts["pounds"]) if facts.get("pounds") else None,
    )


def _inches(said: object) -> tuple[float, float, float] | None:
    if said is None:
        return None
    if not isinstance(said, list) or len(said) != 3:
        raise BadRequest("inches is [longest, median, shortest]")
    longest, median, shortest = sorted((float(side) for side in said), reverse=True)
    return longest, median, shortest


def _cents(facts: Facts) -> int | None:
    price = facts.get("price")
    return None if price is None else round(float(price) * 100)


def _some(facts: Facts) -> int:
    units = units_of(facts)
    if units < 1:
        raise BadRequest("units is at least one")
    return units


def _part(facts: Facts) -> str:
    if facts["part"] not in PARTS:
        raise BadRequest(f"part is one of {', '.join(PARTS)}")
    return str(facts["part"])


def _item_of(order: Order, sku: str) -> str:
    found = next((line for line in order.lines if line.sku == sku), None)
    if found is None:
        raise Refused(f"{order.order_id} has no item of {sku}")
    return found.item_id


def _offer(facts: Facts, own: str) -> Offer:
    return Offer(
        str(facts.get("seller", own)),
        _cents(facts) or 0,
        round(float(facts.get("shipping", 0)) * 100),
        bool(facts.get("by_amazon", False)),
        bool(facts.get("featured", False)),
    )


def _listing(listing: Listing) -> dict[str, object]:
    return {
        "sku": listing.sku,
        "asin": listing.asin,
        "fnsku": listing.fnsku,
        "units": listing.merchant_units,
        "availability": listing.availability(MERCHANT),
        "fba": asdict(listing.fba) if listing.history else None,
    }
