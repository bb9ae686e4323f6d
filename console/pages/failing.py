"""Which failures the words of an address mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workers.failures.types import CLASSES, ORIGINS, Filter

_NAMES: Final = ("channel", "kind", "origin", "sku", "order")


def filter_of(said: Mapping[str, str | None], ids: tuple[int, ...] = ()) -> Filter:
    """Which failures words mean: channel, kind, origin, sku, order; what is no class or origin is left out."""
    kept = {name: said.get(name) or None for name in _NAMES}
    return Filter(
        ids=ids,
        channel=kept["channel"],
        kind=kept["kind"] if kept["kind"] in CLASSES else None,
        origin=kept["origin"] if kept["origin"] in ORIGINS else None,
        sku=kept["sku"],
        order=kept["order"],
    )
