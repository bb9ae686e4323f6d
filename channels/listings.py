"""What a vendor's listings take from our stock, as a file says it: packs, units of measure and bundles.

    listing,sku,units,uom
    TEE-SIX,TEE,6,
    MUG-CASE,MUG,24,CA
    GIFT-BOX,MUG,1,
    GIFT-BOX,TEE,2,

`listing` is the SKU text or the variant id at the vendor. One row is a pack, several rows are a bundle. `units` may be
left out where `uom` has a size of its own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from channels.names import Part
from ledger.events import is_name
from ledger.names import as_written
from ledger.separated import separator

#: Units of ours in one of theirs, for the units of measure whose size is in their name (X12 data element 355).
SIZES: Final[Mapping[str, int]] = {
    "EA": 1,
    "EACH": 1,
    "UN": 1,
    "PC": 1,
    "PR": 2,
    "DZ": 12,
    "GR": 144,
}
#: Units of measure that hold as many as somebody packed.
PACKED: Final = frozenset({"CA", "CS", "BX", "PK", "CT", "PL"})
_MOST_UNITS = 1_000_000
_COLUMNS = ("listing", "sku", "units", "uom")


@dataclass(frozen=True, slots=True)
class Assortment:
    """A mapping file, read.

    parts      listing -> what one of it takes; more than one SKU is a bundle
    problems   line by line what is wrong and what to do; such lines count for nothing
    """

    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def read(source: str) -> Assortment:
    """Read a mapping file (CSV with a header line); a byte order mark and blank lines do no harm."""
    # Lines may end in \r alone; the reader of the csv module wants them as \n.
    text = source.removeprefix("\ufeff")
    first = text.replace("\r", "\n").split("\n", 1)[0]
    rows = csv.reader(io.StringIO(text, newline=None), delimiter=separator(first))
    try:
        header = [name.strip().lower() for name in next(rows, [])]
    except csv.Error as error:
        return Assortment(problems=(f"1: not CSV: {error}; write: {','.join(_COLUMNS)}",))
    missing = [name for name in _COLUMNS[:2] if name not in header]
    strange = [name for name in header if name not in _COLUMNS]
    if missing or strange:
        said = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(map(repr, strange))}"
        return Assortment(problems=(f"1: the header {said}; write: {','.join(_COLUMNS)}",))
    parts: dict[str, dict[str, int]] = {}
    problems: list[str] = []
    try:
        for line, row in _lines(rows, header):
            fault = _take(parts, row)
            if fault:
                problems.append(f"{line}: {fault}")
    except csv.Error as error:
        problems.append(f"{rows.line_num}: not CSV: {error}; correct this line")
    kept = {
        listing: tuple(Part(sku, units) for sku, units in sorted(taken.items()))
        for listing, taken in parts.items()
    }
    return Assortment(kept, (*problems, *_alike(kept)))


def _lines(rows: Iterator[list[str]], header: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for number, row in enumerate(rows, 2):
        if any(cell.strip() for cell in row):
            yield (
                number,
                {name: as_written(cell.strip()) for name, cell in zip(header, row, strict=False)},
            )


def _take(parts: dict[str, dict[str, int]], row: Mapping[str, str]) -> str:
    """Add a line; returns what is wrong with it, "" when nothing is."""
    listing, sku = row.get("listing", ""), row.get("sku", "")
    if not listing or not is_name(sku):
        return f"listing {listing!r} and SKU {sku!r} must both be given, at most 128 characters"
    units, fault = _units(row.get("units", ""), row.get("uom", "").upper())
    if fault:
        return f"{listing}: {fault}"
    if sku in parts.setdefault(listing, {}):
        return f"{listing}: {sku} stands twice; say how many units of it there are in one line"
    parts[listing][sku] = units
    return ""


def _units(said: str, uom: str) -> tuple[int, str]:
    if uom and uom not in SIZES and uom not in PACKED:
        known = ", ".join(sorted({*SIZES, *PACKED}))
        return 0, f"{uom!r} is not a unit of measure we know ({known}); give units instead"
    if not said:
        size = SIZES.get(uom or "EA")
        return (size, "") if size else (0, f"how many units are in one {uom}? give units")
    digits = said.lstrip("0")
    if not digits.isascii() or not digits.isdecimal() or not 1 <= int(digits[:9]) <= _MOST_UNITS:
        return 0, f"units must be a whole number from 1 to {_MOST_UNITS:,}, not {said[:40]!r}"
    units = int(digits[:9])
    if uom in SIZES and SIZES[uom] != units:
        return 0, f"one {uom} is {SIZES[uom]} units, not {units}; correct one of them"
    return units, ""


def _alike(parts: Mapping[str, object]) -> Iterator[str]:
    """Listings whose names differ only by case: one of them is a typing error until somebody says otherwise."""
    by_fold: dict[str, str] = {}
    for listing in parts:
        other = by_fold.setdefault(listing.casefold(), listing)
        if other != listing:
            yield f"{listing!r} and {other!r} differ only by case; correct the wrong one"
