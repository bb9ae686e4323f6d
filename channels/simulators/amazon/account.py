"""One seller's account: its state, acts that change it, and what becomes due later on the simulated clock.

Everything that happens later (a patch applied, a feed processed, an MCF order moving on) lies in one heap and is done
in the order of its moments by whoever looks next, or by the agenda when the moment comes. So a reader never sees an
account that is behind its clock, and no test has to wait for a thread.
"""

from __future__ import annotations

import heapq
import itertools
import random
import string
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from channels.simulators.amazon.state import (
    Destination,
    Document,
    FbaParts,
    FbaReading,
    Job,
    LedgerRow,
    Listing,
    Offer,
    Order,
    Outbound,
    Subscription,
)
from channels.simulators.clock import Clock


class Unknown(LookupError):
    """No such SKU, order or thing; the control plane's 404."""


class Refused(Exception):
    """Something Amazon does not do (sold out, shipped already); the control plane's 409."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something subscribers of a notification type must hear; `payload` in the type's own spelling."""

    kind: str
    payload: Mapping[str, Any]
    at: datetime
    skus: frozenset[str]


@dataclass(slots=True)
class Act:
    """One change of the account: its moment, and what it has to tell when it is over.

    merchant   SKU -> the merchant units it had before, of the listings this act touched
    fba        SKUs whose FBA parts it touched
    """

    at: datetime
    silent: bool = False
    notices: list[Notice] = field(default_factory=list)
    merchant: dict[str, int | None] = field(default_factory=dict)
    fba: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Pace:
    """How long Amazon takes, in simulated seconds.

    apply_s      from an accepted write to the listing
    queue_s      a feed or report waits;  work_s: it is worked on
    outbound_s   an MCF order stays in each status
    orders_s     how far behind now the orders API ends by itself (the vendor asks for two minutes)
    fba_lag_s    how far behind the FBA summaries are
    """

    apply_s: float = 5.0
    queue_s: float = 20.0
    work_s: float = 40.0
    outbound_s: float = 300.0
    orders_s: float = 120.0
    fba_lag_s: float = 0.0


class Account:
    """State of one seller. Change it only inside `act`; read it under `lock`, after `catch_up`.

    tell       called after each act with its notices, outside the lock
    changes    makes the notices of the stock an act touched; set by the simulator
    note       writes to the event log
    schedule   runs something at a moment of the clock
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seller_id: str = "A3LOCKSTEPSIM1",
        marketplace_id: str = "ATVPDKIKX0DER",
        seed: int = 0,
    ) -> None:
        self.clock = clock
        self.seller_id, self.marketplace_id = seller_id, marketplace_id
        self.lock = threading.RLock()
        self.tell: Callable[[list[Notice]], None] = lambda _: None
        self.changes: Callable[[Account, Act], None] = lambda _, __: None
        self.note: Callable[[str, Mapping[str, object]], None] = lambda _, __: None
        self.schedule: Callable[[datetime, Callable[[], None]], None] = lambda _, __: None
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """An empty account; its pace too."""
        with self.lock:
            self.dice = random.Random(f"account {self._seed}")
            self.pace = Pace()
            self.listings: dict[str, Listing] = {}
            self.orders: dict[str, Order] = {}
            self.outbounds: dict[str, Outbound] = {}
            self.documents: dict[str, Document] = {}
            self.feeds: dict[str, Job] = {}
            self.reports: dict[str, Job] = {}
            self.ledger: list[LedgerRow] = []
            self.offers: dict[str, list[Offer]] = {}
            self.destinations: dict[str, Destination] = {}
            self.subscriptions: dict[str, Subscription] = {}
            self._later: list[tuple[datetime, int, Callable[[datetime], None]]] = []
            self._turn = itertools.count(1)
            self._numbers = itertools.count(1)

    # -- time -----------------------------------------------------------------------------------------------------

    @contextmanager
    def act(self, *, at: datetime | None = None, silent: bool = False) -> Iterator[Act]:
        """Do one thing under the lock; when it ends well, what it changed is told."""
        self.catch_up()
        with self._act(at or self.clock.now(), silent) as act:
            yield act

    def later(self, moment: datetime, seconds: float, job: Callable[[datetime], None]) -> None:
        """Run `job` with its moment, `seconds` after `moment` (which may be past: chains do not drift)."""
        due = moment + timedelta(seconds=seconds)
        with self.lock:
            heapq.heappush(self._later, (due, next(self._turn), job))
        self.schedule(due, self.catch_up)

    def catch_up(self) -> None:
        """Do everything that has become due, oldest first."""
        with self.lock:
            while self._later and self._later[0][0] <= self.clock.now():
                due, _, job = heapq.heappop(self._later)
                job(due)

    @contextmanager
    def happening(self, at: datetime) -> Iterator[Act]:
        """An act for a job of `later`: at its own moment, without catching up first."""
        with self._act(at, False) as act:
            yield act

    @contextmanager
    def _act(self, at: datetime, silent: bool) -> Iterator[Act]:
        with self.lock:
            act = Act(at, silent)
            yield act
            if not silent:
                self.changes(self, act)
        if act.notices:
            self.tell(act.notices)

    # -- things ---------------------------------------------------------------------------------------------------

    def listing(self, sku: str) -> Listing:
        found = self.listings.get(sku)
        if found is None:
            raise Unknown(f"no listing with SKU {sku!r}")
        return found

    def order(self, order_id: str) -> Order:
        """By Amazon's id. Raises Unknown."""
        found = self.orders.get(order_id)
        if found is None:
            raise Unknown(f"no order {order_id!r}")
        return found

    def touch_merchant(self, act: Act, listing: Listing) -> None:
        """Remember what the seller offered before this act changes it."""
        act.merchant.setdefault(listing.sku, listing.merchant_units)
        listing.updated_at = act.at

    def move_fba(
        self, act: Act, listing: Listing, deltas: Mapping[str, int], *, noticed: bool | None = None
    ) -> FbaParts:
        """Change FBA parts. Raises Refused when a part has too few units.

        noticed   whether the summaries' time filter sees it; by default unless only inbound parts move
        """
        try:
            parts = listing.fba.moved(deltas)
        except ValueError as short:
            raise Refused(f"{listing.sku}: {short}") from None
        if noticed is None:
            noticed = any(
                units and not name.startswith("inbound") for name, units in deltas.items()
            )
        before = listing.history[-1].noticed_at if listing.history else act.at
        listing.history.append(FbaReading(act.at, parts, act.at if noticed else before))
        act.fba.add(listing.sku)
        return parts

    def book(
        self,
        act: Act,
        listing: Listing,
        event: str,
        units: int,
        *,
        disposition: str = "SELLABLE",
        reason: str = "",
        reference: str = "",
    ) -> None:
        """A row of the inventory ledger."""
        if units:
            row = LedgerRow(act.at, listing.sku, event, reference, units, disposition, reason)
            self.ledger.append(row)

    # -- ids ------------------------------------------------------------------------------------------------------

    def new_uuid(self) -> str:
        with self.lock:
            return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    def new_order_id(self) -> str:
        """3-7-7 digits, as Amazon numbers orders."""
        pick = self.dice.randrange
        return f"11{pick(1, 5)}-{pick(10**6, 10**7)}-{pick(10**6, 10**7)}"

    def new_digits(self, length: int) -> str:
        return str(self.dice.randrange(10 ** (length - 1), 10**length))

    def new_code(self, prefix: str, length: int = 10) -> str:
        """An ASIN- or FNSKU-like code."""
        letters = string.ascii_uppercase + string.digits
        rest = "".join(self.dice.choice(letters) for _ in range(length - len(prefix)))
        return prefix + rest

    def new_number(self) -> int:
        return next(self._numbers)
