"""Holding an order in a Shopify shop: once however often it is asked for, and let go again."""

from __future__ import annotations

from typing import Any

import pytest

from channels.base import Refused, Unauthorised
from tests.channels.shopify_rig import ShopifyRig

KEY = "lockstep-case-1"
NOTE = "1 of SKU-A sold and not there"


def line_of(rig: ShopifyRig, order: str, sku: str = "SKU-A") -> str:
    lines = rig.do("show_order", order=f"gid://shopify/Order/{order}")["line_items"]
    return str(next(line["id"] for line in lines if line["sku"] == sku))


def ships(rig: ShopifyRig, order: str) -> bool:
    rig.attempt(f"gid://shopify/Order/{order}", "fulfil", "SKU-A", 1)
    return rig.unfulfilled(f"gid://shopify/Order/{order}")["SKU-A"] == 0


def held(rig: ShopifyRig, order: str, line: str, **more: Any) -> dict[str, str]:
    asked = {"key": KEY, "note": NOTE} | more
    return dict(rig.channel.hold_order(order, line, **asked))


def test_what_is_held_is_not_shipped_until_it_is_let_go(rig: ShopifyRig) -> None:
    order = rig.order("SKU-A", 1)

    found = held(rig, order, line_of(rig, order))
    stays = not ships(rig, order)
    rig.channel.release_order(order, key=KEY)

    assert [each.split("/")[3] for pair in found.items() for each in pair] == [
        "FulfillmentHold", "FulfillmentOrder",
    ]  # fmt: skip
    assert stays
    assert ships(rig, order)


def test_a_hold_that_is_asked_for_twice_is_there_once(rig: ShopifyRig) -> None:
    order = rig.order("SKU-A", 1)
    line = line_of(rig, order)

    first, second = held(rig, order, line), held(rig, order, line)

    assert first == second
    assert len(first) == 1


def test_a_hold_of_another_key_stays_when_ours_is_let_go(rig: ShopifyRig) -> None:
    order = rig.order("SKU-A", 1)
    line = line_of(rig, order)
    held(rig, order, line)
    held(rig, order, line, key="another")

    rig.channel.release_order(order, key=KEY)
    rig.channel.release_order(order, key=KEY)

    assert not ships(rig, order)


def test_only_what_ships_the_line_is_held(rig: ShopifyRig) -> None:
    lines = [{"sku": "SKU-A", "units": 10}, {"sku": "SKU-B", "units": 15}]
    placed = rig.do("order", lines=lines)
    order = placed["id"].rpartition("/")[2]

    held(rig, order, line_of(rig, order, "SKU-A"))
    rig.attempt(placed["id"], "fulfil", "SKU-B", 15)

    left = rig.unfulfilled(placed["id"])
    assert left == {"SKU-A": 10, "SKU-B": 0}


@pytest.mark.parametrize("verb", ["fulfil", "cancel_order"])
def test_what_has_left_or_was_cancelled_cannot_be_held(rig: ShopifyRig, verb: str) -> None:
    order = rig.order("SKU-A", 1)
    line = line_of(rig, order)
    rig.attempt(f"gid://shopify/Order/{order}", verb, "SKU-A", 1)

    with pytest.raises(Refused, match="call the warehouse"):
        held(rig, order, line)


def test_an_order_nobody_knows_cannot_be_held(rig: ShopifyRig) -> None:
    with pytest.raises(Refused, match="there is no order 1 "):
        held(rig, "1", "1")


def test_who_may_not_hold_is_told_so(rig: ShopifyRig) -> None:
    order = rig.order("SKU-A", 1)

    with pytest.raises(Unauthorised):
        rig.stranger().hold_order(order, line_of(rig, order), key=KEY, note=NOTE)
