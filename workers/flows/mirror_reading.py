"""What Amazon says, written down: notifications in the inbox, inventory summaries, reports. Nothing is booked here.

Call, then transaction, piece by piece: whatever stops a go, the pieces that were read stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, text

from channels.amazon import (
    fba,
    fba_store,
    health,
    health_store,
    inventory,
    movement_store,
    movements,
    network_store,
    reports,
    sizes,
    stranded,
    wire,
)
from channels.amazon.api import SellingPartner
from channels.amazon.fba import FbaReading, Page
from channels.amazon.fba_store import Mark
from channels.amazon.health import OfferSeen
from channels.base import Refused, Unreadable
from workers.flows.mirror_terms import MirrorReport, Terms

STOCK_TOPIC = "FBA_INVENTORY_AVAILABILITY_CHANGES"
OFFER_TOPIC = "ANY_OFFER_CHANGED"

#: Rows of the inbox looked at in one transaction.
_BATCH = 1000
#: Reports that not every marketplace has: Amazon may refuse them, and that stops nothing.
_OTHERS = (stranded.STRANDED, sizes.FEES)
#: The fee preview is asked for from so long ago at least.
_FEES_BACK = timedelta(days=7)
#: A delivery that is committed later than one with a higher number is not passed over.
_SETTLED = timedelta(minutes=2)

log = structlog.get_logger(__name__)

_INBOX = text("""
    SELECT id, topic, body, received_at FROM inbox
    WHERE id > :after AND source = :channel AND topic IN (:stock, :offers)
    ORDER BY id LIMIT :at_most
""")

_TIME: TypeAdapter[datetime] = TypeAdapter(datetime)


@dataclass(frozen=True, slots=True)
class Reader:
    """One go's way to Amazon and to the database.

    holding   a transaction of a worker that still holds the run
    """

    api: SellingPartner
    channel: str
    holding: Callable[[], AbstractContextManager[Connection]]
    now: Callable[[], datetime]
    terms: Terms
    report: MirrorReport

    # -- notifications ------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Readings and offers that were told since the last go."""
        while True:
            with self.holding() as connection:
                mark = fba_store.mark(connection, self.channel, "inbox")
                rows = connection.execute(
                    _INBOX,
                    {
                        "after": mark.number,
                        "channel": self.channel,
                        "stock": STOCK_TOPIC,
                        "offers": OFFER_TOPIC,
                        "at_most": _BATCH,
                    },
                ).fetchall()
                self._keep_told(connection, [(row.topic, bytes(row.body)) for row in rows])
                settled = [r.id for r in rows if r.received_at <= self.now() - _SETTLED]
                if settled:
                    reached = Mark(number=settled[-1])
                    fba_store.set_mark(connection, self.channel, "inbox", reached)
            if len(rows) < _BATCH or not settled:
                return

    def _keep_told(self, connection: Connection, bodies: Iterable[tuple[str, bytes]]) -> None:
        readings: list[FbaReading] = []
        offers: list[OfferSeen] = []
        for topic, body in bodies:
            try:
                notice = wire.notice(body)
            except Unreadable:
                continue
            if topic == OFFER_TOPIC:
                seen = health.offer_seen(
                    notice.payload, self.api.seller_id, self.api.marketplace_id
                )
                offers += [seen] if seen else []
            elif (at := _aware(notice.event_time)) is not None:
                told = fba.told(notice.payload, at, self.api.marketplace_id)
                readings += [told] if told else []
        self.report.readings += fba_store.keep_readings(
            connection, self.channel, readings, read_at=self.now()
        )
        self.report.offers += health_store.keep_offers(
            connection, self.channel, offers, now=self.now()
        )

    # -- summaries ----------------------------------------------------------------------------------------------------

    def read_changes(self) -> None:
        """What changed since the last go, as far as Amazon's filter notices; everything at the very first.

        Amazon's limit is two pages at once: a longer walk goes on with its next token in the go that follows a second
        later, and begins anew when that token has grown too old.
        """
        with self.holding() as connection:
            mark = fba_store.mark(connection, self.channel, "changes")
            walk = fba_store.mark(connection, self.channel, "walk")
        if walk.at is None:
            walk = Mark(at=self.now())
        since = mark.at - self.terms.look_back if mark.at else None
        try:
            for page in inventory.walk(self.api, since, walk.place):
                walk = replace(walk, place=page.next_token)
                self._keep_page(page, walk)
        except Refused:
            with self.holding() as connection:
                fba_store.set_mark(connection, self.channel, "walk", Mark())
            raise
        with self.holding() as connection:
            fba_store.set_mark(connection, self.channel, "changes", Mark(at=walk.at))
            fba_store.set_mark(connection, self.channel, "walk", Mark())
            if mark.at is None:
                fba_store.set_mark(connection, self.channel, "everything", Mark(at=walk.at))

    def read_everything(self) -> None:
        """Once a day every bound SKU by name. It goes on where it was stopped, so that no next token is waited for."""
        with self.holding() as connection:
            mark = fba_store.mark(connection, self.channel, "everything")
            skus = sorted(fba_store.places(connection, self.channel))
        # The very first walk reads everything as well.
        if mark.at is None or self.now() < mark.at + self.terms.full_every:
            return
        left = [sku for sku in skus if sku > mark.place]
        for start in range(0, len(left), inventory.AT_ONCE):
            chunk = left[start : start + inventory.AT_ONCE]
            for page in inventory.of_skus(self.api, chunk):
                self._keep_page(page)
            with self.holding() as connection:
                so_far = Mark(at=mark.at, place=chunk[-1])
                fba_store.set_mark(connection, self.channel, "everything", so_far)
        with self.holding() as connection:
            fba_store.set_mark(connection, self.channel, "everything", Mark(at=self.now()))

    def _keep_page(self, page: Page, walk: Mark | None = None) -> None:
        self.report.unreadable += page.unreadable
        with self.holding() as connection:
            if walk is not None:
                fba_store.set_mark(connection, self.channel, "walk", walk)
            self.report.readings += fba_store.keep_readings(
                connection, self.channel, page.readings, read_at=self.now()
            )

    # -- reports ------------------------------------------------------------------------------------------------------

    def fetch_reports(self) -> None:
        """Every report that has become ready."""
        with self.holding() as connection:
            waiting = movement_store.reports_waiting(connection, self.channel)
        for report_id, kind in waiting:
            fetched = reports.fetch(self.api, report_id)
            if fetched.state == "failed":
                with self.holding() as connection:
                    movement_store.report_ended(
                        connection, self.channel, report_id, now=self.now(), error=fetched.why
                    )
            elif fetched.state == "ready":
                self._keep_report(report_id, kind, fetched.content)

    def _keep_report(self, report_id: str, kind: str, content: bytes) -> None:
        try:
            if kind in (movements.LEDGER, network_store.PAST):
                found = movements.read(content)
                rows, past = found.rows, kind == network_store.PAST
                if found.unreadable:
                    self.report.problems.append(
                        f"report {report_id}: {found.unreadable} rows without a time, a SKU or a number are left out"
                    )
                self._ended(report_id, len(rows), lambda c: self._keep_rows(c, rows, past=past))
            elif kind == stranded.STRANDED:
                there = stranded.read(content)
                self._ended(report_id, len(there), lambda c: self._keep_stranded(c, there))
            elif kind == sizes.FEES:
                measured = sizes.read(content)
                self._ended(report_id, len(measured), lambda c: self._keep_sizes(c, measured))
            else:
                figures = health.planning(content)
                self._ended(report_id, len(figures), lambda c: self._keep_health(c, figures))
        except Unreadable as error:
            self.report.problems.append(str(error))
            with self.holding() as connection:
                movement_store.report_ended(
                    connection, self.channel, report_id, now=self.now(), error=str(error)
                )

    def _ended(self, report_id: str, rows: int, keep: Callable[[Connection], int]) -> None:
        with self.holding() as connection:
            fresh = keep(connection)
            movement_store.report_ended(
                connection, self.channel, report_id, now=self.now(), rows=rows, fresh=fresh
            )

    def _keep_rows(
        self, connection: Connection, rows: Sequence[movements.LedgerRow], *, past: bool
    ) -> int:
        fresh = movement_store.keep_rows(connection, self.channel, rows, now=self.now(), past=past)
        self.report.rows += 0 if past else fresh
        return fresh

    def _keep_stranded(self, connection: Connection, rows: Sequence[stranded.Stranded]) -> int:
        kept = network_store.keep_stranded(connection, self.channel, rows, now=self.now())
        self.report.health += kept
        return kept

    def _keep_sizes(self, connection: Connection, rows: Sequence[sizes.Size]) -> int:
        kept = network_store.keep_sizes(connection, self.channel, rows, now=self.now())
        self.report.health += kept
        return kept

    def _keep_health(self, connection: Connection, figures: Sequence[health.Health]) -> int:
        fresh = health_store.keep_health(connection, self.channel, figures, now=self.now())
        self.report.health += fresh
        return fresh

    def ask_reports(self) -> None:
        """A new ledger report and a new planning report, when it is time; when it is not, one of the others."""
        asked = False
        for kind, every in (
            (movements.LEDGER, self.terms.ledger_every),
            (health.PLANNING, self.terms.planning_every),
        ):
            with self.holding() as connection:
                last = movement_store.last_report(connection, self.channel, kind)
            if last.asked_at is not None and self.now() < last.asked_at + every:
                continue
            since = None
            if kind == movements.LEDGER:
                since = _midnight((last.done_at or self.now()) - self.terms.ledger_overlap)
            report_id = reports.ask_for(self.api, kind, since=since)
            with self.holding() as connection:
                movement_store.report_asked(
                    connection, self.channel, report_id, kind, since=since, now=self.now()
                )
            asked = True
        if not asked:
            self._ask_other()

    def _ask_other(self) -> None:
        """One report a go beside those two: daily what not every marketplace tells, then receipts of before the book.

        Amazon lets an account ask for one report a minute in the long run, and nobody waits for these.
        """
        for kind in (*_OTHERS, network_store.PAST):
            with self.holding() as connection:
                asked = fba_store.mark(connection, self.channel, f"ask:{kind}")
                span = self._span(connection, kind)
            is_over = asked.at is None or self.now() >= asked.at + self.terms.planning_every
            if span is not None and (is_over or (kind == network_store.PAST and not asked.place)):
                self._ask(kind, *span)
                return

    def _span(
        self, connection: Connection, kind: str
    ) -> tuple[datetime | None, datetime | None] | None:
        """The time that a report of this kind is asked for; None: there is nothing to ask."""
        if kind == network_store.PAST:
            return network_store.past_to_ask(connection, self.channel, self.now())
        return (_midnight(self.now() - _FEES_BACK) if kind == sizes.FEES else None), None

    def _ask(self, kind: str, since: datetime | None, until: datetime | None) -> None:
        """Ask for a report, and remember when, and why Amazon refused it if it did."""
        is_past = kind == network_store.PAST
        options = {"eventType": movements.RECEIPTS} if is_past else None
        why = ""
        try:
            report_id = reports.ask_for(
                self.api,
                movements.LEDGER if is_past else kind,
                since=since,
                until=until,
                options=options,
            )
        except Refused as error:
            log.warning("mirror.report.refused", channel=self.channel, kind=kind, why=str(error))
            report_id, why = "", str(error)
        with self.holding() as connection:
            mark = Mark(at=self.now(), place=why)
            fba_store.set_mark(connection, self.channel, f"ask:{kind}", mark)
            if report_id:
                movement_store.report_asked(
                    connection, self.channel, report_id, kind, since=since, now=self.now()
                )


def _aware(said: str) -> datetime | None:
    try:
        at = _TIME.validate_python(said)
    except ValidationError:
        return None
    return at if at.tzinfo is not None and wire.is_of_our_days(at) else None


def _midnight(at: datetime) -> datetime:
    """Whole days: rows that carry only a date are then all in or all out."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
