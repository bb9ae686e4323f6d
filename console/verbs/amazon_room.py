"""How large units are and how much room Amazon gives, as people say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from sqlalchemy import Engine

from allocation.planning import size_store
from allocation.planning.size_store import Size
from channels.amazon import network_store
from channels.amazon.network_store import Capacity
from console.access.types import Refusal, Unfit
from console.verbs import sheets
from console.views.amazon import channel_of
from ledger.db import transaction
from ledger.names import as_written

COLUMNS: Final = (
    "sku", "cubic_feet", "length_in", "width_in", "height_in", "storage_type", "carton_units", "carton_cubic_feet",
    "pounds", "ounces", "grams",
)  # fmt: skip
#: Words of Seller Central for its limits.
STORAGE_TYPES: Final = (
    "standard", "oversize", "extra-large", "apparel", "footwear", "aerosol", "flammable",
)  # fmt: skip
_CUBIC_INCHES: Final = Decimal(1728)
_LEAST: Final = Decimal("0.000001")
_IN_A_POUND: Final = {"pounds": Decimal(1), "ounces": Decimal(16), "grams": Decimal("453.59237")}
#: No unit, carton or count of them is larger.
_MOST: Final = Decimal(1_000_000)


def set_sizes(engine: Engine, sizes: Sequence[Size], *, by: str, now: datetime) -> dict[str, Any]:
    """Say how large units are; all of it, or nothing. Raises Unfit: a SKU is unknown, or stands twice."""
    often = Counter(size.sku for size in sizes)
    faults = [f"{sku} stands twice: keep one" for sku, times in often.items() if times > 1]
    with transaction(engine) as connection:
        known = size_store.known(connection, list(often))
        faults += [f"unknown SKU {sku!r}: correct it" for sku in often if sku not in known]
        if faults:
            raise Unfit(f"{len(faults)} to be put right; nothing was changed", faults=faults)
        size_store.set_sizes(connection, sizes, by=by, now=now)
    return {"skus": len(sizes)}


def set_capacity(
    engine: Engine, name: str | None, limit: Capacity, *, by: str, now: datetime
) -> dict[str, Any]:
    """Keep a limit of storage as Seller Central shows it, for a day and those after it.

    name      of the channel; None: the only one of Amazon
    raises    Unknown: which channel;  Refusal: it says neither cubic feet nor units
    """
    if limit.cubic_feet is None and limit.units is None:
        raise Refusal("a limit is in cubic feet or in units: say one of them")
    with transaction(engine) as connection:
        channel = channel_of(connection, name)
        network_store.set_capacity(connection, channel, limit, by=by, now=now)
    return {
        "channel": channel,
        "storage_type": limit.storage_type,
        "since": limit.since,
        "cubic_feet": limit.cubic_feet,
        "units": limit.units,
    }


def limit_of(
    storage_type: str,
    since: date | None,
    cubic_feet: Decimal | None,
    units: int | None,
    now: datetime,
) -> Capacity:
    """A limit; since: today if left out."""
    return Capacity(storage_type, since or now.date(), cubic_feet, units)


def size_of(
    sku: str,
    cubic_feet: Decimal | None,
    sides: Sequence[Decimal | None],
    storage_type: str | None,
    carton_units: int | None,
    carton_cubic_feet: Decimal | None,
    pounds: Decimal | None = None,
) -> Size:
    """A size; a carton that is not measured has the room of its units.

    sides     in inches, instead of cubic feet
    raises    ValueError, in words
    """
    feet = cubic_feet
    given = [side for side in sides if side is not None]
    if feet is None and len(given) == 3:
        feet = max(_LEAST, (given[0] * given[1] * given[2] / _CUBIC_INCHES).quantize(_LEAST))
    if feet is None:
        raise ValueError("write cubic_feet, or length_in, width_in and height_in")
    kind = storage_type or "standard"
    if kind not in STORAGE_TYPES:
        raise ValueError(f"storage_type {kind!r} is none of {', '.join(STORAGE_TYPES)}")
    units = carton_units or 1
    carton = carton_cubic_feet or feet * units
    if max(feet, carton) > _MOST:
        raise ValueError(f"more than {_MOST} cubic feet: correct it")
    return Size(sku, feet, kind, units, carton, pounds)


def read_sizes(said: str) -> list[Size]:
    """Sizes as CSV says them (`COLUMNS`; blank: not said). Raises Unfit, naming the lines."""

    def head(names: Sequence[str]) -> None:
        if "sku" not in names:
            first = f"1: the first line must name {', '.join(COLUMNS)}"
            raise Unfit("no column sku", faults=[first])

    return sheets.read(
        said, head, lambda row: _size({name: (row.get(name) or "").strip() for name in COLUMNS})
    )


def _size(row: dict[str, str]) -> Size:
    sku = as_written(row["sku"])
    if not sku:
        raise ValueError("no SKU: write one")
    units = _number("carton_units", row["carton_units"])
    if units is not None and units != units.to_integral_value():
        raise ValueError(f"carton_units {row['carton_units']!r} is no number of units")
    return size_of(
        sku,
        _number("cubic_feet", row["cubic_feet"]),
        [_number(name, row[name]) for name in ("length_in", "width_in", "height_in")],
        row["storage_type"] or None,
        None if units is None else int(units),
        _number("carton_cubic_feet", row["carton_cubic_feet"]),
        _pounds(row),
    )


def _pounds(row: dict[str, str]) -> Decimal | None:
    """The weight, in whichever unit it is written; None where it is in none."""
    said = [name for name in _IN_A_POUND if row[name]]
    if len(said) > 1:
        raise ValueError(f"the weight stands in {' and '.join(said)}: write one of them")
    for name in said:
        number = _number(name, row[name])
        if number is not None:
            return max(_LEAST, (number / _IN_A_POUND[name]).quantize(_LEAST))
    return None


def _number(name: str, said: str) -> Decimal | None:
    if not said:
        return None
    try:
        number = Decimal(said)
    except InvalidOperation:
        raise ValueError(f"{name} {said!r} is no number: write 12.5") from None
    if not (number.is_finite() and _LEAST <= number <= _MOST):
        raise ValueError(f"{name} {said!r} is not above 0 and small enough: correct it")
    return number
