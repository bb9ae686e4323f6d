"""From targets to what the channels show: claim, call, settle; and read back what was confirmed.

No transaction is open while a vendor is called. Every commit is a place where the process may die: a row that was
claimed comes back when its lease runs out, in doubt, and is read back before anything is sent again. So a repeat never
needs the key of the call it repeats, and a call that lands late fails its compare-and-set where the vendor has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from allocation import pushes, readings
from allocation.pushes import Answer, DuePush
from channels.base import (
    ChannelError,
    Confirmed,
    Level,
    Outcome,
    Refused,
    Rejected,
    Stale,
    Throttled,
    Unauthorised,
)
from ledger.db import transaction
from workers.flows.lane import Lane, Stopped, binding_of, book_failure, said, snapshot
from workers.flows.sale import hide, resume

#: Calls spent on finding the rows for which a vendor refuses a whole call.
_BISECTIONS = 32


@dataclass(slots=True)
class PushReport:
    """What one go at a channel did, in rows.

    arrived          found shown as they should be when read back, without sending
    stopped          why it ended before the work did; "" when there was no more to do
    retry_after_s    seconds until the vendor lets us in again, when it said so
    person_needed    the channel is stopped until somebody resumes it
    """

    confirmed: int = 0
    arrived: int = 0
    stale: int = 0
    rejected: int = 0
    hidden: int = 0
    resumed: int = 0
    stopped: str = ""
    retry_after_s: float | None = None
    person_needed: bool = False
    skus: set[str] = field(default_factory=set)


def push(lane: Lane) -> PushReport:
    """Show a channel what it should show, until nothing is due or the vendor stops us."""
    report = PushReport()
    try:
        for _ in range(lane.rounds):
            if not _round(lane, report):
                break
        report.hidden = hide(lane, report.skus)
        report.resumed = resume(lane)
    except Stopped as stopped:
        report.stopped = str(stopped)
        report.retry_after_s = stopped.retry_after_s
        report.person_needed = stopped.person_needed
    return report


def _round(lane: Lane, report: PushReport) -> bool:
    """One claim and its calls; False when nothing was due."""
    key = lane.new_key()
    with transaction(lane.engine) as connection:
        claimed = pushes.claim_pushes(
            connection, lane.client.name, lane.client.push_rows, lane.now(), lane.lease_s, key
        )
    ready = [row for row in claimed if not row.in_doubt]
    doubtful = [row for row in claimed if row.in_doubt]
    calls = list(_calls(ready, lane.client.push_rows))
    # What is sent after its lease may be sent by somebody else as well: half of it is kept for the last call.
    until = lane.now() + timedelta(seconds=lane.lease_s / 2)
    try:
        if doubtful:
            _read_back(lane, report, doubtful)
        for number in range(len(calls)):
            if lane.now() > until:
                break
            call, calls[number] = calls[number], []
            _send(lane, report, call, key if number == 0 else f"{key}.{number}", [_BISECTIONS])
    finally:
        unsent = [row for call in calls for row in call]
        if unsent:
            with transaction(lane.engine) as connection:
                pushes.give_back(connection, unsent, lane.now(), "not sent")
    return bool(claimed)


def _calls(ready: Sequence[DuePush], push_rows: int) -> Iterator[list[DuePush]]:
    """Rows by call: the more often one has failed, the fewer share its call, until a bad row is alone."""
    by_size: dict[int, list[DuePush]] = {}
    for row in ready:
        size = max(1, push_rows >> (2 * min(row.attempts, 10)))
        by_size.setdefault(size, []).append(row)
    for size in sorted(by_size, reverse=True):
        rows = by_size[size]
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _send(
    lane: Lane, report: PushReport, rows: list[DuePush], key: str, bisections: list[int]
) -> None:
    """One call, and halves of it when the vendor refuses the whole for one of its rows."""
    levels = [Level(binding_of(row), row.units, row.number, row.expected) for row in rows]
    try:
        outcomes = lane.client.push(levels, key=key)
    except Refused as refusal:
        _split(lane, report, rows, key, bisections, refusal)
    except ChannelError as error:
        raise book_failure(lane, rows, error) from error
    else:
        _settle(lane, report, rows, outcomes)


def _split(
    lane: Lane,
    report: PushReport,
    rows: list[DuePush],
    key: str,
    bisections: list[int],
    refusal: Refused,
) -> None:
    if len(rows) == 1:
        rejected = Rejected(
            Level(binding_of(rows[0]), rows[0].units, rows[0].number), refusal.code, str(refusal)
        )
        _settle(lane, report, rows, [rejected])
    elif bisections[0] < 2:
        with transaction(lane.engine) as connection:
            reason = said(refusal)
            pushes.refused(connection, rows, reason, lane.now(), lane.chance)
    else:
        bisections[0] -= 2
        middle = len(rows) // 2
        try:
            _send(lane, report, rows[:middle], f"{key}a", bisections)
        except Stopped:
            with transaction(lane.engine) as connection:
                pushes.give_back(connection, rows[middle:], lane.now(), "not sent")
            raise
        _send(lane, report, rows[middle:], f"{key}b", bisections)


def _settle(
    lane: Lane, report: PushReport, rows: Sequence[DuePush], outcomes: Sequence[Outcome]
) -> None:
    answers = [_answer(row, outcome) for row, outcome in zip(rows, outcomes, strict=True)]
    now = lane.now()
    with transaction(lane.engine) as connection:
        verify_at = now + timedelta(seconds=lane.verify_after_s)
        pushes.settle_pushes(connection, answers, now, verify_at)
    stale = [answer.push for answer in answers if answer.outcome == "stale"]
    report.confirmed += sum(answer.outcome == "confirmed" for answer in answers)
    report.rejected += sum(answer.outcome == "rejected" for answer in answers)
    report.stale += len(stale)
    report.skus |= {answer.push.sku for answer in answers if answer.outcome == "confirmed"}
    if stale:
        _read_back(lane, report, stale, stale=True)


def _answer(row: DuePush, outcome: Outcome) -> Answer:
    match outcome:
        case Confirmed():
            return Answer(row, "confirmed")
        case Stale():
            return Answer(row, "stale", f"the channel does not show {row.expected}")
        case Rejected(code=code, message=message):
            detail = (
                f"{code}: {message}; put it right at the vendor or in the binding, then unpark it"
            )
            return Answer(row, "rejected", detail)


def _read_back(
    lane: Lane, report: PushReport, rows: Sequence[DuePush], *, stale: bool = False
) -> None:
    """End the doubt about rows: what does the channel show?"""
    try:
        found = snapshot(lane, rows)
    except (Throttled, Unauthorised, Refused) as error:
        with transaction(lane.engine) as connection:
            readings.still_in_doubt(connection, rows)
        raise book_failure(lane, [], error) from error
    except ChannelError as error:
        raise book_failure(lane, rows, error) from error
    with transaction(lane.engine) as connection:
        report.arrived += readings.settle_doubt(
            connection, rows, found, lane.now(), lane.rise_run_at(), lane.chance, stale=stale
        )
    report.skus |= {row.sku for row in rows}
