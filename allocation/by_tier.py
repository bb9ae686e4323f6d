"""Units that go by how fast a SKU sells: one number for each tier of velocity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from allocation.planning.tiers import Tier


@dataclass(frozen=True, slots=True)
class ByTier:
    """So many units of a SKU of tier A, B and C."""

    a: int
    b: int
    c: int

    def of(self, tier: Tier | None) -> int:
        """The number of a tier; of a SKU whose tier nobody knows yet the largest, which is the safe side."""
        if tier is None:
            return max(self.a, self.b, self.c)
        return {Tier.A: self.a, Tier.B: self.b, Tier.C: self.c}[tier]


def tier_of(sku: str, parts: Iterable[str], tiers: Mapping[str, Tier]) -> Tier | None:
    """The tier of a SKU; a bundle has that of the part that sells fastest, and none where one of them has none.

    tiers    those that are known
    """
    if sku in tiers:
        return tiers[sku]
    found = [tiers.get(part) for part in parts]
    known = [tier for tier in found if tier is not None]
    return min(known, key=lambda tier: tier.rank) if known and len(known) == len(found) else None
