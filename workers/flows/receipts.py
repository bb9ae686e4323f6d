"""Asking for what became of calls that the vendor took in, and what follows when it never says."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from allocation import receipts
from allocation.receipts import Waiting
from channels.base import ChannelError, Level, NotSent
from ledger.db import transaction
from workers.flows.lane import Lane, Stopped, binding_of, book_failure
from workers.flows.push import PushReport, settle

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ReceiptReport:
    """What one go at the receipts of a channel came to.

    asked, answered, stuck    receipts
    rows                      what became of their rows
    stopped                   why it ended before the work did
    """

    asked: int = 0
    answered: int = 0
    stuck: int = 0
    rows: PushReport = field(default_factory=PushReport)
    stopped: str = ""

    @property
    def ring_push(self) -> bool:
        """Whether rows are due again."""
        return self.stuck > 0 or self.rows.not_sent > 0 or self.rows.stale > 0


def work_receipts(lane: Lane) -> ReceiptReport:
    """Ask for every receipt of a channel whose time has come."""
    report = ReceiptReport()
    for _ in range(lane.rounds):
        with transaction(lane.engine) as connection:
            waiting = receipts.claim(connection, lane.client.name, lane.now())
        if waiting is None:
            break
        report.asked += 1
        try:
            _ask(lane, waiting, report)
        except Stopped as stopped:
            report.stopped = str(stopped)
            break
    return report


def _ask(lane: Lane, waiting: Waiting, report: ReceiptReport) -> None:
    levels = [Level(binding_of(row), row.units, row.number, row.expected) for row in waiting.rows]
    try:
        outcomes = lane.client.answers(waiting.receipt, levels)
    except ChannelError as error:
        # A vendor that cannot be asked until the deadline is as good as one that never says.
        _give_up_when_late(lane, waiting, report)
        raise book_failure(lane, [], error) from error
    if outcomes is None:
        _give_up_when_late(lane, waiting, report)
        return
    given_up = all(isinstance(outcome, NotSent) for outcome in outcomes)
    with transaction(lane.engine) as connection:
        if not receipts.answered(
            connection, lane.client.name, waiting, lane.now(), lane.lease_s, as_stuck=given_up
        ):
            return
    # A death here leaves the rows leased as any claim is, then in doubt: they are read back.
    report.answered += 1
    if given_up:
        log.warning("push.receipt.refused", channel=lane.client.name, receipt=waiting.receipt)
    settle(lane, report.rows, waiting.rows, outcomes)


def _give_up_when_late(lane: Lane, waiting: Waiting, report: ReceiptReport) -> None:
    if lane.now() < waiting.deadline_at:
        return
    with transaction(lane.engine) as connection:
        if receipts.stuck(connection, lane.client.name, waiting, lane.now()):
            report.stuck += 1
            log.warning(
                "push.receipt.stuck",
                channel=lane.client.name,
                receipt=waiting.receipt,
                rows=len(waiting.rows),
                next="its rows are read back and go out again in calls that are answered at once",
            )
