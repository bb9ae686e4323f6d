"""The control plane: what merchants, buyers and bad luck do to the shop, as named operations on plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from channels.simulators.commands import Commands, units_of
from channels.simulators.server import BadRequest, Verb
from channels.simulators.shopify import bodies, bodies_orders, orders, returns
from channels.simulators.shopify.shop import NewVariant, Refused
from channels.simulators.shopify.simulator import ShopifySimulator
from channels.simulators.shopify.state import STATES, Level, Line, Location, Order, Product

Facts = Mapping[str, Any]


class Control:
    """Operations by name; each takes the request's JSON and returns JSON. All raise Refused or Unknown."""

    def __init__(self, simulator: ShopifySimulator) -> None:
        self._simulator = simulator
        self._shop = simulator.shop

    def verbs(self) -> dict[str, Verb]:
        """Every public method by its name, and what all simulators have in common."""
        own = {
            name: getattr(self, name)
            for name in vars(Control)
            if not name.startswith("_") and name != "verbs"
        }
        return {**Commands(self._simulator).verbs(), **own}

    # -- catalogue ------------------------------------------------------------------------------------------------

    def location(self, facts: Facts) -> object:
        """name, online?, fulfillment_service?, pickup?"""
        with self._shop.act() as act:
            place = self._shop.add_location(
                act,
                str(facts["name"]),
                online=bool(facts.get("online", True)),
                fulfillment_service=bool(facts.get("fulfillment_service", False)),
            )
            place.pickup = bool(facts.get("pickup", False))
        return _location(place)

    def location_active(self, facts: Facts) -> object:
        """location, active"""
        with self._shop.act() as act:
            place = self._shop.location(str(facts["location"]))
            place.active = bool(facts["active"])
            place.updated_at = act.at
            place.deactivated_at = None if place.active else act.at
            topic = "locations/activate" if place.active else "locations/deactivate"
            self._shop.announce(act, topic, lambda: bodies.location(place, self._shop.zone), ())
        return _location(place)

    def product(self, facts: Facts) -> object:
        """title, variants: [{sku, stock: {location: units}, tracked?, policy?, price?, bundle?}], status?"""
        return _product(self._add_product(facts))

    def products(self, facts: Facts) -> object:
        """products: many of `product` in one call"""
        return {"products": [_product(self._add_product(one)) for one in facts["products"]]}

    def _add_product(self, facts: Facts) -> Product:
        variants = [_new_variant(one) for one in facts["variants"]]
        with self._shop.act() as act:
            status = str(facts.get("status", "ACTIVE"))
            title = str(facts.get("title") or variants[0].sku)
            return self._shop.add_product(act, title, variants, status=status)

    def delete_product(self, facts: Facts) -> object:
        """sku: the whole product it belongs to goes"""
        with self._shop.act() as act:
            product = self._shop.variant(str(facts["sku"])).product
            for variant in product.variants:
                self._shop.by_sku.pop(variant.sku, None)
                self._shop.variants.pop(variant.number, None)
                self._shop.items.pop(variant.item.number, None)
            del self._shop.products[product.number]
            self._shop.announce(act, "products/delete", lambda: {"id": product.number}, ())
        return {"deleted": product.gid}

    # -- orders ---------------------------------------------------------------------------------------------------

    def order(self, facts: Facts) -> object:
        """lines: [{sku, units, price?}], location?, source?, paid?"""
        return _order(self._place(facts))

    def orders(self, facts: Facts) -> object:
        """orders: many of `order`; one that is refused shows as {"refused": why}"""
        placed: list[object] = []
        for one in facts["orders"]:
            try:
                placed.append(_order(self._place(one)))
            except Refused as refused:
                placed.append({"refused": str(refused)})
        return {"orders": placed}

    def _place(self, facts: Facts) -> Order:
        lines = [_wanted(line) for line in facts["lines"]]
        with self._shop.act() as act:
            return orders.place(
                self._shop,
                act,
                lines,
                location=self._place_of(facts),
                source=str(facts.get("source", "web")),
                paid=bool(facts.get("paid", True)),
            )

    def edit_order(self, facts: Facts) -> object:
        """order, lines: [{sku, units}]: units each SKU's line shall have; a new SKU adds a line"""
        with self._shop.act() as act:
            order = self._shop.order(str(facts["order"]))
            changes: list[tuple[Line | orders.Wanted, int]] = []
            for given in facts["lines"]:
                line = _line_of(order, str(given["sku"]))
                changes.append((line or _wanted(given), units_of(given)))
            orders.edit(self._shop, act, order, changes)
        return _order(order)

    def cancel_order(self, facts: Facts) -> object:
        """order, restock, reason?"""
        with self._shop.act() as act:
            order = self._shop.order(str(facts["order"]))
            reason = str(facts.get("reason", "OTHER")).upper()
            orders.cancel(self._shop, act, order, restock=bool(facts["restock"]), reason=reason)
        return _order(order)

    def refund(self, facts: Facts) -> object:
        """order, lines: [{sku, units, restock_type: no_restock|cancel|return, location?}], note?"""
        with self._shop.act() as act:
            order = self._shop.order(str(facts["order"]))
            given = [
                orders.GivenBack(
                    self._line(order, line),
                    units_of(line),
                    _restock_type(line),
                    self._place_of(line),
                )
                for line in facts["lines"]
            ]
            made = orders.refund(self._shop, act, order, given, facts.get("note"))
        return {"refund": made.gid, **_order(order)}

    def fulfil(self, facts: Facts) -> object:
        """order, location?, lines?: [{sku, units}]"""
        with self._shop.act() as act:
            order = self._shop.order(str(facts["order"]))
            lines = facts.get("lines")
            chosen = None if lines is None else [(self._line(order, x), units_of(x)) for x in lines]
            made = orders.fulfil(
                self._shop, act, order, location=self._place_of(facts), lines=chosen
            )
        return {"fulfillments": [one.gid for one in made], **_order(order)}

    def bring_back(self, facts: Facts) -> object:
        """order, lines: [{sku, units, disposition, location?}], refund?: a return, dealt with in one go"""
        with self._shop.act() as act:
            order = self._shop.order(str(facts["order"]))
            brought = [
                returns.Brought(
                    self._line(order, line),
                    units_of(line),
                    _disposition(line),
                    self._place_of(line),
                )
                for line in facts["lines"]
            ]
            refund = bool(facts.get("refund", True))
            made = returns.bring_back(self._shop, act, order, brought, refund=refund)
        return {"return": made.gid, **_order(order)}

    def uninstall(self, _: Facts) -> object:
        """The merchant throws the app out: its token is worth nothing from now on, its webhooks are gone"""
        with self._shop.act() as act:
            shop = {"id": 548380009, "myshopify_domain": self._shop.domain}
            self._shop.announce(act, "app/uninstalled", lambda: shop, ())
        with self._shop.lock:
            self._shop.subscriptions.clear()
            self._simulator.token = self._shop.new_uuid()
        return {"uninstalled": self._shop.domain}

    def fail_bulk(self, facts: Facts) -> object:
        """status, error_code?, partial?: how exports end from now on; `partial` lines are written first"""
        with self._shop.lock:
            self._shop.bulk_ends = dict(facts) if facts.get("status") else None
        return {"bulk_ends": self._shop.bulk_ends}

    # -- stock behind our back ------------------------------------------------------------------------------------

    def drift(self, facts: Facts) -> object:
        """sku, location, units (a change) or available (a value): nobody is told"""
        return self._move(facts, silent=True)

    def external_edit(self, facts: Facts) -> object:
        """sku, location, units or available: as `drift`, and the webhook goes out"""
        return self._move(facts, silent=False)

    def _move(self, facts: Facts, *, silent: bool) -> object:
        with self._shop.act(silent=silent) as act:
            level = self._shop.level(str(facts["sku"]), str(facts["location"]))
            state = str(facts.get("state", "available"))
            if state not in STATES:
                raise BadRequest(f"state is one of {', '.join(STATES)}")
            delta = (
                int(facts["available"]) - level.units["available"]
                if "available" in facts
                else units_of(facts)
            )
            self._shop.shift(act, level, **{state: delta})
            self._simulator.log.append(
                "stock",
                self._simulator.clock.now(),
                {
                    "sku": facts["sku"],
                    "location": level.location.gid,
                    "deltas": {state: delta},
                    "silent": silent,
                },
            )
        return _level(level)

    # -- limits and looking ---------------------------------------------------------------------------------------

    def limit(self, facts: Facts) -> object:
        """maximum, restore_rate: another plan, with a full bucket"""
        with self._shop.lock:
            self._simulator.engine.limit(float(facts["maximum"]), float(facts["restore_rate"]))
        return {"maximum": facts["maximum"], "restore_rate": facts["restore_rate"]}

    def state(self, facts: Facts) -> object:
        """sku?, location?: levels, with the ids the API uses"""
        with self._shop.lock:
            levels = [
                _level(level)
                for variant in self._shop.by_sku.values()
                if facts.get("sku") in (None, variant.sku)
                for level in variant.item.levels.values()
                if facts.get("location") in (None, level.location.name, level.location.gid)
            ]
            return {
                "now": self._simulator.clock.now().isoformat(),
                "locations": [_location(place) for place in self._shop.locations.values()],
                "levels": levels,
                "orders": len(self._shop.orders),
                "subscriptions": [
                    {"id": s.gid, "topic": s.topic, "uri": s.uri}
                    for s in self._shop.subscriptions.values()
                ],
                "publications": [
                    {"id": p.gid, "name": p.name} for p in self._shop.publications.values()
                ],
                "deliveries_waiting": self._simulator.agenda.waiting(),
            }

    def show_order(self, facts: Facts) -> object:
        """order: its webhook body as it stands"""
        with self._shop.lock:
            return bodies_orders.order(self._shop, self._shop.order(str(facts["order"])))

    def _place_of(self, facts: Facts) -> Location | None:
        ref = facts.get("location")
        return self._shop.location(str(ref)) if ref else None

    def _line(self, order: Order, given: Facts) -> Line:
        line = _line_of(order, str(given["sku"]))
        if line is None:
            raise Refused(f"{order.name} has no line of {given['sku']}")
        return line


def _wanted(line: Facts) -> orders.Wanted:
    price = line.get("price")
    return orders.Wanted(
        str(line["sku"]), units_of(line), None if price is None else Decimal(str(price))
    )


def _restock_type(line: Facts) -> str:
    kind = str(line.get("restock_type", "no_restock")).upper()
    if kind not in ("NO_RESTOCK", "CANCEL", "RETURN"):
        raise BadRequest("restock_type is no_restock, cancel or return")
    return kind


def _disposition(line: Facts) -> str:
    kind = str(line["disposition"]).upper()
    if kind not in returns.KINDS:
        raise BadRequest(f"disposition is one of {', '.join(returns.KINDS)}")
    return kind


def _new_variant(facts: Facts) -> NewVariant:
    policy = str(facts.get("policy", "DENY")).upper()
    if policy not in ("DENY", "CONTINUE"):
        raise BadRequest("policy is DENY or CONTINUE")
    return NewVariant(
        sku=str(facts["sku"]),
        stock={str(place): int(units) for place, units in (facts.get("stock") or {}).items()},
        tracked=bool(facts.get("tracked", True)),
        policy=policy,
        price=Decimal(str(facts.get("price", "10.00"))),
        title=str(facts.get("title", "Default Title")),
        barcode=facts.get("barcode"),
        bundle=bool(facts.get("bundle", False)),
    )


def _line_of(order: Order, sku: str) -> Line | None:
    return next((line for line in order.lines if line.variant.sku == sku), None)


def _location(place: Location) -> dict[str, object]:
    return {
        "id": place.gid,
        "name": place.name,
        "active": place.active,
        "online": place.fulfills_online_orders,
    }


def _product(product: Product) -> dict[str, object]:
    variants = [
        {
            "id": v.gid,
            "sku": v.sku,
            "inventory_item": v.item.gid,
            "levels": [x.gid for x in v.item.levels.values()],
        }
        for v in product.variants
    ]
    return {"id": product.gid, "title": product.title, "variants": variants}


def _order(order: Order) -> dict[str, object]:
    lines = [
        {
            "id": line.gid,
            "sku": line.variant.sku,
            "units": line.units,
            "current": line.current,
            "unfulfilled": line.unfulfilled,
        }
        for line in order.lines
    ]
    return {
        "id": order.gid,
        "name": order.name,
        "lines": lines,
        "cancelled": order.cancelled_at is not None,
    }


def _level(level: Level) -> dict[str, object]:
    variant = level.item.variant
    return {
        "sku": level.item.sku,
        "location": level.location.name,
        "level": level.gid,
        "item": level.item.gid,
        "location_id": level.location.gid,
        "active": level.active,
        "tracked": level.item.tracked,
        "policy": variant.policy if variant else None,
        "updated_at": level.updated_at.isoformat(),
        "on_hand": level.holds("on_hand"),
        **level.units,
    }
