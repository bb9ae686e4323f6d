"""Rows of Amazon's inventory ledger: read, told apart, and turned into facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.amazon import movements
from channels.amazon.movements import Fate, LedgerRow, Place, Ways
from channels.base import Unreadable

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
HEAD = (
    "Date\tFNSKU\tASIN\tMSKU\tTitle\tEvent Type\tReference ID\tQuantity\tFulfillment Center\tDisposition\tReason"
    "\tCountry\tReconciled Quantity\tUnreconciled Quantity\tDate and Time"
)


def line(
    event: str = "Adjustments",
    units: int | str = -1,
    *,
    sku: str = "A-1",
    reference: str = "77",
    disposition: str = "SELLABLE",
    reason: str = "M",
    reconciled: int = 0,
    at: str = "2026-11-27T12:00:00+0000",
) -> str:
    return (
        f"11/27/2026\tX001\tB001\t{sku}\tA thing\t{event}\t{reference}\t{units}\tSEA1\t{disposition}\t{reason}\tUS"
        f"\t{reconciled}\t0\t{at}"
    )


def report(*lines: str) -> bytes:
    return "\r\n".join([HEAD, *lines, ""]).encode()


def row(event: str, units: int, *, reference: str = "", disposition: str = "SELLABLE") -> LedgerRow:
    return LedgerRow("r1", NOON, "A-1", event, reference, units, disposition, "M", "SEA1")


def test_a_row_has_the_same_identity_in_every_report_whatever_was_reconciled_since() -> None:
    (first,) = movements.read(report(line())).rows
    (again,) = movements.read(report(line(reconciled=1))).rows
    (other,) = movements.read(report(line(reference="78"))).rows

    assert first == again
    assert first.row_id != other.row_id


def test_equal_rows_are_told_apart_and_stay_so_in_any_order_among_others() -> None:
    twice = movements.read(report(line(), line(), line(units=5))).rows
    turned = movements.read(report(line(units=5), line(), line())).rows

    assert len({one.row_id for one in twice}) == 3
    assert {one.row_id for one in twice} == {one.row_id for one in turned}


@given(st.permutations([1, 1, 2, 3, 3, 3]), st.sets(st.sampled_from([1, 2, 3])))
def test_a_report_over_other_seconds_names_the_rows_it_shares_alike(
    seconds: list[int], kept: set[int]
) -> None:
    def read(chosen: list[int]) -> set[str]:
        lines = [line(at=f"2026-11-27T12:00:0{second}+0000") for second in chosen]
        return {one.row_id for one in movements.read(report(*lines)).rows}

    whole, part = read(seconds), read([second for second in seconds if second in kept])

    assert part <= whole
    assert len(part) == sum(second in kept for second in seconds)


def test_columns_are_found_by_their_letters_in_any_order_and_unknown_ones_ignored() -> None:
    content = (
        "msku\tNew Column\tevent_type\tQUANTITY\tdisposition\tDate\r\n"
        'A-1\tx\tCustomer Returns\t"1,200"\tSellable\t11/26/2026\r\n'
    ).encode("cp1252")

    (found,) = movements.read(content).rows

    assert (found.seller_sku, found.event, found.units) == ("A-1", "CustomerReturns", 1200)
    assert (found.at, found.sellable) == (datetime(2026, 11, 26, tzinfo=UTC), True)


def test_rows_that_say_too_little_are_counted_and_hide_no_other() -> None:
    read = movements.read(
        report(line(units="many"), line(sku=""), line(at="-"), line(units=0), line())
    )

    # A row without a time has its date.
    assert (len(read.rows), read.unreadable) == (2, 2)


@pytest.mark.parametrize("content", [b"", b"no\ttable\r\n1\t2\r\n", b"<html>"])
def test_what_is_no_ledger_report_is_unreadable(content: bytes) -> None:
    with pytest.raises(Unreadable, match="without"):
        movements.read(content)


@pytest.mark.parametrize(
    ("event", "units", "way", "kind", "signed"),
    [
        ("Receipts", 5, Ways(), "receipt", 30),
        ("Receipts", 5, Ways(inbound="transfer"), "transfer_receive", 30),
        ("Receipts", -1, Ways(), "adjustment", -6),
        ("CustomerReturns", 1, Ways(), "return", 6),
        ("VendorReturns", -2, Ways(), "adjustment", -12),
        ("VendorReturns", -2, Ways(removal="transfer"), "transfer_ship", 12),
        ("Adjustments", -3, Ways(), "adjustment", -18),
        ("Adjustments", 3, Ways(), "adjustment", 18),
        ("Shipments", -1, Ways(), "ship", 6),
        ("SomethingNew", 1, Ways(), "adjustment", 6),
    ],
)
def test_a_row_is_a_fact_in_units_of_ours(
    event: str, units: int, way: Ways, kind: str, signed: int
) -> None:
    found = movements.fact(row(event, units), Place("OURS", "FBA-US", pack=6), "amazon", way)

    assert (found.kind, found.model_dump()["units"]) == (kind, signed)
    assert (found.source, found.id, found.occurred_at) == ("amazon", "fba-row:r1", NOON)


@pytest.mark.parametrize(
    ("what", "given", "has_order", "waited_h", "opened_h", "fate"),
    [
        ("a loss", row("Adjustments", -1), False, 0, -1, Fate.BOOK),
        ("before the book was opened", row("Adjustments", -1), False, 0, 1, Fate.KEEP),
        ("not followed yet", row("Adjustments", -1), False, 0, None, Fate.WAIT),
        ("damaged", row("Adjustments", 1, disposition="DEFECTIVE"), False, 0, -1, Fate.KEEP),
        ("between centers", row("WhseTransfers", -4), False, 0, -1, Fate.KEEP),
        ("a sale", row("Shipments", -1, reference="111-1"), True, 0, -1, Fate.ORDER),
        ("its order may come", row("Shipments", -1, reference="111-1"), False, 1, -1, Fate.WAIT),
        ("it never came", row("Shipments", -1, reference="111-1"), False, 48, -1, Fate.BOOK),
        ("names no order", row("Shipments", -1), False, 99, -1, Fate.KEEP),
        ("an MCF order", row("Shipments", -1, reference="S01-7-7"), False, 99, -1, Fate.ORDER),
        ("taken back", row("Shipments", 1), False, 0, -1, Fate.BOOK),
    ],
)
def test_each_row_has_its_fate(
    what: str, given: LedgerRow, has_order: bool, waited_h: int, opened_h: int | None, fate: Fate
) -> None:
    found = movements.fate(
        given,
        opened_at=None if opened_h is None else NOON + timedelta(hours=opened_h),
        has_order=has_order,
        waited=timedelta(hours=waited_h),
        patience=timedelta(hours=48),
    )

    assert found is fate, what
