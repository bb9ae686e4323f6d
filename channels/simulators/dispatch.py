"""Sending parcels with what may go wrong on the way: dropped, late, overtaken, doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Final

from channels.simulators.agenda import Agenda
from channels.simulators.clock import Clock
from channels.simulators.courier import Courier, Parcel
from channels.simulators.faults import Fault, Faults

HELD_S: Final = 10
"""A parcel held back to be overtaken is sent after this long even when none overtakes it."""
OVERTAKEN_S: Final = 0.05


class Dispatch:
    """Hands parcels to the courier, unless a `webhook_*` fault has other plans. Safe to use from several threads."""

    def __init__(
        self,
        courier: Courier,
        agenda: Agenda,
        clock: Clock,
        faults: Faults,
        note: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        self._courier = courier
        self._agenda = agenda
        self._clock = clock
        self._faults = faults
        self._note = note
        self._held_back: list[Parcel] = []
        self._sending = threading.Lock()

    def send(self, parcel: Parcel, skus: Collection[str]) -> None:
        """Send one parcel about these SKUs."""

        def strikes(kind: str) -> Fault | None:
            now = self._clock.now()
            return self._faults.draw(kind, now, skus=skus, topic=parcel.topic)

        if strikes("webhook_drop"):
            facts = {"topic": parcel.topic, "delivery_id": parcel.delivery_id, "dropped": True}
            self._note("webhook", facts)
            return
        with self._sending:
            late = strikes("webhook_late")
            if strikes("webhook_reorder"):
                self._held_back.append(parcel)
                held_until = self._clock.now() + timedelta(seconds=HELD_S)
                self._agenda.call_at(held_until, self._release)
                return
            after_s = late.seconds if late else 0.0
            self._courier.send(parcel, after_s)
            if strikes("webhook_duplicate"):
                self._courier.send(_twin(parcel), after_s)
            self._let_go()

    def clear(self) -> None:
        """Forget what is held back."""
        with self._sending:
            self._held_back.clear()

    def _release(self) -> None:
        with self._sending:
            self._let_go()

    def _let_go(self) -> None:
        for overtaken in self._held_back:
            self._courier.send(overtaken, OVERTAKEN_S)
        self._held_back.clear()


def _twin(parcel: Parcel) -> Parcel:
    return Parcel(
        parcel.delivery_id,
        parcel.subscription_id,
        parcel.topic,
        parcel.url,
        dict(parcel.headers),
        parcel.body,
    )
