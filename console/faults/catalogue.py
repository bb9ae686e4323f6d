"""Every fault there is, in the order in which they are done."""

from __future__ import annotations

from typing import Final

from console.faults import backups, clocks, crowd, deploys, disks, processes, rubbish, wires
from console.faults.types import Fault

FAULTS: Final[tuple[Fault, ...]] = (
    *processes.FAULTS,
    *wires.FAULTS,
    *rubbish.FAULTS,
    *crowd.FAULTS,
    *clocks.FAULTS,
    *backups.FAULTS,
    *disks.FAULTS,
    *deploys.FAULTS,
)
