"""A day's ordinary business: returns, cancels, refunds, goods in and out, a count, a reservation, a till."""

from __future__ import annotations

from datetime import timedelta

import orjson

from console.demo import goods
from console.demo.evidence import Halted, Notes
from console.demo.house import House, now
from console.demo.shop import Shop
from ledger.inbox import FACT_TOPIC

_APPLIED_LIMIT_S = 30.0
_SHOWN_LIMIT_S = 30.0


def second_thoughts(house: House, notes: Notes) -> str:
    """Fulfil and return, cancel with restock and without, refund in each of the three ways; all at the shops."""
    own, outlet = house.shops["shopify"], house.shops["outlet"]
    _buy(own, notes, (goods.RETURNED, 3))
    _last(own, notes, "fulfil")
    house.diary[goods.RETURNED] -= 3
    given = {"sku": goods.RETURNED, "units": 2, "restock_type": "return", "location": goods.HERE}
    _last(own, notes, "refund", lines=[given])
    house.diary[goods.RETURNED] += 2
    _buy(outlet, notes, (goods.CANCELLED, 2))
    _last(outlet, notes, "cancel_order", restock=True)
    _buy(outlet, notes, (goods.KEPT, 2))
    _last(outlet, notes, "cancel_order", restock=False)
    _buy(own, notes, (goods.REFUNDED_A, 2), (goods.REFUNDED_B, 2), (goods.REFUNDED_C, 2))
    _last(own, notes, "fulfil", lines=[{"sku": goods.REFUNDED_C, "units": 2}])
    house.diary[goods.REFUNDED_C] -= 2
    back = [
        {"sku": goods.REFUNDED_A, "units": 1, "restock_type": "no_restock"},
        {"sku": goods.REFUNDED_B, "units": 1, "restock_type": "cancel"},
        {"sku": goods.REFUNDED_C, "units": 1, "restock_type": "return", "location": goods.HERE},
    ]
    _last(own, notes, "refund", lines=back)
    house.diary[goods.REFUNDED_C] += 1
    return "return, cancels, refunds and fulfilments at the shops"


def goods_in_and_out(house: House) -> str:
    """Receipt, transfer in two legs, write-off, count as of its minute, reservation and release, by POST /events."""
    here, there = goods.HERE, goods.STORE_1
    # The count is as of a moment before the receipt of the same SKU, and says one unit less than the book had then.
    counted_at = now() - timedelta(seconds=1)
    on_shelf = goods.opening(goods.COUNTED)[here]
    house.tell(
        house.fact("receipt", goods.RECEIVED, here, units=25, reference="PO-1"),
        house.fact("receipt", goods.COUNTED, here, units=5, reference="PO-1"),
        house.fact("transfer_ship", goods.MOVED, here, units=30, reference="T-1"),
        house.fact("transfer_receive", goods.MOVED, there, units=28, reference="T-1"),
        house.fact("write_off", goods.BROKEN, here, units=4, reason="water damage"),
        house.fact("write_off", goods.OVERWRITTEN, here, units=2, reason="torn"),
        house.fact("reservation", goods.RESERVED, here, units=6, reference="fair"),
        house.fact("release", goods.RESERVED, here, units=2, reference="fair"),
        house.fact("count", goods.COUNTED, here, counted=on_shelf - 1)
        | {"occurred_at": counted_at.isoformat()},
    )
    house.diary.update({goods.RECEIVED: 25, goods.COUNTED: 5 - 1})
    house.diary.subtract({goods.BROKEN: 4, goods.OVERWRITTEN: 2})
    return "receipt, transfer, write-off, count, reservation by POST /events"


def till_sale(house: House) -> str:
    """A till's order and ship, handed over by a Celery client that knows nothing of our code."""
    about = {"source": "till", "channel": "till", "order": "T-1", "line": "1"}
    at = now().isoformat()
    place = {"sku": goods.TILL, "location": goods.STORE_1}
    sale = {"kind": "order", "id": "T-1:1", "occurred_at": at, "units": 1, **about, **place}
    left = {"kind": "ship", "id": "T-1:1:ship", "occurred_at": at, "units": 1, **about}
    for fact in (sale, left):
        house.celery.send_task(
            "workers.tasks.receive",
            ("till", FACT_TOPIC, fact["id"], {}, orjson.dumps(fact).decode()),
            queue="ingest",
        )
    house.until(
        "the till's sale is in the book",
        lambda: all(house.state_of("till", str(of["id"]))[0] == "applied" for of in (sale, left)),
        limit_s=_APPLIED_LIMIT_S,
    )
    house.diary[goods.TILL] -= 1
    return "a till sale by the Celery door"


def last_one(house: House, notes: Notes) -> str:
    """Sell until nothing may be shown: the listing goes off sale; a receipt brings it back exactly as it was."""
    own, sku = house.shops["shopify"], goods.LAST
    before = own.level(sku, goods.HERE)
    _buy(own, notes, (sku, before["available"]))
    during = house.until(
        f"{sku} is off sale when nothing is left",
        lambda: _level_if(own, sku, policy="DENY", available=0),
        limit_s=_SHOWN_LIMIT_S,
    )
    house.tell(house.fact("receipt", sku, goods.HERE, units=10, reference="PO-2"))
    house.diary[sku] += 10
    after = house.until(
        f"{sku} is on sale again",
        lambda: _level_if(own, sku, policy=before["policy"]),
        limit_s=_SHOWN_LIMIT_S,
    )
    notes.hidden = Halted("shopify", sku, before, during, after)
    return f"{sku} sold out, hidden, received, back as {after['policy']} with {after['available']}"


def _buy(shop: Shop, notes: Notes, *lines: tuple[str, int]) -> None:
    notes.placed.append(shop.order(lines))


def _last(shop: Shop, notes: Notes, verb: str, **facts: object) -> None:
    """Something done to the order placed last."""
    shop.ask(verb, order=notes.placed[-1].order, **facts)


def _level_if(shop: Shop, sku: str, **wanted: object) -> dict[str, object] | None:
    level = shop.level(sku, goods.HERE)
    return level if all(level[name] == value for name, value in wanted.items()) else None
