"""How confirmed numbers are read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum


class Look(Enum):
    """How a confirmed number is read back: before others, with a sample of the rest, or by the next window alone."""

    FIRST = "first"
    SAMPLE = "sample"
    WINDOW = "window"


def look_columns(
    places: Iterable[tuple[str, str]], looks: Mapping[tuple[str, str], Look]
) -> dict[str, list[bool]]:
    """`read` and `first` of each (SKU, location); one that is not named is read back first."""
    ways = [looks.get(place, Look.FIRST) for place in places]
    return {
        "read": [way is not Look.WINDOW for way in ways],
        "first": [way is not Look.SAMPLE for way in ways],
    }
