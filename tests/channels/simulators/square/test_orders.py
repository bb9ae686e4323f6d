"""Orders: till sales, pickups, cancels, returns; what they do to stock, and how they are found."""

from __future__ import annotations

from typing import Any

import pytest

from channels.simulators.square.merchant import Refused
from tests.channels.simulators.square.till import Answer, Till

ONE = [{"sku": "SKU-1", "units": 1}]


def sell(till: Till, units: int = 1, sku: str = "SKU-1", place: str = "Main", **more: Any) -> str:
    lines = [{"sku": sku, "units": units}]
    return str(till.do("sale", location=place, lines=lines, **more)["id"])


def pick_up(till: Till, units: int = 1, **more: Any) -> str:
    lines = [{"sku": "SKU-1", "units": units}]
    return str(till.do("pickup", location="Main", lines=lines, **more)["id"])


def shown(till: Till, id: str) -> dict[str, Any]:
    order: dict[str, Any] = till.call("GET", f"/v2/orders/{id}").body["order"]
    return order


def search(till: Till, query: dict[str, Any] | None = None, **more: Any) -> Answer:
    asked = {"location_ids": [till.place("Main"), till.place("Second")], **more}
    return till.call("POST", "/v2/orders/search", {**asked, **({"query": query} if query else {})})


def ids(answer: Answer) -> list[str]:
    return [order["id"] for order in answer.body["orders"]]


def test_a_till_sale_is_complete_and_takes_its_stock(till: Till) -> None:
    order = shown(till, sell(till, 3))

    assert (order["state"], order["source"]["name"]) == ("COMPLETED", "Square Point of Sale")
    (line,) = order["line_items"]
    assert (line["quantity"], line["catalog_object_id"]) == ("3", till.variation("SKU-1"))
    assert order["total_money"]["amount"] == 3000
    assert "version" not in order, "an order that was not made through the API has none"
    assert till.units("SKU-1") == "7"


def test_a_till_sells_below_zero(till: Till) -> None:
    sell(till, 12)

    assert till.units("SKU-1") == "-2"


def test_an_untracked_variation_is_sold_without_a_trace(till: Till) -> None:
    sell(till, 2, "SKU-3")

    assert till.units("SKU-3") is None
    assert till.history("SKU-3") == []


def test_a_sale_of_an_offline_till_comes_late_with_its_own_time(till: Till) -> None:
    till.clock.advance(7200)

    order = shown(till, sell(till, 1, ago_s=3600))

    assert order["created_at"] == "2026-08-20T15:00:00.000Z"
    assert order["updated_at"] == "2026-08-20T16:00:00.000Z"
    sold = till.history("SKU-1")[-1]["adjustment"]
    assert (sold["occurred_at"], sold["created_at"]) == (order["created_at"], order["updated_at"])


def test_a_pickup_keeps_its_stock_until_it_is_handed_over(till: Till) -> None:
    id = pick_up(till, 2)
    placed = shown(till, id)
    states = []
    for state in ("RESERVED", "PREPARED", "COMPLETED"):
        till.clock.advance(60)
        states.append((till.units("SKU-1"), till.do("fulfil", order=id, state=state)["state"]))

    done = shown(till, id)

    assert (placed["state"], placed["version"]) == ("OPEN", 1)
    assert placed["fulfillments"][0]["state"] == "PROPOSED"
    assert states == [("10", "OPEN"), ("10", "OPEN"), ("10", "COMPLETED")]
    assert till.units("SKU-1") == "8"
    assert done["version"] == 4
    details = done["fulfillments"][0]["pickup_details"]
    assert details["ready_at"] < details["picked_up_at"] == done["closed_at"]


def test_an_online_order_of_what_is_sold_out_is_refused(till: Till) -> None:
    with pytest.raises(Refused, match="sold out"):
        pick_up(till, 11)

    assert shown(till, pick_up(till, 11, oversell=True))["state"] == "OPEN"


def test_a_canceled_pickup_leaves_stock_alone(till: Till) -> None:
    id = pick_up(till, 2)

    till.do("cancel_order", order=id)

    order = shown(till, id)
    assert (order["state"], order["fulfillments"][0]["state"]) == ("CANCELED", "CANCELED")
    assert till.units("SKU-1") == "10"


@pytest.mark.parametrize(
    ("verb", "facts", "part"),
    [
        ("cancel_order", {}, "is COMPLETED"),
        ("fulfil", {"state": "PREPARED"}, "no fulfillment"),
        ("give_back", {"lines": [{"sku": "SKU-1", "units": 3}], "restock": True}, "cannot come"),
        ("give_back", {"lines": [{"sku": "SKU-2", "units": 1}], "restock": True}, "no line"),
        ("refund", {"amount": 2001}, "2000 cents left"),
    ],
)
def test_what_a_sale_does_not_do(till: Till, verb: str, facts: dict[str, Any], part: str) -> None:
    id = sell(till, 2)

    with pytest.raises(Refused, match=part):
        till.do(verb, order=id, **facts)


def test_a_pickup_does_not_go_back(till: Till) -> None:
    id = pick_up(till)
    till.do("fulfil", order=id, state="PREPARED")

    with pytest.raises(Refused, match="from PREPARED to RESERVED"):
        till.do("fulfil", order=id, state="RESERVED")


@pytest.mark.parametrize(
    ("restock", "in_stock", "returned"), [(True, "9", None), (False, "8", "1")]
)
def test_a_return_is_an_order_of_its_own(
    till: Till, restock: bool, in_stock: str, returned: str | None
) -> None:
    sale = sell(till, 2)

    back = till.do("give_back", order=sale, lines=ONE, restock=restock)["id"]

    order = shown(till, back)
    (returns,) = order["returns"]
    assert returns["source_order_id"] == sale
    (line,) = returns["return_line_items"]
    assert line["source_line_item_uid"] == shown(till, sale)["line_items"][0]["uid"]
    assert "line_items" not in order
    assert till.units("SKU-1") == in_stock
    assert till.units("SKU-1", state="RETURNED_BY_CUSTOMER") == returned
    (refund,) = till.call("GET", "/v2/refunds").body["refunds"]
    assert (refund["order_id"], refund["status"], refund["amount_money"]["amount"]) == (
        back,
        "COMPLETED",
        1000,
    )
    assert till.call("GET", f"/v2/refunds/{refund['id']}").body["refund"] == refund


def test_goods_come_back_to_another_shop(till: Till) -> None:
    sale = sell(till, 2)

    till.do("give_back", order=sale, lines=ONE, restock=True, location="Second")

    assert (till.units("SKU-1"), till.units("SKU-1", "Second")) == ("8", "1")


def test_a_return_without_a_receipt_brings_stock(till: Till) -> None:
    id = till.do("give_back_unlinked", location="Main", lines=ONE)["id"]

    assert "source_order_id" not in shown(till, id)["returns"][0]
    assert till.units("SKU-1") == "11"
    assert till.history("SKU-1")[-1]["adjustment"]["from_state"] == "UNLINKED_RETURN"


def test_money_goes_back_without_goods(till: Till) -> None:
    id = sell(till, 2)

    till.do("refund", order=id, amount=500)

    order = shown(till, id)
    assert [refund["amount_money"]["amount"] for refund in order["refunds"]] == [500]
    assert "returns" not in order
    assert till.units("SKU-1") == "8"


# -- finding ----------------------------------------------------------------------------------------------------------


def updated(start: str, order: str = "ASC", **more: Any) -> dict[str, Any]:
    times = {"updated_at": {"start_at": start, **more}}
    sort = {"sort_field": "UPDATED_AT", "sort_order": order}
    return {"filter": {"date_time_filter": times}, "sort": sort}


def test_orders_are_searched_by_what_was_updated_since(till: Till) -> None:
    first = pick_up(till)
    till.clock.advance(60)
    second = sell(till)
    till.clock.advance(60)
    till.do("fulfil", order=first, state="RESERVED")

    since_second = search(till, updated("2026-08-20T14:01:00Z"))
    until_second = search(till, updated("2026-08-20T14:00:00Z", end_at="2026-08-20T14:01:00Z"))

    assert ids(since_second) == [second, first]
    assert ids(until_second) == [second]


def test_a_search_is_paged_by_cursor(till: Till) -> None:
    placed = []
    for _ in range(5):
        placed.append(sell(till))
        till.clock.advance(1)
    query = updated("2026-08-20T14:00:00Z")

    pages, cursor = [], None
    while True:
        answer = search(till, query, limit=2, **({"cursor": cursor} if cursor else {}))
        pages.append(ids(answer))
        cursor = answer.body.get("cursor")
        if cursor is None:
            break

    assert pages == [placed[:2], placed[2:4], placed[4:]]


def test_entries_are_short_and_newest_first(till: Till) -> None:
    first = pick_up(till)
    till.clock.advance(1)
    second = sell(till)

    entries = search(till, return_entries=True).body["order_entries"]

    assert entries == [
        {"order_id": second, "location_id": till.place()},
        {"order_id": first, "location_id": till.place(), "version": 1},
    ]


def test_a_search_filters_by_place_state_source_and_fulfillment(till: Till) -> None:
    there = sell(till, place="Second")
    pickup = pick_up(till)

    def by(**filter: Any) -> list[str]:
        return ids(search(till, {"filter": filter}))

    assert ids(search(till, location_ids=[till.place("Second")])) == [there]
    assert by(state_filter={"states": ["OPEN"]}) == [pickup]
    assert by(source_filter={"source_names": ["Square Point of Sale"]}) == [there]
    assert by(fulfillment_filter={"fulfillment_types": ["PICKUP"]}) == [pickup]
    assert by(fulfillment_filter={"fulfillment_states": ["COMPLETED"]}) == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"location_ids": []}, "MISSING_REQUIRED_PARAMETER"),
        ({"location_ids": ["L"] * 11}, "ARRAY_LENGTH_TOO_LONG"),
        ({"limit": 1001}, "INVALID_VALUE"),
        ({"query": {"filter": updated("2026-08-20T14:00:00Z")["filter"]}}, "INVALID_VALUE"),
        ({"query": {"sort": {"sort_field": "CLOSED_AT"}}}, "INVALID_VALUE"),
        ({"query": {"sort": {"sort_order": "ASC"}}}, "MISSING_REQUIRED_PARAMETER"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(
    till: Till, more: dict[str, Any], code: str
) -> None:
    sell(till)

    assert search(till, **more).codes == [code]


def test_orders_are_fetched_by_their_ids(till: Till) -> None:
    first, second = sell(till), sell(till)

    answer = till.call("POST", "/v2/orders/batch-retrieve", {"order_ids": [second, "X", first]})

    assert ids(answer) == [second, first]
    assert till.call("GET", "/v2/orders/X").codes == ["NOT_FOUND"]


# -- updating ---------------------------------------------------------------------------------------------------------


def update(till: Till, id: str, **sparse: Any) -> Answer:
    return till.call("PUT", f"/v2/orders/{id}", {"order": sparse})


def test_an_app_moves_a_pickup_on_with_the_present_version(till: Till) -> None:
    id = pick_up(till)
    uid = shown(till, id)["fulfillments"][0]["uid"]
    step = [{"uid": uid, "state": "PREPARED"}]

    moved = update(till, id, version=1, fulfillments=step)
    stale = update(till, id, version=1, fulfillments=step)
    strange = update(till, id, version=2, fulfillments=[{"uid": "x", "state": "COMPLETED"}])
    back = update(till, id, version=2, fulfillments=[{"uid": uid, "state": "RESERVED"}])

    assert moved.body["order"]["fulfillments"][0]["state"] == "PREPARED"
    assert moved.body["order"]["version"] == 2
    assert (stale.status, stale.codes) == (409, ["CONFLICT"])
    assert (strange.codes, back.codes) == (["NOT_FOUND"], ["BAD_REQUEST"])


def test_an_app_cancels_an_open_order(till: Till) -> None:
    id = pick_up(till)

    assert update(till, id, version=1, state="CANCELED").body["order"]["state"] == "CANCELED"


def test_an_app_cannot_update_a_till_sale(till: Till) -> None:
    assert update(till, sell(till), version=1, state="CANCELED").codes == ["BAD_REQUEST"]


def test_locations_are_listed_and_found(till: Till) -> None:
    till.do("location_active", location="Second", active=False)

    places = till.call("GET", "/v2/locations").body["locations"]

    assert [(p["name"], p["status"]) for p in places] == [
        ("Main", "ACTIVE"),
        ("Second", "INACTIVE"),
    ]
    assert till.call("GET", "/v2/locations/main").body["location"] == places[0]
    assert till.call("GET", "/v2/locations/X").status == 404
    with pytest.raises(Refused, match="not active"):
        sell(till, place="Second")
