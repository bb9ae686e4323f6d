"""What kind of demand a SKU has: how often it is wanted, and how uneven the units are when it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Where the classes divide (Syntetos, Boylan, Croston 2005, "On the categorization of demand patterns",
#: J. Oper. Res. Soc. 56).
ADI_CUT: Final = 1.32
CV2_CUT: Final = 0.49


class DemandClass(StrEnum):
    """Smooth: often and even; erratic: often, uneven; intermittent: seldom, even; lumpy: seldom, uneven."""

    SMOOTH = "smooth"
    ERRATIC = "erratic"
    INTERMITTENT = "intermittent"
    LUMPY = "lumpy"


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a SKU is wanted.

    adi    periods for each period with demand (average demand interval)
    cv2    variance of the demands above 0 over the square of their mean
    """

    adi: float
    cv2: float

    @property
    def kind(self) -> DemandClass:
        """On the cuts themselves: the less steady one."""
        if self.adi < ADI_CUT:
            return DemandClass.SMOOTH if self.cv2 < CV2_CUT else DemandClass.ERRATIC
        return DemandClass.INTERMITTENT if self.cv2 < CV2_CUT else DemandClass.LUMPY


def pattern(periods: Sequence[float | None]) -> Pattern | None:
    """How these periods were wanted; None where nothing ever was.

    periods    units of each; None is a period of which nothing can be said, and counts for nothing
    """
    known = [units for units in periods if units is not None]
    sizes = [units for units in known if units > 0]
    if not sizes:
        return None
    mean = math.fsum(sizes) / len(sizes)
    variance = math.fsum((size - mean) ** 2 for size in sizes) / len(sizes)
    return Pattern(len(known) / len(sizes), variance / mean**2)
