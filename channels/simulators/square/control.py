"""The control plane: what staff, buyers and bad luck do to the account, as named operations on plain JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from channels.simulators.commands import Commands
from channels.simulators.server import BadRequest, Verb
from channels.simulators.square import bodies, inventory, selling, told
from channels.simulators.square.engine import TOKENS
from channels.simulators.square.merchant import DASHBOARD, TILL, Act, Refused
from channels.simulators.square.simulator import SquareSimulator
from channels.simulators.square.state import DONE, CatalogObject, Location, Order, money

Facts = Mapping[str, Any]


class Control:
    """Operations by name; each takes the request's JSON and returns JSON. All raise Refused or Unknown.

    Units are whole numbers or decimal strings, never floats. Locations go by name or id, orders by id.
    """

    def __init__(self, simulator: SquareSimulator) -> None:
        self._simulator = simulator
        self._merchant = simulator.merchant

    def verbs(self) -> dict[str, Verb]:
        """Every public method by its name, and what every control plane has."""
        own = {
            name: getattr(self, name)
            for name in vars(Control)
            if not name.startswith("_") and name != "verbs"
        }
        return {**own, **Commands(self._simulator).verbs()}

    # -- catalogue ------------------------------------------------------------------------------------------------

    def location(self, facts: Facts) -> object:
        """name"""
        with self._merchant.act() as act:
            return told.location(self._merchant.add_location(act, str(facts["name"])))

    def location_active(self, facts: Facts) -> object:
        """location, active"""
        with self._merchant.act():
            place = self._place(facts)
            place.active = bool(facts["active"])
            return told.location(place)

    def item(self, facts: Facts) -> object:
        """variations: [{sku, stock: {location: units}, tracked?, price?, name?}], name?"""
        return self._add_item(facts)

    def items(self, facts: Facts) -> object:
        """items: many of `item` in one call"""
        return {"items": [self._add_item(one) for one in facts["items"]]}

    def _add_item(self, facts: Facts) -> dict[str, object]:
        merchant = self._merchant
        given: Sequence[Facts] = facts["variations"]
        stocks = [self._stock(one) for one in given]
        with merchant.act() as act:
            name = str(facts.get("name") or given[0]["sku"])
            version = int(act.at.timestamp() * 1000)
            item = CatalogObject(merchant.ids.upper(), "ITEM", version, act.at, {"name": name})
            merchant.add_object(item)
            made = [self._add_variation(act, item, one) for one in given]
            for variation, stock in zip(made, stocks, strict=True):
                for place, units in stock.items():
                    self._count(act, variation, place, units, DASHBOARD)
        return {
            "id": item.id,
            "name": name,
            "variations": [{"id": one.id, "sku": one.sku} for one in made],
        }

    def _stock(self, given: Facts) -> dict[str, Decimal]:
        stock: Facts = given.get("stock") or {}
        return {self._merchant.location(str(ref)).id: told.units(n) for ref, n in stock.items()}

    def _add_variation(self, act: Act, item: CatalogObject, given: Facts) -> CatalogObject:
        data = {
            "item_id": item.id,
            "name": str(given.get("name", "Regular")),
            "sku": str(given["sku"]),
            "pricing_type": "FIXED_PRICING",
            "price_money": money(int(told.units(given.get("price", 10)) * 100)),
            "track_inventory": bool(given.get("tracked", True)),
        }
        id = self._merchant.ids.upper()
        made = CatalogObject(id, "ITEM_VARIATION", item.version, act.at, data)
        self._merchant.add_object(made)
        return made

    def track(self, facts: Facts) -> object:
        """sku, tracked, location?: everywhere, or as an override of one location"""
        with self._merchant.act() as act:
            variation = self._merchant.variation(str(facts["sku"]))
            tracked = bool(facts["tracked"])
            if facts.get("location"):
                self._override(variation, self._place(facts), tracked)
            else:
                variation.data["track_inventory"] = tracked
            variation.version, variation.updated_at = variation.version + 1, act.at
        return {"id": variation.id, "version": variation.version}

    def _override(self, variation: CatalogObject, place: Location, tracked: bool) -> None:
        others = [
            one
            for one in variation.data.get("location_overrides") or ()
            if one.get("location_id") != place.id
        ]
        mine = {**variation.override(place.id), "location_id": place.id, "track_inventory": tracked}
        variation.data["location_overrides"] = [*others, mine]

    def delete_item(self, facts: Facts) -> object:
        """sku: the whole item it belongs to goes"""
        with self._merchant.act() as act:
            variation = self._merchant.variation(str(facts["sku"]))
            item = self._merchant.objects[str(variation.data["item_id"])]
            for one in [item, *self._merchant.by_item[item.id]]:
                one.deleted, one.version, one.updated_at = True, one.version + 1, act.at
        return {"deleted": item.id}

    # -- selling --------------------------------------------------------------------------------------------------

    def sale(self, facts: Facts) -> object:
        """location, lines: [{sku, units, price?}], ago_s?: at the till; `ago_s` for a till that was offline"""
        return told.order(self._sell(facts))

    def sales(self, facts: Facts) -> object:
        """sales: many of `sale`; one that is refused shows as {"refused": why}"""
        placed: list[object] = []
        for one in facts["sales"]:
            try:
                placed.append(told.order(self._sell(one)))
            except Refused as refused:
                placed.append({"refused": str(refused)})
        return {"sales": placed}

    def _sell(self, facts: Facts) -> Order:
        wanted = told.wanted(facts)
        with self._merchant.act() as act:
            ago = timedelta(seconds=float(facts.get("ago_s", 0)))
            place = self._place(facts)
            return selling.sell(self._merchant, act, place, wanted, occurred_at=act.at - ago)

    def pickup(self, facts: Facts) -> object:
        """location, lines: [{sku, units, price?}], recipient?, oversell?: a paid online order to be picked up"""
        with self._merchant.act() as act:
            order = selling.order_pickup(
                self._merchant,
                act,
                self._place(facts),
                told.wanted(facts),
                recipient=str(facts.get("recipient", "Jaiden Urie")),
                oversell=bool(facts.get("oversell", False)),
            )
        return told.order(order)

    def fulfil(self, facts: Facts) -> object:
        """order, state: RESERVED, PREPARED, COMPLETED, CANCELED or FAILED"""
        state = str(facts["state"]).upper()
        if state not in {*selling.STEPS[1:], *DONE}:
            raise BadRequest(f"no such state: {state}")
        with self._merchant.act() as act:
            order = self._merchant.order(str(facts["order"]))
            selling.move_on(self._merchant, act, order, state)
        return told.order(order)

    def cancel_order(self, facts: Facts) -> object:
        """order"""
        with self._merchant.act() as act:
            order = self._merchant.order(str(facts["order"]))
            selling.cancel(self._merchant, act, order)
        return told.order(order)

    def give_back(self, facts: Facts) -> object:
        """order, lines: [{sku, units}], restock, location?: an itemized return with its refund"""
        wanted = told.wanted(facts)
        with self._merchant.act() as act:
            order = selling.take_back(
                self._merchant,
                act,
                self._merchant.order(str(facts["order"])),
                wanted,
                restock=bool(facts["restock"]),
                place=self._place(facts) if facts.get("location") else None,
            )
        return told.order(order)

    def give_back_unlinked(self, facts: Facts) -> object:
        """location, lines: [{sku, units}]: goods without a receipt, put into stock"""
        with self._merchant.act() as act:
            order = selling.take_back_unlinked(
                self._merchant, act, self._place(facts), told.wanted(facts)
            )
        return told.order(order)

    def refund(self, facts: Facts) -> object:
        """order, amount (in cents): money only"""
        with self._merchant.act() as act:
            order = self._merchant.order(str(facts["order"]))
            reason = str(facts.get("reason", "Goodwill"))
            made = selling.give_money_back(self._merchant, act, order, int(facts["amount"]), reason)
        return bodies.refund(made)

    # -- stock ----------------------------------------------------------------------------------------------------

    def count(self, facts: Facts) -> object:
        """sku, location, units, ago_s?: a person counts the shelf at the till"""
        with self._merchant.act() as act:
            variation = self._merchant.variation(str(facts["sku"]))
            place = self._place(facts)
            ago = timedelta(seconds=float(facts.get("ago_s", 0)))
            self._count(act, variation, place.id, told.units(facts["units"]), TILL, act.at - ago)
            return self._level_of(variation, place)

    def _count(
        self,
        act: Act,
        variation: CatalogObject,
        place_id: str,
        counted: Decimal,
        by: dict[str, str],
        occurred_at: Any = None,
    ) -> None:
        here = (place_id, "IN_STOCK")
        change = self._merchant.change(
            act, "PHYSICAL_COUNT", variation.id, counted, here, here, by, occurred_at=occurred_at
        )
        self._merchant.book(act, change)

    def adjust(self, facts: Facts) -> object:
        """sku, location, units, from_state, to_state: receive (NONE to IN_STOCK), waste, and so on"""
        with self._merchant.act() as act:
            variation = self._merchant.variation(str(facts["sku"]))
            place = self._place(facts)
            before, after = str(facts["from_state"]).upper(), str(facts["to_state"]).upper()
            change = self._merchant.change(
                act,
                "ADJUSTMENT",
                variation.id,
                told.units(facts["units"]),
                (place.id, before),
                (place.id, after),
                DASHBOARD,
            )
            self._merchant.book(act, change)
            return self._level_of(variation, place)

    def external_edit(self, facts: Facts) -> object:
        """sku, location, in_stock: somebody brings stock to this number by an adjustment; webhooks go out"""
        with self._merchant.act() as act:
            return self._bring_to(act, facts, told.units(facts["in_stock"]), shown=True)

    def drift(self, facts: Facts) -> object:
        """sku, location, units: stock moves by itself; no webhook, no history"""
        with self._merchant.act(silent=True) as act:
            variation = self._merchant.variation(str(facts["sku"]))
            now = self._merchant.quantity(variation.id, self._place(facts).id)
            return self._bring_to(act, facts, now + told.units(facts["units"]), shown=False)

    def _bring_to(self, act: Act, facts: Facts, target: Decimal, *, shown: bool) -> object:
        variation = self._merchant.variation(str(facts["sku"]))
        place = self._place(facts)
        delta = target - self._merchant.quantity(variation.id, place.id)
        if delta:
            by, here = (DASHBOARD, (place.id, "IN_STOCK"))
            change = inventory.adjust(
                self._merchant, act, variation.id, delta, here, by, shown=shown
            )
            self._merchant.book(act, change)
        return self._level_of(variation, place)

    # -- the simulator --------------------------------------------------------------------------------------------

    def limit(self, facts: Facts) -> object:
        """per_second, burst: 429 above this rate; 0 takes the limit away"""
        with self._merchant.lock:
            self._simulator.engine.limit(float(facts["per_second"]), float(facts["burst"]))
        return {"per_second": facts["per_second"], "burst": facts["burst"]}

    def token(self, facts: Facts) -> object:
        """is: valid, expired or revoked"""
        if facts["is"] not in ("valid", *TOKENS):
            raise BadRequest("a token is valid, expired or revoked")
        self._simulator.engine.token_is = str(facts["is"])
        return {"token": facts["is"]}

    def state(self, facts: Facts) -> object:
        """sku?, location?: levels, with the ids the API uses"""
        merchant = self._merchant
        with merchant.lock:
            levels = [told.level(self._merchant, level) for level in merchant.levels.values()]
            places = (None, *(x for p in merchant.locations.values() for x in (p.name, p.id)))
            if facts.get("location") not in places:
                raise BadRequest("no such location")
            return {
                "now": self._simulator.clock.now().isoformat(),
                "merchant_id": merchant.id,
                "locations": [told.location(place) for place in merchant.locations.values()],
                "levels": [
                    one
                    for one in levels
                    if facts.get("sku") in (None, one["sku"])
                    and facts.get("location") in (None, one["location"], one["location_id"])
                ],
                "orders": len(merchant.orders),
                "subscriptions": [
                    {"id": s.id, "url": s.notification_url, "event_types": s.event_types}
                    for s in merchant.subscriptions.values()
                ],
                "deliveries_waiting": self._simulator.agenda.waiting(),
            }

    def show_order(self, facts: Facts) -> object:
        """order: as the API shows it"""
        with self._merchant.lock:
            return bodies.order(self._merchant.order(str(facts["order"])))

    def _place(self, facts: Facts) -> Location:
        return self._merchant.location(str(facts["location"]))

    def _level_of(self, variation: CatalogObject, place: Location) -> object:
        level = self._merchant.level(variation.id, place.id)
        return (
            told.level(self._merchant, level)
            if level
            else {"sku": variation.sku, "location": place.name}
        )
