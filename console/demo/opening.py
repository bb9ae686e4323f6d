"""Before the doors open: catalogue, opening stock, rules, listings bound, the first numbers, subscriptions.

The stock is in the book before a listing is bound: the first number a shop shows is the right one.
"""

from __future__ import annotations

from allocation import document, store
from allocation.types import Rules
from console.demo import goods, lanes_opening
from console.demo.house import House, now
from ledger import catalogue
from ledger.db import transaction
from workers.flows import mapping

_POST_ROWS = 1000
_PLAN_POINTS = 20_000
_PLAN_POINTS_PER_S = 1_000
_APPLIED_LIMIT_S = 60.0
_FIRST_NUMBERS_LIMIT_S = 60.0

_UNSHOWN = """
    SELECT (SELECT count(*) FROM due) + (SELECT count(*) FROM push_due)
         + (SELECT count(*) FROM binding AS b LEFT JOIN shown AS s USING (channel, sku, location)
            WHERE coalesce(s.number, 0) = 0 AND NOT b.read_only)
"""
_DUE = "SELECT count(*) FROM due"


def list_goods(house: House) -> str:
    """Locations and products in both shops, SKUs and locations in the book."""
    for name, shop in house.shops.items():
        # The largest plan: a quarter of an hour between windows is ten seconds here, and each reads and polls.
        shop.ask("limit", maximum=_PLAN_POINTS, restore_rate=_PLAN_POINTS_PER_S)
        for location in goods.listed_locations(name):
            shop.ask("location", name=location)
        shop.ask("products", products=goods.products(name))
    with transaction(house.wiring.engine) as connection:
        catalogue.add_skus(connection, dict.fromkeys(goods.SKUS, ""))
        catalogue.add_locations(connection, list(goods.LOCATIONS), kind="warehouse")
        catalogue.add_locations(connection, [goods.FBA], kind="mirror")
    said = lanes_opening.list_goods(house)
    return f"{len(goods.SKUS)} SKUs in {len(house.shops)} shops, {len(goods.LOCATIONS)} locations; {said}"


def open_book(house: House) -> str:
    """Post the opening stock and wait until it is in the book."""
    facts = [
        house.fact("opening", sku, location, units=units)
        for sku in goods.OWN
        for location, units in goods.opening(sku).items()
    ]
    for start in range(0, len(facts), _POST_ROWS):
        house.tell(*facts[start : start + _POST_ROWS])
    for sku in goods.OWN:
        house.diary[sku] += sum(goods.opening(sku).values())
    house.until(
        "the opening stock is in the book",
        lambda: house.one("SELECT count(*) FROM event WHERE kind = 'opening'") == len(facts),
        limit_s=_APPLIED_LIMIT_S,
    )
    return f"{len(facts)} openings posted and booked"


def apply_rules(house: House) -> tuple[str, Rules]:
    """Put the rule file in force."""
    ids = {
        name: {place["name"]: place["id"] for place in shop.ask("state")["locations"]}
        for name, shop in house.shops.items()
    }
    ids |= lanes_opening.vendor_ids(house)
    source = goods.rules(house.stack.simulators, ids, lanes_opening.options(house))
    read = document.read(source, "the demo's rules")
    with transaction(house.wiring.engine) as connection:
        version = store.apply_rules(
            connection, source, read, "demo", "the demo begins its day", now()
        )
    return f"rules version {version} for {', '.join(goods.PLAYED)}", read.rules()


def bind(house: House) -> str:
    """Bind every listing, and wait until each shows its first number."""
    bound = 0
    for name in house.shops:
        mapped = mapping.map_channel(
            house.wiring.engine,
            house.wiring.client(name),
            channel=name,
            now=now(),
            dry_run=False,
            add_skus=False,
        )
        bound += mapped.bound
    bound += lanes_opening.bind(house)
    house.until(
        "every listing has a number", lambda: house.one(_DUE) == 0, limit_s=_APPLIED_LIMIT_S
    )
    return f"{bound} listings bound"


def show(house: House) -> str:
    """Wait until every listing shows its first number."""
    house.until(
        "every listing shows its first number",
        lambda: house.one(_UNSHOWN) == 0,
        limit_s=_FIRST_NUMBERS_LIMIT_S,
    )
    shown = house.one("SELECT count(*) FROM shown WHERE number > 0")
    return f"{shown} numbers shown"


def subscribe(house: House) -> str:
    """Have both shops call the relay."""
    made = 0
    for name in house.shops:
        uri = f"{house.stack.relay_url}/hooks/shopify"
        client = house.wiring.client(name)
        made += len(mapping.subscribe(house.wiring.engine, client, channel=name, uri=uri))
    made += lanes_opening.subscribe(house)
    return f"{made} subscriptions"
