"""What pushing to one channel needs, and what every call to it has in common: names, read-back, failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Engine

from allocation import backlog, pushes
from allocation.pushes import Chance, DuePush
from allocation.readings import Read
from channels.base import (
    Binding,
    Channel,
    ChannelError,
    Reading,
    Refused,
    Throttled,
    Unauthorised,
)
from ledger.db import transaction
from reconcile import returns
from reconcile.compare import newest
from reconcile.proving import Proof

if TYPE_CHECKING:
    from workers.flows.traces import Traces

#: A channel that did not answer is left alone for at most this long before somebody looks again.
_PROBE_S = 5.0
#: A vendor that says "at once" and means it not would be asked as fast as the wire carries.
_SHORTEST_WAIT_S = 0.1


@dataclass(frozen=True, slots=True)
class Lane:
    """What pushing to one channel needs.

    now              the clock
    chance           random numbers from 0 to 1, for waits
    new_key          a name for a call that no other has (a UUID)
    rise_wait_s      seconds an increase waits for orders on their way
    verify_after_s   seconds from a confirmed push to its read-back
    lease_s          seconds after which a claimed row is looked at again; more than the longest call takes
    rounds           most claims in one go; the sweep rings again for what is left
    proof            how confirmed numbers are read back
    reader           a client that leaves enough of the account's limit to pushes; None: there is no other
    traces           None: nothing is traced
    """

    engine: Engine
    client: Channel
    now: Callable[[], datetime]
    chance: Chance
    new_key: Callable[[], str]
    rise_wait_s: float
    verify_after_s: float
    lease_s: float = 120.0
    rounds: int = 200
    proof: Proof = field(default_factory=Proof)
    reader: Channel | None = None
    traces: Traces | None = None

    def rise_run_at(self) -> datetime:
        """When an increase decided now may go out."""
        return self.now() + timedelta(seconds=self.rise_wait_s)


class Named(Protocol):
    """Anything that carries the vendor's names of a place of ours."""

    @property
    def channel(self) -> str: ...
    @property
    def sku(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def item_id(self) -> str: ...
    @property
    def vendor_location_id(self) -> str: ...
    @property
    def variant_id(self) -> str: ...
    @property
    def product_id(self) -> str: ...
    @property
    def level_id(self) -> str: ...
    @property
    def pack(self) -> int: ...


class Stopped(Exception):
    """The vendor does not let us go on now; everything in hand has been booked.

    retry_after_s    seconds until it lets us in again, when it said so
    person_needed    the channel is stopped until somebody resumes it
    """

    retry_after_s: float | None = None
    person_needed: bool = False


def binding_of(row: Named) -> Binding:
    """The place in the words of the port."""
    return Binding(
        channel=row.channel,
        sku=row.sku,
        location=row.location,
        item_id=row.item_id,
        vendor_location_id=row.vendor_location_id,
        variant_id=row.variant_id,
        product_id=row.product_id,
        level_id=row.level_id,
        pack=row.pack,
    )


def snapshot(
    lane: Lane, rows: Sequence[Named], *, sparing: bool = False, or_said: bool = False
) -> tuple[list[Read], ChannelError | None]:
    """What the channel shows at these places now, the newest reading of each; and why it did not tell them all.

    sparing    leave enough of the account's limit to pushes
    or_said    where a document of ours is on its way, what it says counts
    """
    client = lane.reader if sparing and lane.reader is not None else lane.client
    readings: list[Reading] = []
    error: ChannelError | None = None
    try:
        for reading in client.snapshot([binding_of(row) for row in rows]):
            readings.append(reading)
    except ChannelError as stopped:
        error = stopped
    found = [
        Read(
            sku,
            location,
            reading.said if or_said and reading.units is None else reading.units,
            reading.observed_at,
            reading.updated_at,
            reading.committed,
        )
        for (sku, location), reading in newest(readings).items()
    ]
    return found, error


def book_failure(lane: Lane, rows: Sequence[DuePush], error: ChannelError) -> Stopped:
    """Book a call that failed as a whole: its rows, and when the channel may be called again."""
    now, name = lane.now(), lane.client.name
    stopped = Stopped(said(error))
    with transaction(lane.engine) as connection:
        match error:
            case Throttled(retry_after_s=retry_after_s):
                stopped.retry_after_s = max(_SHORTEST_WAIT_S, retry_after_s)
                if rows:
                    pushes.give_back(connection, rows, now, said(error))
                until = now + timedelta(seconds=stopped.retry_after_s)
                backlog.not_before(connection, name, until)
            case Unauthorised():
                stopped.person_needed = True
                if rows:
                    pushes.give_back(connection, rows, now, said(error))
                backlog.pause(connection, name, "push", said(error))
            case _:
                returns.away(connection, name, now)
                if rows:
                    pushes.unavailable(connection, rows, said(error), now, lane.chance)
                wait_s = min(_PROBE_S, pushes.backoff_s(3, lane.chance))
                backlog.not_before(connection, name, now + timedelta(seconds=wait_s))
    return stopped


def said(error: ChannelError) -> str:
    """The error in words that a person can look up: its kind and what the vendor said."""
    code = f" {error.code}" if isinstance(error, Refused) else ""
    return f"{type(error).__name__.lower()}{code}: {error}"
