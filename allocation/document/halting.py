"""`[halt]` and `[channels.<name>.halt]` of the rule file: when what shows too much is taken off sale."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from allocation.document.fields import Why, number
from allocation.halt_terms import HaltTerms, HaltTier

_Over = Annotated[Decimal, BeforeValidator(number), Field(gt=0, le=100_000, decimal_places=2)]
_Least = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
_Windows = Annotated[int, Field(strict=True, ge=1, le=672)]
_Hours = Annotated[float, BeforeValidator(number), Field(gt=0, le=8760)]


class HaltTierTable(BaseModel):
    """`[halt.fast]`, `[halt.slow]`"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    percent: _Over | None = None
    units: _Least | None = None

    def tier(self) -> HaltTier:
        """The same as words."""
        return HaltTier(self.percent, self.units)


class HaltTable(HaltTierTable):
    """`[halt]`"""

    fast: HaltTierTable = HaltTierTable()
    slow: HaltTierTable = HaltTierTable()
    calm_windows: _Windows | None = None
    ttl_hours: _Hours | None = None
    why: Why = ""

    def terms(self) -> HaltTerms:
        """The same as words."""
        return HaltTerms(
            self.percent,
            self.units,
            self.fast.tier(),
            self.slow.tier(),
            self.calm_windows,
            self.ttl_hours,
        )
