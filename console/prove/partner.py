"""The wholesale partner of the proof: its buyers order by 850; a mailbox in memory lies between it and the house."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from channels.base import Binding
from channels.edi.mailbox import Mailbox
from channels.simulators.clock import Clock
from channels.simulators.edi.control import Control
from channels.simulators.edi.simulator import EdiSimulator
from console.chaos.partner import Shelves
from console.prove.clockwork import Clockwork

PARTNER: Final = "wholesale_edi"
#: The partner's name of our warehouse, and how often it looks into the mailbox.
STORE: Final = "0001"
LOOKS_S: Final = 60.0
#: As options of the channel. What is not there now is ordered elsewhere: nobody waits for it, as with the others.
PARTNERSHIP: Final = {
    "our_id": "ZZ:LOCKSTEP",
    "partner_id": "12:5551234",
    "version": "4010",
    "backorder": "no",
    "poll_s": f"{LOOKS_S:.0f}",
}


class _Files(Shelves):
    """The files of the mailbox; whoever waits for one of the partner's is told."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.tell: Callable[[], object] = lambda: None

    def put(self, name: str, data: bytes, at: datetime) -> None:
        """A whole file of the partner's."""
        super().put(name, data, at)
        self.tell()


class Partner:
    """A partner that lists what its buyers want, and nothing before.

    listed    SKUs that it lists
    """

    def __init__(self, works: Clockwork, seed: int) -> None:
        self._files = _Files(works.clock)
        self._simulator = EdiSimulator(
            works.clock,
            Path(PARTNER),
            qualifier="12",
            partner_id="5551234",
            poll_s=LOOKS_S,
            seed=seed,
            agenda=works.agenda,
            folders=self._files,
        )
        self._control = Control(self._simulator)
        self._control.store({"code": STORE})
        self.listed: tuple[str, ...] = ()

    @property
    def mailbox(self) -> Mailbox:
        """Our side of the mailbox. What lies there is whole: nobody waits for a file to come to rest."""
        return Mailbox(self._files, PARTNER, quiet_s=0.0)

    def when_put(self, tell: Callable[[], object]) -> None:
        """Have somebody told of each file that the partner puts into the mailbox."""
        self._files.tell = tell

    def list_goods(self, skus: Sequence[str]) -> None:
        """Its catalogue."""
        self._control.items({"items": [{"sku": sku} for sku in skus]})
        self.listed = tuple(skus)

    def bindings(self, location: str) -> list[Binding]:
        """What its catalogue means to us."""
        return [Binding(PARTNER, sku, location, sku, STORE, sku) for sku in self.listed]

    def order(self, number: str, lines: Sequence[tuple[str, int]]) -> str:
        """An 850 goes out; returns its number. A number that was used is used with the next free ending.

        lines    (SKU, units); they are numbered from 1
        """
        known = self._simulator.partner.books.orders
        free = number
        again = 1
        while free in known:
            again += 1
            free = f"{number}-{again}"
        asked = [{"sku": sku, "units": units} for sku, units in lines]
        self._control.purchase_order({"order": free, "lines": asked})
        return free

    def complaints(self) -> list[Any]:
        """What it finds wrong with our documents, and what did not come in time."""
        books = self._simulator.partner.books
        return [*books.complaints, *books.overdue(self._simulator.clock.now())]
