"""The tables: which segments a set has, which elements a segment has, what an element may hold.

Versions 004010 and 005010. `tables_of` picks by the beginning of GS08, so that 004010VICS and 005010X231 find theirs.
"""

from __future__ import annotations

from typing import Final

from channels.edi.sets.grammar import Layout, Tables, read_layout
from channels.edi.sets.layouts import LAYOUT_TEXTS
from channels.edi.sets.segments import tables

__all__ = ["GROUP_OF", "LAYOUTS", "Layout", "Tables", "tables_of"]

_4010: Final = tables("004010")
_5010: Final = tables("005010")

#: set -> its segments and loops. 4010 and 5010 differ, in the sets we know, by loops that both tables allow.
LAYOUTS: Final[dict[str, Layout]] = {
    set_id: read_layout(text) for set_id, text in LAYOUT_TEXTS.items()
}

#: set -> GS01 of the group it travels in; also sets that we have no table for.
GROUP_OF: Final = {
    "810": "IN", "830": "PS", "832": "SC", "846": "IB", "850": "PO", "852": "PD", "855": "PR",
    "856": "SH", "860": "PC", "861": "RC", "862": "SS", "865": "CA", "940": "OW", "945": "SW",
    "997": "FA", "999": "FA",
}  # fmt: skip


def tables_of(version: str) -> Tables:
    """The tables for a GS08; those of the nearest version, and `is_exact` False, when we have none for it."""
    for known in (_4010, _5010):
        if version.startswith(known.version):
            return known
    release = version[:6]
    nearest = _5010 if len(release) == 6 and release.isdigit() and release >= "005" else _4010
    return nearest.nearest_for(version)
