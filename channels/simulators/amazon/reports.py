"""Reports 2021-06-30: five tab-separated reports on Amazon's stock, made when the report is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from channels.simulators.amazon import jobs, notices
from channels.simulators.amazon.account import Account
from channels.simulators.amazon.errors import invalid_input
from channels.simulators.amazon.models import moment
from channels.simulators.amazon.service import Call, Handler, Service
from channels.simulators.amazon.state import Job, LedgerRow, Listing

LEDGER: Final = "GET_LEDGER_DETAIL_VIEW_DATA"
PLANNING: Final = "GET_FBA_INVENTORY_PLANNING_DATA"
RESERVED: Final = "GET_RESERVED_INVENTORY_DATA"
STRANDED: Final = "GET_STRANDED_INVENTORY_UI_DATA"
FEES: Final = "GET_FBA_ESTIMATED_FBA_FEES_TXT_DATA"

_TSV: Final = "text/plain;charset=UTF-8"
_CENTER: Final = "SEA1"


def handlers() -> dict[str, Handler]:
    return {
        "reports_2021-06-30.createReport": create,
        "reports_2021-06-30.getReport": get,
        "reports_2021-06-30.getReports": get_all,
        "reports_2021-06-30.cancelReport": cancel,
        "reports_2021-06-30.getReportDocument": get_document,
    }


def create(service: Service, call: Call) -> object:
    account, asked = service.account, call.body
    if asked["reportType"] not in _MAKERS:
        raise invalid_input("Invalid Input", f"report type {asked['reportType']} is not supported")
    if account.marketplace_id not in asked["marketplaceIds"]:
        raise invalid_input("Invalid Input", "marketplaceIds")
    options: dict[str, Any] = dict(asked.get("reportOptions") or {})
    for name in ("dataStartTime", "dataEndTime"):
        if name in asked:
            options[name] = moment(asked[name], name)
    job_id = account.new_digits(12)
    job = Job(job_id, asked["reportType"], asked["marketplaceIds"], call.at, options=options)
    account.reports[job_id] = job
    account.later(call.at, account.pace.queue_s, lambda due: _start(service, job, due))
    return {"reportId": job_id}


def get(service: Service, call: Call) -> object:
    return jobs.shown(_report(service, call), "report")


def get_all(service: Service, call: Call) -> object:
    return jobs.listed(service, call, "report", service.account.reports)


def cancel(service: Service, call: Call) -> object:
    job = _report(service, call)
    if job.status != "IN_QUEUE":
        raise invalid_input(f"Report {job.job_id} is {job.status} and cannot be cancelled.")
    with service.account.act() as act:
        jobs.end(service.account, act, notices.REPORT_DONE, job, "CANCELLED")
    return {}


def get_document(service: Service, call: Call) -> object:
    document = service.account.documents.get(call.path["reportDocumentId"])
    if document is None:
        raise invalid_input("Invalid Input", "there is no such report document")
    return jobs.shown_document(service, document, "reportDocumentId", call.at)


def _report(service: Service, call: Call) -> Job:
    return jobs.find(service.account.reports, call.path["reportId"], "Report")


def _start(service: Service, job: Job, at: datetime) -> None:
    if job.status == "IN_QUEUE":
        job.status, job.started_at = "IN_PROGRESS", at
        account = service.account
        account.later(at, account.pace.work_s, lambda due: _finish(service, job, due))


def _finish(service: Service, job: Job, at: datetime) -> None:
    account = service.account
    columns, rows = _MAKERS[job.kind](account, job, at)
    with account.happening(at) as act:
        content = _tsv(columns, rows)
        job.result_id = service.files.add(_TSV, content).document_id
        jobs.end(account, act, notices.REPORT_DONE, job, "DONE")


def _tsv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    lines = ["\t".join(str(cell) for cell in row) for row in (columns, *rows)]
    return "".join(f"{line}\r\n" for line in lines).encode()


# -- the reports --------------------------------------------------------------------------------------------------

_LEDGER_COLUMNS: Final = (
    "Date",
    "FNSKU",
    "ASIN",
    "MSKU",
    "Title",
    "Event Type",
    "Reference ID",
    "Quantity",
    "Fulfillment Center",
    "Disposition",
    "Reason",
    "Country",
    "Reconciled Quantity",
    "Unreconciled Quantity",
    "Date and Time",
)
_LOSSES: Final = ("M", "F")
"""Reason codes that Amazon reconciles with each other: misplaced and found."""


def _ledger(account: Account, job: Job, at: datetime) -> tuple[Sequence[str], list[list[object]]]:
    """Movements in the time span, newest first, of an event type or a SKU if the options name one."""
    since = job.options.get("dataStartTime", at - timedelta(days=30))
    until = job.options.get("dataEndTime", at)
    rows = [
        _ledger_row(row, account.listings.get(row.sku))
        for row in reversed(account.ledger)
        if since <= row.at <= until
        and job.options.get("eventType") in (None, "", row.event)
        and job.options.get("MSKU") in (None, "", row.sku)
    ]
    return _LEDGER_COLUMNS, rows


def _ledger_row(row: LedgerRow, listing: Listing | None) -> list[object]:
    return [
        row.at.strftime("%m/%d/%Y"),
        listing.fnsku if listing else "",
        listing.asin if listing else "",
        row.sku,
        listing.title if listing else "",
        row.event,
        row.reference,
        row.units,
        _CENTER,
        row.disposition,
        row.reason,
        "US",
        0,
        row.units if row.reason in _LOSSES else 0,
        row.at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
    ]


_PLANNING_COLUMNS: Final = (
    "snapshot-date",
    "sku",
    "fnsku",
    "asin",
    "product-name",
    "condition",
    "available",
    "pending-removal-quantity",
    "inv-age-0-to-90-days",
    "inv-age-91-to-180-days",
    "inv-age-181-to-270-days",
    "inv-age-271-to-365-days",
    "inv-age-365-plus-days",
    "currency",
    "units-shipped-t7",
    "units-shipped-t30",
    "units-shipped-t60",
    "units-shipped-t90",
    "alert",
    "your-price",
    "sales-price",
    "recommended-action",
    "recommended-removal-quantity",
    "sell-through",
    "storage-volume",
    "days-of-supply",
    "estimated-excess-quantity",
    "weeks-of-cover-t30",
    "weeks-of-cover-t90",
    "estimated-storage-cost-next-month",
    "inbound-quantity",
    "inbound-working",
    "inbound-shipped",
    "inbound-received",
    "Total Reserved Quantity",
    "unfulfillable-quantity",
)


def _planning(account: Account, job: Job, at: datetime) -> tuple[Sequence[str], list[list[object]]]:
    """Health of every FBA SKU on the day before; ages are not kept, all stock counts as young."""
    rows = [_planning_row(one, at) for one in account.listings.values() if one.history]
    return _PLANNING_COLUMNS, rows


def _planning_row(listing: Listing, at: datetime) -> list[object]:
    parts = listing.fba
    shipped = {days: _shipped(listing, at, days) for days in (7, 30, 60, 90)}
    daily = shipped[90] / 90
    weekly_30, weekly_90 = shipped[30] / 30 * 7, daily * 7
    supply = parts.fulfillable / daily if daily else 0
    inbound = (parts.inbound_working, parts.inbound_shipped, parts.inbound_receiving)
    price = f"{listing.price_cents / 100:.2f}"
    return [
        (at - timedelta(days=1)).strftime("%Y-%m-%d"),
        listing.sku,
        listing.fnsku,
        listing.asin,
        listing.title,
        "New",
        parts.fulfillable,
        0,
        parts.at_amazon,
        0,
        0,
        0,
        0,
        "USD",
        shipped[7],
        shipped[30],
        shipped[60],
        shipped[90],
        "" if parts.fulfillable else "Out of stock",
        price,
        price,
        "" if parts.fulfillable else "Create shipping plan",
        0,
        f"{shipped[90] / parts.at_amazon:.2f}" if parts.at_amazon else "0.00",
        f"{parts.at_amazon * 0.02:.2f}",
        round(supply),
        max(parts.fulfillable - round(daily * 90), 0) if daily else 0,
        f"{parts.fulfillable / weekly_30:.1f}" if weekly_30 else "",
        f"{parts.fulfillable / weekly_90:.1f}" if weekly_90 else "",
        f"{parts.at_amazon * 0.02 * 0.78:.2f}",
        sum(inbound),
        *inbound,
        parts.reserved,
        parts.unfulfillable,
    ]


def _shipped(listing: Listing, at: datetime, days: int) -> int:
    since = at - timedelta(days=days)
    return sum(units for when, units in listing.shipped_units if when > since)


_RESERVED_COLUMNS: Final = (
    "sku",
    "fnsku",
    "asin",
    "product-name",
    "reserved_qty",
    "reserved_customerorders",
    "reserved_fc-transfers",
    "reserved_fc-processing",
)


def _reserved(account: Account, job: Job, at: datetime) -> tuple[Sequence[str], list[list[object]]]:
    """Only SKUs of which something is reserved."""
    rows: list[list[object]] = [
        [
            listing.sku,
            listing.fnsku,
            listing.asin,
            listing.title,
            listing.fba.reserved,
            listing.fba.reserved_orders,
            listing.fba.reserved_transfer,
            listing.fba.reserved_processing,
        ]
        for listing in account.listings.values()
        if listing.fba.reserved
    ]
    return _RESERVED_COLUMNS, rows


_STRANDED_COLUMNS: Final = (
    "primary-action",
    "date-stranded",
    "Date-to-take-auto-removal",
    "status-primary",
    "status-secondary",
    "error-message",
    "stranded-reason",
    "asin",
    "sku",
    "fnsku",
    "product-name",
    "condition",
    "fulfilled-by",
    "fulfillable-qty",
    "your-price",
    "unfulfillable-qty",
    "reserved-quantity",
    "inbound-shipped-qty",
)


def _stranded(account: Account, job: Job, at: datetime) -> tuple[Sequence[str], list[list[object]]]:
    """What is in the network and cannot be bought. Stays 30 days (US) before Amazon may send it back."""
    rows: list[list[object]] = [
        [
            "Relist",
            found.since.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
            (found.since + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%S+00:00"),
            "Inactive",
            "",
            "",
            found.reason,
            listing.asin,
            listing.sku,
            listing.fnsku,
            listing.title,
            "New",
            "AFN",
            listing.fba.fulfillable,
            f"{listing.price_cents / 100:.2f}",
            listing.fba.unfulfillable,
            listing.fba.reserved,
            listing.fba.inbound_shipped,
        ]
        for listing in account.listings.values()
        if (found := listing.stranded) is not None and listing.history
    ]
    return _STRANDED_COLUMNS, rows


_FEE_COLUMNS: Final = (
    "sku",
    "fnsku",
    "asin",
    "product-name",
    "product-group",
    "brand",
    "fulfilled-by",
    "your-price",
    "sales-price",
    "longest-side",
    "median-side",
    "shortest-side",
    "length-and-girth",
    "unit-of-dimension",
    "item-package-weight",
    "unit-of-weight",
    "product-size-tier",
    "currency",
)


def _fees(account: Account, job: Job, at: datetime) -> tuple[Sequence[str], list[list[object]]]:
    """The fee preview as far as it tells of sizes; a side that was not measured is "--"."""
    rows = [_fee_row(one) for one in account.listings.values() if one.history]
    return _FEE_COLUMNS, rows


def _fee_row(listing: Listing) -> list[object]:
    sides = listing.inches
    girth = f"{sides[0] + 2 * (sides[1] + sides[2]):.2f}" if sides else "--"
    price = f"{listing.price_cents / 100:.2f}"
    return [
        listing.sku,
        listing.fnsku,
        listing.asin,
        listing.title,
        "Home",
        "",
        "Amazon",
        price,
        price,
        *([f"{side:.2f}" for side in sides] if sides else ["--"] * 3),
        girth,
        "inches",
        "--" if listing.pounds is None else f"{listing.pounds:.2f}",
        "pounds",
        "UsLargeStandardSize" if sides and sides[0] <= 18 else "UsLargeBulky" if sides else "--",
        "USD",
    ]


_Maker = Callable[[Account, Job, datetime], tuple[Sequence[str], list[list[object]]]]
_MAKERS: Final[Mapping[str, _Maker]] = {
    LEDGER: _ledger,
    PLANNING: _planning,
    RESERVED: _reserved,
    STRANDED: _stranded,
    FEES: _fees,
}
