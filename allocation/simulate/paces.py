"""How fast one SKU was seen to sell, kept as the ledger keeps it (`allocation.pace`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from allocation.pace import LOOK_AGAIN, Sold, Sums, gathered, rates
from allocation.types import Pace


class Paces:
    """The sums of one SKU; times are seconds after `start`."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._sums: dict[tuple[str, str], Sums] = {}

    def add(self, channel: str, location: str, units: int, at: float) -> None:
        """Count an order line that was heard of, ordered at `at`."""
        (more,) = gathered([Sold("", channel, location, self._moment(at), units)])
        known = self._sums.get((channel, location))
        self._sums[channel, location] = more if known is None else known + more

    def at(self, now: float) -> tuple[Mapping[tuple[str, str], Pace], float | None]:
        """(the paces known now, when they will have changed by themselves, if they will)."""
        moment = self._moment(now)
        paces: dict[tuple[str, str], Pace] = {}
        look_again: float | None = None
        for place, sums in self._sums.items():
            found = rates(sums, moment)
            if found is not None:
                paces[place] = found.in_use
                if found.is_fast:
                    look_again = now + LOOK_AGAIN.total_seconds()
        return paces, look_again

    def _moment(self, seconds: float) -> datetime:
        return self._start + timedelta(seconds=seconds)
