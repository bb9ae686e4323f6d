"""The channel's own order API, asked for what its notifications did not bring.

A notification is a hope: it may be lost, and nobody would know. So each window the orders that changed since the last
poll are read, a little of the time before it again, and put in the inbox like any delivery. What was there already is
there once. `channel.orders_mark` moves only when everything before it is committed; a poll that dies in the middle
is repeated and does no harm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, Literal

from sqlalchemy import Connection, Engine, text

from allocation import missing
from channels.base import Change, Channel, ChannelError, ChannelOrder
from ledger import inbox
from ledger.db import transaction
from reconcile import runs
from reconcile.types import Counts
from workers.flows import jobs
from workers.flows.lane import said
from workers.flows.reconcile_terms import Clock
from workers.flows.returns import answered

#: The vendor's clock may be behind ours and its search behind its orders; a lane may say that it is more.
LAG_S: Final = 5.0
#: Who asked less than so long ago is not taken to be answered by this poll.
_HEARD_S: Final = 2.0
#: How far the first poll of a channel looks back.
LOOK_BACK_S: Final = 3600.0
_ROWS: Final = 100
#: A vendor's clock that is so much behind ours is another one: orders are dated by it.
_DIFFERS: Final = timedelta(seconds=60)
_NOTHING: Final = timedelta(0)

_KNOWN = text("""
    SELECT delivery_id FROM inbox WHERE source = :channel AND delivery_id = ANY(CAST(:delivery_ids AS text[]))
""")

_MARK = text("SELECT orders_mark FROM channel WHERE channel = :channel")

_MOVE = text("""
    UPDATE channel SET orders_mark = greatest(orders_mark, CAST(:mark AS timestamptz)) WHERE channel = :channel
""")

# Whoever asked a moment ago may mean an order that the vendor's search did not know yet: then it is asked once more,
# when the search does.
_HEARD = text("""
    UPDATE channel SET orders_asked_at = CASE WHEN orders_asked_last > :before THEN orders_asked_last END
    WHERE channel = :channel AND orders_asked_at <= :before
""")

_ASK_LATER = text("""
    UPDATE channel SET orders_asked_at = :at WHERE channel = :channel AND orders_asked_at < :at
""")

_ASK_AGAIN = text("""
    UPDATE channel SET orders_asked_at = least(orders_asked_at, CAST(:at AS timestamptz)) WHERE channel = :channel
""")

ASKED = text("SELECT channel FROM channel WHERE orders_asked_at <= :now ORDER BY channel")


@dataclass(frozen=True, slots=True)
class PollReport:
    """What a poll came to.

    state     done; later (again at `again_at`); failed (the next window asks again); skipped (somebody else does it)
    orders    orders that the channel told;  fresh    deliveries that were not in the inbox
    mark      orders changed before it are in the inbox; None when nothing was gained
    """

    channel: str
    state: Literal["done", "later", "failed", "skipped"]
    orders: int = 0
    fresh: int = 0
    mark: datetime | None = None
    again_at: datetime | None = None
    error: str = ""


def poll_orders(
    engine: Engine,
    client: Channel,
    *,
    channel: str,
    now: Clock,
    overlap_s: float,
    window_at: datetime | None = None,
    window_s: int = 900,
    look_back_s: float = LOOK_BACK_S,
    lag_s: float = LAG_S,
) -> PollReport:
    """Read the channel's orders since its mark into the inbox.

    overlap_s    seconds before the mark that are read again: what a vendor's search learns late
    lag_s        how far the vendor's order API is behind: so much is never claimed to be complete
    window_at    the run that this poll is; None when somebody asked for it in between
    returns      what came of it; an error of the channel is a report too (later or failed), never raised
    """
    with transaction(engine) as connection:
        run = None
        if window_at is not None:
            run = runs.claim_run(connection, jobs.ORDERS, channel, window_at, now(), jobs.LEASE_S)
            if run is None:
                return PollReport(channel, "skipped")
        mark: datetime | None = connection.execute(_MARK, {"channel": channel}).scalar_one()
    begun = now()
    since = (mark or begun - timedelta(seconds=look_back_s)) - timedelta(seconds=overlap_s)
    poll = _Poll(engine, channel, now, begun, mark, run, lag_s)
    try:
        for batch in _batches(client.orders_since(since, poll.known)):
            poll.keep(batch)
        done = poll.done(_ahead_of(client.vendor_time, now()))
    except runs.LeaseLost:
        return replace(poll.report, state="skipped")
    except ChannelError as error:
        return _put_off(poll, error, window_s)
    answered(engine, channel, now())
    return done


def _ahead_of(vendor_time: datetime | None, now: datetime) -> timedelta:
    """How far our clock is ahead of the vendor's, where that is more than an answer takes on its way."""
    ahead = now - vendor_time if vendor_time is not None else _NOTHING
    return ahead if ahead > _DIFFERS else _NOTHING


def _put_off(poll: _Poll, error: ChannelError, window_s: int) -> PollReport:
    try:
        return poll.put_off(error, window_s)
    except runs.LeaseLost:
        return replace(poll.report, state="skipped")


def _batches(orders: Iterator[ChannelOrder]) -> Iterator[list[ChannelOrder]]:
    """A hundred at a time; what came before an error of the vendor is not thrown away with it."""
    while True:
        batch: list[ChannelOrder] = []
        try:
            for order in islice(orders, _ROWS):
                batch.append(order)
        except ChannelError:
            if batch:
                yield batch
            raise
        if not batch:
            return
        yield batch


class _Poll:
    """One poll on its way; `begun` is when, `mark` what was whole before it."""

    def __init__(
        self,
        engine: Engine,
        channel: str,
        now: Clock,
        begun: datetime,
        mark: datetime | None,
        run: runs.Run | None,
        lag_s: float,
    ) -> None:
        self._engine = engine
        self._channel = channel
        self._now = now
        self._begun = begun
        #: The latest mark it may set, whatever it reads.
        self._safe = begun - timedelta(seconds=lag_s)
        self._mark = mark
        self._run = run
        self._last: datetime | None = None
        self._in_order = True
        self.report = PollReport(channel, "done")

    def known(self, changes: Sequence[Change]) -> Set[str]:
        """Changes before the mark that the inbox holds: each poll is told them again, and need not read them again.

        After the mark an order may have changed once more in the second that its change is stamped with.
        """
        mark = self._mark
        told = [each.delivery_id for each in changes if mark is not None and each.updated_at < mark]
        if not told:
            return frozenset()
        with transaction(self._engine) as connection:
            found = connection.execute(_KNOWN, {"channel": self._channel, "delivery_ids": told})
            return frozenset(found.scalars())

    def keep(self, orders: Sequence[ChannelOrder]) -> None:
        """A batch into the inbox, and the mark up to it: orders come by their last change, oldest first."""
        for order in orders:
            self._in_order &= self._last is None or order.updated_at >= self._last
            self._last = order.updated_at
        mark = min(self._safe, orders[-1].updated_at) if self._in_order else None
        with transaction(self._engine) as connection:
            if self._run is not None:
                runs.renew(connection, self._run, self._now(), jobs.LEASE_S)
            fresh = _keep(connection, self._channel, orders, self._now())
            if mark is not None:
                connection.execute(_MOVE, {"channel": self._channel, "mark": mark})
        self.report = replace(
            self.report,
            orders=self.report.orders + len(orders),
            fresh=self.report.fresh + fresh,
            mark=mark,
        )

    def done(self, ahead: timedelta) -> PollReport:
        """Everything up to the time the poll began is in, by the vendor's clock where ours is ahead of that.

        Where our clock was put back meanwhile nobody knows when that was: nothing is gained, and it is asked for again.
        """
        at = self._now()
        was_put_back = at < self._begun
        self._safe -= ahead
        with transaction(self._engine) as connection:
            if was_put_back:
                connection.execute(_ASK_AGAIN, {"channel": self._channel, "at": at})
            else:
                connection.execute(_MOVE, {"channel": self._channel, "mark": self._safe})
                before = self._begun - timedelta(seconds=_HEARD_S)
                connection.execute(_HEARD, {"channel": self._channel, "before": before})
            if self._run is not None:
                read = self.report.orders
                runs.finish_run(connection, self._run, Counts(read=read), self._now())
        if was_put_back:
            return self.report
        with transaction(self._engine) as connection:
            missing.all_heard(connection, self._channel, self._safe, self._now())
        return replace(self.report, mark=self._safe)

    def put_off(self, error: ChannelError, window_s: int) -> PollReport:
        """The channel ended the poll: again when it says so, or after a while; a person is called where none helps."""
        at = self._now()
        with transaction(self._engine) as connection:
            again_at = jobs.put_off(
                connection, self._run, self._channel, error, at, window_s, jobs.ORDERS
            )
            later = again_at or at + timedelta(seconds=jobs.LONGEST_WAIT_S)
            connection.execute(_ASK_LATER, {"channel": self._channel, "at": later})
        state: Literal["later", "failed"] = "failed" if again_at is None else "later"
        return replace(self.report, state=state, again_at=again_at, error=said(error))


def _keep(
    connection: Connection, channel: str, orders: Sequence[ChannelOrder], at: datetime
) -> int:
    """Orders as deliveries; returns how many are new.

    Vendors stamp whole seconds: the same order at the same second may have changed, and is then another delivery.
    """
    deliveries = [
        inbox.Delivery(channel, order.delivery_id, order.topic, order.body, {"road": "poll"})
        for order in orders
    ]
    kept = inbox.keep(connection, deliveries, now=at)
    changed = [deliveries[place] for place in kept.differing]
    named = [
        replace(
            each, delivery_id=f"{each.delivery_id}:{hashlib.sha256(each.body).hexdigest()[:16]}"
        )
        for each in changed
    ]
    return len(kept.fresh) + len(inbox.keep(connection, named, now=at).fresh)
