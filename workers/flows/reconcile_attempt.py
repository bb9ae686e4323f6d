"""One attempt at a run: read a page, judge it, keep what it came to, and go on to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile

from sqlalchemy import Connection, Engine, text

from allocation import outlook_store
from channels.base import Binding, Reading, Throttled
from ledger.db import refuse_inside_transaction, transaction
from reconcile import aftermath, evidence, halt_store, halts, pages, runs, store
from reconcile.compare import newest
from reconcile.judge import Judged, judge
from reconcile.types import Action, Counts, Finding, Limits
from workers.flows.catalogue_reads import Snapshots
from workers.flows.reconcile_terms import Clock, RunReport, Terms


@dataclass
class Attempt:
    """One attempt: what it holds, and what it has found so far. `run` is None in a dry run."""

    engine: Engine
    client: Snapshots
    channel: str
    window_at: datetime
    now: Clock
    terms: Terms
    state: pages.ChannelState
    run: runs.Run | None
    counts: Counts = field(default_factory=Counts)
    findings: list[Finding] = field(default_factory=list)
    halted: set[str] = field(default_factory=set)
    shows_nothing: set[str] = field(default_factory=set)

    def through(self) -> RunReport:
        """Every page that no attempt before this one has read, then the end."""
        after = self._begun()
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

    def _page(self, bindings: Sequence[Binding], last: str) -> None:
        """Read and judge these; where the vendor's limit ends the reading, as far as it came.

        last      the SKU up to which all is read then
        raises    ChannelError; after Throttled what came before it is kept
        """
        readings: list[Reading] = []
        cut: Throttled | None = None
        try:
            for reading in self._read(bindings):
                readings.append(reading)
        except Throttled as refusal:
            cut = refusal
            bindings = _read_whole(bindings, readings)
            if not bindings:
                raise
            last = bindings[-1].sku
        self._take(bindings, readings, last)
        if cut is not None:
            self._lift_so_far()
            raise cut

    def _take(self, bindings: Sequence[Binding], readings: Sequence[Reading], last: str) -> None:
        asked = {(binding.sku, binding.location) for binding in bindings}
        read = newest(
            reading
            for reading in readings
            if (reading.binding.sku, reading.binding.location) in asked
        )
        known = {place: reading for place, reading in read.items() if reading.units is not None}
        self._note_what_shows_nothing(bindings, known)
        with self._holding() as connection:
            judged = self._judge(connection, bindings[0], known)
            repushed, halted = self._write(connection, judged, known)
            counts = self.counts.plus(
                Counts(
                    expected=len(asked),
                    read=len(known),
                    unknown=len(asked) - len(known),
                    in_flight=judged.in_flight,
                    drifted=len(judged.findings),
                    repushed=repushed,
                    halted=len(halted),
                )
            )
            if self.run is not None:
                runs.note_progress(connection, self.run, last, counts)
        self.counts = counts
        self.findings.extend(judged.findings)
        self.halted |= halted

    def _read(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        """The readings as they come; a slow vendor does not cost us the lease."""
        refuse_inside_transaction(f"snapshot of {self.channel}")
        renew_at = self.now() + timedelta(seconds=self.terms.lease_s / 3)
        for reading in self.client.snapshot(bindings):
            yield reading
            if self.run is not None and self.now() >= renew_at:
                with self._holding():
                    renew_at = self.now() + timedelta(seconds=self.terms.lease_s / 3)

    def _judge(
        self, connection: Connection, like: Binding, known: dict[tuple[str, str], Reading]
    ) -> Judged:
        found = pages.cases(
            connection, self.channel, list(known.values()), state=self.state, unseen={}
        )
        if not found:
            return judge([], {}, self.terms.limits, self.terms.rule)
        named, any_sku = pages.explained_by_deliveries(
            connection, self.channel, like, self.now(), self.terms.limits.grace
        )
        found = [replace(case, delivery_waiting=any_sku or case.sku in named) for case in found]
        found = evidence.collect(
            connection,
            self.channel,
            found,
            grace=self.terms.limits.grace,
            committed={place: reading.committed for place, reading in known.items()},
        )
        siblings = pages.siblings(connection, self.channel, [case.sku for case in found], known)
        return judge(
            found,
            siblings,
            self.terms.limits,
            self.terms.rule,
            may_halt=self.state.writes and not self.state.paused,
        )

    def _write(
        self,
        connection: Connection,
        judged: Judged,
        known: dict[tuple[str, str], Reading],
    ) -> tuple[int, set[str]]:
        """Keep what a page came to; returns (targets due again, SKUs to be halted)."""
        at = self.now()
        again = [_repush(finding, at, self.terms.limits) for finding in judged.findings]
        wanted = [row for row in again if row is not None]
        if self.run is None:
            return len(wanted), {f.case.sku for f in judged.findings if f.halt_reason}
        # What is due, the push queue, what is shown: the order in which everybody takes these locks.
        outlook_store.due_where_scarce(connection, {sku for sku, _ in known}, at)
        pages.repush(connection, self.channel, wanted, at)
        aftermath.park(connection, self.channel, judged.findings)
        pages.note_readings(connection, self.channel, list(known.values()))
        for places, result in ((judged.equal, ""), (judged.stopped, "halted: it shows nothing")):
            store.resolve_drifts(
                connection, channel=self.channel, equal=places, now=at, result=result
            )
        ids = store.open_drifts(
            connection,
            channel=self.channel,
            window_at=self.window_at,
            drifts=[finding.drift() for finding in judged.findings],
            now=at,
        )
        aftermath.cured(connection, self.channel, judged.equal, at)
        aftermath.follow(
            connection, self.channel, judged.findings, ids, at, self.terms.limits.grace
        )
        return len(wanted), self._halt(connection, judged, ids, at)

    def _halt(
        self,
        connection: Connection,
        judged: Judged,
        ids: dict[tuple[str, str], int],
        at: datetime,
    ) -> set[str]:
        halted: set[str] = set()
        for finding in judged.findings:
            case, reason = finding.case, finding.halt_reason
            if reason is None or case.sku in halted:
                continue
            if case.halt_id is not None:
                halt_store.halt_again(connection, case.halt_id, reason, at)
            else:
                drift_id = ids[case.sku, case.location]
                # Unbound since it was read: there is nothing left to halt.
                with suppress(halt_store.NothingToHalt):
                    halt_store.set_halt(
                        connection, self.channel, case.sku, reason, halts.RULE, at, drift_id
                    )
            halted.add(case.sku)
        return halted

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
                aftermath.settle_late(connection, self.channel, at)
            if self.run is not None:
                runs.finish_run(connection, self.run, self.counts, at)
        return lifted

    def _lift(self, connection: Connection, at: datetime) -> tuple[str, ...]:
        lifted = []
        for halt in halt_store.standing_halts(connection, self.channel, at):
            reason = halts.lift_reason(halt, now=at, calm=self.terms.calm)
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


def _repush(finding: Finding, now: datetime, limits: Limits) -> pages.Repush | None:
    """Showing too much is a decrease and goes first; showing too little may wait for an order that is on its way."""
    case, comparison = finding.case, finding.comparison
    match finding.action:
        case (
            Action.FIX_ITEM
            | Action.HALT_AGAIN
            | Action.BACKFILL
            | Action.REVERSE
            | Action.CALL
            | Action.QUARANTINE
        ):
            return None
        case Action.REPUSH_AFTER_GRACE:
            return pages.Repush(case.sku, case.location, 3, now + limits.grace)
        case Action.REPUSH | Action.HALT:
            priority = 3
            if comparison.delta_units > 0:
                priority = 0 if case.target.units == 0 else 1
            return pages.Repush(case.sku, case.location, priority, now)
