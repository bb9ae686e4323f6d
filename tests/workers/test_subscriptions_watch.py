"""Once an hour: is the shop still calling us, and does it still have the locations we think it has?"""

from __future__ import annotations

import pytest

from channels.base import Unauthorised, Unavailable
from tests.channels.shopify_rig import CHANNEL, ShopifyRig
from tests.servers import Clock, Database
from tests.workers.shopify_house import TOPICS, ShopHouse, a_shop_house
from tests.workers.test_orders_poll import Told
from workers.flows import mapping
from workers.flows.sweep import sweep

URI = "https://hooks.example.com/hooks/shopify"


@pytest.fixture
def house(rig: ShopifyRig, database: Database) -> ShopHouse:
    return a_shop_house(rig, database, stocked=False)


def subscribed(house: ShopHouse) -> set[str]:
    return {each.topic for each in house.rig.channel.subscriptions()}


def lose(house: ShopHouse, *topics: str) -> None:
    """The shop drops subscriptions, as it does after eight failed deliveries."""
    simulator = house.rig._running.simulator
    with simulator.shop.lock:
        held = simulator.shop.subscriptions
        for number in [n for n, each in held.items() if each.topic in topics]:
            del held[number]


def subscribe(house: ShopHouse) -> None:
    mapping.subscribe(house.database.engine, house.rig.channel, channel=CHANNEL, uri=URI)


def trail(house: ShopHouse) -> list[tuple[str, str]]:
    return [
        (action, reason)
        for action, reason in house.rows("SELECT action, reason FROM audit ORDER BY id")
    ]


def test_nothing_is_subscribed_before_anybody_gave_an_address(house: ShopHouse) -> None:
    assert house.watch().state == "done"
    assert subscribed(house) == set()


def test_the_address_is_remembered_and_what_was_dropped_is_subscribed_again(
    house: ShopHouse,
) -> None:
    subscribe(house)
    lose(house, "orders/create", "refunds/create")

    report = house.watch()

    assert report.repaired == ("orders/create", "refunds/create")
    assert subscribed(house) == TOPICS
    assert trail(house) == [
        (
            "channel.subscribe",
            f"the vendor had dropped orders/create, refunds/create to {URI}",
        )
    ]


def test_orders_are_asked_for_after_a_repair(house: ShopHouse) -> None:
    subscribe(house)
    lose(house, "orders/create")

    house.watch()

    assert sweep(house.database.engine, now=house.rig.now()).asked == (CHANNEL,)


def test_all_there_is_left_alone(house: ShopHouse) -> None:
    subscribe(house)

    assert house.watch().repaired == ()
    assert trail(house) == []
    assert sweep(house.database.engine, now=house.rig.now()).asked == ()


def test_a_subscription_to_another_address_is_not_ours(house: ShopHouse) -> None:
    house.rig.channel.subscribe(["orders/create"], "https://elsewhere.example.com")
    subscribe(house)
    lose(house, "orders/create")

    assert house.watch().repaired == ("orders/create",)


def test_an_hour_is_watched_once(house: ShopHouse) -> None:
    assert house.watch().state == "done"
    assert house.watch().state == "skipped"


def test_a_new_location_and_a_closed_one_are_told_once(house: ShopHouse) -> None:
    house.rig.do("location", name="Corner", pickup=True)
    house.rig.do("location_active", location="Bergen", active=False)

    first = house.watch()
    house.rig.advance(3600)
    again = house.watch()

    new, closed = first.problems
    assert "'Corner'" in new
    assert "vendor_locations" in new
    assert closed.startswith("BERGEN is location")
    assert "has closed" in closed
    assert again.problems == first.problems
    assert [action for action, _ in trail(house)] == ["channel.locations"]


def test_a_problem_that_is_put_right_is_told_too(house: ShopHouse) -> None:
    house.rig.do("location_active", location="Bergen", active=False)
    house.watch()
    house.rig.do("location_active", location="Bergen", active=True)
    house.rig.advance(3600)

    house.watch()

    assert [(action, bool(reason)) for action, reason in trail(house)] == [
        ("channel.locations", True),
        ("channel.locations", False),
    ]


class Sick(Told):
    """A channel that does not tell its subscriptions."""

    def subscriptions(self) -> list[object]:  # type: ignore[override]  # it only fails
        assert self.error is not None
        raise self.error


def test_a_shop_that_does_not_answer_is_watched_again_within_the_hour(
    house: ShopHouse, clock: Clock
) -> None:
    subscribe(house)

    report = house.watch(client=Sick(clock, error=Unavailable("away")))

    assert report.state == "later"
    house.rig.advance(30)
    assert house.watch().state == "done"


def test_a_shop_that_knows_us_no_more_is_paused(house: ShopHouse, clock: Clock) -> None:
    subscribe(house)

    report = house.watch(client=Sick(clock, error=Unauthorised("unknown token")))

    assert report.state == "failed"
    assert house.rows("SELECT paused_by, paused_why FROM channel") == [
        ("watch", "unauthorised: unknown token")
    ]
