"""Who plays: a few accounts and SKUs at a time, so that schedules are short and many; a seed picks one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PLACES: Final = ("OSLO", "BERGEN")
#: Kinds whose buyers order and wait, and kinds whose buyers pay and take it along.
_ORDERS: Final = ("shopify",)
_SELLS: Final = ("square",)


@dataclass(frozen=True, slots=True)
class Cast:
    """The accounts of a house and what they sell.

    kinds     channel -> kind of vendor
    opened    (SKU, place) -> units when the house is opened
    plan      points of a shop's plan, and points a second: few, so that limits are met
    """

    kinds: Mapping[str, str]
    opened: Mapping[tuple[str, str], int]
    plan: tuple[float, float] = (300.0, 15.0)

    @property
    def channels(self) -> tuple[str, ...]:
        """Every account."""
        return tuple(self.kinds)

    @property
    def shops(self) -> tuple[str, ...]:
        """Accounts that take orders."""
        return tuple(name for name, kind in self.kinds.items() if kind in _ORDERS)

    @property
    def tills(self) -> tuple[str, ...]:
        """Accounts that sell what lies before them, whatever they show, and compare nothing before they are set."""
        return tuple(name for name, kind in self.kinds.items() if kind in _SELLS)

    @property
    def skus(self) -> tuple[str, ...]:
        """What they sell."""
        return tuple(sorted({sku for sku, _ in self.opened}))

    @property
    def places(self) -> tuple[str, ...]:
        """Where it lies, in the order of `PLACES`."""
        there = {place for _, place in self.opened}
        return tuple(place for place in PLACES if place in there)


_TWO: Final = {("A", "OSLO"): 6, ("A", "BERGEN"): 3, ("B", "OSLO"): 2, ("B", "BERGEN"): 4}
_THREE: Final = {("A", "OSLO"): 12, ("A", "BERGEN"): 6, ("B", "OSLO"): 4, ("B", "BERGEN"): 9,
                 ("C", "OSLO"): 3, ("C", "BERGEN"): 2}  # fmt: skip

CASTS: Final[Mapping[str, Cast]] = {
    "two shops": Cast({"shop": "shopify", "mall": "shopify"}, _TWO),
    "shop and till": Cast({"shop": "shopify", "till": "square"}, _TWO),
    "two shops and till": Cast({"shop": "shopify", "mall": "shopify", "till": "square"}, _THREE),
    "small plan": Cast({"shop": "shopify"}, _TWO, plan=(300.0, 2.0)),
}
#: Cast -> how often it plays.
OFTEN: Final = {"two shops": 4, "shop and till": 4, "two shops and till": 1, "small plan": 2}
