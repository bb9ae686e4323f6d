"""The mirror of Amazon's stock: one go a channel and window. Read what Amazon says, tell the book, explain the changes.

Nothing is pushed and nothing is halted here. Each piece is read over the network first and then written in a
transaction of its own; a step that fails is reported and leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine, text

from channels.amazon import fba_store
from channels.amazon.api import SellingPartner
from channels.amazon.fba_store import Mark
from channels.base import ChannelError, Refused, Throttled, Unauthorised
from ledger.db import transaction
from reconcile import runs
from reconcile.types import Counts
from workers.flows import fba_health, mcf
from workers.flows.mirror_book import Book
from workers.flows.mirror_reading import Reader
from workers.flows.mirror_terms import JOB, Clock, MirrorReport, Terms

__all__ = ["JOB", "MirrorReport", "Terms", "mirror", "open_windows"]

KIND = "amazon"
_SHORTEST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(minutes=5)

log = structlog.get_logger(__name__)

_CHANNELS = text("SELECT channel FROM channel WHERE kind = :kind ORDER BY channel")


def open_windows(engine: Engine, *, now: datetime, window_s: int) -> runs.Windows:
    """Open the window of `now` for every channel with stock at Amazon; a second scheduler finds it open."""
    with transaction(engine) as connection:
        channels = list(connection.execute(_CHANNELS, {"kind": KIND}).scalars())
        windows = runs.open_windows(connection, JOB, channels, now, window_s)
    for channel, window_at in windows.missed:
        log.warning("mirror.window.missed", channel=channel, window_at=window_at.isoformat())
    return windows


def mirror(
    engine: Engine,
    api: SellingPartner,
    *,
    channel: str,
    window_at: datetime,
    now: Clock,
    terms: Terms,
) -> MirrorReport:
    """Do the go of one channel and window, if it waits for a worker.

    now       the clock, read again between the pieces
    returns   what was found; an error of the channel is in the report (later or failed), never raised
    """
    report = MirrorReport(channel, window_at)
    with transaction(engine) as connection:
        run = runs.claim_run(connection, JOB, channel, window_at, now(), terms.lease_s)
    if run is None:
        report.state = "skipped"
        return report
    try:
        _Go(engine, api, run, now, terms, report).through()
    except runs.LeaseLost as lost:
        log.warning("mirror.run.taken_over", channel=channel, window_at=window_at.isoformat())
        report.state = "skipped"
        report.problems.append(str(lost))
    return report


@dataclass(frozen=True, slots=True)
class _Go:
    engine: Engine
    api: SellingPartner
    run: runs.Run
    now: Clock
    terms: Terms
    report: MirrorReport

    def through(self) -> None:
        """Every step; what Amazon does not let us read now is read later, and what is there is booked all the same."""
        reader = Reader(
            self.api, self.run.channel, self._holding, self.now, self.terms, self.report
        )
        reader.listen()
        errors = [
            error
            for step in (
                reader.read_changes,
                reader.read_everything,
                self._follow_mcf,
                reader.fetch_reports,
                reader.ask_reports,
            )
            if (error := self._tried(step)) is not None
        ]
        if self._anything_new():
            book = Book(self.run.channel, self.run.window_at, self.now(), self.terms, self.report)
            for write in (book.book_rows, book.follow, book.explain):
                with self._holding() as connection:
                    write(connection)
        self._look()
        self._end(errors)

    def _look(self) -> None:
        """Once a day how every SKU stands is kept; not in the very first go, whose stock is not booked yet."""
        at, every = self.now(), self.terms.planning_every
        with self._holding() as connection:
            mark = fba_store.mark(connection, self.run.channel, "standing")
            if mark.at is None:
                first = Mark(at=at - every + timedelta(seconds=self.terms.window_s))
                fba_store.set_mark(connection, self.run.channel, "standing", first)
        if mark.at is None or at < mark.at + every:
            return
        self.report.standings = fba_health.look(self._holding, self.run.channel, at)
        with self._holding() as connection:
            fba_store.set_mark(connection, self.run.channel, "standing", Mark(at=at))

    def _anything_new(self) -> bool:
        """A window compares once whatever comes; a go that only carries a long walk on has nothing to compare."""
        report = self.report
        return self.run.attempt == 1 or bool(report.readings or report.rows or report.facts)

    def _follow_mcf(self) -> None:
        """Orders of other shops that Amazon ships; before the changes are explained, for they explain some."""
        found = mcf.poll(self.engine, self.api, channel=self.run.channel, now=self.now)
        self.report.mcf_seen, self.report.mcf_problems = found.seen, dict(found.problems)
        self.report.facts += found.facts

    def _tried(self, step: Callable[[], None]) -> ChannelError | None:
        try:
            step()
        except ChannelError as error:
            self.report.problems.append(f"{type(error).__name__}: {error}")
            return error
        return None

    @contextmanager
    def _holding(self) -> Iterator[Connection]:
        """A transaction of a worker that still holds the run."""
        with transaction(self.engine) as connection:
            runs.renew(connection, self.run, self.now(), self.terms.lease_s)
            yield connection

    def _end(self, errors: list[ChannelError]) -> None:
        at, report = self.now(), self.report
        counts = Counts(expected=report.followed, read=report.readings, drifted=report.drifts)
        if not errors:
            with transaction(self.engine) as connection:
                runs.finish_run(connection, self.run, counts, at)
            return
        again_at = self._again_at(errors, at)
        if again_at is not None and again_at >= self.run.window_at + timedelta(
            seconds=self.terms.window_s
        ):
            # The next window does the same.
            again_at = None
        with transaction(self.engine) as connection:
            runs.fail_run(connection, self.run, "; ".join(report.problems), at, again_at)
        report.state, report.again_at = ("failed" if again_at is None else "later"), again_at

    def _again_at(self, errors: list[ChannelError], at: datetime) -> datetime | None:
        """When it is worth another try in this window; None when a person is needed, or the vendor said no for good."""
        waits = []
        for error in errors:
            if isinstance(error, Throttled):
                waits.append(max(_SHORTEST_WAIT, timedelta(seconds=error.retry_after_s)))
            elif not isinstance(error, Unauthorised | Refused):
                waits.append(timedelta(seconds=5 * 2 ** min(self.run.attempt, 10)))
        return at + min(min(waits), _LONGEST_WAIT) if waits else None
