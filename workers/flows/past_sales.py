"""Past sales in files, as series of demand: what a forecast is tried on without a house.

Three forms of CSV, plain or gzipped, told by their first line:

    invoices    InvoiceNo, StockCode, Quantity, InvoiceDate, UnitPrice, CustomerID: the form of Online Retail (UCI 352),
                or of Online Retail II (UCI 502), which calls them Invoice, Price and Customer ID; days as 2011-05-01.
                An invoice with a C in front takes back the customer's newest lines of that SKU; lines without a price
                are corrections of stock, and codes that are no goods are left out
    events      event_id, occurred_at, event_type, sku, quantity_delta, order_id: what `lockstep history import` reads;
                orders less their cancels
    periods     names, then one column a period, oldest first: units; blank is not known. A column is called by its
                month (2011-05), its day (2011-05-01; days apart say how long it is) or its number (d_1, w_1, m_1)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from allocation.planning.models import YEAR_WEEKS, Periods
from allocation.planning.need import demand_of
from allocation.planning.past import Past, past
from allocation.planning.series import OPEN_AT_LEAST, Bought, Series, series, together
from workers.flows.history import UnusableFile, read_rows

_INVOICES: Final = ("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
#: The same as the second edition calls them.
_INVOICES_II: Final[Mapping[str, str]] = MappingProxyType(
    {"InvoiceNo": "Invoice", "UnitPrice": "Price", "CustomerID": "Customer ID"}
)
_EVENTS: Final = ("occurred_at", "event_type", "sku", "quantity_delta", "order_id")
#: Codes of that source which stand for postage, fees, gift vouchers and tests.
_NO_GOODS: Final = frozenset(
    ("POST", "DOT", "M", "D", "C2", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK", "ADJUST", "PADS")
)
_NO_GOODS_FROM: Final = ("GIFT_0001", "TEST")

#: A line that can still be taken back: its day and units.
_Line: TypeAlias = list[tuple[date, int]]
#: SKU -> its lines
_Lines: TypeAlias = dict[str, list[tuple[date, int]]]


class Period(StrEnum):
    """How long a period is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


WEEK_DAYS: Final = 7
#: Periods after which a season comes again.
SEASONS: Final[Mapping[Period, int]] = MappingProxyType(
    {Period.DAY: WEEK_DAYS, Period.WEEK: YEAR_WEEKS, Period.MONTH: 12}
)
_NUMBERED: Final[Mapping[str, Period]] = {"d": Period.DAY, "w": Period.WEEK, "m": Period.MONTH}
_COLUMN: Final = re.compile(r"\d{4}.*|[dwm]_\d+")


@dataclass(frozen=True, slots=True)
class Sales:
    """Past sales, all of one period."""

    series: Sequence[Past]
    period: Period


def read(paths: Sequence[Path], period: Period | None = None) -> Sales:
    """The series of these files, all of one form, as one past; series that never sold are missing.

    period    of the series; left out: that of the columns, of lines the week. Days are added up to weeks, no period is
              divided
    raises    UnusableFile: one cannot be read or has another form or period; the message says which and why
    """
    forms = {_form(path) for path in paths}
    if len(forms) > 1:
        raise UnusableFile("the files are of different forms: give files of one form together")
    if forms == {"periods"}:
        return _of_periods(paths, period)
    if period is Period.MONTH:
        raise UnusableFile(f"{paths[0]}: of lines weeks and days are read: give --period week")
    lines: _Lines = {}
    rows = [row for path in paths for row in read_rows(path, ())]
    try:
        (_invoices if forms == {"invoices"} else _events)(rows, lines)
    except (ValueError, KeyError) as error:
        raise UnusableFile(f"{paths[0]}: {error}; the forms are in docs/planning.md") from None
    wanted = period or Period.WEEK
    return Sales(_of_lines(lines, wanted), wanted)


def _of_periods(paths: Sequence[Path], wanted: Period | None) -> Sales:
    lengths = {path: _length(path, _columns(path)) for path in paths}
    if len(set(lengths.values())) > 1:
        raise UnusableFile("the files are of different periods: give files of one period together")
    length = next(iter(lengths.values()))
    period = wanted or length
    if period is not length and (length, period) != (Period.DAY, Period.WEEK):
        raise UnusableFile(f"{paths[0]}: its columns are {length}s, which are no {period}s")
    rows = (units for path in paths for units in _periods(path))
    found = rows if period is length else (_weeks(units) for units in rows)
    return Sales([past(units, SEASONS[period]) for units in found if any(units)], period)


def _columns(path: Path) -> list[str]:
    """The columns of periods: those at the end that are called like one."""
    first: Mapping[str, str] = next(iter(read_rows(path, ())), {})
    return list(takewhile(_COLUMN.fullmatch, reversed(list(first)[1:])))[::-1]


def _length(path: Path, columns: Sequence[str]) -> Period:
    if columns[-1][:2] in {f"{name}_" for name in _NUMBERED}:
        return _NUMBERED[columns[-1][0]]
    try:
        days = [date.fromisoformat(f"{each}-01"[:10]) for each in columns[-2:]]
    except ValueError:
        # Some other name, as that of a week of a year.
        return Period.WEEK
    apart = (days[-1] - days[0]).days
    if apart in (1, WEEK_DAYS):
        return Period.DAY if apart == 1 else Period.WEEK
    if apart in range(28, 32) or len(days) == 1:
        return Period.MONTH
    raise UnusableFile(
        f"{path}: {columns[-2]} and {columns[-1]} are {apart} days apart: neither a day, a week nor a month"
    )


def _weeks(days: Periods) -> list[float | None]:
    """Whole weeks, the last day ending the newest; of less than half a week nothing is said."""
    found: list[float | None] = []
    for at in range(len(days) % WEEK_DAYS, len(days), WEEK_DAYS):
        said = [units for units in days[at : at + WEEK_DAYS] if units is not None]
        enough = len(said) >= OPEN_AT_LEAST * WEEK_DAYS
        found.append(sum(said) * WEEK_DAYS / len(said) if enough else None)
    return found


def _form(path: Path) -> str:
    first: Mapping[str, str] = next(iter(read_rows(path, ())), {})
    if all(name in first or _INVOICES_II.get(name) in first for name in _INVOICES):
        return "invoices"
    if all(name in first for name in _EVENTS):
        return "events"
    if _columns(path):
        return "periods"
    raise UnusableFile(
        f"{path}: its first line names neither {', '.join(_INVOICES)} nor {', '.join(_EVENTS)}, nor periods"
    )


def _periods(path: Path) -> Iterator[list[float | None]]:
    columns = _columns(path)
    for row in read_rows(path, columns):
        try:
            yield [float(row[name]) if row[name].strip() else None for name in columns]
        except ValueError as error:
            raise UnusableFile(f"{path}: {error}; write units, or nothing") from None


def _invoices(rows: Sequence[Mapping[str, str]], lines: _Lines) -> None:
    of_customer: dict[tuple[str, str], _Line] = {}
    rows = [_as_first_edition(row) for row in rows]
    for row in sorted(rows, key=lambda row: row["InvoiceDate"]):
        sku = row["StockCode"].strip().upper()
        if sku in _NO_GOODS or sku.startswith(_NO_GOODS_FROM):
            continue
        units = int(row["Quantity"])
        mine = of_customer.setdefault((row["CustomerID"], sku), [])
        if units > 0 and float(row["UnitPrice"] or 0) > 0:
            mine.append((date.fromisoformat(row["InvoiceDate"][:10]), units))
        elif units < 0 and row["InvoiceNo"].startswith("C"):
            _take_back(mine, -units)
    for (_, sku), left in of_customer.items():
        lines.setdefault(sku, []).extend(left)


def _as_first_edition(row: Mapping[str, str]) -> dict[str, str]:
    return {name: row[name if name in row else _INVOICES_II[name]] for name in _INVOICES}


def _events(rows: Sequence[Mapping[str, str]], lines: _Lines) -> None:
    of_order: dict[tuple[str, str], _Line] = {}
    cancels: list[tuple[tuple[str, str], int]] = []
    for row in sorted(rows, key=lambda row: row["occurred_at"]):
        line = (row["order_id"], row["sku"])
        units = abs(int(row["quantity_delta"]))
        if row["event_type"] == "order":
            of_order.setdefault(line, []).append(
                (date.fromisoformat(row["occurred_at"][:10]), units)
            )
        elif row["event_type"] == "order_cancel":
            cancels.append((line, units))
    # A cancel may be told before its order.
    for line, units in cancels:
        _take_back(of_order.get(line, []), units)
    for (_, sku), left in of_order.items():
        lines.setdefault(sku, []).extend(left)


def _take_back(mine: _Line, units: int) -> None:
    """Take units off the newest lines; what was bought before the file begins is not among them."""
    while units > 0 and mine:
        day, bought = mine.pop()
        if bought > units:
            mine.append((day, bought - units))
        units -= bought


def _of_lines(lines: _Lines, period: Period) -> list[Past]:
    days = [day for each in lines.values() for day, _ in each]
    if not days:
        return []
    until = max(days) + timedelta(days=1)
    found = []
    for sku, each in sorted(lines.items()):
        if not each:
            continue
        bought = [Bought(sku, "", "", day, units, 1) for day, units in each]
        parts = series(bought, [], min(day for day, _ in each), until)
        units = demand_of(parts).weeks if period is Period.WEEK else _days(parts)
        of = past(units, SEASONS[period])
        if of.periods:
            found.append(of)
    return found


def _days(parts: Sequence[Series]) -> list[float | None]:
    units, opened = together(parts)
    return [
        sold / part if part >= OPEN_AT_LEAST else None
        for sold, part in zip(units, opened, strict=True)
    ]
