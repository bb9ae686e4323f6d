"""Failed work done again: through the door it came by, in batches, and what must not be done again with its reason.

What is a matter of rows (deliveries, numbers, windows, tasks, alerts) is done in one transaction with the count of the
bulk work it belongs to. A document, and a step of a case, has a transaction of its own: done twice, it says so itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection

from allocation import backlog
from channels.edi.outbox import NotToResend
from ledger import inbox
from ledger.db import transaction
from reconcile import runs
from workers.alerts import outbox
from workers.failures import replaying, store
from workers.failures.types import Filter, Preview, Row
from workers.feed import hook_store
from workers.flows import cases, edi_ship, edi_work
from workers.flows.cases import NotPossible
from workers.flows.edi_work import NotToRetry
from workers.flows.ingest import House

log = structlog.get_logger(__name__)

#: What is done one by one, each in a transaction of its own.
_ONE_BY_ONE = ("edi", "case")


@dataclass(slots=True)
class Outcome:
    """What became of a batch.

    touched    those that are being done again now;  why  reason -> how many failed or were refused for it
    """

    touched: list[int] = field(default_factory=list)
    failed: int = 0
    refused: int = 0
    why: Counter[str] = field(default_factory=Counter)

    def refuse(self, reason: str) -> None:
        self.refused += 1
        self.why[reason] += 1


def preview(connection: Connection, wanted: Filter, *, judged: bool) -> tuple[Preview, int]:
    """What bulk work would do, and the newest failure it is about.

    judged    whether what must not be done again is left out, as a retry does
    """
    newest, groups = store.alikes(connection, wanted)
    refused: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    for alike, kind, rows in groups:
        classes[kind] += rows
        why = replaying.refusal(alike) if judged else ""
        if why:
            refused[why] += rows
    total = sum(classes.values())
    return Preview(total, total - refused.total(), dict(refused), dict(classes)), newest


def retry_alone(house: House, rows: Sequence[Row], *, by: str, now: datetime) -> Outcome:
    """Do again what has a transaction of its own; nothing of the others."""
    outcome = Outcome()
    for row in rows:
        if row.origin not in _ONE_BY_ONE or replaying.refusal(replaying.alike(row)):
            continue
        try:
            became = _alone(house, row, by=by, now=now)
        except (NotToRetry, NotToResend, NotPossible) as error:
            outcome.refuse(str(error))
        except Exception as error:
            # One that cannot be done must not keep the others from being done.
            log.exception("failed.retry.failed", failure=row.id, origin=row.origin)
            outcome.failed += 1
            outcome.why[f"{type(error).__name__}: {error}"[:200]] += 1
        else:
            if became.startswith("parked"):
                outcome.failed += 1
                outcome.why[became[:200]] += 1
            else:
                outcome.touched.append(row.id)
    return outcome


def _alone(house: House, row: Row, *, by: str, now: datetime) -> str:
    """Do one again; what became of it. Raises what the flow raises."""
    number = row.object.partition("/")[0]
    if row.origin == "case":
        cases.again(house.engine, int(number), by=by, now=now)
        return "due"
    document = int(row.object.partition(":")[2])
    if row.payload.get("direction") == "out":
        return f"sent again as document {edi_ship.resend(house.engine, document, now=now)}"
    return edi_work.retry(house, document, now=now)


def retry_together(
    connection: Connection, rows: Sequence[Row], outcome: Outcome, *, now: datetime, operation: UUID
) -> None:
    """Let everything else be done again: one statement an origin, in this transaction.

    outcome    what `retry_alone` did of the same rows; it is added to
    """
    by_origin: dict[str, list[Row]] = {}
    for row in rows:
        why = replaying.refusal(replaying.alike(row))
        if why:
            outcome.refuse(why)
        elif row.origin not in _ONE_BY_ONE:
            by_origin.setdefault(row.origin, []).append(row)
    for origin in sorted(by_origin):
        _together(connection, origin, by_origin[origin], outcome, now)
    store.retrying(connection, outcome.touched, now, operation)


def _together(
    connection: Connection, origin: str, rows: Sequence[Row], outcome: Outcome, now: datetime
) -> None:
    match origin:
        case "inbox":
            woken = set(inbox.replay(connection, [int(row.object) for row in rows]))
            for row in rows:
                if int(row.object) not in woken:
                    outcome.refuse("the delivery is not parked any more")
            rows = [row for row in rows if int(row.object) in woken]
        case "push":
            # One that is not parked any more waits for its turn already.
            backlog.unpark_these(
                connection, {(row.channel, row.sku, row.location) for row in rows}, now
            )
        case "job":
            runs.reopen(connection, [(row.object.partition("/")[0], row.channel) for row in rows])
        case "alert":
            outbox.tell_again(connection, [_part(row) for row in rows], now)
        case "hook":
            hook_store.again(connection, [_message(row) for row in rows], now)
    outcome.touched += [row.id for row in rows]


def _part(row: Row) -> tuple[int, str, str]:
    incident, door, part = row.object.split("/", 2)
    return int(incident), door, part


def _message(row: Row) -> tuple[int, str]:
    hook, _, event = row.object.partition("/")
    return int(hook), event


def discard(
    connection: Connection,
    rows: Sequence[Row],
    *,
    by: str,
    reason: str,
    now: datetime,
    operation: UUID,
) -> Outcome:
    """Take these off the list."""
    ids = [row.id for row in rows]
    gone = store.discard(connection, ids, by=by, reason=reason, now=now, operation=operation)
    outcome = Outcome(touched=gone)
    for _ in range(len(ids) - len(gone)):
        outcome.refuse("it has ended already")
    return outcome


def assign(connection: Connection, rows: Sequence[Row], assignee: str, operation: UUID) -> Outcome:
    """Say who sees to these."""
    return Outcome(touched=store.assign(connection, [row.id for row in rows], assignee, operation))


def mark_alone(house: House, outcome: Outcome, *, now: datetime, operation: UUID) -> None:
    """What was done again by itself is so from now on, whatever becomes of the batch."""
    if outcome.touched:
        with transaction(house.engine) as connection:
            store.retrying(connection, outcome.touched, now, operation)
