"""The wiring of a house whose vendors, clock and broker are in this process: what errands of workers are given."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Engine

from channels.base import Channel, ReadsInBulk
from channels.edi.mailbox import Exchange
from channels.edi.partner import Partner
from ledger.db import transaction
from workers.flows import edi_desk, ingest
from workers.flows.lane import Lane
from workers.flows.reconcile_terms import Terms
from workers.wiring import Wiring, proof_of

if TYPE_CHECKING:
    from console.chaos.house import House


class InProcess(Wiring):
    """The wiring of one schedule's house. Limits are its own and nothing is asked of Redis."""

    def __init__(self, of: House, chance: Callable[[], float], key: Callable[[], int]) -> None:
        """chance, key    of retries, from 0 to 1; 128 bits for the name of a call"""
        super().__init__(of.settings, clock=of.now)
        self._of, self._chance, self._key = of, chance, key

    @cached_property
    def engine(self) -> Engine:
        """PostgreSQL, where workers take turns and die."""
        return self._of.engine

    @cached_property
    def house(self) -> ingest.House:
        """What the drain needs; a planted mistake may have changed it."""
        return self._of.drain

    def client(self, channel: str) -> Channel:
        """Our client of a simulated account."""
        return self._of.clients[channel]

    def reader(self, channel: str) -> Channel:
        """The same client: limits are met by the small plans of the accounts."""
        return self._of.clients[channel]

    def bulk(self, channel: str) -> ReadsInBulk | None:
        """Nobody has thousands of SKUs here."""
        return None

    def orders_lag_s(self, channel: str) -> float:
        """How far a channel's order API is behind."""
        return self._of.lane_of(channel).orders_lag_s

    def terms(self, channel: str) -> Terms:
        """How windows are judged; a planted mistake may have changed it."""
        return self._of.twisted(super().terms(channel))

    def topics(self, channel: str) -> frozenset[str]:
        """What a channel is to notify us of."""
        return self._of.lane_of(channel).topics

    def mailbox(self, channel: str) -> tuple[Partner, Exchange]:
        """A wholesale partner, and the folder in memory that it shares with us."""
        with transaction(self.engine) as connection:
            return edi_desk.partner(connection, channel), self._of.boxes[channel]

    def push_lane(self, channel: str) -> Lane:
        """What pushing needs, its chance by the schedule's dice."""
        settings = self.settings
        return Lane(
            engine=self.engine,
            client=self.client(channel),
            now=self.now,
            chance=self._chance,
            new_key=lambda: str(UUID(int=self._key(), version=4)),
            rise_wait_s=settings.rise_wait_s,
            verify_after_s=settings.verify_after_s,
            lease_s=settings.push_lease_s,
            proof=proof_of(settings),
        )
