"""The day on Amazon, at the tills and at the grocer's: orders on each, what goes wrong there, and an order of one shop
that another one ships.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from channels.amazon.client import Amazon as AmazonClient
from channels.amazon.mcf import Address
from channels.packs import Packed
from console.demo import goods
from console.demo.evidence import McfOrder, Notes
from console.demo.house import House, now
from workers.flows import edi_ship, mcf

STORM_S: Final = 2.0
_STORM_LIMIT_S: Final = 30.0
_BOOKED_LIMIT_S: Final = 40.0
_SHOWN_LIMIT_S: Final = 60.0
_WHOLE, _MORE = 24, 6
#: More than there is: the partner is promised a part now and a date for the rest.
_TOO_MANY: Final = 5000

_BOOKED = """
    SELECT coalesce(sum(ordered_units), 0)::int FROM order_line
    WHERE channel = :channel AND order_id = :order AND sku = :sku
"""
_SHIPPED = """
    SELECT coalesce(sum(shipped_units), 0)::int FROM order_line WHERE channel = :channel AND order_id = :order
"""
_AVAILABLE = """
    SELECT coalesce(sum(units), 0)::int FROM balance
    WHERE sku = :sku AND state = 'available' AND (location = :location) = :there AND location <> 'OUTSIDE'
"""


def amazon_orders(house: House, notes: Notes) -> str:
    """Bought and shipped, waiting for its payment, cancelled; and one that Amazon itself ships."""
    amazon = house.amazon
    shipped = _bought(house, notes, goods.AMZ_SHIPPED, 2)
    _bought(house, notes, goods.AMZ_PENDING, 1, paid=False)
    cancelled = _bought(house, notes, goods.AMZ_CANCELLED, 2)
    theirs = _bought(house, notes, goods.FBA_SOLD, 2)
    _until_booked(house, notes.lanes.booked)
    amazon.ask("ship_order", order=shipped)
    amazon.ask("ship_order", order=theirs)
    amazon.ask("cancel_order", order=cancelled, by="MERCHANT")
    house.diary.subtract({goods.AMZ_SHIPPED: 2, goods.FBA_SOLD: 2})
    for order in (shipped, theirs):
        _until_shipped(house, goods.AMAZON, order, 2)
    return "four Amazon orders: shipped, pending, cancelled, shipped by Amazon"


def amazon_trouble(house: House, notes: Notes) -> str:
    """Amazon accepts an update and forgets it, then refuses every call for a while."""
    amazon = house.amazon
    wanted = amazon.units(goods.AMZ_SWALLOWED) - 3
    amazon.ask("fault", kind="swallow", sku=goods.AMZ_SWALLOWED, count=1)
    house.tell(house.fact("write_off", goods.AMZ_SWALLOWED, goods.HERE, units=3, reason="moths"))
    house.diary[goods.AMZ_SWALLOWED] -= 3
    notes.lanes.swallowed_at = now()
    house.until(
        "the update that Amazon forgot is repaired",
        lambda: amazon.units(goods.AMZ_SWALLOWED) == wanted,
        limit_s=_SHOWN_LIMIT_S,
    )
    notes.lanes.repaired_at = now()
    begun = now()
    amazon.ask("fault", kind="throttle", seconds=_STORM_LIMIT_S)
    house.tell(
        *(
            house.fact("write_off", sku, goods.HERE, units=1, reason="samples")
            for sku in goods.AMZ_STORM
        )
    )
    house.diary.subtract(dict.fromkeys(goods.AMZ_STORM, 1))
    house.until("Amazon refuses a call", partial(_refuses, house), limit_s=_STORM_LIMIT_S)
    time.sleep(STORM_S)
    amazon.ask("clear_faults")
    notes.lanes.storm = (begun, now())
    house.until(
        "Amazon shows the numbers of its storm",
        lambda: all(amazon.units(sku) == _target(house, sku) for sku in goods.AMZ_STORM),
        limit_s=_SHOWN_LIMIT_S,
        poll_s=0.3,
    )
    return "a forgotten update repaired, a storm of 429 weathered"


def shipped_by_amazon(house: House, notes: Notes) -> str:
    """The outlet sells what Amazon holds; Amazon is asked to ship it, and its stock falls once."""
    sku, units, outlet = goods.FBA_MCF, 3, house.shops["outlet"]
    before = _available(house, sku)
    placed = outlet.order([(sku, units)], location=goods.FBA)
    notes.placed.append(placed)
    house.until(
        "the outlet's order for Amazon's stock is in the book",
        lambda: house.one(_BOOKED, channel="outlet", order=placed.number, sku=sku) == units,
        limit_s=_BOOKED_LIMIT_S,
    )
    asked = mcf.create(
        house.wiring.engine,
        _amazon_client(house).api,
        channel=goods.AMAZON,
        of=("outlet", placed.number),
        address=_ADDRESS,
        now=now,
    )
    _until_shipped(house, "outlet", placed.number, units)
    house.diary[sku] -= units
    # The shop's clerk says so too: it must not count again.
    outlet.ask("fulfil", order=placed.order, location=goods.FBA)
    after = _available(house, sku)
    shipped = house.one(_SHIPPED, channel="outlet", order=placed.number)
    notes.lanes.mcf = McfOrder(
        "outlet", placed.number, sku, units, (before[0], after[0]), (before[1], after[1]), shipped
    )
    return f"order {placed.order} of the outlet shipped by Amazon as {asked.order.seller_id}"


def till_day(house: House, notes: Notes) -> str:
    """A sale, a return of a part of it, an order picked up and one that waits on its shelf."""
    till = house.till
    sale = till.sell(goods.STORE_1, (goods.TILL_SOLD, 2))
    picked = till.pick_up(goods.STORE_2, (goods.TILL_PICKED_UP, 1))
    waiting = till.pick_up(goods.STORE_1, (goods.TILL_WAITING, 1))
    booked = [
        (goods.TILL_LANE, sale["id"], goods.TILL_SOLD, 2),
        (goods.TILL_LANE, picked["id"], goods.TILL_PICKED_UP, 1),
        (goods.TILL_LANE, waiting["id"], goods.TILL_WAITING, 1),
    ]
    notes.lanes.booked += booked
    notes.lanes.pickups += [picked["id"], waiting["id"]]
    _until_booked(house, booked)
    till.ask(
        "give_back",
        order=sale["id"],
        lines=[{"sku": goods.TILL_SOLD, "units": 1}],
        restock=True,
    )
    for state in ("RESERVED", "PREPARED", "COMPLETED"):
        till.ask("fulfil", order=picked["id"], state=state)
    house.diary.subtract({goods.TILL_SOLD: 2 - 1, goods.TILL_PICKED_UP: 1})
    _until_shipped(house, goods.TILL_LANE, picked["id"], 1)
    return "a till sale, a return, two pick-ups"


def wholesale(house: House, notes: Notes) -> str:
    """An 850 answered by 997 and 855, shipped and told by an 856; another one that can be met in part only."""
    grocer = house.grocer
    order = grocer.purchase((goods.PO_WHOLE, _WHOLE), (goods.PO_MORE, _MORE))
    short = grocer.purchase((goods.PO_SHORT, _TOO_MANY))
    notes.lanes.purchases = {"whole": order, "short": short}
    for sku, units in ((goods.PO_WHOLE, _WHOLE), (goods.PO_MORE, _MORE)):
        notes.lanes.booked.append((goods.GROCER, order, sku, units))
    for number in (order, short):
        house.until(
            f"the 855 for {number} is with the grocer",
            partial(_is_answered, house, number),
            limit_s=_BOOKED_LIMIT_S,
        )
    lines = house.rows(
        "SELECT line_id, sku, ordered_units FROM order_line WHERE channel = :channel AND order_id = :order",
        channel=goods.GROCER,
        order=order,
    )
    house.tell(
        *(
            _ship(house, goods.GROCER, order, line["line_id"], int(line["ordered_units"]))
            for line in lines
        )
    )
    house.diary.subtract({goods.PO_WHOLE: _WHOLE, goods.PO_MORE: _MORE})
    _until_shipped(house, goods.GROCER, order, _WHOLE + _MORE)
    noticed = edi_ship.ship(house.wiring.engine, goods.GROCER, order, now=now())
    house.until(
        f"the 856 for {order} is with the grocer",
        lambda: sum(line["shipped"] for line in grocer.about(order)["lines"]) == _WHOLE + _MORE,
        limit_s=_BOOKED_LIMIT_S,
    )
    return f"purchase order {order}: 997, 855, and 856 {noticed.shipment}; {short} promised in part"


def told_twice(house: House, notes: Notes) -> str:
    """Wait until the shop's own word about the order that Amazon shipped has come, and counts no second time."""
    order = notes.lanes.mcf
    assert order is not None
    about = {"channel": order.shop, "order": order.order}

    def settled() -> bool:
        told = house.one(_TOLD_BY_SHOP, **about) > 0
        return bool(told and house.one(_SHIPPED, **about) == order.units)

    house.until("the shipment that two told counts once", settled, limit_s=_SHOWN_LIMIT_S)
    return "told by Amazon and by the shop, counted once"


_TOLD_BY_SHOP = """
    SELECT count(*) FROM event WHERE kind = 'ship' AND source = :channel AND order_id = :order
"""


def lanes_show(house: House) -> str:
    """Wait until Amazon and the tills show what they should, and the grocer was told what it should be."""

    def all_shown() -> bool:
        return not any(house.rows(_APART)) and _as_targets(house)

    house.until("every lane shows its targets", all_shown, limit_s=_SHOWN_LIMIT_S, poll_s=0.5)
    return "every lane shows its targets"


_APART = """
    SELECT t.sku FROM target AS t JOIN binding AS b USING (channel, sku, location)
    LEFT JOIN shown AS s USING (channel, sku, location)
    WHERE NOT b.read_only AND s.units IS DISTINCT FROM t.units AND t.channel IN ('amazon', 'till', 'grocer') LIMIT 1
"""


def _as_targets(house: House) -> bool:
    views = {
        goods.AMAZON: house.amazon.view([]),
        goods.TILL_LANE: house.till.view([]),
        goods.GROCER: house.grocer.view(),
    }
    rows = house.rows(
        """
        SELECT t.channel, t.sku, t.units, b.vendor_location_id AS place
        FROM target AS t JOIN binding AS b USING (channel, sku, location)
        WHERE t.channel IN ('amazon', 'till', 'grocer')
        """
    )
    return all(
        max(0, views[row["channel"]].shown.get((row["sku"], row["place"])) or 0) == row["units"]
        for row in rows
    )


def _bought(house: House, notes: Notes, sku: str, units: int, *, paid: bool = True) -> str:
    order = str(house.amazon.order((sku, units), paid=paid)["orderId"])
    notes.lanes.amazon_orders.append(order)
    notes.lanes.booked.append((goods.AMAZON, order, sku, units))
    return order


def _until_booked(house: House, booked: Sequence[tuple[str, str, str, int]]) -> None:
    for channel, order, sku, units in booked:
        house.until(
            f"order {order} of {channel} is in the book",
            partial(_is_booked, house, channel, order, sku, units),
            limit_s=_BOOKED_LIMIT_S,
        )


def _refuses(house: House) -> bool:
    return any(call.get("status") == 429 for call in house.amazon.events().get("api", ()))


def _is_booked(house: House, channel: str, order: str, sku: str, units: int) -> bool:
    return bool(house.one(_BOOKED, channel=channel, order=order, sku=sku) >= units)


def _is_answered(house: House, order: str) -> bool:
    return "855" in house.grocer.about(order)["answered"]


def _until_shipped(house: House, channel: str, order: str, units: int) -> None:
    house.until(
        f"order {order} of {channel} has left in the book",
        lambda: house.one(_SHIPPED, channel=channel, order=order) == units,
        limit_s=_BOOKED_LIMIT_S,
    )


def _ship(house: House, channel: str, order: str, line: str, units: int) -> dict[str, Any]:
    """Our warehouse tells that a line has left."""
    return {
        "kind": "ship",
        "source": "wms",
        "id": f"ship:{channel}:{order}:{line}",
        "occurred_at": now().isoformat(),
        "channel": channel,
        "order": order,
        "line": line,
        "units": units,
    }


def _target(house: House, sku: str) -> int:
    return house.targets(sku)[goods.AMAZON]


def _available(house: House, sku: str) -> tuple[int, int]:
    """Units available at Amazon's location, and at all others."""
    at = {"sku": sku, "location": goods.FBA}
    return (
        int(house.one(_AVAILABLE, **at, there=True)),
        int(house.one(_AVAILABLE, **at, there=False)),
    )


def _amazon_client(house: House) -> AmazonClient:
    packed = house.wiring.client(goods.AMAZON)
    assert isinstance(packed, Packed)
    vendor = packed.vendor
    assert isinstance(vendor, AmazonClient)
    return vendor


_ADDRESS: Final = Address(
    name="A. Buyer",
    address_line1="1 Market Street",
    city="Springfield",
    state_or_region="IL",
    postal_code="62701",
    country_code="US",
)
