"""Reports and summaries that are not as they were last year: what can be read is, and no row is lost in silence."""

from __future__ import annotations

from decimal import Decimal

import pytest

from channels.amazon import fba, health, movements, tables

COLUMNS = (
    "Date", "FNSKU", "ASIN", "MSKU", "Title", "Event Type", "Reference ID", "Quantity", "Fulfillment Center",
    "Disposition", "Reason", "Country", "Date and Time",
)  # fmt: skip
AT = "2026-11-27T10:00:00Z"


def report(**cells: str) -> str:
    """A ledger report of one receipt of five."""
    row = {
        "Date": "11/27/2026", "FNSKU": "X1", "ASIN": "B1", "MSKU": "A/B %,ü", "Title": "Tee", "Event Type": "Receipts",
        "Reference ID": "FBA1", "Quantity": "5", "Fulfillment Center": "PHX3", "Disposition": "SELLABLE", "Reason": "",
        "Country": "US", "Date and Time": "2026-11-27T10:00:00+0000",
    } | {name.replace("_", " "): cell for name, cell in cells.items()}  # fmt: skip
    return "\t".join(COLUMNS) + "\n" + "\t".join(row[name] for name in COLUMNS) + "\n"


@pytest.mark.parametrize("mark", ["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_only_a_line_end_ends_a_row(mark: str) -> None:
    read = movements.read(report(Title=f"Tee{mark}blue").encode())

    assert ([row.units for row in read.rows], read.unreadable) == ([5], 0)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_report_is_read_in_whatever_it_is_written(encoding: str) -> None:
    read = movements.read(report(Title="Café, blau").encode(encoding))

    assert [(row.seller_sku, row.units) for row in read.rows] == [("A/B %,ü", 5)]


@pytest.mark.parametrize("units", ["999999999999", "five", "", "2.5"])
def test_a_row_whose_units_cannot_be_is_counted_as_unreadable(units: str) -> None:
    assert movements.read(report(Quantity=units).encode()) == movements.Read((), 1)


def test_no_word_of_a_row_is_too_long_or_unfit_for_the_book() -> None:
    text = report(Event_Type="Teleports\x00" * 200, Reference_ID="r" * 5000, Quantity="-3")
    (row,) = movements.read(text.encode()).rows

    told = movements.fact(row, movements.Place("A", "FBA-US"), "amazon-us", movements.Ways())

    assert (told.kind, told.reason.startswith("Amazon Teleports")) == ("adjustment", True)


@pytest.mark.parametrize(
    ("said", "number"),
    [("0,5", "0.5"), ("1,000", "1000"), ("-12,345,678.25", "-12345678.25"), ("365+", None)],
)
def test_a_comma_parts_thousands_or_a_fraction(said: str, number: str | None) -> None:
    assert tables.decimal(said) == (None if number is None else Decimal(number))


def test_a_summary_with_nulls_is_read_and_one_that_is_none_hides_no_other() -> None:
    reserved = dict.fromkeys(
        ("pendingCustomerOrderQuantity", "pendingTransshipmentQuantity", "fcProcessingQuantity"), 0
    )
    details = {
        "fulfillableQuantity": 5,
        "reservedQuantity": reserved,
        "inboundWorkingQuantity": None,
        "researchingQuantity": None,
    }
    rows = [
        None,
        {"sellerSku": "A", "lastUpdatedTime": AT, "inventoryDetails": details},
        {"sellerSku": "C\x00", "lastUpdatedTime": AT, "inventoryDetails": details},
        {
            "sellerSku": "B",
            "lastUpdatedTime": "0001-01-01T00:00:00+14:00",
            "inventoryDetails": details,
        },
    ]

    page = fba.page_of(fba.Summaries.model_validate({"payload": {"inventorySummaries": rows}}))

    assert [(one.seller_sku, one.parts.fulfillable) for one in page.readings] == [("A", 5)]
    assert page.unreadable == ("", "C\x00", "B")


def test_an_offer_with_nulls_is_an_offer() -> None:
    price = {"amount": 10, "currencycode": None}
    ours = {"sellerid": "ME", "isbuyboxwinner": None, "listingprice": price, "shipping": None}
    theirs = {**ours, "sellerid": "YOU", "isbuyboxwinner": True}
    trigger = {"marketplaceid": "M", "asin": "B0", "itemcondition": None, "timeofofferchange": AT}
    changed = {"offerchangetrigger": trigger, "offers": [ours, theirs, ours]}

    seen = health.offer_seen({"anyofferchangednotification": changed}, "ME", "M")

    assert seen is not None
    assert (seen.featured, seen.ours_featured, seen.offers) == (True, False, 3)
    assert seen.our_price == 10
