"""Deliveries that come at the same time are committed together: one commit for as many as wait, each answered after it.

Under little load a delivery is committed at once and alone. Under much load commits grow and their number stays what
the disk can do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Final, Literal, TypeAlias

from sqlalchemy.exc import DataError, IntegrityError
from starlette.concurrency import run_in_threadpool

from console.batches import Batches
from ledger.inbox import Delivery, Kept

#: What became of a delivery: kept; known with the same body; known with another one, and not kept.
Fate: TypeAlias = Literal["fresh", "repeated", "differing"]

#: Commits under way at the same time: while one waits for the disk the next is written.
_AT_ONCE: Final = 2
_MOST: Final = 100


class Accepting:
    """One door's deliveries.

    keep    commits these; says by position what became of each
    """

    def __init__(self, keep: Callable[[list[Delivery]], Kept]) -> None:
        self._keep_all = keep
        self._numbers = count()
        self._waiting: dict[int, Delivery] = {}
        self._batches = Batches(self._commit, at_once=_AT_ONCE, most=_MOST)

    async def keep(self, delivery: Delivery) -> Fate:
        """Commit a delivery, with whatever else waits. Raises what the commit raised."""
        number = next(self._numbers)
        self._waiting[number] = delivery
        fate = await self._batches.get(number)
        if isinstance(fate, Exception):
            raise fate
        return fate

    async def _commit(self, numbers: Sequence[int]) -> Mapping[int, Fate | Exception]:
        deliveries = [self._waiting.pop(number) for number in numbers]
        fates = await run_in_threadpool(self._fates, deliveries)
        return dict(zip(numbers, fates, strict=True))

    def _fates(self, deliveries: list[Delivery]) -> list[Fate | Exception]:
        """What became of each; one that the database refuses takes none of the others with it."""
        try:
            kept = self._keep_all(deliveries)
        except (DataError, IntegrityError) as refused:
            if len(deliveries) == 1:
                return [refused]
            return [fate for each in deliveries for fate in self._fates([each])]
        fates: list[Fate | Exception] = ["fresh"] * len(deliveries)
        for position in kept.repeated:
            fates[position] = "repeated"
        for position in kept.differing:
            fates[position] = "differing"
        return fates
