"""Search, cursors, and what reads show of levels."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channels.simulators.shopdesk import Desk

SEARCH = "query Q($q: String) { inventoryItems(first: 50, query: $q) { nodes { sku } } }"


def skus(answer: dict[str, Any]) -> list[str]:
    return [node["sku"] for node in answer["data"]["inventoryItems"]["nodes"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sku:SKU-1", ["SKU-1"]),
        ("sku:sku-*", ["SKU-1", "SKU-2", "SKU-3"]),
        ("sku:SKU-1 OR sku:SKU-3", ["SKU-1", "SKU-3"]),
        ("sku:SKU-* AND NOT sku:SKU-2", ["SKU-1", "SKU-3"]),
        ("sku:SKU-* -sku:SKU-2", ["SKU-1", "SKU-3"]),
        ("(sku:SKU-1 OR sku:SKU-2) sku:'SKU-2'", ["SKU-2"]),
        ("created_at:>2026-07-01T14:00:00Z", []),
        ("created_at:>='2026-07-01T14:00:00Z'", ["SKU-1", "SKU-2", "SKU-3"]),
        ("created_at:<'2026-07-01T10:00:01-04:00'", ["SKU-1", "SKU-2", "SKU-3"]),
    ],
)
def test_a_search_finds_what_it_says(desk: Desk, query: str, found: list[str]) -> None:
    assert skus(desk.call(SEARCH, q=query)) == found


def test_an_unknown_search_field_is_ignored_with_a_warning(desk: Desk) -> None:
    answer = desk.call(SEARCH, q="flavour:sweet")

    assert len(skus(answer)) == 3
    (warned,) = answer["extensions"]["search"]
    assert warned["warnings"][0]["field"] == "flavour"


def test_a_search_for_no_time_is_refused(desk: Desk) -> None:
    answer = desk.call(SEARCH, q="updated_at:>yesterday")

    assert answer["errors"][0]["message"] == "Invalid timestamp for query filter `updated_at`."


@pytest.mark.parametrize(
    ("window", "text"),
    [
        ("", "you must provide one of first or last"),
        ("(first: 1, last: 1)", "providing both first and last is not supported"),
    ],
)
def test_a_connection_wants_one_window(desk: Desk, window: str, text: str) -> None:
    answer = desk.call(f"{{ orders{window} {{ nodes {{ id }} }} }}")

    assert answer["errors"][0]["message"] == text
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_pages_join_up_forwards_and_backwards(desk: Desk) -> None:
    for number in range(7):
        desk.stock(f"P-{number}", Main=1)
    forward = """query F($after: String, $r: Boolean) { productVariants(first: 3, after: $after, reverse: $r) {
      nodes { sku } pageInfo { hasNextPage endCursor } } }"""

    def walk(reverse: bool) -> list[str]:
        seen: list[str] = []
        after = None
        while True:
            page = desk.call(forward, after=after, r=reverse)["data"]["productVariants"]
            seen += [node["sku"] for node in page["nodes"]]
            if not page["pageInfo"]["hasNextPage"]:
                return seen
            after = page["pageInfo"]["endCursor"]

    assert len(set(walk(False))) == 10
    assert walk(True) == walk(False)[::-1]


def test_levels_changed_since_a_moment_are_found_at_their_location(desk: Desk) -> None:
    desk.clock.advance(60)
    since = desk.clock.now().isoformat()
    desk.set(desk.row("SKU-2", 3))

    answer = desk.call("readback_location", id=desk.place(), q=f"updated_at:>='{since}'")

    nodes = answer["data"]["location"]["inventoryLevels"]["nodes"]
    assert [node["item"]["sku"] for node in nodes] == ["SKU-2"]


def test_a_silent_drift_moves_the_stamp_too(desk: Desk) -> None:
    desk.clock.advance(60)

    desk.do("drift", sku="SKU-1", location="Main", units=-2)

    level = desk.shop.level("SKU-1", "Main")
    assert level.updated_at == desk.clock.now()
    assert desk.units("SKU-1") == (8, 0, 8)


def test_quantities_come_in_the_vendors_order_with_stamps_of_their_own(desk: Desk) -> None:
    desk.clock.advance(5)
    desk.do("order", lines=[{"sku": "SKU-1", "units": 1}])

    answer = desk.call("readback_item", id=desk.item("SKU-1"), loc=desk.place())

    level = answer["data"]["inventoryItem"]["inventoryLevel"]
    stamps = {q["name"]: q["updatedAt"] for q in level["quantities"]}
    assert list(stamps)[-1] == "on_hand"
    assert stamps["available"] == stamps["committed"] == "2026-07-01T14:00:05Z"
    assert stamps["on_hand"] is None
    assert stamps["damaged"] is None


def test_nodes_of_many_kinds_and_of_nothing(desk: Desk) -> None:
    text = "query N($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    ids = [desk.item("SKU-1"), desk.place(), "gid://shopify/Order/1", desk.level("SKU-1")]

    nodes = desk.call(text, ids=ids)["data"]["nodes"]

    kinds = [node and node["__typename"] for node in nodes]
    assert kinds == ["InventoryItem", "Location", None, "InventoryLevel"]


def test_more_than_two_hundred_and_fifty_ids_are_refused(desk: Desk) -> None:
    answer = desk.call("readback_nodes", ids=[desk.level("SKU-1")] * 251)

    assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"


def test_the_parts_of_an_order_are_found_by_their_own_ids(desk: Desk) -> None:
    order = desk.do("order", lines=[{"sku": "SKU-1", "units": 2}], location="Main")["id"]
    desk.do("fulfil", order=order, lines=[{"sku": "SKU-1", "units": 1}])
    desk.do("refund", order=order, lines=[{"sku": "SKU-1", "units": 1, "restock_type": "cancel"}])
    known = desk.shop.orders[int(order.rpartition("/")[2])]
    parts: list[Any] = [
        *known.lines,
        *known.fulfillment_orders,
        *known.fulfillments,
        *known.refunds,
    ]

    answer = desk.call(
        "query Q($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }",
        ids=[part.gid for part in parts] + ["gid://shopify/Refund/1"],
    )

    found = [(node["__typename"], node["id"]) for node in answer["data"]["nodes"] if node]
    assert found == [(part.TYPE, part.gid) for part in parts]
    assert answer["data"]["nodes"][-1] is None
    assert len({kind for kind, _ in found}) == 4
