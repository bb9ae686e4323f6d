"""Which writes are proven at once: those whose loss could sell what is not there before a window would find it."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconcile.compare import exact_percent
from reconcile.types import HaltRule


@dataclass(frozen=True, slots=True)
class Proof:
    """How confirmed writes are read back.

    scarce_units    up to so many units shown, a write is always read back
    fast_per_day    and of a SKU that sells so many units a day, or may sell out before the next windows
    share           part of the others that is read back, 0 to 1
    rows            most of these in one look at a channel; None is all
    rule            of a channel for which the rule file says nothing else
    """

    scarce_units: int = 10
    fast_per_day: float = 24.0
    share: float = 1.0
    rows: int | None = None
    rule: HaltRule = field(default_factory=HaltRule)


@dataclass(frozen=True, slots=True)
class Written:
    """A write that the vendor confirmed.

    expected    what we believed was shown before; None: nothing was known
    attempts    it was sent so often before, or repairs what was swallowed
    fast        the SKU sells fast;  scarce  its units are divided into quotas, or a rise of it is held
    """

    units: int
    expected: int | None
    attempts: int = 0
    fast: bool = False
    scarce: bool = False


def must_be_read(written: Written, proof: Proof, rule: HaltRule) -> bool:
    """Whether a write is read back within seconds, whatever else waits.

    Fast or scarce; a first number, or one that did not come through before; and one whose loss would halt the SKU:
    a number of 50 that was to be 30.
    """
    if written.fast or written.scarce or written.units <= proof.scarce_units:
        return True
    if written.expected is None or written.attempts > 0:
        return True
    lost = written.expected - written.units
    share = exact_percent(written.units, written.expected, floor_units=rule.floor_units)
    return lost >= rule.units_at_least and float(share) > rule.percent_over
