"""Amazon's aged-inventory surcharge in the United States as dated data, in dollars a month.

Each table holds from its date until the next one; a band from its age in days until the next band's.

Sources: petani-logistics.com, "The Amazon monthly storage fee, aged inventory surcharge, and FBA capacity limits have
been changed in 2023" (from 2023-04-15; apparel, shoes, bags, jewellery and watches are free until 270 days);
fbatool.mistorify.com/2026change and biginternetcommerce.com, "The 2026 FBA surcharge" (from 2026-01-16: more for 12 to
15 months, a new band above). Whether 181 to 365 days cost the same in the years between could not be seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final


class NoSurcharges(Exception):
    """No table is known for that day; the message names the first one."""


@dataclass(frozen=True, slots=True)
class Band:
    """What units of an age cost: the greater of the two, a unit's volume times the one, or the other."""

    from_days: int
    per_cubic_foot: Decimal
    per_unit: Decimal = Decimal(0)


def _bands(*said: tuple[int, str, str]) -> tuple[Band, ...]:
    return tuple(Band(days, Decimal(foot), Decimal(unit)) for days, foot, unit in said)


_TO_A_YEAR: Final = (
    (181, "0.50", "0"),
    (211, "1.00", "0"),
    (241, "1.50", "0"),
    (271, "3.80", "0"),
    (301, "4.00", "0"),
    (331, "4.20", "0"),
)

BY_DATE: Final[Mapping[date, Sequence[Band]]] = MappingProxyType(
    {
        date(2023, 4, 15): _bands(*_TO_A_YEAR, (366, "6.90", "0.15")),
        date(2026, 1, 16): _bands(*_TO_A_YEAR, (366, "6.90", "0.30"), (456, "7.90", "0.35")),
    }
)


def bands_on(on: date, tables: Mapping[date, Sequence[Band]]) -> Sequence[Band]:
    """The bands in force on a day, youngest first.

    raises    NoSurcharges before the first table
    """
    begun = [since for since in tables if since <= on]
    if not begun:
        raise NoSurcharges(
            f"no surcharges are known for {on}: the first table is of {min(tables)}; ask for a later day"
        )
    return tables[max(begun)]
