"""Windows that were missed or failed, written down as failures: one row a job and channel, its count going on."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from ledger import failures
from ledger.types import Failure, FailureClass, Origin

_TASK_OF = {
    "reconcile": "workers.tasks.reconcile",
    "orders": "workers.tasks.poll_orders",
    "watch": "workers.tasks.watch_channel",
    "truth": "workers.tasks.read_truth",
    "mirror": "workers.tasks.mirror",
}
_CLASS_OF = {
    "refused": FailureClass.REJECTED,
    "unauthorised": FailureClass.REJECTED,
    "throttled": FailureClass.THROTTLED_OUT,
}


def note(
    connection: Connection,
    job: str,
    windows: Iterable[tuple[str, datetime, str]],
    now: datetime,
    *,
    attempts: int = 0,
) -> None:
    """Write down that these windows are over without having been done.

    windows    (channel, window, what went wrong), oldest first; of several of a channel the last one is told
    """
    failures.note(
        connection,
        [
            Failure(
                Origin.JOB,
                f"{job}/{channel}",
                _CLASS_OF.get(why.partition(":")[0].partition(" ")[0], FailureClass.UNAVAILABLE),
                why or "it did not end in its time",
                channel=channel,
                task=_TASK_OF.get(job, ""),
                payload={"job": job, "channel": channel, "window_at": window_at.isoformat()},
                attempts=attempts,
            )
            for channel, window_at, why in windows
        ],
        now,
    )
