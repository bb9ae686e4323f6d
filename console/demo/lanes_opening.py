"""Amazon, the tills and the grocer before the doors open: what they list, how they call us, and what we call them."""

from __future__ import annotations

from typing import Any, Final

from channels.listings import Assortment
from channels.names import Part
from console.demo import goods
from console.demo.house import House, now
from workers.flows import mapping

#: Amazon takes minutes for what these make seconds.
_PACE: Final[dict[str, float]] = {
    "apply_s": 0.3,
    "queue_s": 1,
    "work_s": 1,
    "outbound_s": 2,
    "orders_s": 1,
    "fba_lag_s": 0,
}
_STORE: Final = "0001"
_SQS: Final = "arn:aws:sqs:us-east-1:111122223333:lockstep"
_EVENT_BRIDGE: Final = "us-east-1:111122223333"
_BASELINE_LIMIT_S: Final = 60.0


def list_goods(house: House) -> str:
    """What each of them lists, nothing of it in stock but what Amazon holds."""
    amazon, till, grocer = house.amazon, house.till, house.grocer
    amazon.ask("pace", **_PACE)
    amazon.ask(
        "listings",
        listings=[
            *({"sku": sku, "units": 0, "handling_days": 2} for sku in goods.EVERYWHERE),
            *(
                {"sku": sku, "fba": {"fulfillable": goods.BY_AMAZON_UNITS}}
                for sku in goods.BY_AMAZON
            ),
        ],
    )
    for name in (goods.STORE_1, goods.STORE_2):
        till.ask("location", name=name)
    stock = {goods.STORE_1: 0, goods.STORE_2: 0}
    till.ask(
        "items",
        items=[
            {"name": sku, "variations": [{"sku": sku, "stock": stock}]} for sku in goods.EVERYWHERE
        ],
    )
    grocer.ask("store", code=_STORE)
    grocer.ask("items", items=[{"sku": sku} for sku in goods.EVERYWHERE])
    grocer.ask("guide", poll_s=0.3)
    everywhere, held = len(goods.EVERYWHERE), len(goods.BY_AMAZON)
    return f"{everywhere} SKUs on Amazon, at two tills and to the grocer; {held} held by Amazon"


def vendor_ids(house: House) -> dict[str, dict[str, str]]:
    """Account -> our location -> the vendor's id of it."""
    places = {each["name"]: each["id"] for each in house.till.ask("state")["locations"]}
    return {
        goods.AMAZON: {goods.HERE: "DEFAULT", goods.FBA: "FBA"},
        goods.TILL_LANE: places,
        goods.GROCER: {goods.HERE: _STORE},
    }


def options(house: House) -> dict[str, dict[str, str]]:
    """Account -> what its lane must know besides its address."""
    amazon, grocer = house.amazon.played.facts, house.grocer.played.facts
    return {
        goods.AMAZON: {
            "seller_id": amazon["seller_id"],
            "marketplace_id": amazon["marketplace_id"],
            "lwa_url": amazon["lwa_url"],
            "sqs_arn": _SQS,
            "event_bridge": _EVENT_BRIDGE,
            "settle_s": "1",
        },
        goods.TILL_LANE: {"notification_url": f"{house.stack.relay_url}/hooks/square"},
        goods.GROCER: {
            "our_id": f"{grocer['our_qualifier']}:{grocer['our_id']}",
            "partner_id": f"{grocer['partner_qualifier']}:{grocer['partner_id']}",
            "items": "SK,UP,IN",
            "poll_s": "1",
            "company_prefix": "0614141",
        },
    }


def bind(house: House) -> int:
    """Bind every listing of the three; how many."""
    bound = 0
    for name in goods.LANES:
        mapped = mapping.map_channel(
            house.wiring.engine,
            house.wiring.client(name),
            channel=name,
            now=now(),
            dry_run=False,
            add_skus=False,
            assortment=_wholesale() if name == goods.GROCER else None,
        )
        if mapped.problems:
            raise AssertionError(f"{name}: {mapped.problems[:3]}")
        bound += mapped.bound
    return bound


def baseline(house: House) -> str:
    """Wait until what Amazon holds is in the book, as Amazon says it."""
    wanted = goods.BY_AMAZON_UNITS * len(goods.BY_AMAZON)
    house.until(
        "what Amazon holds is in the book",
        lambda: house.one(_HELD, location=goods.FBA) == wanted,
        limit_s=_BASELINE_LIMIT_S,
        poll_s=0.3,
    )
    for sku in goods.BY_AMAZON:
        house.diary[sku] += goods.BY_AMAZON_UNITS
    return f"{wanted} units held by Amazon mirrored"


def subscribe(house: House) -> int:
    """Have Amazon's pipe and the tills call the relay; how many subscriptions."""
    house.amazon.ask("pipe", url=f"{house.stack.relay_url}/hooks/amazon")
    made = 0
    for name, hook in ((goods.AMAZON, "amazon"), (goods.TILL_LANE, "square")):
        uri = f"{house.stack.relay_url}/hooks/{hook}"
        client = house.wiring.client(name)
        made += len(mapping.subscribe(house.wiring.engine, client, channel=name, uri=uri))
    return made


_HELD: Final = """
    SELECT coalesce(sum(units), 0)::int FROM balance WHERE location = :location AND state = 'available'
"""


def _wholesale() -> Assortment:
    parts: dict[str, Any] = {sku: (Part(sku),) for sku in goods.EVERYWHERE}
    return Assortment(parts)
