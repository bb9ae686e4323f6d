"""Runs: one row per job, channel and window, opened once, leased to one worker, finished or seen as missed.

A worker holds a run by a short lease that it renews. The number of the attempt is the fence: a worker whose lease
was taken over finds another number in the row and writes nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from reconcile import gone_wrong
from reconcile.types import Counts

#: A house that was down for a month does not write a month of missed windows.
MISSED_AT_MOST = 96


class LeaseLost(Exception):
    """Another worker has taken this run over; the loser stops without writing."""


@dataclass(frozen=True, slots=True)
class Windows:
    """What the clock opened.

    opened    (channel, window start) that this call opened; another scheduler's are not here
    missed    windows that nobody opened since the last known one, newest first and at most 96 a channel
    """

    opened: list[tuple[str, datetime]]
    missed: list[tuple[str, datetime]]


@dataclass(frozen=True, slots=True)
class Run:
    """A run that this worker holds; `attempt` is its fence."""

    job: str
    channel: str
    window_at: datetime
    attempt: int


def window_of(now: datetime, window_s: int) -> datetime:
    """The start of the window `now` is in; windows of 900 s start at :00 :15 :30 :45."""
    seconds = int(now.timestamp())
    return datetime.fromtimestamp(seconds - seconds % window_s, tz=UTC)


# The primary key lets one scheduler win; the loser inserts nothing and rings nothing.
_OPEN = text("""
INSERT INTO run (job, channel, window_at)
SELECT :job, channel, :window_at FROM unnest(CAST(:channels AS text[])) AS c (channel) ORDER BY channel
ON CONFLICT DO NOTHING
RETURNING channel
""")

# Only the one that opened a window looks back: from the last known window to the one before this.
_MISSED = text("""
INSERT INTO run (job, channel, window_at, state, finished_at, error)
SELECT :job, known.channel, missed.window_at, 'missed', :now, 'no scheduler opened this window'
FROM (
    SELECT given.channel, last.window_at AS last_at
    FROM unnest(CAST(:channels AS text[])) AS given (channel)
    CROSS JOIN LATERAL (
        SELECT window_at FROM run WHERE job = :job AND run.channel = given.channel AND window_at < :window_at
        ORDER BY window_at DESC LIMIT 1
    ) AS last
) AS known
CROSS JOIN LATERAL generate_series(
    CAST(:window_at AS timestamptz) - make_interval(secs => :window_s),
    greatest(known.last_at + interval '1 millisecond',
             CAST(:window_at AS timestamptz) - make_interval(secs => :back_s)),
    make_interval(secs => -:window_s)
) AS missed (window_at)
ORDER BY known.channel, missed.window_at DESC
ON CONFLICT DO NOTHING
RETURNING channel, window_at
""")


def open_windows(
    connection: Connection, job: str, channels: Sequence[str], now: datetime, window_s: int
) -> Windows:
    """Open the window of `now` for each channel that nobody has opened yet.

    window_s    length of a window, at least 1
    """
    if not channels:
        return Windows([], [])
    window_at = window_of(now, window_s)
    values = {"job": job, "channels": sorted(set(channels)), "window_at": window_at}
    opened = sorted(connection.execute(_OPEN, values).scalars())
    if not opened:
        return Windows([], [])
    rows = connection.execute(
        _MISSED,
        values
        | {
            "channels": opened,
            "now": now,
            "window_s": float(window_s),
            "back_s": float(window_s * MISSED_AT_MOST),
        },
    )
    missed = sorted(((row.channel, row.window_at) for row in rows), reverse=True)
    nobody = "no scheduler opened this window"
    gone_wrong.note(connection, job, [(*each, nobody) for each in reversed(missed)], now)
    _close_older(connection, job, opened, window_at, now)
    return Windows([(channel, window_at) for channel in opened], missed)


# A run of an older window has nothing to say any more, unless a worker is on it right now.
_CLOSE_OLDER = text("""
UPDATE run SET
    state = CASE WHEN error = '' THEN 'missed' ELSE 'failed' END,
    error = CASE WHEN error <> '' THEN error
                 WHEN state = 'running' THEN 'its worker died and the window ended'
                 ELSE 'no worker came before the window ended' END,
    finished_at = :now, leased_until = NULL
WHERE job = :job AND channel = ANY(CAST(:channels AS text[])) AND window_at < :window_at
  AND state IN ('due', 'running') AND NOT (state = 'running' AND leased_until > :now)
RETURNING channel, window_at, error
""")


def _close_older(
    connection: Connection, job: str, channels: Sequence[str], window_at: datetime, now: datetime
) -> None:
    rows = connection.execute(
        _CLOSE_OLDER,
        {"job": job, "channels": list(channels), "window_at": window_at, "now": now},
    )
    closed = sorted((row.channel, row.window_at, row.error) for row in rows)
    gone_wrong.note(connection, job, closed, now)


_CHANNEL_RUNS = text("""
SELECT window_at, state, leased_until FROM run
WHERE job = :job AND channel = :channel AND (window_at = :window_at OR state IN ('due', 'running'))
ORDER BY window_at FOR UPDATE
""")
_NEWEST = text("SELECT max(window_at) FROM run WHERE job = :job AND channel = :channel")
_CLAIM = text("""
UPDATE run SET state = 'running', attempts = attempts + 1, leased_until = :until,
    started_at = coalesce(started_at, :now)
WHERE job = :job AND channel = :channel AND window_at = :window_at
RETURNING attempts
""")


def claim_run(
    connection: Connection,
    job: str,
    channel: str,
    window_at: datetime,
    now: datetime,
    lease_s: float,
) -> Run | None:
    """Take a run for `lease_s` seconds.

    returns    None when there is nothing to do: it is done, held, waits for its time, is not the newest window of its
               channel (then it is closed as missed), or another window of the channel is being worked
    """
    place = {"job": job, "channel": channel, "window_at": window_at}
    rows = connection.execute(_CHANNEL_RUNS, place).fetchall()
    if connection.execute(_NEWEST, place).scalar_one() != window_at:
        _close_older(connection, job, [channel], window_of_newest(connection, job, channel), now)
        return None
    if any(row.state == "running" and row.leased_until > now for row in rows):
        return None
    mine = next((row for row in rows if row.window_at == window_at), None)
    if mine is None or mine.state not in ("due", "running"):
        return None
    if mine.leased_until is not None and mine.leased_until > now:
        return None
    attempt = connection.execute(
        _CLAIM, place | {"now": now, "until": now + timedelta(seconds=lease_s)}
    ).scalar_one()
    return Run(job, channel, window_at, attempt)


def window_of_newest(connection: Connection, job: str, channel: str) -> datetime:
    """The newest window of a channel that is known; there must be one."""
    newest: datetime = connection.execute(_NEWEST, {"job": job, "channel": channel}).scalar_one()
    return newest


_RENEW = text("""
UPDATE run SET leased_until = :until
WHERE job = :job AND channel = :channel AND window_at = :window_at AND attempts = :attempt AND state = 'running'
""")
_FINISH = text("""
UPDATE run SET state = 'done', leased_until = NULL, finished_at = :now, error = '',
    expected = :expected, read = :read, unknown = :unknown, in_flight = :in_flight, drifted = :drifted,
    repushed = :repushed, halted = :halted, fixed = :fixed
WHERE job = :job AND channel = :channel AND window_at = :window_at AND attempts = :attempt AND state = 'running'
""")
_FAIL = text("""
UPDATE run SET state = :state, leased_until = :again_at, finished_at = :finished_at, error = :error
WHERE job = :job AND channel = :channel AND window_at = :window_at AND attempts = :attempt AND state = 'running'
""")


def renew(connection: Connection, run: Run, now: datetime, lease_s: float) -> None:
    """Hold the run for another `lease_s` seconds; raises LeaseLost when it is held by another attempt."""
    until = now + timedelta(seconds=lease_s)
    _fenced(connection.execute(_RENEW, _key(run) | {"until": until}).rowcount, run)


# What an attempt has read stays read, whoever takes the run over: the next one begins where it ended.
_BEGUN = text("""
SELECT read_through, expected, read, unknown, in_flight, drifted, repushed, halted, fixed FROM run
WHERE job = :job AND channel = :channel AND window_at = :window_at
""")
_PROGRESS = text("""
UPDATE run SET read_through = :read_through, expected = :expected, read = :read, unknown = :unknown,
    in_flight = :in_flight, drifted = :drifted, repushed = :repushed, halted = :halted, fixed = :fixed
WHERE job = :job AND channel = :channel AND window_at = :window_at AND attempts = :attempt AND state = 'running'
""")


def begun(connection: Connection, run: Run) -> tuple[str, Counts]:
    """How far the attempts before this one came: the SKU up to which all is read, and what they saw."""
    row = connection.execute(_BEGUN, _key(run)).one()
    return row.read_through, Counts(*row[1:])


def note_progress(connection: Connection, run: Run, read_through: str, counts: Counts) -> None:
    """All SKUs up to this one are read and judged; raises LeaseLost."""
    values = _key(run) | asdict(counts) | {"read_through": read_through}
    _fenced(connection.execute(_PROGRESS, values).rowcount, run)


def finish_run(connection: Connection, run: Run, counts: Counts, now: datetime) -> None:
    """The run is done; raises LeaseLost."""
    _fenced(connection.execute(_FINISH, _key(run) | asdict(counts) | {"now": now}).rowcount, run)


_FOUND_LATER = text("""
UPDATE run SET drifted = drifted + :drifted, repushed = repushed + :repushed, halted = halted + :halted,
    in_flight = greatest(0, in_flight - :judged)
WHERE job = :job AND channel = :channel AND window_at = :window_at
""")


def found_later(
    connection: Connection, job: str, channel: str, window_at: datetime, counts: Counts
) -> None:
    """What came of readings of a run that were judged after it; `counts.read` of them."""
    values = {"job": job, "channel": channel, "window_at": window_at, "judged": counts.read}
    connection.execute(_FOUND_LATER, asdict(counts) | values)


def fail_run(
    connection: Connection, run: Run, error: str, now: datetime, again_at: datetime | None = None
) -> None:
    """This attempt ended with an error; raises LeaseLost.

    again_at    the run is due again then; None: it has failed for good
    """
    values = {
        "state": "failed" if again_at is None else "due",
        "again_at": again_at,
        "finished_at": now if again_at is None else None,
        "error": error[:1000],
    }
    _fenced(connection.execute(_FAIL, _key(run) | values).rowcount, run)
    if again_at is None:
        window = (run.channel, run.window_at, error)
        gone_wrong.note(connection, run.job, [window], now, attempts=run.attempt)


def _key(run: Run) -> dict[str, object]:
    return {
        "job": run.job,
        "channel": run.channel,
        "window_at": run.window_at,
        "attempt": run.attempt,
    }


def _fenced(touched: int, run: Run) -> None:
    if touched != 1:
        raise LeaseLost(
            f"{run.job} of {run.channel} at {run.window_at.isoformat()}, attempt {run.attempt},"
            " was taken over; nothing is to be done here"
        )


TO_RING = text("""
SELECT job, channel, window_at FROM run
WHERE state IN ('due', 'running') AND (leased_until IS NULL OR leased_until <= :now)
ORDER BY job, channel, window_at
""")


def open_runs(connection: Connection, now: datetime) -> list[tuple[str, str, datetime]]:
    """(job, channel, window start) of every run that waits for a worker now: never begun, due again, or abandoned."""
    return [
        (row.job, row.channel, row.window_at) for row in connection.execute(TO_RING, {"now": now})
    ]


# An attempt that ended is fenced off by its number; the newest window may be tried anew, an older one says nothing now.
_REOPEN = text("""
UPDATE run SET state = 'due', leased_until = NULL, finished_at = NULL, error = ''
FROM unnest(CAST(:jobs AS text[]), CAST(:channels AS text[])) AS given (job, channel)
WHERE run.job = given.job AND run.channel = given.channel AND run.state IN ('failed', 'missed')
  AND run.window_at = (SELECT r.window_at FROM run AS r WHERE r.job = given.job AND r.channel = given.channel
                       ORDER BY r.window_at DESC LIMIT 1)
""")


def reopen(connection: Connection, jobs: Sequence[tuple[str, str]]) -> int:
    """Let the newest window of each (job, channel) be tried anew where it failed; returns how many were."""
    values = {"jobs": [job for job, _ in jobs], "channels": [channel for _, channel in jobs]}
    return connection.execute(_REOPEN, values).rowcount
