"""Multi-Channel Fulfillment: ask Amazon to ship an order of the book, and follow every MCF order until it is over.

Whoever made it, an MCF order takes Amazon's units once. It is for an order in the book (then that order holds the
units, and Amazon's word only says when they left) or it is foreign (then it is an order of its own). Which of both is
decided when the shop had time to tell its order, and corrected when it tells it later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError
from sqlalchemy import Connection, Engine

from channels.amazon import fba_store, mcf, mcf_booking, mcf_store, outbound
from channels.amazon.api import SellingPartner
from channels.amazon.fba_store import Mark
from channels.amazon.mcf import Address, McfDetail, McfLine, Wanted
from channels.amazon.mcf_booking import Act
from channels.amazon.mcf_store import Kept, OrderLine
from channels.amazon.movements import Place
from channels.base import Refused
from ledger import inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery

#: An MCF order waits so long for the shop to tell its order, before it counts as nobody's.
PATIENCE: Final = timedelta(minutes=30)
#: The shop may tell the same shipment so much later.
AFTERMATH: Final = timedelta(days=14)
#: How far back the first look goes, and how far every look goes behind the last one.
_FIRST: Final = timedelta(days=30)
_OVERLAP: Final = timedelta(minutes=10)
#: Orders under way that are asked for again in one go, though nothing of them was listed as changed.
_ASKED_AGAIN: Final = 20
_MARK: Final = "mcf"


class CannotShip(Exception):
    """An order cannot be given to Amazon; the message says why and what to do."""


@dataclass
class McfReport:
    """What one go came to: orders asked for, facts told, and what stands in the way, by sellerFulfillmentOrderId."""

    seen: int = 0
    facts: int = 0
    problems: dict[str, str] = field(default_factory=dict)


def poll(
    engine: Engine, api: SellingPartner, *, channel: str, now: Callable[[], datetime]
) -> McfReport:
    """Ask Amazon for every MCF order that changed, and tell the book what follows.

    Each order is written as soon as it is read; when Amazon's limit ends a go, the next one begins where it ended.

    raises    ChannelError
    """
    report = McfReport()
    begun = now()
    try:
        with transaction(engine) as connection:
            mark = fba_store.mark(connection, channel, _MARK)
        since = mark.at - _OVERLAP if mark.at else begun - _FIRST
        listed = list(outbound.changed_since(api, since))
        with transaction(engine) as connection:
            changed = mcf_store.unknown_states(connection, channel, listed)
            again = mcf_store.to_ask(connection, channel, before=begun, at_most=_ASKED_AGAIN)
        for seller_id in dict.fromkeys([*(order.seller_id for order in changed), *again]):
            detail = outbound.show(api, seller_id)
            if detail is not None:
                report.seen += 1
                with transaction(engine) as connection:
                    mcf_store.keep(connection, channel, detail, now=now())
        with transaction(engine) as connection:
            fba_store.set_mark(connection, channel, _MARK, Mark(at=begun))
    finally:
        settle(engine, channel=channel, now=now(), report=report)
    return report


def settle(engine: Engine, *, channel: str, now: datetime, report: McfReport) -> None:
    """Tell the book what is known of every order that is not over, each in a transaction of its own."""
    with transaction(engine) as connection:
        unsettled = mcf_store.unsettled(connection, channel, since=now - AFTERMATH)
        places = fba_store.places(connection, channel)
    for kept in unsettled:
        with transaction(engine) as connection:
            _Settling(connection, channel, now, places, report).settle(kept)


@dataclass(frozen=True, slots=True)
class _Settling:
    connection: Connection
    channel: str
    now: datetime
    places: Mapping[str, Place]
    report: McfReport

    def settle(self, kept: Kept) -> None:
        seller_id = kept.detail.order.seller_id
        missing = sorted({line.seller_sku for line in kept.detail.lines} - set(self.places))
        strange = sorted(
            {one.item_id for one in kept.detail.shipped}
            - {line.item_id for line in kept.detail.lines}
        )
        of, problem = kept.of, ""
        if missing:
            problem = f"seller SKU {', '.join(missing)} is not mapped: lockstep channel map"
        elif strange:
            problem = (
                f"Amazon shipped item {', '.join(strange)}, which the order does not have: look at it in Seller Central"
                " and post by hand what left"
            )
        elif of is None:
            of, problem = self._whose(kept.detail)
        role = "matched" if of else kept.role
        if role == "new" and not problem and self.now - kept.seen_at >= PATIENCE:
            role = "foreign"
        mcf_store.set_role(self.connection, self.channel, seller_id, role, of, problem)
        if problem:
            self.report.problems[seller_id] = problem
        elif role != "new":
            self._tell(kept, role, of)

    def _whose(self, detail: McfDetail) -> tuple[tuple[str, str] | None, str]:
        """The order in the book that an MCF order is for, by the names it gives it; and why that is in doubt."""
        names = mcf.may_name(detail.order)
        skus = {self.places[line.seller_sku].sku for line in detail.lines}
        found = [
            (channel, order)
            for channel, order, has in mcf_store.candidates(self.connection, self.channel, names)
            if skus <= has
        ]
        for name in names:
            called = [one for one in found if one[1] == name]
            if len(called) == 1:
                return called[0], ""
            if called:
                both = " and ".join(f"{channel} {order}" for channel, order in called)
                return None, f"it may be for {both}: tell Amazon's channel which, or cancel one"
        return None, ""

    def _tell(self, kept: Kept, role: str, of: tuple[str, str] | None) -> None:
        seller_id = kept.detail.order.seller_id
        told = mcf_store.told(self.connection, self.channel, seller_id)
        acts: list[Act] = []
        if of is None:
            acts = mcf_booking.foreign(kept.detail, self.places, told, self.channel)
        else:
            strange = [one for one in told if one.channel == self.channel]
            acts = mcf_booking.undo(strange, self.channel, kept.detail.order.status_at)
            acts += mcf_booking.matched(
                kept.detail,
                self.places,
                [one for one in told if one.channel != self.channel],
                of,
                [line.short for line in mcf_store.order_lines(self.connection, of)],
                mcf_store.left(self.connection, of, self.channel),
                self.channel,
            )
        deliveries = [
            Delivery(self.channel, act.fact.id, FACT_TOPIC, act.fact.model_dump_json().encode())
            for act in acts
        ]
        kept_now = inbox.keep(self.connection, deliveries, now=self.now)
        self.report.facts += len(kept_now.fresh)
        mcf_store.tell(self.connection, self.channel, seller_id, acts, now=self.now)


def create(
    engine: Engine,
    api: SellingPartner,
    *,
    channel: str,
    of: tuple[str, str],
    address: Address,
    now: Callable[[], datetime],
    speed: str = "Standard",
    hold: bool = False,
) -> McfDetail:
    """Ask Amazon to ship what is open of an order in the book at Amazon's location; asking twice asks once.

    of        (channel, order) of the shop that sold it
    raises    CannotShip when there is nothing to ship or Amazon does not take it; ChannelError when it is not known
    """
    with transaction(engine) as connection:
        wanted = _wanted(connection, channel, of, now(), speed=speed, hold=hold)
        mcf_store.ask(connection, channel, wanted.seller_id, wanted.displayable_id, of, now=now())
    try:
        detail = outbound.create(api, wanted, address)
    except Refused as refusal:
        with transaction(engine) as connection:
            mcf_store.refused(connection, channel, wanted.seller_id, str(refusal), now=now())
        raise CannotShip(f"Amazon does not ship {of[1]} of {of[0]}: {refusal}") from refusal
    with transaction(engine) as connection:
        mcf_store.keep(connection, channel, detail, now=now())
    return detail


def _wanted(
    connection: Connection,
    channel: str,
    of: tuple[str, str],
    now: datetime,
    *,
    speed: str,
    hold: bool,
) -> Wanted:
    lines = mcf_store.order_lines(connection, of)
    if not lines:
        raise CannotShip(f"{of[0]} has no order {of[1]!r} in the book")
    at_amazon = {
        (place.sku, place.location): (seller_sku, place.pack)
        for seller_sku, place in fba_store.places(connection, channel).items()
    }
    items = [item for line in lines if (item := _item(line, at_amazon)) is not None]
    if not items:
        raise CannotShip(
            f"order {of[1]} of {of[0]} has nothing open at Amazon's location of {channel}: only what the order holds"
            " there can be shipped from there"
        )
    if len(items) > mcf.LINES_AT_MOST:
        raise CannotShip(f"order {of[1]} has {len(items)} lines; Amazon takes {mcf.LINES_AT_MOST}")
    return Wanted(mcf.own_id(*of), of[1], now, items, speed, hold=hold)


def _item(line: OrderLine, at_amazon: Mapping[tuple[str, str], tuple[str, int]]) -> McfLine | None:
    found = at_amazon.get((line.sku, line.location))
    if found is None or line.open <= 0:
        return None
    seller_sku, pack = found
    if line.open % pack:
        raise CannotShip(
            f"{line.open} units of {line.sku} are no whole number of Amazon's packs of {pack} ({seller_sku})"
        )
    return McfLine(line.line, seller_sku, line.open // pack)


def parse_address(text: str) -> Address:
    """An address as JSON in Amazon's names. Raises CannotShip with the fields that are wrong."""
    try:
        return Address.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in found)
        raise CannotShip(f"not an address for Amazon: {said}") from None
