"""What Amazon charges in the United States to take a unit out, and to keep it a month, as dated data, in dollars.

A unit sent back and a unit destroyed cost the same. The fee of the day on which a removal is asked for holds. Each
table holds from its date until the next one.

Where it is not known which of two prices holds, the fee is the higher and the storage the lower, so that no removal is
proposed on a doubt: "special handling items may include apparel, shoes, watches, jewelry, and dangerous goods".

Sources, read 2026-11-28. Removal: Seller Central, "2022 FBA removal and disposal order fee changes" (from 2022-01-18);
marketgapblog.com/?p=5295 (from 2023-01-17); ecomcrew.com/amazon-fba-removal-disposal-fees-per-unit-change (from
2026-01-15, and what held before). When that one began could not be seen: 2024 raised fees (profitcyclops.com, "Amazon
FBA Fees 2024"), and the first of its changes came on 2024-02-05. Storage: Seller Central GJ9NNG7RK4TU6E3Z (from
2024-04-01, and what held before). Weight: Seller Central 200685050 (rounded up), G53Z9EKF8VVZVH29 (inches over 139).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final, TypeVar

#: The kind of storage whose prices are those of standard size; every other may be charged as large or special.
STANDARD: Final = "standard"
_CUBIC_INCHES: Final = Decimal(1728)
#: Cubic inches that count as a pound.
_INCHES_A_POUND: Final = Decimal(139)
#: Months in which storage has its high price.
_PEAK: Final = frozenset({10, 11, 12})


class NoFees(Exception):
    """No table is known for that day; the message names the first one."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a unit of up to so many pounds costs; None: of any weight, `per_pound` for each above the step before."""

    up_to: Decimal | None
    dollars: Decimal
    per_pound: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Fees:
    """The steps of one day, lightest first."""

    standard: Sequence[Step]
    special: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Storage:
    """Dollars a cubic foot and month, January to September and October to December."""

    standard: Decimal
    standard_peak: Decimal
    large: Decimal
    large_peak: Decimal


def _steps(*said: tuple[str, str], above: tuple[str, str]) -> tuple[Step, ...]:
    known = tuple(Step(Decimal(up_to), Decimal(dollars)) for up_to, dollars in said)
    return (*known, Step(None, Decimal(above[0]), Decimal(above[1])))


_SPECIAL: Final = _steps(
    ("1", "3.12"), ("2", "4.30"), ("4", "6.36"), ("10", "10.04"), above=("14.32", "1.06")
)
BY_DATE: Final[Mapping[date, Fees]] = MappingProxyType(
    {
        date(2022, 1, 18): Fees(
            _steps(("0.5", "0.52"), ("1", "0.75"), ("2", "1.14"), above=("1.51", "0.63")),
            _steps(
                ("1", "1.50"), ("2", "1.96"), ("4", "2.89"), ("10", "5.05"), above=("7.25", "0.63")
            ),
        ),
        date(2023, 1, 17): Fees(
            _steps(("0.5", "0.97"), ("1", "1.46"), ("2", "2.20"), above=("2.83", "1.06")),
            _steps(
                ("1", "3.12"), ("2", "4.07"), ("4", "5.56"), ("10", "9.43"), above=("13.05", "1.06")
            ),
        ),
        date(2024, 2, 5): Fees(
            _steps(("0.5", "1.04"), ("1", "1.53"), ("2", "2.27"), above=("2.89", "1.06")), _SPECIAL
        ),
        date(2026, 1, 15): Fees(
            _steps(("0.5", "0.84"), ("1", "1.53"), ("2", "2.27"), above=("2.89", "1.06")), _SPECIAL
        ),
    }
)
STORAGE: Final[Mapping[date, Storage]] = MappingProxyType(
    {
        date(2023, 4, 15): Storage(
            Decimal("0.87"), Decimal("2.40"), Decimal("0.56"), Decimal("1.40")
        ),
        date(2024, 4, 1): Storage(
            Decimal("0.78"), Decimal("2.40"), Decimal("0.56"), Decimal("1.40")
        ),
    }
)

_Table = TypeVar("_Table")


def table_on(on: date, tables: Mapping[date, _Table]) -> _Table:
    """The table in force on a day. Raises NoFees before the first."""
    begun = [since for since in tables if since <= on]
    if not begun:
        raise NoFees(f"no fees are known for {on}: the first table is of {min(tables)}")
    return tables[max(begun)]


def removal_fee(pounds: Decimal, cubic_feet: Decimal, storage_type: str, on: date) -> Decimal:
    """Dollars for taking out one of Amazon's units.

    pounds, cubic_feet    of one of them; what its room weighs at 139 cubic inches a pound counts where that is more
    storage_type          as `size_store.Size` has it
    raises                NoFees before the first table
    """
    fees = table_on(on, BY_DATE)
    weighs = max(pounds, cubic_feet * _CUBIC_INCHES / _INCHES_A_POUND)
    if storage_type == STANDARD:
        return _fee(fees.standard, weighs)
    return _fee(fees.special, weighs)


def _fee(steps: Sequence[Step], pounds: Decimal) -> Decimal:
    before = Decimal(0)
    for step in steps:
        if step.up_to is None:
            return step.dollars + step.per_pound * math.ceil(pounds - before)
        if pounds <= step.up_to:
            return step.dollars
        before = step.up_to
    raise AssertionError("the last step has no end")


def storage_fee(cubic_feet: Decimal, storage_type: str, on: date) -> Decimal:
    """Dollars for keeping so much room for the month of that day. Raises NoFees before the first table."""
    table = table_on(on, STORAGE)
    is_peak = on.month in _PEAK
    if storage_type == STANDARD:
        return cubic_feet * (table.standard_peak if is_peak else table.standard)
    return cubic_feet * (table.large_peak if is_peak else table.large)
