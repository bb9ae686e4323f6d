"""A sale in one shop changes the number in the other within seconds, however badly it is told."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from console.demo import travel
from console.demo.shop import ShopSays
from console.local.layout import Played
from tests.console.door import signed
from tests.journeys.estate import Estate, Shop, an_estate, wait_for

BUYER = {
    "name": "Ottoline Fairweather",
    "email": "ottoline@buyer.example",
    "phone": "+47 555 01 234",
    "address1": "Kirsebærveien 17",
    "note": "please ring twice, Ottoline",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with an_estate("north", "south") as estate:
        yield estate


def test_a_sale_in_one_shop_reaches_the_other_within_seconds(estate: Estate) -> None:
    north, south = estate.shops["north"], estate.shops["south"]
    sku = estate.skus[3]
    before = south.shown()[sku]
    begun = time.monotonic()

    north.order(sku, 3)

    wait_for(lambda: south.shown()[sku] == before - 3, 10, estate.trouble)
    assert time.monotonic() - begun < 5
    estate.settles()
    assert estate.book_is_whole()


def as_played(shop: Shop) -> Played:
    facts = shop.running.facts
    return Played(
        shop.name, "shopify", facts.base_url, facts.shop, facts.control_url, facts.token,
        facts.webhook_secret, facts.control_token,
    )  # fmt: skip


def test_an_order_is_followed_to_the_last_display(estate: Estate) -> None:
    north, south = estate.shops["north"], estate.shops["south"]
    sku = estate.skus[7]
    left = north.shown()[sku] - 2

    bought = travel.buy(as_played(north), sku, 2)
    steps = list(travel.follow(estate.engine, bought, limit_s=40))

    stages = [step.stage for step in steps]
    said = {step.stage: step.said for step in steps}
    # Delivered as created and as paid: whichever was first is the one that counts.
    assert stages[:2] == ["relay", "ledger"]
    assert stages[-1] == travel.ARRIVED
    assert "committed 0 -> 2" in said["ledger"]
    assert said["push"].startswith(f"south at WH told {left}: confirmed")
    assert f"south at WH shows {left}" in [step.said for step in steps]
    assert north.shown()[sku] == south.shown()[sku] == left
    assert travel.pages(bought, "http://here")["watch it"] == f"http://here/sku/{sku}"


def test_an_order_that_is_not_booked_does_not_arrive(estate: Estate) -> None:
    bought = travel.buy(as_played(estate.shops["north"]), estate.skus[8], 1)
    unknown = replace(bought, order="none of ours")

    assert list(travel.follow(estate.engine, unknown, limit_s=0.5)) == []
    with pytest.raises(ShopSays, match="no SKU 'NOPE'"):
        travel.buy(as_played(estate.shops["north"]), "NOPE", 1)
    estate.settles()


def test_webhooks_that_repeat_come_late_and_out_of_order_change_nothing(estate: Estate) -> None:
    dice = random.Random(7)
    shops = list(estate.shops.values())
    for seed, shop in enumerate(shops):
        shop.do("fault", kind="webhook_duplicate", rate=0.4, seed=seed)
        shop.do("fault", kind="webhook_late", rate=0.2, seconds=3, seed=seed)
        shop.do("fault", kind="webhook_reorder", rate=0.2, seed=seed)
    before = Counter(estate.available())
    sold: Counter[str] = Counter()
    placed: list[tuple[Shop, str, str, int]] = []
    for _ in range(80):
        shop, sku, units = dice.choice(shops), dice.choice(estate.skus), dice.randint(2, 4)
        order = shop.do("order", lines=[{"sku": sku, "units": units}])
        placed.append((shop, str(order["id"]), sku, units))
        sold[sku] += units
    # The shop dates the states of an order in whole seconds.
    time.sleep(1.1)
    for number, (shop, order, sku, units) in enumerate(placed):
        if number % 5 == 0:
            shop.do("edit_order", order=order, lines=[{"sku": sku, "units": 1}])
            sold[sku] -= units - 1
        elif number % 5 == 1:
            shop.do("cancel_order", order=order, restock=True)
            sold[sku] -= units
        elif number % 5 == 2:
            shop.do("fulfil", order=order)
    for shop in shops:
        shop.do("clear_faults")
    estate.settles(60)

    assert estate.available() == {sku: before[sku] - sold[sku] for sku in estate.skus}
    assert set(estate.states()) == {"applied"}
    assert estate.book_is_whole()


def test_a_shop_that_does_not_answer_holds_up_only_itself(estate: Estate) -> None:
    north, south = estate.shops["north"], estate.shops["south"]
    sku = estate.skus[5]
    before = south.shown()[sku]
    north.do("fault", kind="server_error", status=503)
    try:
        south_sells = before - 2
        south.order(sku, 2)
        wait_for(lambda: estate.available()[sku] == south_sells, 10, estate.trouble)
        north_shows = north.shown()[sku]
    finally:
        north.do("clear_faults")
    estate.settles(60)

    assert north_shows == before
    assert north.shown()[sku] == south.shown()[sku] == before - 2


def test_no_log_of_a_house_at_work_holds_a_secret_or_a_buyer(estate: Estate) -> None:
    north = estate.shops["north"]
    for number, lines in enumerate(([], "strange", [{"id": "x", "sku": BUYER["name"]}])):
        order = {"id": 990 + number, "line_items": lines, "note": BUYER["note"], "customer": BUYER}
        body = json.dumps(order | {"email": BUYER["email"]}).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": "orders/create",
            "X-Shopify-Webhook-Id": f"buyer-{number}",
            "X-Shopify-Shop-Domain": north.running.facts.shop,
            "X-Shopify-Hmac-Sha256": signed(body, north.running.facts.webhook_secret),
        }
        url = f"{estate.stack.relay_url}/hooks/shopify"
        assert estate.session.post(url, data=body, headers=headers, timeout=10).status_code == 200
    pending = "SELECT count(*) FROM inbox WHERE state = 'pending'"
    wait_for(lambda: estate.one(pending) == 0, 20, estate.trouble)
    here = estate.stack.settings

    written = {log.name: log.read_text() for log in (estate.stack.home / "logs").glob("*.log")}

    hidden = {
        *BUYER.values(),
        here.relay_token.get_secret_value(),
        *(urlsplit(url).password or "" for url in (here.database_url, here.redis_url)),
        *(shop.running.facts.token for shop in estate.shops.values()),
        *(shop.running.facts.webhook_secret for shop in estate.shops.values()),
    } - {""}
    assert {"relay.log", "beat.log"} <= set(written)
    assert [(name, word) for name, text in written.items() for word in hidden if word in text] == []
