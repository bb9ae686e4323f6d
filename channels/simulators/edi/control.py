"""The control plane: what the partner's buyers, its computers and bad luck do, as named operations on plain JSON."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

from channels.simulators.commands import Commands, units_of
from channels.simulators.edi import bodies, dirt, told
from channels.simulators.edi.bodies import Dates
from channels.simulators.edi.books import Rules
from channels.simulators.edi.partner import Partner, Refused, Unknown, Wanted
from channels.simulators.edi.simulator import POLICIES, Acking, EdiSimulator
from channels.simulators.edi.state import Change, Order, Received, Sent
from channels.simulators.edi.x12 import Segment, enclose
from channels.simulators.server import BadRequest, Verb

Facts = Mapping[str, Any]


class Control:
    """Operations by name; each takes the request's JSON and returns JSON. All raise Refused or Unknown.

    Units are whole numbers; orders go by number, items by SKU, stores by code.
    """

    def __init__(self, simulator: EdiSimulator) -> None:
        self._simulator = simulator

    @property
    def _partner(self) -> Partner:
        return self._simulator.partner

    def verbs(self) -> dict[str, Verb]:
        """Every public method by its name, and what every control plane has."""
        own = {
            name: getattr(self, name)
            for name in vars(Control)
            if not name.startswith("_") and name != "verbs"
        }
        return {**own, **Commands(self._simulator).verbs()}

    # -- what it deals in -----------------------------------------------------------------------------------------

    def item(self, facts: Facts) -> object:
        """sku, price?, ids?: {qualifier: value}, such as {"UP": ..., "IN": ...}; made up when absent"""
        with self._partner.lock:
            return self._item(facts)

    def items(self, facts: Facts) -> object:
        """items: many of `item` in one call"""
        with self._partner.lock:
            return {"items": [self._item(one) for one in facts["items"]]}

    def _item(self, facts: Facts) -> object:
        ids = {str(name): str(value) for name, value in (facts.get("ids") or {}).items()}
        return told.item(
            self._partner.add_item(str(facts["sku"]), str(facts.get("price", "10.00")), ids)
        )

    def store(self, facts: Facts) -> object:
        """code, name?: a store or distribution centre; the first one is where orders go when nothing is said"""
        with self._partner.lock:
            code = str(facts["code"])
            name = str(facts.get("name") or f"STORE {code}")
            self._partner.books.stores[code] = name
        return {"code": code, "name": name}

    def guide(self, facts: Facts) -> object:
        """ack_due_hours?, functional_due_hours?, change_style? (new, before), sscc_days?, poll_s?"""
        rules = self._partner.books.rules
        with self._partner.lock:
            if facts.get("change_style", "new") not in ("new", "before"):
                raise BadRequest("change_style is new or before")
            for field in fields(Rules):
                if field.name in facts:
                    kind = type(getattr(rules, field.name))
                    setattr(rules, field.name, kind(facts[field.name]))
            self._simulator.poll_s = float(facts.get("poll_s", self._simulator.poll_s))
        told_rules = {field.name: getattr(rules, field.name) for field in fields(Rules)}
        return {**told_rules, "poll_s": self._simulator.poll_s}

    # -- orders ---------------------------------------------------------------------------------------------------

    def purchase_order(self, facts: Facts) -> object:
        """lines: [{sku, units, measure?, stores?: {code: units}}], order?, ship_to?, kind?, purpose?, release?,
        requested_ship?, ship_not_before?, cancel_after?, dirty?: an 850"""
        with self._partner.lock:
            order, body = self._place(facts)
            sent = self._send("850", [body], [order], facts)
        return {**told.order(self._partner.books, order), **told.sent(sent)}

    def purchase_orders(self, facts: Facts) -> object:
        """orders: many of `purchase_order`, together?: in one interchange, dirty?"""
        with self._partner.lock:
            placed = [self._place(one) for one in facts["orders"]]
            orders = [order for order, _ in placed]
            if facts.get("together"):
                sent = [self._send("850", [body for _, body in placed], orders, facts)]
            else:
                sent = [
                    self._send("850", [body], [order], one)
                    for (order, body), one in zip(placed, facts["orders"], strict=True)
                ]
        return {
            "orders": [order.number for order in orders],
            "sent": [told.sent(one) for one in sent],
        }

    def _place(self, facts: Facts) -> tuple[Order, list[Segment]]:
        dates = {
            field.name: date.fromisoformat(str(facts[field.name]))
            for field in fields(Dates)
            if facts.get(field.name)
        }
        return self._partner.place(
            [_wanted(one) for one in facts["lines"]],
            number=str(facts.get("order", "")),
            ship_to=str(facts.get("ship_to", "")),
            kind=str(facts.get("kind", "SA")),
            purpose=str(facts.get("purpose", "00")),
            release=str(facts.get("release", "")),
            dates=Dates(**dates),
        )

    def change_order(self, facts: Facts) -> object:
        """order, lines: [{sku (or line), units (the new number), code?}], sequence?, dirty?: an 860; a sequence that
        was sent before is sent again"""
        with self._partner.lock:
            order = self._partner.order(str(facts["order"]))
            sequence = facts.get("sequence")
            wanted = [
                (str(one.get("line") or one["sku"]), units_of(one), str(one.get("code", "")))
                for one in facts.get("lines") or ()
            ]
            change = self._partner.change(order, wanted, int(sequence) if sequence else None)
            return self._send_change(order, change, facts)

    def cancel_order(self, facts: Facts) -> object:
        """order, by? (860 or 850), dirty?: purpose 01"""
        with self._partner.lock:
            order = self._partner.order(str(facts["order"]))
            change = self._partner.cancel(order)
            if str(facts.get("by", "860")) == "860":
                return self._send_change(order, change, facts)
            # An 850 has no sequence, and nothing but its 997 answers it.
            change.answered_at = change.at
            name = self._partner.books.stores.get(order.ship_to, order.ship_to)
            lines = [line for line in order.lines.values() if line.units]
            body = bodies.purchase_order(order, lines, Dates(), purpose="01", release="", name=name)
            sent = self._send("850", [body], [order], facts)
            return {**told.order(self._partner.books, order), **told.sent(sent)}

    def _send_change(self, order: Order, change: Change, facts: Facts) -> object:
        style = self._partner.books.rules.change_style
        sent = self._send("860", [bodies.order_change(order, change, style=style)], [order], facts)
        told_order = told.order(self._partner.books, order)
        return {**told_order, **told.sent(sent), "sequence": change.sequence}

    def _send(
        self, set_id: str, made: Sequence[list[Segment]], orders: Sequence[Order], facts: Facts
    ) -> Sent:
        skus = [line.item.sku for order in orders for line in order.lines.values()]
        numbers = [order.number for order in orders]
        return self._partner.send(
            set_id, made, orders=numbers, skus=skus, dirty=self._dirty(facts.get("dirty"))
        )

    def _dirty(self, wish: Any) -> Iterable[str]:
        """A kind, several, or true: one that a tolerant reader reads, by the dice."""
        if wish is True:
            return [self._partner.dice.choice(dirt.READABLE)]
        return [wish] if isinstance(wish, str) else [str(one) for one in wish or ()]

    # -- what goes wrong ------------------------------------------------------------------------------------------

    def duplicate(self, facts: Facts) -> object:
        """of: an order (its 850), a control number or a file's name; other?: the same number, another content"""
        with self._partner.lock:
            sent = self._partner.sent(facts["of"])
            data = self._other_content(sent) if facts.get("other") else None
            return {"name": self._partner.again(sent, data), "control": sent.control}

    def _other_content(self, sent: Sent) -> bytes:
        if sent.sets[0] != "850":
            raise Refused("another content is made for orders only")
        order = self._partner.order(sent.order.split(", ")[0])
        more = [
            Wanted(line.item.sku, line.units + 1, line.measure) for line in order.lines.values()
        ]
        _, body = self._partner.place(more, ship_to=order.ship_to)
        now, way = self._partner.clock.now(), self._partner.way
        segments = enclose(way, now, sent.control, sent.group, [("850", body)])
        return dirt.soil(segments, (), self._partner.dice)

    def reset_counters(self, facts: Facts) -> object:
        """to?: the next interchange and group get this control number, 1 when absent"""
        with self._partner.lock:
            self._partner.control = self._partner.group = int(facts.get("to", 1)) - 1
        return {"next": self._partner.control + 1}

    def put(self, facts: Facts) -> object:
        """name, text or base64: any file into the merchant's inbound"""
        name = str(facts["name"])
        if "/" in name or name.startswith("."):
            raise BadRequest("name is a bare file name")
        raw = facts.get("base64")
        data = base64.b64decode(raw) if raw is not None else str(facts["text"]).encode("latin-1")
        self._simulator.folders.put(name, data, self._simulator.clock.now())
        return {"name": name, "bytes": len(data)}

    def functional_ack(self, facts: Facts) -> object:
        """policy: judge, A, E, R, never or late; seconds?, group? (PR, SH, IB, CA), count?: replaces what was said"""
        policy = str(facts["policy"])
        if policy not in POLICIES:
            raise BadRequest(f"a policy is one of {', '.join(POLICIES)}")
        count = facts.get("count")
        with self._partner.lock:
            group = str(facts.get("group", ""))
            others = [one for one in self._simulator.acking if one.kind != group]
            seconds = float(facts.get("seconds", 3600))
            made = Acking(policy, seconds, group, int(count) if count is not None else None)
            # What is said about one kind of group stands before what is said about all.
            self._simulator.acking = sorted([*others, made], key=lambda one: one.kind == "")
        return {"policy": policy}

    # -- the simulator --------------------------------------------------------------------------------------------

    def collect(self, _: Facts) -> object:
        """Look into the mailbox now; the files taken"""
        return {"taken": self._simulator.collect()}

    def state(self, facts: Facts) -> object:
        """order?, sku?: what the partner knows"""
        with self._partner.lock:
            books = self._partner.books
            orders = (
                [self._partner.order(str(facts["order"]))]
                if facts.get("order")
                else list(books.orders.values())
            )
            return {
                "now": self._simulator.clock.now().isoformat(),
                "items": [told.item(one) for one in books.items.values()],
                "stores": books.stores,
                "orders": {one.number: told.order(books, one) for one in orders},
                "shown": told.shown(books, str(facts.get("sku", ""))),
                "shipments": [told.shipment(one) for one in books.shipments.values()],
                "sent": [told.sent(one) for one in books.sent],
                "received": [told.received(one) for one in books.received],
                **told.missing(books, self._simulator.clock.now()),
            }

    def complaints(self, facts: Facts) -> object:
        """severity? (syntax, business, notice), since?: what it found wrong, and what is overdue"""
        with self._partner.lock:
            books = self._partner.books
            wanted = facts.get("severity")
            found = [
                one.as_json()
                for one in books.complaints
                if wanted in (None, one.severity) and one.number > int(facts.get("since", 0))
            ]
            return {"complaints": found, "overdue": books.overdue(self._simulator.clock.now())}

    def document(self, facts: Facts) -> object:
        """name: a file that was sent or received, as text (Latin-1)"""
        with self._partner.lock:
            books = self._partner.books
            files: list[Sent | Received] = [*books.sent, *books.received]
            for one in reversed(files):
                if one.name == facts["name"]:
                    return {"name": one.name, "text": one.data.decode("latin-1")}
        raise Unknown(f"no file {facts['name']!r} was sent or received")


def _wanted(facts: Facts) -> Wanted:
    stores = {str(code): int(units) for code, units in (facts.get("stores") or {}).items()}
    units = units_of(facts) if facts.get("units") is not None else sum(stores.values())
    return Wanted(str(facts["sku"]), units, str(facts.get("measure", "EA")), stores)
