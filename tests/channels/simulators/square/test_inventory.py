"""Inventory: writing counts and adjustments, what time they count from, reading back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from channels.simulators.square.stock import Change, Level, decimal_string
from tests.channels.simulators.square.till import START, Till

GHOST = "NOSUCHTHING"


def test_a_count_sets_what_is_there_and_says_so(till: Till) -> None:
    answer = till.write(till.counted("SKU-1", "7", reference_id="ledger-1"))

    (row,) = answer.body["counts"]
    assert (row["quantity"], row["state"], row["calculated_at"]) == (
        "7",
        "IN_STOCK",
        "2026-08-20T14:00:00.000Z",
    )
    (change,) = answer.body["changes"]
    assert change["physical_count"]["reference_id"] == "ledger-1"
    assert change["physical_count"]["source"]["product"] == "EXTERNAL_API"
    assert till.units("SKU-1") == "7"


def test_decimals_and_counts_below_zero_are_legal(till: Till) -> None:
    till.write(till.counted("SKU-1", "2.50000"), till.counted("SKU-2", "-3"))
    till.do("sale", location="Main", lines=[{"sku": "SKU-1", "units": "4.12345"}])

    assert (till.units("SKU-1"), till.units("SKU-2")) == ("-1.62345", "-3")


def test_what_was_never_counted_has_no_row(till: Till) -> None:
    assert till.units("SKU-1", "Second") is None

    till.write(till.counted("SKU-1", "0", "Second"))

    assert till.units("SKU-1", "Second") == "0", "counted as none is not absent"


def test_a_count_of_an_earlier_moment_has_later_sales_taken_off_again(till: Till) -> None:
    till.clock.advance(3600)
    till.do("sale", location="Main", lines=[{"sku": "SKU-1", "units": 3}])
    till.clock.advance(60)

    till.write(till.counted("SKU-1", "20", ago_s=120))

    assert till.units("SKU-1") == "17"


def test_a_sale_from_before_the_last_count_changes_nothing(till: Till) -> None:
    till.clock.advance(3600)
    till.write(till.counted("SKU-1", "5"))

    till.do("sale", location="Main", lines=[{"sku": "SKU-1", "units": 2}], ago_s=1800)

    assert till.units("SKU-1") == "5"
    assert till.counts(catalog_object_ids=[till.variation("SKU-1")])[0]["calculated_at"] == (
        "2026-08-20T15:00:00.000Z"
    )


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_the_order_of_arrival_does_not_matter(till: Till, order: tuple[int, ...]) -> None:
    """The vendor's own example: 100, less 3 sold, less 2 sold offline, then 95 counted."""
    till.clock.advance(7200)
    here: dict[str, Any] = {"from_location_id": till.place()}
    changes = [
        till.moved("SKU-2", "3", "IN_STOCK", "SOLD", 3000, **here),
        till.moved("SKU-2", "2", "IN_STOCK", "SOLD", 2400, **here),
        till.counted("SKU-2", "95", ago_s=1800),
    ]
    till.write(till.counted("SKU-2", "100", ago_s=3600))

    for index in order:
        till.write(changes[index])

    assert till.units("SKU-2") == "95"


def test_a_count_that_finds_what_is_known_is_ignored(till: Till) -> None:
    before = len(till.history("SKU-1"))

    answer = till.write(till.counted("SKU-1", "10"))

    assert answer.body["changes"] == []
    assert answer.body["counts"][0]["quantity"] == "10"
    assert len(till.history("SKU-1")) == before


def test_an_unchanged_count_is_kept_when_asked_for(till: Till) -> None:
    till.clock.advance(60)

    answer = till.write(till.counted("SKU-1", "10"), ignore_unchanged_counts=False)

    assert len(answer.body["changes"]) == 1
    assert till.counts(updated_after="2026-08-20T14:00:59Z")[0]["quantity"] == "10"


def test_a_count_of_what_sales_brought_down_is_no_unchanged_count(till: Till) -> None:
    till.do("sale", location="Main", lines=[{"sku": "SKU-1", "units": 3}])

    till.write(till.counted("SKU-1", "10"))

    assert till.units("SKU-1") == "10"


def test_waste_leaves_stock_and_is_counted(till: Till) -> None:
    here: dict[str, Any] = {"from_location_id": till.place(), "to_location_id": till.place()}

    till.write(till.moved("SKU-1", "2", "IN_STOCK", "WASTE", reason_id={"type": "DAMAGED"}, **here))

    assert (till.units("SKU-1"), till.units("SKU-1", state="WASTE")) == ("8", "2")
    assert till.history("SKU-1")[-1]["adjustment"]["reason_id"] == {"type": "DAMAGED"}


def test_sold_goods_are_not_counted(till: Till) -> None:
    till.write(till.moved("SKU-1", "2", "IN_STOCK", "SOLD", from_location_id=till.place()))

    assert (till.units("SKU-1"), till.units("SKU-1", state="SOLD")) == ("8", None)


CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"catalog_object_id": GHOST}, "NOT_FOUND", "catalog_object_id"),
    ({"location_id": GHOST}, "NOT_FOUND", "location_id"),
    ({"state": "SOLD"}, "INVALID_VALUE", "state"),
    ({"state": "RESERVED_FOR_SALE"}, "INVALID_VALUE", "state"),
    ({"state": "SHELF"}, "INVALID_ENUM_VALUE", "state"),
    ({"quantity": "many"}, "INVALID_VALUE", "quantity"),
    ({"quantity": "NaN"}, "INVALID_VALUE", "quantity"),
    ({"quantity": "1e3"}, "INVALID_VALUE", "quantity"),
    ({"quantity": "1.123456"}, "INVALID_VALUE", "quantity"),
    ({"quantity": 5}, "EXPECTED_STRING", "quantity"),
    ({"quantity": "1" * 27}, "VALUE_TOO_LONG", "quantity"),
    ({"quantity": None}, "MISSING_REQUIRED_PARAMETER", "quantity"),
    ({"occurred_at": "yesterday"}, "INVALID_TIME", "occurred_at"),
    ({"occurred_at": "2026-08-20T14:00:00"}, "INVALID_TIME", "occurred_at"),
    ({"occurred_at": "2026-08-20T14:00:01Z"}, "INVALID_TIME", "occurred_at"),
    ({"occurred_at": "2026-08-19T13:59:59Z"}, "INVALID_TIME", "occurred_at"),
    ({"reference_id": "x" * 256}, "VALUE_TOO_LONG", "reference_id"),
    ({"shelf": "3"}, "UNKNOWN_BODY_PARAMETER", "shelf"),
]


@pytest.mark.parametrize(("wrong", "code", "field"), CASES, ids=range(len(CASES)))
def test_a_bad_count_is_refused_by_code_and_field(
    till: Till, wrong: dict[str, Any], code: str, field: str
) -> None:
    answer = till.write(till.counted("SKU-2", "4"), till.counted("SKU-1", "5", **wrong))

    assert answer.status == (404 if code == "NOT_FOUND" else 400)
    assert answer.codes == [code]
    assert answer.fields == [f"changes[1].physical_count.{field}"]
    assert (till.units("SKU-1"), till.units("SKU-2")) == ("10", "10"), "all changes or none"


def test_every_bad_change_is_named(till: Till) -> None:
    answer = till.write(
        till.counted("SKU-1", "x"),
        till.counted("SKU-2", "5"),
        till.counted("SKU-1", "1", place="Main", state="NONE"),
    )

    assert answer.fields == [
        "changes[0].physical_count.quantity",
        "changes[2].physical_count.state",
    ]


def test_an_adjustment_moves_more_than_nothing(till: Till) -> None:
    for units in ("0", "-1"):
        here: dict[str, Any] = {"to_location_id": till.place()}
        answer = till.write(till.moved("SKU-1", units, "NONE", "IN_STOCK", **here))

        assert answer.codes == ["INVALID_VALUE"]


def test_a_hundred_changes_are_taken_and_one_more_is_not(till: Till) -> None:
    variations = [{"sku": f"M-{number}"} for number in range(101)]
    till.do("item", variations=variations)
    changes = [till.counted(f"M-{number}", str(number)) for number in range(101)]

    refused = till.write(*changes)
    taken = till.write(*changes[:100])

    assert (refused.codes, refused.fields) == (["ARRAY_LENGTH_TOO_LONG"], ["changes"])
    assert len(taken.body["counts"]) == 100
    assert till.units("M-100") is None


def test_no_changes_and_no_key_are_refused(till: Till) -> None:
    empty = till.write()
    keyless = till.call("POST", "/v2/inventory/changes/batch-create", {"changes": []})

    assert empty.codes == ["MISSING_REQUIRED_PARAMETER"]
    assert keyless.fields == ["idempotency_key"]


def test_counts_are_read_newest_first_in_pages(till: Till) -> None:
    for number in range(5):
        till.clock.advance(1)
        till.do("item", variations=[{"sku": f"P-{number}", "stock": {"Second": number}}])

    place = [till.place("Second")]
    path = "/v2/inventory/counts/batch-retrieve"
    pages, cursor = [], None
    while True:
        asked = {"location_ids": place, "limit": 2, **({"cursor": cursor} if cursor else {})}
        body = till.call("POST", path, asked).body
        pages.append([row["quantity"] for row in body["counts"]])
        cursor = body.get("cursor")
        if cursor is None:
            break

    assert pages == [["4", "3"], ["2", "1"], ["0"]]


@pytest.mark.parametrize("cursor", ["nonsense", "bm9uZQ==", "WyJhYmMiLFsxXV0="])
def test_a_cursor_belongs_to_its_query(till: Till, cursor: str) -> None:
    path = "/v2/inventory/counts/batch-retrieve"
    other = till.call("POST", path, {"limit": 1}).body["cursor"]

    for given, asked in ((cursor, {}), (other, {"states": ["IN_STOCK"]})):
        assert till.call("POST", path, {"cursor": given, **asked}).codes == ["INVALID_CURSOR"]


def test_counts_of_one_variation_are_read_by_its_id(till: Till) -> None:
    till.write(till.counted("SKU-1", "4", "Second"))
    path = f"/v2/inventory/{till.variation('SKU-1')}"

    everywhere = till.call("GET", path).body["counts"]
    there = till.call("GET", path, location_ids=till.place("Second")).body["counts"]

    assert sorted(row["quantity"] for row in everywhere) == ["10", "4"]
    assert [row["quantity"] for row in there] == ["4"]
    assert till.call("GET", f"/v2/inventory/{GHOST}").codes == ["NOT_FOUND"]


def test_only_counts_calculated_after_a_moment_are_read(till: Till) -> None:
    till.clock.advance(10)
    till.do("sale", location="Main", lines=[{"sku": "SKU-2", "units": 1}])

    rows = till.counts(updated_after="2026-08-20T14:00:00Z")

    assert [row["catalog_object_id"] for row in rows] == [till.variation("SKU-2")]


def test_the_history_tells_who_changed_what(till: Till) -> None:
    till.clock.advance(1)
    sale = till.do("sale", location="Main", lines=[{"sku": "SKU-1", "units": 1, "price": "9.99"}])

    first, second = till.history("SKU-1")

    assert first["physical_count"]["source"]["product"] == "DASHBOARD"
    sold = second["adjustment"]
    assert (sold["from_state"], sold["to_state"], sold["quantity"]) == ("IN_STOCK", "SOLD", "1")
    assert sold["total_price_money"] == {"amount": 999, "currency": "USD"}
    assert sold["transaction_id"] == sale["id"]
    counts = till.history("SKU-1", types=["PHYSICAL_COUNT"])
    sales = till.history("SKU-1", states=["SOLD"])
    late = till.history("SKU-1", updated_after="2026-08-20T14:00:00Z")
    early = till.history("SKU-1", updated_before="2026-08-20T14:00:01Z")
    assert (counts, sales, late, early) == ([first], [second], [second], [first])


def test_a_change_is_found_by_its_id(till: Till) -> None:
    count = till.write(till.counted("SKU-1", "7")).body["changes"][0]["physical_count"]
    path = "/v2/inventory/physical-counts"

    assert till.call("GET", f"{path}/{count['id']}").body["count"] == count
    assert till.call("GET", f"/v2/inventory/adjustments/{count['id']}").status == 404


def test_drift_is_in_the_count_and_nowhere_else(till: Till) -> None:
    before = till.history("SKU-1")
    till.clock.advance(5)

    till.do("drift", sku="SKU-1", location="Main", units=-3)

    (row,) = till.counts(catalog_object_ids=[till.variation("SKU-1")])
    assert (row["quantity"], row["calculated_at"]) == ("7", "2026-08-20T14:00:00.000Z")
    assert till.history("SKU-1") == before


def test_a_level_counted_in_any_order_is_the_same() -> None:
    key = ("V", "L", "IN_STOCK")

    def change(seq: int, kind: Any, units: str, before: str = "IN_STOCK") -> Change:
        at = START.replace(minute=seq)
        after = "SOLD" if kind == "ADJUSTMENT" else "IN_STOCK"
        return Change(
            str(seq), kind, seq, "V", Decimal(units), before, "L", after, "L", at, START, {}
        )

    changes = [
        change(1, "PHYSICAL_COUNT", "10"),
        change(2, "ADJUSTMENT", "1.5"),
        change(3, "ADJUSTMENT", "2"),
    ]
    forward, backward = Level(key), Level(key)
    for one in changes:
        forward.add(one)
    for one in reversed(changes):
        assert backward.if_added(one) == Level(key, changes=[*backward.changes]).if_added(one)
        backward.add(one)

    assert forward.quantity == backward.quantity == Decimal("6.5")
    assert forward.as_of(START.replace(minute=2)) == Decimal("8.5")
    assert forward.as_of(START) is None


@pytest.mark.parametrize(
    ("units", "text"),
    [
        ("10", "10"),
        ("1E+2", "100"),
        ("2.500", "2.5"),
        ("-0.0", "0"),
        ("-3", "-3"),
        ("0.00001", "0.00001"),
    ],
)
def test_quantities_are_written_as_plain_decimals(units: str, text: str) -> None:
    assert decimal_string(Decimal(units)) == text
