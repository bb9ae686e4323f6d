"""Past sales in files, as series of demand: what a forecast is tried on without a house.

Three forms of CSV, plain or gzipped, told by their first line:

    invoices    InvoiceNo, StockCode, Quantity, InvoiceDate, UnitPrice, CustomerID: the form of Online Retail (UCI 352).
                An invoice with a C in front takes back the customer's newest lines of that SKU; lines without a price
                are corrections of stock, and codes that are no goods are left out
    events      event_id, occurred_at, event_type, sku, quantity_delta, order_id: what `lockstep history import` reads;
                orders less their cancels
    periods     a name, then one column a period, oldest first: units; blank is not known
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final, TypeAlias

from allocation.planning.need import demand_of
from allocation.planning.past import Past, past
from allocation.planning.series import Bought, series
from workers.flows.history import UnusableFile, read_rows

_INVOICES: Final = ("InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID")
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


def read(paths: Sequence[Path]) -> list[Past]:
    """The series of these files, all of one form, as one past; series that never sold are missing.

    raises    UnusableFile: one cannot be read or has another form; the message says which and why
    """
    forms = {_form(path) for path in paths}
    if len(forms) > 1:
        raise UnusableFile("the files are of different forms: give files of one form together")
    if forms == {"periods"}:
        return [past(units) for path in paths for units in _periods(path) if any(units)]
    lines: _Lines = {}
    rows = [row for path in paths for row in read_rows(path, ())]
    try:
        (_invoices if forms == {"invoices"} else _events)(rows, lines)
    except (ValueError, KeyError) as error:
        raise UnusableFile(f"{paths[0]}: {error}; the forms are in docs/planning.md") from None
    return _weekly(lines)


def _form(path: Path) -> str:
    first: Mapping[str, str] = next(iter(read_rows(path, ())), {})
    if all(name in first for name in _INVOICES):
        return "invoices"
    if all(name in first for name in _EVENTS):
        return "events"
    names = list(first)[1:]
    if names and all(name[:4].isdigit() for name in names):
        return "periods"
    raise UnusableFile(
        f"{path}: its first line names neither {', '.join(_INVOICES)} nor {', '.join(_EVENTS)}, nor periods"
    )


def _periods(path: Path) -> Iterator[list[float | None]]:
    for row in read_rows(path, ()):
        units = list(row.values())[1:]
        try:
            yield [float(each) if each.strip() else None for each in units]
        except ValueError as error:
            raise UnusableFile(f"{path}: {error}; write units, or nothing") from None


def _invoices(rows: Sequence[Mapping[str, str]], lines: _Lines) -> None:
    of_customer: dict[tuple[str, str], _Line] = {}
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


def _weekly(lines: _Lines) -> list[Past]:
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
        of = past(demand_of(parts).weeks)
        if of.periods:
            found.append(of)
    return found
