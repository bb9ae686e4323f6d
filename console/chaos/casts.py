"""Who plays: a few accounts and SKUs at a time, so that schedules are short and many; a seed picks one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

PLACES: Final = ("OSLO", "BERGEN")
#: A Monday morning, so that nights, months and clock changes are far away; when the house is open, a window is near.
BEGINS: Final = datetime(2026, 3, 2, 9, 12, 48, tzinfo=UTC)
#: Kinds whose buyers order and wait, and kinds whose buyers pay and take it along.
_ORDERS: Final = ("shopify", "amazon")
_EDITS: Final = ("shopify",)
_SELLS: Final = ("square",)


@dataclass(frozen=True, slots=True)
class Cast:
    """The accounts of a house and what they sell.

    kinds     channel -> kind of vendor
    opened    (SKU, place) -> units when the house is opened
    plan      points of a shop's plan, and points a second: few, so that limits are met
    feeds     whether what is set at Amazon goes in feeds, which it answers minutes later
    begins, zone    the moment at which it is opened, a window near; the house's time zone
    season    when one SKU begins to be capped, as the rule file says it
    """

    kinds: Mapping[str, str]
    opened: Mapping[tuple[str, str], int]
    plan: tuple[float, float] = (300.0, 15.0)
    feeds: bool = False
    begins: datetime = BEGINS
    zone: str = "UTC"
    season: str = ""

    @property
    def channels(self) -> tuple[str, ...]:
        """Every account."""
        return tuple(self.kinds)

    @property
    def shops(self) -> tuple[str, ...]:
        """Accounts that take orders."""
        return tuple(name for name, kind in self.kinds.items() if kind in _ORDERS)

    @property
    def editing(self) -> tuple[str, ...]:
        """Accounts whose orders are changed and paid back, not only cancelled."""
        return tuple(name for name, kind in self.kinds.items() if kind in _EDITS)

    @property
    def partners(self) -> tuple[str, ...]:
        """Accounts that buy by documents, and show nothing of theirs to a person of ours."""
        return tuple(name for name, kind in self.kinds.items() if kind == "edi")

    @property
    def by_hand(self) -> tuple[str, ...]:
        """Accounts in which somebody may change a number."""
        return tuple(name for name, kind in self.kinds.items() if kind != "edi")

    @property
    def slow(self) -> tuple[str, ...]:
        """Accounts that show a number some time after they took it, and are set whatever they show."""
        return tuple(name for name, kind in self.kinds.items() if kind == "amazon")

    @property
    def after_s(self) -> float:
        """Seconds after a window's beginning in which what it found is put right."""
        # Amazon's order API does not tell the last two minutes, and what it shows is judged with its orders.
        return 360.0 if self.slow else 120.0

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
#: Enough for an account that shows a number late, and so keeps a large buffer.
_MANY: Final = {("A", "OSLO"): 40, ("A", "BERGEN"): 3, ("B", "OSLO"): 25, ("B", "BERGEN"): 4}
_THREE: Final = {("A", "OSLO"): 12, ("A", "BERGEN"): 6, ("B", "OSLO"): 4, ("B", "BERGEN"): 9,
                 ("C", "OSLO"): 3, ("C", "BERGEN"): 2}  # fmt: skip


def _on(begins: str, zone: str, season: str) -> Cast:
    """A shop and a till on some day."""
    accounts = {"shop": "shopify", "till": "square"}
    return Cast(accounts, _TWO, begins=datetime.fromisoformat(begins), zone=zone, season=season)


CASTS: Final[Mapping[str, Cast]] = {
    "two shops": Cast({"shop": "shopify", "mall": "shopify"}, _TWO),
    "shop and till": Cast({"shop": "shopify", "till": "square"}, _TWO),
    "two shops and till": Cast({"shop": "shopify", "mall": "shopify", "till": "square"}, _THREE),
    "small plan": Cast({"shop": "shopify"}, _TWO, plan=(300.0, 2.0)),
    "shop and market": Cast({"shop": "shopify", "market": "amazon"}, _MANY),
    "market by feeds": Cast({"market": "amazon", "till": "square"}, _MANY, feeds=True),
    "shop and partner": Cast({"shop": "shopify", "depot": "edi"}, _TWO),
    # A minute before the clocks are changed, or the day, the month and the year begin.
    "autumn in Berlin": _on("2026-10-25T00:57:48Z", "Europe/Berlin", "2026-10-25T02:05:00+01:00"),
    # There is no such time: what an hour later is shown counts.
    "spring in Berlin": _on("2027-03-28T00:57:48Z", "Europe/Berlin", "2027-03-28T02:05:00"),
    "autumn in New York": _on(
        "2026-11-01T05:57:48Z", "America/New_York", "2026-11-01T01:05:00-05:00"
    ),
    "new year in Berlin": _on("2026-12-31T22:57:48Z", "Europe/Berlin", "2027-01-01"),
    "end of a month": _on("2026-11-30T23:57:48Z", "UTC", "2026-12-01"),
}
#: Cast -> how often it plays.
OFTEN: Final = {"two shops": 4, "shop and till": 4, "two shops and till": 1, "small plan": 2}
#: Casts that came later have dice of their own: how often one of them plays, of all schedules, and which of them.
LATER: Final = {
    "shop and market": 4,
    "market by feeds": 2,
    "shop and partner": 4,
    "autumn in Berlin": 1,
    "spring in Berlin": 1,
    "autumn in New York": 1,
    "new year in Berlin": 1,
    "end of a month": 1,
}
LATER_SHARE: Final = 0.3
