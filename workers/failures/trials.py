"""Deliveries that kill whoever takes them: found by writing down what is about to be taken, a row a batch.

Life of a trial. It is written before the work, in a transaction of its own, and goes with the work's commit. One that
stays was left by a worker that died. What it covers is taken in ever smaller batches, an eighth of the one before; a
delivery that was alone in three of them is parked. A worker that lives and is about to begin has a trial, too: so the
young ones count for nothing yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias
from uuid import UUID

from sqlalchemy import Connection, text

from ledger import inbox
from ledger.types import FailureClass, Settlement

Queue: TypeAlias = Literal["drain", "work_orders"]

#: A trial that is so old was left behind, most likely; and certainly.
LIKELY: Final = timedelta(seconds=3)
CERTAINLY: Final = timedelta(seconds=10)
#: Trials of a delivery alone after which it is parked.
ALONE: Final = 3

# A mark is there for a worker that dies. When the server dies, the batch that it marks is undone, too, and with it what
# was parked here: nobody has to wait for the disk.
_UNHURRIED = text("SET LOCAL synchronous_commit = off")

_TRIALS = text("SELECT first_id, last_id, begun_at FROM trial WHERE queue = :queue")

_BEGIN = text("""
    INSERT INTO trial (token, queue, first_id, last_id, begun_at)
    SELECT :token, :queue, min(id), max(id), :now
    FROM (SELECT id FROM inbox WHERE state = 'pending' AND (topic = 'x12') = (:queue = 'work_orders')
          ORDER BY id LIMIT :rows) AS next
    HAVING count(*) > 0
    RETURNING first_id
""")

_FIRST = text("""
    SELECT id FROM inbox WHERE state = 'pending' AND (topic = 'x12') = (:queue = 'work_orders') ORDER BY id LIMIT 1
""")

_PASSED = text("""
    DELETE FROM trial WHERE queue = :queue AND begun_at <= :likely
       AND (CAST(:first AS bigint) IS NULL OR last_id < :first)
""")
_OF = text("DELETE FROM trial WHERE queue = :queue AND first_id = :id AND last_id = :id")
_END = text("DELETE FROM trial WHERE token = :token")


@dataclass(frozen=True, slots=True)
class Trial:
    """What a worker was about to take: ids from first to last."""

    first_id: int
    last_id: int
    begun_at: datetime


def rows_to_take(trials: Sequence[Trial], first: int, rows: int, now: datetime) -> int:
    """How many deliveries to take from `first` on, with these trials left behind."""
    dead = [
        trial.last_id - trial.first_id + 1
        for trial in trials
        if trial.first_id <= first <= trial.last_id and trial.begun_at <= now - LIKELY
    ]
    # Ids have gaps: a batch is at most as large as it reaches, and shrinks with each death in any case.
    return max(1, min(rows >> min(3 * len(dead), 30), min(dead) >> 3)) if dead else rows


def is_poison(trials: Sequence[Trial], first: int, now: datetime) -> bool:
    """Whether a delivery has killed whoever took it alone."""
    alone = sum(
        trial.first_id == first == trial.last_id and trial.begun_at <= now - CERTAINLY
        for trial in trials
    )
    return alone >= ALONE


def begin(connection: Connection, queue: Queue, token: UUID, *, rows: int, now: datetime) -> int:
    """Write down what is about to be taken, to be committed before it is; that commit does not wait for the disk.

    returns    how many deliveries to take, at most `rows`; 0 when none waits
    """
    values = {"queue": queue, "now": now, "token": token}
    connection.execute(_UNHURRIED)
    trials = [Trial(*row) for row in connection.execute(_TRIALS, {"queue": queue})]
    while trials:
        first = connection.execute(_FIRST, {"queue": queue}).scalar_one_or_none()
        if first is None or not is_poison(trials, first, now):
            passed = {"queue": queue, "first": first, "likely": now - LIKELY}
            connection.execute(_PASSED, passed)
            if first is None:
                return 0
            rows = rows_to_take(trials, first, rows, now)
            break
        _park(connection, queue, first, now)
        trials = [trial for trial in trials if not trial.first_id == first == trial.last_id]
    begun = connection.execute(_BEGIN, values | {"rows": rows}).one_or_none()
    return rows if begun is not None else 0


def _park(connection: Connection, queue: Queue, delivery: int, now: datetime) -> None:
    error = (
        f"{ALONE} workers died while they took this delivery and nothing else: read their logs for what killed them"
        " (memory, a crash), mend that, then replay this delivery"
    )
    if inbox.claim_these(connection, [delivery]):
        settlement = Settlement(delivery, "parked", error=error, failure=FailureClass.BUG)
        inbox.settle(connection, [settlement], now=now)
    connection.execute(_OF, {"queue": queue, "id": delivery})


def end(connection: Connection, token: UUID) -> None:
    """What was begun has come to its end, in the transaction that ends it."""
    connection.execute(_END, {"token": token})
