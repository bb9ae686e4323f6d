"""One attempt at a run: read a page, judge it, keep what it came to, and go on to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile

from sqlalchemy import Connection, Engine, text

from channels.base import Binding, Reading, Throttled
from ledger.db import refuse_inside_transaction, transaction
from reconcile import aftermath, halt_store, halts, pages, runs
from reconcile.compare import newest
from reconcile.judge import Judged
from reconcile.snapshots import RANGE_PLACES, Range, Told
from reconcile.types import Counts, Finding
from workers.flows import halt_rules
from workers.flows.catalogue_reads import Snapshots
from workers.flows.judging import (
    Judging,
    Readings,
    Written,
    due_again,
    judge_readings,
    write_judged,
)
from workers.flows.reconcile_terms import Clock, RunReport, Terms
from workers.flows.returns import answered

#: Findings that are handed back; all of them are in the database, and a worker's memory stays small.
_HANDED_BACK = 1000
#: A page is not begun with orders that were heard longer ago than that.
_HEARD_WITHIN = timedelta(seconds=30)


@dataclass
class Attempt:
    """One attempt: what it holds, and what it has found so far. `run` is None in a dry run.

    told    what the channel told of all places at once, where it did
    hear    asks the channel for its orders, where somebody can
    """

    engine: Engine
    client: Snapshots
    channel: str
    window_at: datetime
    now: Clock
    terms: Terms
    state: pages.ChannelState
    run: runs.Run | None
    told: Told | None = None
    hear: Callable[[], object] | None = None
    counts: Counts = field(default_factory=Counts)
    findings: list[Finding] = field(default_factory=list)
    halted: set[str] = field(default_factory=set)
    shows_nothing: set[str] = field(default_factory=set)

    def through(self) -> RunReport:
        """Every page that no attempt before this one has read, then the end."""
        after = self._begun()
        if self.told is None:
            self._pages(after)
        else:
            self._ranges(self.told, after)
        lifted = self._finish()
        return RunReport(
            self.channel,
            self.window_at,
            "done",
            self.counts,
            tuple(self.findings),
            tuple(sorted(self.halted)),
            lifted,
        )

    def _pages(self, after: str) -> None:
        """Everything is read item by item."""
        while True:
            with self._holding() as connection:
                bindings, last = pages.page_of_bindings(
                    connection, self.channel, after, self.terms.page_skus
                )
            if last is None:
                break
            if bindings:
                self._page(bindings, last)
            after = last

    def _ranges(self, told: Told, after: str) -> None:
        """What is told as it should be is taken; the rest is read item by item."""
        places = RANGE_PLACES
        while True:
            with self._holding() as connection:
                found = told.compare(connection, after, places)
            if found is None:
                break
            if found.news and self.run is not None:
                with self._holding() as connection:
                    told.note(connection, found.after, found.through)
            self._page(found.differing, found.through, found)
            after, places = found.through, found.next_places

    @contextmanager
    def _holding(self) -> Iterator[Connection]:
        """A transaction of a worker that still holds the run; a dry run's may not write."""
        with transaction(self.engine) as connection:
            if self.run is None:
                connection.execute(text("SET TRANSACTION READ ONLY"))
            else:
                runs.renew(connection, self.run, self.now(), self.terms.lease_s)
            yield connection

    def _begun(self) -> str:
        """The SKU up to which all is read; "" at the beginning."""
        if self.run is None:
            return ""
        with self._holding() as connection:
            read_through, self.counts = runs.begun(connection, self.run)
        return read_through

    def _page(self, bindings: Sequence[Binding], last: str, of_range: Range | None = None) -> None:
        """Read and judge these; where the vendor's limit ends the reading, as far as it came.

        last        the SKU up to which all is read then
        of_range    where the rest of it is told as it should be
        raises      ChannelError; after Throttled what came before it is kept
        """
        readings: list[Reading] = []
        cut: Throttled | None = None
        cleared = of_range.cleared if of_range else 0
        self._hear_lately()
        try:
            for reading in self._read(bindings):
                readings.append(reading)
        except Throttled as refusal:
            cut = refusal
            bindings = _read_whole(bindings, readings)
            if not bindings:
                raise
            last = bindings[-1].sku
            if of_range is not None and self.told is not None:
                with self._holding() as connection:
                    cleared = self.told.cleared(connection, of_range.after, last)
        self._take(bindings, readings, last, cleared)
        if cut is not None:
            self._lift_so_far()
            raise cut

    def _take(
        self, bindings: Sequence[Binding], readings: Sequence[Reading], last: str, cleared: int
    ) -> None:
        asked = {(binding.sku, binding.location) for binding in bindings}
        read = newest(
            reading
            for reading in readings
            if (reading.binding.sku, reading.binding.location) in asked
        )
        known = {place: reading for place, reading in read.items() if reading.units is not None}
        self._note_what_shows_nothing(bindings, known)
        if readings and self.run is not None:
            answered(self.engine, self.channel, self.now())
        with self._holding() as connection:
            self.state = pages.channel_state(connection, self.channel) or self.state
            told = self.told.readings(connection, [b.sku for b in bindings]) if self.told else ()
            at = Judging(self.channel, self.window_at, self.terms)
            judged = judge_readings(connection, at, self.state, known, self.now(), told)
            written = self._write(connection, at, judged, known)
            counts = self.counts.plus(
                Counts(
                    expected=len(asked) + cleared,
                    read=len(known) + cleared,
                    unknown=len(asked) - len(known),
                    in_flight=judged.in_flight + len(judged.unheard),
                    drifted=len(judged.findings),
                    repushed=written.repushed,
                    halted=len(written.halted),
                    fixed=written.fixed,
                )
            )
            if self.run is not None:
                runs.note_progress(connection, self.run, last, counts)
        self.counts = counts
        self.findings.extend(judged.findings[: _HANDED_BACK - len(self.findings)])
        self.halted |= written.halted

    def _write(
        self, connection: Connection, at: Judging, judged: Judged, known: Readings
    ) -> Written:
        now = self.now()
        if self.run is not None:
            return write_judged(connection, at, judged, known, now)
        would_halt = frozenset(f.case.sku for f in judged.findings if f.halt_reason)
        return Written(len(due_again(judged.findings, now, self.terms.limits)), would_halt)

    def _hear_lately(self) -> None:
        """Orders first, readings after: what was ordered long before a reading is not on its way any more."""
        if self.hear is None or self.run is None:
            return
        mark = self.state.orders_mark
        if mark is not None and self.now() - mark < _HEARD_WITHIN:
            return
        refuse_inside_transaction(f"orders of {self.channel}")
        self.hear()
        with self._holding() as connection:
            self.state = pages.channel_state(connection, self.channel) or self.state

    def _read(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """The readings as they come; a slow vendor does not cost us the lease."""
        if not bindings:
            return
        refuse_inside_transaction(f"snapshot of {self.channel}")
        renew_at = self.now() + timedelta(seconds=self.terms.lease_s / 3)
        for reading in self.client.snapshot(bindings):
            yield reading
            if self.run is not None and self.now() >= renew_at:
                with self._holding():
                    renew_at = self.now() + timedelta(seconds=self.terms.lease_s / 3)

    def _note_what_shows_nothing(
        self, bindings: Sequence[Binding], known: dict[tuple[str, str], Reading]
    ) -> None:
        """SKUs of which every location was read and shows nothing: only those may be lifted by rule."""
        nothing = {binding.sku for binding in bindings}
        for binding in bindings:
            reading = known.get((binding.sku, binding.location))
            if reading is None or (reading.units or 0) > 0:
                nothing.discard(binding.sku)
        self.shows_nothing |= nothing

    def _lift_so_far(self) -> None:
        """The next attempt does not read these SKUs again, and so could not lift their stops."""
        if self.run is not None and not self.state.paused:
            with self._holding() as connection:
                self._lift(connection, self.now())

    def _finish(self) -> tuple[str, ...]:
        with self._holding() as connection:
            at = self.now()
            lifted = () if self.state.paused else self._lift(connection, at)
            if self.run is not None:
                aftermath.mended(connection, self.channel, at)
                aftermath.settle_late(connection, self.channel, at)
                runs.finish_run(connection, self.run, self.counts, at)
        return lifted

    def _lift(self, connection: Connection, at: datetime) -> tuple[str, ...]:
        lifted = []
        rule = halt_rules.of_channel(connection, self.channel, self.terms.rule)
        calm = timedelta(seconds=rule.calm_windows * self.terms.window_s)
        for halt in halt_store.standing_halts(connection, self.channel, at):
            reason = halts.lift_reason(halt, now=at, calm=calm)
            if reason is None or halt.sku not in self.shows_nothing:
                continue
            if self.run is not None:
                halt_store.lift_halt(connection, self.channel, halt.sku, halts.RULE, reason, at)
            lifted.append(halt.sku)
        return tuple(lifted)


def _read_whole(bindings: Sequence[Binding], readings: Sequence[Reading]) -> list[Binding]:
    """The bindings, by SKU, up to the first SKU of which a reading is missing."""
    there = {(reading.binding.sku, reading.binding.location) for reading in readings}
    missing = {b.sku for b in bindings if (b.sku, b.location) not in there}
    return list(takewhile(lambda binding: binding.sku not in missing, bindings))
