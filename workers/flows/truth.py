"""Once a night: everything a channel shows, in one export, compared with what it should show.

The vendor needs minutes to write the export, so nobody waits for it: the run begins it, is due again, and comes back by
the sweep until it is written. Then it is taken into a table and judged like a window of reconciliation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import structlog
from sqlalchemy import Engine, text

from channels.base import Channel, ChannelError, ReadsInBulk, Refused, Sighting
from ledger.db import transaction
from reconcile import pages, runs, snapshots
from workers.flows import jobs
from workers.flows.catalogue_reads import batches
from workers.flows.lane import said
from workers.flows.reconcile_attempt import Attempt
from workers.flows.reconcile_terms import Clock, RunReport, Terms

#: How long an export is left alone before it is looked at again.
LOOK_AGAIN_S: Final = 30.0
#: Of an export that failed nothing more comes: how long until another one is begun.
_BEGIN_AGAIN_S: Final = 1800.0
#: An export that is older says what was, and one that is not written by then never will be.
_OLDEST_S: Final = 6 * 3600.0

log = structlog.get_logger(__name__)

_BEGUN = text("SELECT operation_id, begun_at FROM bulk_read WHERE channel = :channel")

_BEGIN = text("""
    INSERT INTO bulk_read (channel, operation_id, begun_at) VALUES (:channel, :operation, :at)
    ON CONFLICT (channel) DO UPDATE SET operation_id = excluded.operation_id, begun_at = excluded.begun_at
""")

_FORGET = text("DELETE FROM bulk_read WHERE channel = :channel")


@dataclass(frozen=True, slots=True)
class _Export:
    operation_id: str
    begun_at: datetime


def read_truth(
    engine: Engine,
    client: Channel,
    bulk: ReadsInBulk,
    *,
    channel: str,
    window_at: datetime,
    now: Clock,
    terms: Terms,
) -> RunReport:
    """One step of the night's read: begin the export, look whether it is written, or judge it.

    returns    as a run of reconciliation: `later` while the vendor writes; an error of the channel is a report too
    """
    with transaction(engine) as connection:
        run = runs.claim_run(connection, jobs.TRUTH, channel, window_at, now(), jobs.LEASE_S)
        state = pages.channel_state(connection, channel)
        row = connection.execute(_BEGUN, {"channel": channel}).one_or_none()
    if run is None or state is None:
        return RunReport(channel, window_at, "skipped")
    step = _Step(engine, bulk, channel, run, now)
    try:
        if row is None or row.begun_at < now() - timedelta(seconds=_OLDEST_S):
            return step.begin()
        export = _Export(row.operation_id, row.begun_at)
        told = bulk.read_all(export.operation_id)
        if told is None:
            return step.later(LOOK_AGAIN_S)
        unbound = step.take_in(told)
        source = snapshots.Told(channel, jobs.TRUTH, export.begun_at)
        attempt = Attempt(engine, client, channel, window_at, now, terms, state, run, source)
        report = attempt.through()
        step.finish(report, unbound)
        return report
    except runs.LeaseLost as lost:
        return RunReport(channel, window_at, "skipped", error=str(lost))
    except ChannelError as error:
        return step.put_off(error)


@dataclass(frozen=True, slots=True)
class _Step:
    """One attempt at the night's run."""

    engine: Engine
    bulk: ReadsInBulk
    channel: str
    run: runs.Run
    now: Clock

    def begin(self) -> RunReport:
        """Let the vendor write. An answer that is lost leaves an export behind that nobody fetches: harmless."""
        begun_at = self.now()
        operation = self.bulk.begin_read_all()
        with transaction(self.engine) as connection:
            values = {"channel": self.channel, "operation": operation, "at": begun_at}
            connection.execute(_BEGIN, values)
        return self.later(LOOK_AGAIN_S)

    def later(self, after_s: float) -> RunReport:
        """Nothing to do yet."""
        at = self.now()
        again_at = at + timedelta(seconds=after_s)
        with transaction(self.engine) as connection:
            runs.fail_run(connection, self.run, "", at, again_at)
        return RunReport(self.channel, self.run.window_at, "later", again_at=again_at)

    def take_in(self, told: Iterator[Sighting]) -> int:
        """The export into its table. Of one that failed half-way the half is taken: the rest is read item by item.

        returns    levels that the channel counts and we know nothing of
        """
        with transaction(self.engine) as connection:
            snapshots.empty(connection, self.channel, jobs.TRUTH)
        taken = unbound = 0
        try:
            for batch in batches(told):
                with transaction(self.engine) as connection:
                    runs.renew(connection, self.run, self.now(), jobs.LEASE_S)
                    unbound += snapshots.stage(connection, self.channel, jobs.TRUTH, batch)
                taken += len(batch)
        except Refused as refused:
            if not taken:
                raise
            log.warning("truth.export.half", channel=self.channel, taken=taken, why=said(refused))
        return unbound

    def finish(self, report: RunReport, unbound: int) -> None:
        """The export is judged: throw it away, and say what we know nothing of."""
        with transaction(self.engine) as connection:
            connection.execute(_FORGET, {"channel": self.channel})
            snapshots.empty(connection, self.channel, jobs.TRUTH)
        log.info(
            "truth.read.done",
            channel=self.channel,
            expected=report.counts.expected,
            read=report.counts.read,
            drifted=report.counts.drifted,
            unbound=unbound,
        )

    def put_off(self, error: ChannelError) -> RunReport:
        """The channel ended it: come back when it says so. An export of which nothing more comes is begun anew."""
        at = self.now()
        try:
            with transaction(self.engine) as connection:
                if isinstance(error, Refused):
                    connection.execute(_FORGET, {"channel": self.channel})
                ends_at = self.run.window_at + timedelta(seconds=jobs.TRUTH_S)
                later_at: datetime | None = at + timedelta(seconds=_BEGIN_AGAIN_S)
                if isinstance(error, Refused) and later_at is not None and later_at < ends_at:
                    runs.fail_run(connection, self.run, said(error), at, later_at)
                else:
                    later_at = jobs.put_off(
                        connection, self.run, self.channel, error, at, jobs.TRUTH_S, jobs.TRUTH
                    )
        except runs.LeaseLost as lost:
            return RunReport(self.channel, self.run.window_at, "skipped", error=str(lost))
        state: Literal["later", "failed"] = "failed" if later_at is None else "later"
        return RunReport(
            self.channel, self.run.window_at, state, again_at=later_at, error=said(error)
        )
