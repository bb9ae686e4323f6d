"""From targets to what the channels show: claim, call, settle; and read back what was confirmed.

No transaction is open while a vendor is called. Every commit is a place where the process may die: a row that was
claimed comes back when its lease runs out, in doubt, and is read back before anything is sent again. So a repeat never
needs the key of the call it repeats, and a call that lands late fails its compare-and-set where the vendor has one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import Connection

from allocation import outlook_store, pushes, readings, receipts
from allocation.pushes import Answer, DuePush
from channels.base import (
    Accepted,
    ChannelError,
    Confirmed,
    Level,
    NotSent,
    Outcome,
    Refused,
    Rejected,
    Stale,
    Throttled,
    Unauthorised,
)
from ledger.db import transaction
from workers.flows import read_backs
from workers.flows.lane import Lane, Stopped, binding_of, book_failure, said, snapshot
from workers.flows.returns import answered
from workers.flows.sale import hide, resume

#: Calls spent on finding the rows for which a vendor refuses a whole call.
_BISECTIONS = 32
#: After a call that was never answered, the way that is answered at once is taken for so long.
_STUCK_FOR = timedelta(hours=1)


@dataclass(slots=True)
class PushReport:
    """What one go at a channel did, in rows.

    arrived          found shown as they should be when read back, without sending
    accepted         taken in by the vendor, who answers later
    not_sent         left out of a call whose limit ran out
    stopped          why it ended before the work did; "" when there was no more to do
    retry_after_s    seconds until the vendor lets us in again, when it said so
    person_needed    the channel is stopped until somebody resumes it
    let_go           a number that another channel waited for has fallen: SKUs are due because of it
    """

    confirmed: int = 0
    arrived: int = 0
    accepted: int = 0
    not_sent: int = 0
    stale: int = 0
    rejected: int = 0
    hidden: int = 0
    resumed: int = 0
    stopped: str = ""
    retry_after_s: float | None = None
    person_needed: bool = False
    let_go: bool = False
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
    with transaction(lane.engine) as connection:
        report.let_go = outlook_store.let_go(connection, report.skus, lane.now())
    return report


def _round(lane: Lane, report: PushReport) -> bool:
    """One claim and its calls; False when nothing was due."""
    key = lane.new_key()
    with transaction(lane.engine) as connection:
        most = _most_rows(connection, lane)
        claimed = pushes.claim_pushes(
            connection, lane.client.name, most, lane.now(), lane.lease_s, key
        )
    ready = [row for row in claimed if not row.in_doubt]
    doubtful = [row for row in claimed if row.in_doubt]
    calls = list(_calls(ready, most, lane.client.direct_rows))
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


def _most_rows(connection: Connection, lane: Lane) -> int:
    """Rows of one call: few enough to be answered at once while a call that is answered later is stuck."""
    client = lane.client
    if client.direct_rows < client.push_rows and receipts.is_stuck(
        connection, client.name, since=lane.now() - _STUCK_FOR
    ):
        return client.direct_rows
    return client.push_rows


def _calls(ready: Sequence[DuePush], push_rows: int, direct_rows: int) -> Iterator[list[DuePush]]:
    """Rows by call: the more often one has failed, the fewer share its call, until a bad row is alone.

    What has sold out does not wait for minutes in a call that is answered later: it goes before, by itself.
    """
    by_size: dict[int, list[DuePush]] = {}
    for row in ready:
        size = max(1, push_rows >> (2 * min(row.attempts, 10)))
        by_size.setdefault(size, []).append(row)
    for size in sorted(by_size, reverse=True):
        rows = by_size[size]
        gone = [row for row in rows if row.priority == 0]
        if len(rows) > direct_rows and 0 < len(gone) <= direct_rows:
            yield gone
            rows = [row for row in rows if row.priority != 0]
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
        settle(lane, report, rows, outcomes)
        answered(lane.engine, lane.client.name, lane.now())
        _stop_when_dry(lane, outcomes)


def _stop_when_dry(lane: Lane, outcomes: Sequence[Outcome]) -> None:
    """End the round when the limit ran out in the middle of a call."""
    left_out = [outcome for outcome in outcomes if isinstance(outcome, NotSent)]
    if left_out:
        wait_s = max(outcome.retry_after_s for outcome in left_out)
        raise book_failure(
            lane, [], Throttled(f"{len(left_out)} rows left for later", retry_after_s=wait_s)
        )


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
        settle(lane, report, rows, [rejected])
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


def settle(
    lane: Lane, report: PushReport, rows: Sequence[DuePush], outcomes: Sequence[Outcome]
) -> None:
    """Book what a vendor said of each row; what it does not show as expected is read back at once.

    raises    Stopped when that read-back fails
    """
    pairs = list(zip(rows, outcomes, strict=True))
    answers = [answer for row, outcome in pairs if (answer := _answer(row, outcome)) is not None]
    unsent = [row for row, outcome in pairs if isinstance(outcome, NotSent)]
    accepted = [(row, o.receipt) for row, o in pairs if isinstance(o, Accepted)]
    now = lane.now()
    with transaction(lane.engine) as connection:
        pushes.lock(connection, rows)
        verify_at = now + timedelta(seconds=max(lane.verify_after_s, lane.client.settle_s))
        confirmed = [answer.push for answer in answers if answer.outcome == "confirmed"]
        looks = read_backs.looks(connection, lane, confirmed, now)
        pushes.settle_pushes(connection, answers, now, verify_at, looks)
        if lane.traces is not None:
            lane.traces.push(connection, confirmed, looks, now)
        if unsent:
            pushes.give_back(connection, unsent, now, "not sent: the limit ran out")
        if accepted:
            receipts.keep(connection, lane.client.name, accepted, now)
    report.accepted += len(accepted)
    report.not_sent += len(unsent)
    stale = [answer.push for answer in answers if answer.outcome == "stale"]
    report.confirmed += sum(answer.outcome == "confirmed" for answer in answers)
    report.rejected += sum(answer.outcome == "rejected" for answer in answers)
    report.stale += len(stale)
    report.skus |= {answer.push.sku for answer in answers if answer.outcome == "confirmed"}
    if stale:
        _read_back(lane, report, stale, stale=True)


def _answer(row: DuePush, outcome: Outcome) -> Answer | None:
    match outcome:
        case Accepted() | NotSent():
            return None
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
    lane: Lane,
    report: PushReport,
    rows: Sequence[DuePush],
    *,
    stale: bool = False,
    bisections: list[int] | None = None,
) -> None:
    """End the doubt about rows: what does the channel show, or will once it has read what we wrote?"""
    found, error = snapshot(lane, rows, or_said=True)
    if error is not None:
        # A vendor may tell some and then stop: those are out of doubt.
        told = {(read.sku, read.location) for read in found}
        untold = [row for row in rows if (row.sku, row.location) not in told]
        rows = [row for row in rows if (row.sku, row.location) in told]
    if rows:
        with transaction(lane.engine) as connection:
            report.arrived += readings.settle_doubt(
                connection, rows, found, lane.now(), lane.rise_run_at(), lane.chance, stale=stale
            )
        report.skus |= {row.sku for row in rows}
    match error:
        case None:
            answered(lane.engine, lane.client.name, lane.now())
            return
        case Refused():
            left = [_BISECTIONS] if bisections is None else bisections
            _read_halves(lane, report, untold, error, stale=stale, bisections=left)
        case Throttled() | Unauthorised():
            with transaction(lane.engine) as connection:
                readings.still_in_doubt(connection, untold)
            raise book_failure(lane, [], error) from error
        case _:
            raise book_failure(lane, untold, error) from error


def _read_halves(
    lane: Lane,
    report: PushReport,
    rows: Sequence[DuePush],
    refusal: Refused,
    *,
    stale: bool,
    bisections: list[int],
) -> None:
    """The vendor refuses to tell of these together: halve them until the bad one is alone, and put that one off."""
    if len(rows) == 1 or bisections[0] < 2:
        with transaction(lane.engine) as connection:
            pushes.unavailable(connection, rows, said(refusal), lane.now(), lane.chance)
        return
    bisections[0] -= 2
    middle = len(rows) // 2
    try:
        _read_back(lane, report, rows[:middle], stale=stale, bisections=bisections)
    except Stopped:
        with transaction(lane.engine) as connection:
            readings.still_in_doubt(connection, rows[middle:])
        raise
    _read_back(lane, report, rows[middle:], stale=stale, bisections=bisections)
