"""Webhook bodies carry the keys of the vendor's own examples, and values of the same kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.channels.simulators.shopdesk import Desk, Mailbox

EXAMPLES = Path(__file__).parents[1] / "shopify_bodies" / "docs_2026-04"

SAID = {
    "orders.create": "order",
    "orders.updated": "edit_order",
    "orders.edited": "edit_order",
    "orders.cancelled": "cancel_order",
    "orders.fulfilled": "fulfil",
    "refunds.create": "refund",
    "fulfillments.create": "fulfil",
    "products.update": "policy",
    "inventory_levels.disconnect": "deactivate",
    "bulk_operations.finish": "bulk",
}

NOT_TOLD = {"attributed_staffs"}
"""Keys only some of the vendor's examples have."""


def provoke(desk: Desk, act: str) -> None:
    """Do what makes the vendor tell."""
    order = desk.do("order", lines=[{"sku": "SKU-1", "units": 3}])["id"]
    variant = desk.shop.variant("SKU-1")
    if act == "edit_order":
        desk.do("edit_order", order=order, lines=[{"sku": "SKU-1", "units": 1}])
    elif act == "cancel_order":
        desk.do("cancel_order", order=order, restock=True)
    elif act == "fulfil":
        desk.do("fulfil", order=order)
    elif act == "refund":
        lines = [{"sku": "SKU-1", "units": 1, "restock_type": "cancel"}]
        desk.do("refund", order=order, lines=lines)
    elif act == "policy":
        rows = [{"id": variant.gid, "inventoryPolicy": "CONTINUE"}]
        desk.call("halt_policy", productId=variant.product.gid, variants=rows)
    elif act == "deactivate":
        desk.call("activate", item=variant.item.gid, loc=desk.place("Second"), key="a")
        text = "mutation D($id: ID!) { inventoryDeactivate(inventoryLevelId: $id) { userErrors { message } } }"
        desk.call(text, id=desk.level("SKU-1", "Second"))
    elif act == "bulk":
        desk.call("bulk")
        desk.clock.advance(3)


def shape(body: dict[str, Any], within: str) -> set[str]:
    """Keys of a body, and of the first element of each list in it, as dotted paths."""
    found: set[str] = set()
    for key, value in body.items():
        found.add(f"{within}{key}")
        if isinstance(value, list) and value and isinstance(value[0], dict):
            found |= shape(value[0], f"{within}{key}[].")
    return found


@pytest.mark.parametrize("example", SAID)
def test_a_body_has_the_keys_of_the_vendors_example(desk: Desk, box: Mailbox, example: str) -> None:
    theirs = json.loads((EXAMPLES / f"{example}.json").read_text())
    topic = example.replace(".", "_").upper()
    desk.call("webhook", topic=topic, sub={"uri": box.url, "format": "JSON"})

    provoke(desk, SAID[example])
    box.wait_for(1)

    ours = json.loads(box.received[-1][1])
    filled = {key for key in shape(ours, "") if "[]." not in key}
    assert {key for key in theirs if key not in NOT_TOLD} <= filled
    lists = {path.split("[].")[0] for path in shape(ours, "") if "[]." in path}
    missing = {
        path
        for path in shape(theirs, "")
        if "[]." in path
        and path.split("[].")[0] in lists
        and not any(name in path for name in NOT_TOLD)
    } - shape(ours, "")
    assert missing == set()


@pytest.mark.parametrize("example", ["orders.create", "refunds.create"])
def test_the_values_are_of_the_examples_kind(desk: Desk, box: Mailbox, example: str) -> None:
    theirs = json.loads((EXAMPLES / f"{example}.json").read_text())
    desk.call(
        "webhook", topic=example.replace(".", "_").upper(), sub={"uri": box.url, "format": "JSON"}
    )

    provoke(desk, SAID[example])
    box.wait_for(1)

    ours = json.loads(box.received[-1][1])
    wrong = {
        key: (value, theirs[key])
        for key, value in ours.items()
        if key in theirs
        and value is not None
        and theirs[key] is not None
        and type(value) is not type(theirs[key])
    }
    assert wrong == {}
