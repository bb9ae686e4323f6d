"""Reads that do not wait for their window: what could sell out before it, and places that are judged a second time.

One go a channel: plan anew once a minute, ask for orders where one that nobody told of could be sold twice, judge kept
readings whose orders are heard by now, read what is due, the shortest time first. A go reads a few SKUs a call and ends
when the account's limit leaves no more than pushes need.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby, takewhile
from typing import Final, TypeAlias

from sqlalchemy import Connection, Engine

from channels.base import Binding, Channel, ChannelError, Reading, Throttled, Unauthorised
from ledger.db import refuse_inside_transaction, transaction
from reconcile import early, hindsight, pages, runs, second_looks
from reconcile.cadence import after_read, planned
from reconcile.compare import newest
from reconcile.early import Taken
from reconcile.judge import Judged
from reconcile.second_looks import Look
from reconcile.types import Counts
from workers.clock import TOLERATED
from workers.flows.judging import Judging, judge_readings, write_judged
from workers.flows.lane import said
from workers.flows.reconcile_terms import JOB, Clock, Terms
from workers.flows.returns import answered

Place: TypeAlias = tuple[str, str]

#: SKUs that are read and judged together, and goes at most before the next bell.
SKUS_A_GO: Final = 250
GOES: Final = 8
LEASE_S: Final = 60.0
#: What is on its way at a second look is looked at again after so long.
_AGAIN: Final = timedelta(seconds=3)
_LONGEST_WAIT: Final = timedelta(minutes=5)
#: Two machines that both are right may differ by so much: who came first within it nobody can tell afterwards.
_APART: Final = 2 * TOLERATED


@dataclass(frozen=True, slots=True)
class EarlyReport:
    """What one go came to.

    looked     kept readings that were judged
    read       SKUs that were read;  drifted  drifts found by either
    stopped    why it ended before the work did
    due        SKUs are to be computed because of it
    """

    looked: int = 0
    read: int = 0
    drifted: int = 0
    repushed: int = 0
    halted: int = 0
    stopped: str = ""
    due: bool = False

    @property
    def ring_push(self) -> bool:
        """Whether targets of the channel are due again."""
        return self.repushed > 0

    @property
    def ring_halts(self) -> bool:
        """Whether a halt of the channel waits to be carried out."""
        return self.halted > 0


def waiting(engine: Engine, *, now: datetime) -> list[str]:
    """Channels that have something to plan, to judge again or to read now."""
    with transaction(engine) as connection:
        found = {*early.channels(connection, now), *second_looks.channels(connection, now)}
    return sorted(found)


def go(
    engine: Engine,
    client: Channel,
    *,
    channel: str,
    now: Clock,
    terms: Terms,
    hear: Callable[[], object],
    hear_ahead: Callable[[], object] | None = None,
) -> EarlyReport:
    """Do what waits for one channel; an error of the channel is a report too, never raised.

    hear          asks the channel for its orders
    hear_ahead    the same, as far as the limit of such calls leaves enough to the windows; None: as `hear`
    """
    settle = max(terms.limits.settle, timedelta(seconds=client.settle_s))
    terms = replace(terms, limits=replace(terms.limits, settle=settle, hears_first=True))
    hears = plan(engine, channel=channel, now=now(), window_s=terms.window_s)
    at = _Go(engine, client, channel, now, terms)
    if hears:
        refuse_inside_transaction(f"orders of {channel}")
        (hear_ahead or hear)()
    at.look_again(hear)
    at.read()
    return at.report


def plan(engine: Engine, *, channel: str, now: datetime, window_s: int) -> bool:
    """See which SKUs of a channel sell out soon, if nobody did within a minute.

    returns    whether to ask for orders ahead of the window (`early.wants_orders`)
    """
    with transaction(engine) as connection:
        mine, before_at = early.begin_plan(connection, channel, now)
        if not mine:
            return False
        found = early.outlooks(connection, channel, now, window_s)
        before = early.standing(connection, channel)
        new_window = before_at is None or (
            runs.window_of(before_at, window_s) != runs.window_of(now, window_s)
        )
        kept = [
            plan_of
            for sku in sorted({*before, *found})
            if (
                plan_of := planned(
                    before.get(sku), found.get(sku), window_s=window_s, new_window=new_window
                )
            )
        ]
        kept.sort(key=lambda plan_of: (plan_of.runs_out_s, plan_of.sku))
        early.keep_plan(connection, channel, kept[: early.AT_MOST], now)
        sells_out = any(outlook.cover_s < window_s for outlook in found.values())
        heard_by = now - timedelta(seconds=window_s)
        return early.wants_orders(connection, channel, sells_out=sells_out, before=heard_by)


@dataclass
class _Go:
    """One go at a channel, and what it came to so far."""

    engine: Engine
    client: Channel
    channel: str
    now: Clock
    terms: Terms
    report: EarlyReport = EarlyReport()

    def look_again(self, hear: Callable[[], object]) -> None:
        """Judge kept readings, after asking for the orders up to them."""
        with transaction(self.engine) as connection:
            looks = second_looks.take(connection, self.channel, self.now(), self.now() + _AGAIN)
        if not looks:
            return
        refuse_inside_transaction(f"orders of {self.channel}")
        hear()
        by_window = sorted(
            looks, key=lambda look: (look.window_at is not None, str(look.window_at))
        )
        for window_at, of_window in groupby(by_window, key=lambda look: look.window_at):
            of_both: dict[bool, list[Look]] = {True: [], False: []}
            for look in of_window:
                of_both[look.until_at > self.now()].append(look)
            for excused, group in of_both.items():
                if group:
                    self._judge_again(group, window_at, excused=excused)

    def _judge_again(
        self, looks: Sequence[Look], window_at: datetime | None, *, excused: bool
    ) -> None:
        """Judge these; excused: what is still on its way is kept for another look."""
        # At once a number that waits excuses it; by now it may have been pushed, and another clock says when.
        settle = max(self.terms.limits.settle, _APART)
        limits = replace(self.terms.limits, hears_first=excused, settle=settle)
        at = Judging(self.channel, window_at, replace(self.terms, limits=limits))
        known = {
            (look.reading.binding.sku, look.reading.binding.location): look.reading
            for look in looks
        }
        with transaction(self.engine) as connection:
            state = pages.channel_state(connection, self.channel)
            if state is None:
                return
            judged = judge_readings(connection, at, state, known, self.now())
            written = write_judged(connection, at, judged, known, self.now())
            drifted = {(finding.case.sku, finding.case.location) for finding in judged.findings}
            done = set(known) - _waiting(judged, known.keys(), drifted) if excused else set(known)
            second_looks.drop(connection, self.channel, done)
            hindsight.label(
                connection,
                self.channel,
                [known[place] for place in sorted(done - drifted)],
                window_at=window_at,
                now=self.now(),
                grace=limits.grace,
            )
            counts = Counts(
                read=len(done),
                drifted=len(judged.findings),
                repushed=written.repushed,
                halted=len(written.halted),
            )
            if window_at is not None:
                runs.found_later(connection, JOB, self.channel, window_at, counts)
        self._add(looked=len(done), counts=counts, due=written.due)

    def read(self) -> None:
        """Read what is due, a few SKUs at a time."""
        for _ in range(GOES):
            with transaction(self.engine) as connection:
                taken = early.take(connection, self.channel, self.now(), LEASE_S, SKUS_A_GO)
                skus = [one.sku for one in taken]
                bindings = early.listings(connection, self.channel, skus)
            if not taken:
                return
            if not self._read(taken, bindings):
                return

    def _read(self, taken: Sequence[Taken], bindings: Sequence[Binding]) -> bool:
        """Read and judge these, in the order of their time; whether the channel lets us go on."""
        rank = {one.sku: place for place, one in enumerate(taken)}
        asked = sorted(bindings, key=lambda binding: (rank[binding.sku], binding.location))
        readings: list[Reading] = []
        error: ChannelError | None = None
        refuse_inside_transaction(f"snapshot of {self.channel}")
        try:
            for reading in self.client.snapshot(asked):
                readings.append(reading)
        except ChannelError as stopped:
            error = stopped
        told = {(reading.binding.sku, reading.binding.location) for reading in readings}
        missing = {b.sku for b in asked if (b.sku, b.location) not in told}
        whole = list(takewhile(lambda one: one.sku not in missing, taken)) if error else taken
        if readings:
            answered(self.engine, self.channel, self.now())
        self._keep(whole, readings)
        with transaction(self.engine) as connection:
            early.give_back(connection, self.channel, [one.sku for one in taken[len(whole) :]])
            self._answered(connection, error)
        return error is None

    def _keep(self, whole: Sequence[Taken], readings: Sequence[Reading]) -> None:
        skus = {one.sku for one in whole}
        known = {
            place: reading
            for place, reading in newest(readings).items()
            if reading.units is not None and place[0] in skus
        }
        at = Judging(self.channel, None, self.terms)
        with transaction(self.engine) as connection:
            state = pages.channel_state(connection, self.channel)
            if state is None:
                return
            judged = judge_readings(connection, at, state, known, self.now())
            written = write_judged(connection, at, judged, known, self.now())
            wrong = {finding.case.sku for finding in judged.findings}
            rest = {
                one.sku: (after_read(one.every_s, drifted=one.sku in wrong), one.sku in wrong)
                for one in whole
            }
            early.done(connection, self.channel, rest, self.now())
        counts = Counts(
            read=len(whole),
            drifted=len(judged.findings),
            repushed=written.repushed,
            halted=len(written.halted),
        )
        self._add(read=len(whole), counts=counts, due=written.due)

    def _answered(self, connection: Connection, error: ChannelError | None) -> None:
        """Note when the channel may be asked again; it is the windows that call a person."""
        if error is None:
            early.not_before(connection, self.channel, None)
            return
        wait = _LONGEST_WAIT
        if isinstance(error, Throttled):
            wait = timedelta(seconds=error.retry_after_s)
        elif not isinstance(error, Unauthorised):
            failures = early.failures(connection, self.channel)
            wait = min(_LONGEST_WAIT, timedelta(seconds=5 * 2 ** min(failures, 10)))
        early.not_before(connection, self.channel, self.now() + wait)
        self.report = replace(self.report, stopped=said(error))

    def _add(self, *, counts: Counts, due: bool, looked: int = 0, read: int = 0) -> None:
        before = self.report
        self.report = replace(
            before,
            looked=before.looked + looked,
            read=before.read + read,
            drifted=before.drifted + counts.drifted,
            repushed=before.repushed + counts.repushed,
            halted=before.halted + counts.halted,
            due=before.due or due,
        )


def _waiting(judged: Judged, known: Collection[Place], drifted: Collection[Place]) -> set[Place]:
    """What is looked at once more: what still waits for orders or pushes, and the other places of the same SKUs."""
    still = {(case.sku, case.location) for case in judged.unheard} | judged.flying
    skus = {sku for sku, _ in still}
    return {place for place in known if place[0] in skus and place not in drifted}
