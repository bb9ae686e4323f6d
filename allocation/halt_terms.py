"""Words: what a rule file says of halts, for the house and for single channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class HaltTier:
    """From when on a SKU of one tier is taken off sale; None leaves it as it is for all.

    percent    a drift above this percent of what was expected
    units      and of at least so many units
    """

    percent: Decimal | None = None
    units: int | None = None


@dataclass(frozen=True, slots=True)
class HaltTerms:
    """What one table says; None leaves it to the wider table.

    fast, slow      departures for SKUs that sell fast, and for the others
    calm_windows    windows for which a stop must have held before the rule lifts it
    ttl_hours       the rule's halts that stand for longer call a person
    """

    percent: Decimal | None = None
    units: int | None = None
    fast: HaltTier = HaltTier()
    slow: HaltTier = HaltTier()
    calm_windows: int | None = None
    ttl_hours: float | None = None


@dataclass(frozen=True, slots=True)
class Halting:
    """Everything one version of the rule file says of halts.

    channels    what single channels depart in
    """

    house: HaltTerms = HaltTerms()
    channels: Mapping[str, HaltTerms] = field(default_factory=dict)
