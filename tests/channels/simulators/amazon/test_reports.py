"""Reports on Amazon's stock: what moved, what is reserved, what to send."""

from __future__ import annotations

import pytest

from channels.simulators.amazon.reports import FEES, LEDGER, PLANNING, RESERVED, STRANDED
from tests.channels.simulators.amazon.seller import Seller

REPORTS = "/reports/2021-06-30/reports"


def test_the_ledger_explains_every_unit_in_the_fulfillment_centers(seller: Seller) -> None:
    order = seller.do("order", lines=[{"sku": "FBA-1", "units": 3}])["orderId"]
    seller.do("ship_order", order=order)
    seller.do("adjust", sku="FBA-1", units=2, kind="lost")
    seller.do("adjust", sku="FBA-1", units=1, kind="damaged")
    seller.do("inbound", sku="FBA-1", units=5, step="planned")
    for step in ("shipped", "arrived", "received"):
        seller.do("inbound", sku="FBA-1", units=5, step=step)
    seller.do("fba_return", sku="FBA-1", units=1, part="customer_damaged", order=order)

    rows = seller.report(LEDGER, reportOptions={"MSKU": "FBA-1"})

    moved = [(r["Event Type"], r["Disposition"], int(r["Quantity"]), r["Reason"]) for r in rows]
    assert moved[::-1] == [
        ("Receipts", "SELLABLE", 20, ""),
        ("Shipments", "SELLABLE", -3, ""),
        ("Adjustments", "SELLABLE", -2, "M"),
        ("Adjustments", "SELLABLE", -1, "E"),
        ("Adjustments", "WAREHOUSE_DAMAGED", 1, "E"),
        ("Receipts", "SELLABLE", 5, ""),
        ("CustomerReturns", "CUSTOMER_DAMAGED", 1, ""),
    ]
    assert sum(units for *_, units, _ in moved) == seller.account.listing("FBA-1").fba.at_amazon
    assert rows[-2]["Reference ID"] == order
    assert rows[-3]["Unreconciled Quantity"] == "-2"


def test_the_ledger_keeps_to_its_time_span_and_event_type(seller: Seller) -> None:
    seller.later(86_400)
    seller.do("adjust", sku="FBA-2", units=2, kind="found")

    since = "2026-07-02T00:00:00Z"
    young = seller.report(LEDGER, dataStartTime=since)
    old = seller.report(LEDGER, dataEndTime=since)
    receipts = seller.report(LEDGER, reportOptions={"eventType": "Receipts"})

    assert [(row["MSKU"], row["Quantity"]) for row in young] == [("FBA-2", "2")]
    assert {row["Event Type"] for row in old} == {row["Event Type"] for row in receipts}
    assert len(receipts) == 3


def test_a_silent_drift_is_in_no_ledger(seller: Seller) -> None:
    seller.do("drift", sku="FBA-1", part="fulfillable", units=-4)

    assert [row["Quantity"] for row in seller.report(LEDGER, reportOptions={"MSKU": "FBA-1"})] == [
        "20"
    ]
    assert seller.fba()["FBA-1"] == 16


def test_the_reserved_report_names_only_reserved_skus(seller: Seller) -> None:
    seller.do("order", lines=[{"sku": "FBA-1", "units": 3}])
    seller.do("adjust", sku="FBA-1", units=4, kind="transfer_out")

    (row,) = seller.report(RESERVED)

    assert (row["sku"], row["reserved_qty"]) == ("FBA-1", "7")
    assert (row["reserved_customerorders"], row["reserved_fc-transfers"]) == ("3", "4")


def test_the_planning_report_knows_what_was_shipped(seller: Seller) -> None:
    for days in (40, 20, 0):
        order = seller.do("order", lines=[{"sku": "FBA-1", "units": 3}])["orderId"]
        seller.do("ship_order", order=order)
        seller.later(days * 86_400)

    rows = {row["sku"]: row for row in seller.report(PLANNING)}

    first = rows["FBA-1"]
    assert set(rows) == {"FBA-1", "FBA-2", "FBA-3"}
    assert [first[f"units-shipped-t{days}"] for days in (7, 30, 60, 90)] == ["3", "6", "6", "9"]
    assert first["available"] == "11"
    assert first["days-of-supply"] == "110", "11 units at 9 in 90 days"
    assert first["snapshot-date"] == "2026-08-29"


def test_the_stranded_report_names_what_nobody_can_buy_until_somebody_can(seller: Seller) -> None:
    seller.do("strand", sku="FBA-1", reason="Listing closed")

    (row,) = seller.report(STRANDED)
    seller.do("strand", sku="FBA-1", reason=None)

    assert (row["sku"], row["stranded-reason"], row["fulfillable-qty"]) == (
        "FBA-1",
        "Listing closed",
        "20",
    )
    assert row["date-stranded"] < row["Date-to-take-auto-removal"]
    assert seller.report(STRANDED) == []


def test_the_fee_preview_tells_the_sides_of_what_was_measured(seller: Seller) -> None:
    seller.do("listing", sku="FBA-9", fba={"fulfillable": 1}, inches=[4, 12, 6])

    rows = {row["sku"]: row for row in seller.report(FEES)}

    sides = ("longest-side", "median-side", "shortest-side", "unit-of-dimension")
    assert [rows["FBA-9"][side] for side in sides] == ["12.00", "6.00", "4.00", "inches"]
    assert rows["FBA-1"]["longest-side"] == "--"


@pytest.mark.parametrize(
    "changes",
    [{"reportType": "GET_NOTHING"}, {"marketplaceIds": ["A1F83G8C2ARO7P"]}, {"reportType": 5}],
)
def test_a_report_that_makes_no_sense_is_refused(
    seller: Seller, changes: dict[str, object]
) -> None:
    body = {"reportType": LEDGER, "marketplaceIds": ["ATVPDKIKX0DER"], **changes}

    assert seller.call("POST", REPORTS, None, body).errors == ["InvalidInput"]


def test_a_waiting_report_can_be_cancelled(seller: Seller) -> None:
    body = {"reportType": LEDGER, "marketplaceIds": ["ATVPDKIKX0DER"]}
    report = seller.call("POST", REPORTS, None, body).body["reportId"]

    assert seller.call("DELETE", f"{REPORTS}/{report}").status == 200
    assert seller.call("DELETE", f"{REPORTS}/{report}").status == 400
    seller.later(120)

    (shown,) = seller.call("GET", REPORTS, {"reportTypes": LEDGER}).body["reports"]
    assert (shown["reportId"], shown["processingStatus"]) == (report, "CANCELLED")
