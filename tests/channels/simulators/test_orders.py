"""What orders do to stock, as the API and the webhooks show it."""

from __future__ import annotations

from typing import Any

import pytest

from channels.simulators.shopify.shop import Refused, Unknown
from tests.channels.simulators.shopdesk import Desk


def place(desk: Desk, sku: str = "SKU-1", units: int = 4, **facts: Any) -> dict[str, Any]:
    order: dict[str, Any] = desk.do("order", lines=[{"sku": sku, "units": units}], **facts)
    return order


def test_an_order_commits_units_and_leaves_on_hand(desk: Desk) -> None:
    place(desk)

    assert desk.units("SKU-1") == (6, 4, 10)


def test_shipping_takes_committed_units_off_the_shelf(desk: Desk) -> None:
    order = place(desk)

    desk.do("fulfil", order=order["id"], lines=[{"sku": "SKU-1", "units": 3}])

    assert desk.units("SKU-1") == (6, 1, 7)


def test_more_than_was_ordered_cannot_be_shipped(desk: Desk) -> None:
    order = place(desk)

    with pytest.raises(Refused):
        desk.do("fulfil", order=order["id"], lines=[{"sku": "SKU-1", "units": 5}])


@pytest.mark.parametrize(("restock", "units"), [(True, (10, 0, 10)), (False, (6, 0, 6))])
def test_a_cancel_gives_units_back_only_when_asked(
    desk: Desk, restock: bool, units: tuple[int, int, int]
) -> None:
    order = place(desk)

    desk.do("cancel_order", order=order["id"], restock=restock)

    assert desk.units("SKU-1") == units


def test_a_shipped_order_cannot_be_cancelled(desk: Desk) -> None:
    order = place(desk)
    desk.do("fulfil", order=order["id"])

    with pytest.raises(Refused, match="outstanding fulfillments"):
        desk.do("cancel_order", order=order["id"], restock=True)


REFUNDS = [
    ("cancel", False, (8, 2, 10)),
    ("no_restock", False, (6, 2, 8)),
    ("return", True, (8, 0, 8)),
    ("no_restock", True, (6, 0, 6)),
]


@pytest.mark.parametrize(("kind", "shipped", "units"), REFUNDS)
def test_a_refund_moves_stock_by_its_restock_type(
    desk: Desk, kind: str, shipped: bool, units: tuple[int, int, int]
) -> None:
    order = place(desk)
    if shipped:
        desk.do("fulfil", order=order["id"])

    desk.do("refund", order=order["id"], lines=[{"sku": "SKU-1", "units": 2, "restock_type": kind}])

    assert desk.units("SKU-1") == units
    assert desk.do("show_order", order=order["id"])["line_items"][0]["current_quantity"] == 2


def test_a_return_may_come_back_at_another_location(desk: Desk) -> None:
    order = place(desk)
    desk.do("fulfil", order=order["id"])
    line = {"sku": "SKU-1", "units": 1, "restock_type": "return", "location": "Second"}

    desk.do("refund", order=order["id"], lines=[line])

    assert desk.units("SKU-1", "Second") == (1, 0, 1)


@pytest.mark.parametrize(
    ("kind", "shipped", "units"),
    [("cancel", True, 1), ("return", False, 1), ("no_restock", False, 5)],
)
def test_a_refund_that_cannot_be_is_refused(
    desk: Desk, kind: str, shipped: bool, units: int
) -> None:
    order = place(desk)
    if shipped:
        desk.do("fulfil", order=order["id"])

    line = {"sku": "SKU-1", "units": units, "restock_type": kind}
    with pytest.raises(Refused):
        desk.do("refund", order=order["id"], lines=[line])


def test_an_edit_adds_removes_and_opens_lines(desk: Desk) -> None:
    order = place(desk)

    lines = [{"sku": "SKU-1", "units": 1}, {"sku": "SKU-2", "units": 2}]
    edited = desk.do("edit_order", order=order["id"], lines=lines)

    assert [line["current"] for line in edited["lines"]] == [1, 2]
    assert edited["lines"][0]["units"] == 4, "the ordered quantity stays as it was"
    assert desk.units("SKU-1") == (9, 1, 10)
    assert desk.units("SKU-2") == (8, 2, 10)


def test_an_edit_that_cannot_be_changes_nothing(desk: Desk) -> None:
    order = place(desk)

    lines = [{"sku": "SKU-1", "units": 6}, {"sku": "SKU-2", "units": 99}]
    with pytest.raises(Refused):
        desk.do("edit_order", order=order["id"], lines=lines)

    assert desk.units("SKU-1") == (6, 4, 10)


def test_deny_refuses_more_than_is_available_over_all_lines(desk: Desk) -> None:
    with pytest.raises(Refused, match="11 wanted, 10 available"):
        desk.do("order", lines=[{"sku": "SKU-1", "units": 6}, {"sku": "SKU-1", "units": 5}])

    assert desk.units("SKU-1") == (10, 0, 10)


def test_continue_sells_below_zero(desk: Desk) -> None:
    desk.stock("MORE", policy="CONTINUE", Main=1)

    place(desk, "MORE", 4)

    assert desk.units("MORE") == (-3, 4, 1)


def test_an_untracked_item_sells_without_end_and_keeps_its_numbers(desk: Desk) -> None:
    place(desk, "SKU-3", 50)

    assert desk.units("SKU-3") == (10, 0, 10)


def test_a_line_no_place_can_serve_alone_is_split(desk: Desk) -> None:
    desk.stock("SPREAD", Main=3, Second=3)

    order = place(desk, "SPREAD", 5)

    assert desk.units("SPREAD", "Main") == (0, 3, 3)
    assert desk.units("SPREAD", "Second") == (1, 2, 3)
    text = """query O($id: ID!) { order(id: $id) { fulfillmentOrders(first: 5) { nodes { status
      assignedLocation { location { name } } lineItems(first: 5) { nodes { remainingQuantity } } } } } }"""
    works = desk.call(text, id=order["id"])["data"]["order"]["fulfillmentOrders"]["nodes"]
    assert [w["assignedLocation"]["location"]["name"] for w in works] == ["Main", "Second"]
    assert [w["lineItems"]["nodes"][0]["remainingQuantity"] for w in works] == [3, 2]


def test_a_sale_at_the_counter_comes_off_that_location(desk: Desk) -> None:
    desk.stock("SHOP", Main=9, Second=2)

    place(desk, "SHOP", 2, location="Second", source="pos")

    assert desk.units("SHOP", "Second") == (0, 2, 2)
    with pytest.raises(Refused):
        place(desk, "SHOP", 1, location="Second", source="pos")


def test_an_unknown_sku_or_order_is_named(desk: Desk) -> None:
    with pytest.raises(Unknown, match="NOPE"):
        place(desk, "NOPE")
    with pytest.raises(Unknown, match="#9"):
        desk.do("cancel_order", order="#9", restock=True)


def test_orders_are_found_by_when_they_changed_and_paged_in_that_order(desk: Desk) -> None:
    names = []
    for _ in range(5):
        names.append(place(desk, units=1)["name"])
        desk.clock.advance(10)
    since = desk.clock.now()
    desk.do("cancel_order", order=names[1], restock=True)
    text = """query Q($q: String!, $after: String) { orders(first: 2, after: $after, query: $q, sortKey: UPDATED_AT)
      { nodes { name } pageInfo { hasNextPage endCursor } } }"""

    seen: list[str] = []
    after = None
    while True:
        page = desk.call(text, q="updated_at:>='2026-07-01T14:00:00Z'", after=after)["data"][
            "orders"
        ]
        seen += [node["name"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    changed = desk.call("orders_since", q=f"updated_at:>='{since.isoformat()}'")["data"]["orders"]

    assert seen == [names[0], names[2], names[3], names[4], names[1]]
    assert [node["name"] for node in changed["nodes"]] == [names[1]]
    assert (
        changed["nodes"][0]["refunds"][0]["refundLineItems"]["nodes"][0]["restockType"] == "CANCEL"
    )


def test_the_app_may_cancel_refund_and_ship_as_well(desk: Desk) -> None:
    order = place(desk)
    read = """query O($id: ID!) { order(id: $id) { lineItems(first: 1) { nodes { id } }
      fulfillmentOrders(first: 1) { nodes { id } } } }"""
    found = desk.call(read, id=order["id"])["data"]["order"]
    work = found["fulfillmentOrders"]["nodes"][0]["id"]
    line = found["lineItems"]["nodes"][0]["id"]
    ship = """mutation F($f: FulfillmentInput!) { fulfillmentCreate(fulfillment: $f) {
      fulfillment { status totalQuantity } userErrors { message } } }"""
    refund = """mutation R($i: RefundInput!) { refundCreate(input: $i) @idempotent(key: "r") {
      refund { id } userErrors { message } } }"""

    shipped = desk.call(ship, f={"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": work}]})
    back = {"lineItemId": line, "quantity": 1, "restockType": "RETURN", "locationId": desk.place()}
    refunded = desk.call(refund, i={"orderId": order["id"], "refundLineItems": [back]})

    assert shipped["data"]["fulfillmentCreate"]["fulfillment"]["totalQuantity"] == 4
    assert refunded["data"]["refundCreate"]["userErrors"] == []
    assert desk.units("SKU-1") == (7, 0, 7)


def test_stopping_a_sale_by_policy_and_by_publication(desk: Desk) -> None:
    desk.stock("STOP", policy="CONTINUE", Main=0)
    variant = desk.shop.variant("STOP")
    publication = next(iter(desk.shop.publications.values())).gid

    rows = [{"id": variant.gid, "inventoryPolicy": "DENY"}]
    desk.call("halt_policy", productId=variant.product.gid, variants=rows)
    answer = desk.call(
        "halt_unpublish", id=variant.product.gid, input=[{"publicationId": publication}]
    )

    with pytest.raises(Refused):
        place(desk, "STOP", 1)
    shown = answer["data"]["publishableUnpublish"]["publishable"]
    assert shown == {"availablePublicationsCount": {"count": 1}}
