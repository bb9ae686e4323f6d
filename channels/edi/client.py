"""A wholesale partner as a sales channel: its numbers go out as 846, and what it acknowledged is what it shows.

A partner has no API to ask. What was said to it stands in our own tables: a push posts an 846 there, the exchange sends
it, and the partner's 997 makes it known. So this client opens short transactions of its own and never the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine

from channels.base import (
    Binding,
    ChannelOrder,
    Confirmed,
    Known,
    Level,
    Outcome,
    Reading,
    Refused,
    Subscription,
    nothing_known,
)
from channels.edi import mail, showing, told
from channels.edi.partner import Partner
from channels.edi.segments import Unwritable
from channels.edi.told import Told
from ledger.db import transaction


class WholesalePartner:
    """A `Channel`. `memory` is the house's own database."""

    def __init__(self, partner: Partner, memory: Engine, *, now: Callable[[], datetime]) -> None:
        self.name = partner.name
        self.push_rows = partner.availability_rows
        self.direct_rows = partner.availability_rows
        #: Nobody can read back before the 997 is due; until then a reading says that it is unknown.
        self.settle_s = 0.0
        self._partner = partner
        self._memory = memory
        self._now = now

    @property
    def vendor_time(self) -> datetime | None:
        """A folder has no clock."""
        return None

    def push(self, levels: Sequence[Level], *, key: str) -> list[Outcome]:
        """Post one 846 with these levels, once per key."""
        if len(levels) > self.push_rows:
            raise ValueError(f"{len(levels)} levels; one push carries {self.push_rows} at most")
        if not levels:
            return []
        self._tell([(level.binding, level.units) for level in levels], key)
        return [Confirmed(level) for level in levels]

    def answers(self, receipt: str, levels: Sequence[Level]) -> list[Outcome] | None:
        """Never asked: an 846 that is posted is handed over."""
        return None

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """What the newest acknowledged 846 said; unknown while a newer one is on its way."""
        places = {(binding.item_id, binding.vendor_location_id) for binding in bindings}
        with transaction(self._memory) as connection:
            found = told.known(connection, self.name, places)
        observed_at = self._now()
        for binding in bindings:
            known = found.get((binding.item_id, binding.vendor_location_id))
            yield Reading(
                binding=binding,
                units=known.believed if known else None,
                committed=None,
                updated_at=known.known_at if known else None,
                observed_at=observed_at,
                said=known.said if known and known.ack_state == "waiting" else None,
            )

    def sale_state(self, binding: Binding) -> Mapping[str, str]:
        """Nothing to undo: a partner's listing is its own."""
        return {}

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        """Say that nothing is left; not again while that is the last thing that was said."""
        at = (binding.item_id, binding.vendor_location_id)
        with transaction(self._memory) as connection:
            known = told.known(connection, self.name, {at}).get(at)
        if known is None or known.said or known.ack_state in ("rejected", "overdue"):
            self._tell([(binding, 0)], None)
        return {}

    def resume_sale(self, binding: Binding, undo: Mapping[str, str]) -> None:
        """The next push says what is there."""

    def orders_since(self, mark: datetime, known: Known = nothing_known) -> Iterator[ChannelOrder]:
        """None: orders come as documents, through the exchange."""
        return iter(())

    def bindings(self, locations: Mapping[str, str]) -> Iterator[Binding]:
        """None: a partner's catalogue is its own; items are mapped from a file (`channel map --file`)."""
        return iter(())

    def subscriptions(self) -> list[Subscription]:
        """None."""
        return []

    def subscribe(self, topics: Iterable[str], uri: str) -> list[Subscription]:
        """Nothing to subscribe to: the partner's folder is looked into."""
        return []

    def _tell(self, levels: Sequence[tuple[Binding, int]], key: str | None) -> None:
        now = self._now()
        with transaction(self._memory) as connection:
            serial = mail.next_number(connection, f"availability/{self.name}")
        # Written outside of a transaction: ten thousand lines take their time.
        numbers = showing.numbers_of(levels)
        sets = showing.availabilities(numbers, self._partner, reference=f"{serial}", at=now)
        try:
            outgoing = [
                mail.Outgoing(*mail.written(said, self._partner), reference=said.reference)
                for said, _ in sets
            ]
            with transaction(self._memory) as connection:
                posted = mail.post(connection, self._partner, outgoing, now=now, push_key=key)
                if not posted.repeated:
                    rows = [
                        Told(number.item, number.place, number.units, document)
                        for (_, here), document in zip(sets, posted.documents, strict=True)
                        for number in here
                    ]
                    told.tell(connection, self.name, rows, now=now)
        except Unwritable as error:
            raise Refused(f"{self.name}: {error}", code="unwritable") from error
