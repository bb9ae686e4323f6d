"""FBA: what Amazon has of ours, and how well it tells."""

from __future__ import annotations

from typing import Any

import pytest

from tests.channels.simulators.amazon.seller import Seller


def details(seller: Seller, sku: str) -> dict[str, Any]:
    rows = seller.summaries(sellerSkus=sku).body["payload"]["inventorySummaries"]
    found: dict[str, Any] = rows[0]["inventoryDetails"]
    return found


def test_a_summary_breaks_the_stock_down(seller: Seller) -> None:
    parts = {
        "fulfillable": 1,
        "inbound_working": 2,
        "inbound_shipped": 4,
        "inbound_receiving": 8,
        "reserved_orders": 16,
        "reserved_transfer": 32,
        "reserved_processing": 64,
        "researching": 128,
        "customer_damaged": 256,
        "expired": 512,
    }
    seller.do("listing", sku="ALL", fba=parts)

    rows = seller.summaries(sellerSkus="ALL").body["payload"]["inventorySummaries"]

    shown = rows[0]["inventoryDetails"]
    assert rows[0]["totalQuantity"] == 1023
    assert shown["fulfillableQuantity"] == 1
    assert [shown[f"inbound{kind}Quantity"] for kind in ("Working", "Shipped", "Receiving")] == [2, 4, 8]  # fmt: skip
    assert shown["reservedQuantity"] == {
        "totalReservedQuantity": 112,
        "pendingCustomerOrderQuantity": 16,
        "pendingTransshipmentQuantity": 32,
        "fcProcessingQuantity": 64,
    }
    assert shown["researchingQuantity"]["totalResearchingQuantity"] == 128
    assert shown["unfulfillableQuantity"]["totalUnfulfillableQuantity"] == 768
    assert shown["unfulfillableQuantity"]["expiredQuantity"] == 512


def test_without_details_only_the_total_is_told(seller: Seller) -> None:
    rows = seller.summaries(details="false").body["payload"]["inventorySummaries"]

    assert [row["totalQuantity"] for row in rows] == [20, 20, 20]
    assert all("inventoryDetails" not in row for row in rows)


def test_only_skus_in_amazons_network_have_rows(seller: Seller) -> None:
    assert seller.fba() == {"FBA-1": 20, "FBA-2": 20, "FBA-3": 20}
    assert seller.fba(sellerSkus="FBA-2,FBM-1,NOPE") == {"FBA-2": 20}


def test_an_order_reserves_and_a_shipment_takes_away(seller: Seller) -> None:
    order = seller.do("order", lines=[{"sku": "FBA-1", "units": 3}])["orderId"]
    held = details(seller, "FBA-1")
    seller.do("ship_order", order=order)
    gone = details(seller, "FBA-1")

    assert (held["fulfillableQuantity"], held["reservedQuantity"]["totalReservedQuantity"]) == (
        17,
        3,
    )
    assert (gone["fulfillableQuantity"], gone["reservedQuantity"]["totalReservedQuantity"]) == (
        17,
        0,
    )


def test_an_inbound_shipment_goes_through_its_steps(seller: Seller) -> None:
    names = ("inboundWorkingQuantity", "inboundShippedQuantity", "inboundReceivingQuantity")
    seen = []
    seller.do("limit", operation="getInventorySummaries", rate=2, burst=20)
    for step in ("planned", "shipped", "arrived"):
        seller.do("inbound", sku="FBA-1", units=6, step=step)
        shown = details(seller, "FBA-1")
        seen.append([shown[name] for name in (*names, "fulfillableQuantity")])
    seller.do("inbound", sku="FBA-1", units=4, step="received")
    shown = details(seller, "FBA-1")

    assert seen == [[6, 0, 0, 20], [0, 6, 0, 20], [0, 0, 6, 20]]
    assert [shown["inboundReceivingQuantity"], shown["fulfillableQuantity"]] == [2, 24]


def test_a_time_filter_shows_what_changed_since_but_not_inbound_moves(seller: Seller) -> None:
    seller.do("limit", operation="getInventorySummaries", rate=2, burst=20)
    seller.later(60)
    since = "2026-07-01T14:00:30Z"
    seller.do("inbound", sku="FBA-1", units=6, step="planned")
    assert seller.fba(startDateTime=since) == {}

    seller.do("adjust", sku="FBA-2", units=1, kind="lost")

    assert seller.fba(startDateTime=since) == {"FBA-2": 19}
    assert seller.fba(startDateTime=since, sellerSkus="FBA-3") == {"FBA-2": 19}


def test_a_change_at_the_very_moment_is_not_after_it(seller: Seller) -> None:
    seller.later(60)
    seller.do("adjust", sku="FBA-2", units=1, kind="lost")

    assert seller.fba(startDateTime="2026-07-01T14:01:00Z") == {}
    assert seller.fba(startDateTime="2026-07-01T14:00:59Z") == {"FBA-2": 19}


def test_a_lag_shows_the_stock_as_it_was(seller: Seller) -> None:
    seller.do("limit", operation="getInventorySummaries", rate=2, burst=20)
    seller.do("pace", fba_lag_s=3600)
    seller.later(3600)
    seller.do("adjust", sku="FBA-1", units=5, kind="lost")
    seller.do("listing", sku="FBA-4", fba={"fulfillable": 1})

    now = seller.fba()
    seller.later(3600)
    later = seller.fba()

    assert now == {"FBA-1": 20, "FBA-2": 20, "FBA-3": 20}
    assert later == {"FBA-1": 15, "FBA-2": 20, "FBA-3": 20, "FBA-4": 1}


def test_one_sku_can_lag_by_itself(seller: Seller) -> None:
    seller.later(7200)
    seller.do("fault", kind="stale_reading", sku="FBA-1", seconds=3600)
    for number in (1, 2):
        seller.do("adjust", sku=f"FBA-{number}", units=5, kind="lost")

    assert seller.fba() == {"FBA-1": 20, "FBA-2": 15, "FBA-3": 20}


def test_rows_can_be_absent_and_changes_missed(seller: Seller) -> None:
    seller.do("fault", kind="absent_row", sku="FBA-1", count=1)
    assert seller.fba() == {"FBA-2": 20, "FBA-3": 20}
    assert seller.fba() == {"FBA-1": 20, "FBA-2": 20, "FBA-3": 20}

    seller.later(60)
    seller.do("adjust", sku="FBA-1", units=1, kind="lost")
    seller.do("fault", kind="missed_change", sku="FBA-1")

    assert seller.fba(startDateTime="2026-07-01T14:00:30Z") == {}
    assert seller.fba()["FBA-1"] == 19


@pytest.fixture
def wide(seller: Seller) -> Seller:
    """A seller with 103 FBA SKUs, so that reading takes three pages."""
    rows = [{"sku": f"W-{n:03}", "fba": {"fulfillable": n}} for n in range(100)]
    seller.do("listings", listings=rows)
    seller.do("limit", operation="getInventorySummaries", rate=100, burst=100)
    return seller


def test_a_reading_goes_through_its_pages_with_the_same_parameters(wide: Seller) -> None:
    found: dict[str, int] = {}
    pages = 0
    query: dict[str, str] = {}
    while True:
        body = wide.summaries(**query).body
        rows = body["payload"]["inventorySummaries"]
        found |= {row["sellerSku"]: row["totalQuantity"] for row in rows}
        pages += 1
        if "pagination" not in body:
            break
        query = {"nextToken": body["pagination"]["nextToken"]}

    assert (pages, len(found), found["W-099"]) == (3, 103, 99)


def test_a_page_token_lives_thirty_seconds(wide: Seller) -> None:
    token = wide.summaries().body["pagination"]["nextToken"]

    wide.later(29)
    assert wide.summaries(nextToken=token).status == 200
    wide.later(1)
    assert wide.summaries(nextToken=token).errors == ["InvalidInput"]


def test_a_page_token_wants_its_own_parameters_again(wide: Seller) -> None:
    token = wide.summaries().body["pagination"]["nextToken"]

    assert wide.summaries(nextToken=token, details="false").status == 400
    assert wide.summaries(nextToken=token).status == 200


@pytest.mark.parametrize(
    ("kind", "fulfillable", "total"),
    [
        ("lost", 17, 17),
        ("found", 23, 23),
        ("damaged", 17, 20),
        ("researching", 17, 20),
        ("transfer_out", 17, 20),
    ],
)
def test_amazons_own_mishaps(seller: Seller, kind: str, fulfillable: int, total: int) -> None:
    seller.do("adjust", sku="FBA-1", units=3, kind=kind)

    (row,) = seller.summaries(sellerSkus="FBA-1").body["payload"]["inventorySummaries"]
    assert row["inventoryDetails"]["fulfillableQuantity"] == fulfillable
    assert row["totalQuantity"] == total
