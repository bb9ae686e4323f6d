"""What the book is told of Amazon's stock, how each change is explained, and what stays unexplained for too long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from channels.amazon import fba_store, following, mirror, movement_store, movements
from channels.amazon.fba_store import Explained
from channels.amazon.following import Step
from channels.amazon.movement_store import NewRow
from channels.amazon.movements import Fate, LedgerRow, Place, Ways
from ledger import inbox
from ledger.events import AnyFact, Reversal
from ledger.inbox import FACT_TOPIC, Delivery
from reconcile import store
from reconcile.types import Cause, Drift, Evidence
from workers.flows.mirror_terms import MirrorReport, Terms

#: Rows decided about in one go.
_ROWS: Final = 20_000
#: A change is explained again while it is so young, and with something unexplained for so long.
_YOUNG: Final = timedelta(days=3)
_OLD: Final = timedelta(days=30)
_NO_ACTION: Final = (
    "none: the stock is Amazon's; look at its ledger, open a case there if units are missing"
)

_OPTIONS = text("SELECT options FROM channel WHERE channel = :channel")


@dataclass(frozen=True, slots=True)
class Book:
    """One channel's mirror, as the book is told of it."""

    channel: str
    window_at: datetime
    now: datetime
    terms: Terms
    report: MirrorReport

    def tell(self, connection: Connection, facts: Iterable[AnyFact]) -> None:
        """Hand facts to the inbox, in this transaction; what is known already changes nothing."""
        deliveries = [
            Delivery(self.channel, fact.id, FACT_TOPIC, fact.model_dump_json().encode())
            for fact in facts
        ]
        self.report.facts += len(inbox.keep(connection, deliveries, now=self.now).fresh)

    # -- ledger rows --------------------------------------------------------------------------------------------------

    def book_rows(self, connection: Connection) -> None:
        """Decide about every row that is new or waits, and take back what its order has told since."""
        places = fba_store.places(connection, self.channel)
        opened = fba_store.opened(connection, self.channel)
        ways = movements.ways(connection.execute(_OPTIONS, {"channel": self.channel}).scalar_one())
        fates: dict[Fate, list[LedgerRow]] = {fate: [] for fate in Fate}
        for new in movement_store.new_rows(connection, self.channel, at_most=_ROWS):
            fates[self._fate(new, places, opened)].append(new.row)
        self.tell(connection, self._facts(fates[Fate.BOOK], places, ways))
        for fate in (Fate.BOOK, Fate.ORDER, Fate.KEEP):
            self._settle(connection, fates[fate], fate.value)
        late = movement_store.late_orders(connection, self.channel)
        self.tell(connection, [self._undone(row) for row in late])
        self._settle(connection, late, "undone")

    def _settle(self, connection: Connection, rows: Sequence[LedgerRow], state: str) -> None:
        row_ids = [row.row_id for row in rows]
        movement_store.settle_rows(connection, self.channel, row_ids, state, now=self.now)

    def _fate(
        self, new: NewRow, places: Mapping[str, Place], opened: Mapping[str, datetime]
    ) -> Fate:
        sku = new.row.seller_sku
        return movements.fate(
            new.row,
            opened_at=opened.get(sku) if sku in places else None,
            has_order=new.has_order,
            waited=self.now - new.seen_at,
            patience=self.terms.patience,
        )

    def _facts(
        self, rows: Sequence[LedgerRow], places: Mapping[str, Place], ways: Ways
    ) -> list[AnyFact]:
        return [movements.fact(row, places[row.seller_sku], self.channel, ways) for row in rows]

    def _undone(self, row: LedgerRow) -> Reversal:
        return Reversal(
            source=self.channel,
            id=f"fba-row:{row.row_id}:undone",
            occurred_at=row.at,
            actor="amazon",
            reverses_source=self.channel,
            reverses_id=f"fba-row:{row.row_id}",
            reason=f"order {row.reference} came in by itself and tells this shipment",
        )

    # -- positions ----------------------------------------------------------------------------------------------------

    def follow(self, connection: Connection) -> None:
        """Open what is new, keep apart what cannot be sold, and count what differs."""
        found = fba_store.followed(
            connection,
            self.channel,
            slack_s=self.terms.slack_s,
            horizon=self.now - self.terms.horizon,
        )
        steps = [following.follow(sku, self.channel, self.window_at) for sku in found]
        self.tell(connection, [fact for step in steps for fact in step.facts])
        changed = [step.state for step in steps if step.changed]
        fba_store.set_states(connection, self.channel, changed, now=self.now)
        self._drift(connection, steps)
        self.report.followed = len(steps)
        self.report.off = sum(step.state.off is not None for step in steps)

    def _drift(self, connection: Connection, steps: Sequence[Step]) -> None:
        """What was off for long enough is a drift; what is off no more, and was, is one no longer."""
        lasting = [
            step
            for step in steps
            if step.state.off is not None and step.state.off.cycles >= self.terms.persist
        ]
        beyond = movement_store.shipped_beyond_the_book(
            connection,
            self.channel,
            [step.of.seller_sku for step in lasting],
            since=self.now - _OLD,
        )
        drifts = [_drift_of(step, beyond.get(step.of.seller_sku, 0)) for step in lasting]
        store.open_drifts(
            connection,
            channel=self.channel,
            window_at=self.window_at,
            drifts=drifts,
            now=self.now,
        )
        healed = {
            (step.of.place.sku, step.of.place.location): _shown(step)
            for step in steps
            if step.of.off is not None and step.state.off is None
        }
        store.resolve_drifts(
            connection,
            channel=self.channel,
            equal=healed,
            now=self.now,
            result="the book and Amazon's reading came together",
        )
        self.report.drifts = len(drifts)

    # -- explanations -------------------------------------------------------------------------------------------------

    def explain(self, connection: Connection) -> None:
        """Every change since the reading before it, by cause; again while rows and orders may still come."""
        found = movement_store.pairs(
            connection, self.channel, young=self.now - _YOUNG, old=self.now - _OLD
        )
        explained = (
            Explained(
                pair.reading_id,
                pair.before_id,
                pair.seller_sku,
                pair.from_at,
                pair.to_at,
                mirror.explain(pair.before, pair.after, pair.moves),
            )
            for pair in found
        )
        fba_store.keep_changes(connection, self.channel, explained, now=self.now)


def _shown(step: Step) -> int:
    return step.of.parts.fulfillable * step.of.place.pack


def _drift_of(step: Step, beyond: int) -> Drift:
    """The drift of a SKU; `beyond` are units that Amazon's ledger shipped and the book did not."""
    off, of = step.state.off, step.of
    assert off is not None
    # A sale that no order told.
    unledgered = off.units < 0 < beyond
    evidence: Evidence = {
        "as_of": of.as_of.isoformat(),
        "cycles": off.cycles,
        "in_house": of.parts.in_house * of.place.pack,
        "book": of.on_hand,
        "seller_sku": of.seller_sku,
    }
    if unledgered:
        evidence["shipped_beyond_the_book"] = beyond
    else:
        evidence["missing"] = "no ledger row, order or MCF order accounts for it"
    return Drift(
        of.place.sku,
        of.place.location,
        _shown(step) - off.units,
        _shown(step),
        (Cause.UNLEDGERED_SALE if unledgered else Cause.UNKNOWN).value,
        evidence,
        _NO_ACTION,
    )
