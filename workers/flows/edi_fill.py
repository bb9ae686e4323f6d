"""Backorders: what was promised for later is committed once it is there, oldest order first, and told by a new 855."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection

from channels.edi import answers, order_book
from channels.edi.documents import PurchaseOrder
from channels.edi.drafting import Draft
from channels.edi.partner import BadPartner
from channels.edi.standing import Standing
from ledger import store
from ledger.db import transaction
from workers.flows.booking import NotBooked
from workers.flows.edi_desk import Desk, answer, partner
from workers.flows.edi_orders import promise_lines
from workers.flows.ingest import House, take_turn

#: Orders of one go; the next one goes on.
_MOST = 50
#: BAK01: this answer takes the place of the one before.
_REPLACES = "05"


@dataclass(frozen=True, slots=True)
class Filled:
    """An order of which more is committed now; `units` in the lines' own measures."""

    partner: str
    number: str
    release: str
    units: int


def fill(house: House, *, now: datetime) -> list[Filled]:
    """Commit what is there for backordered lines, one transaction an order.

    Orders that get nothing (their share is used up, or they take all or nothing) are passed by: those behind them may.
    """
    filled: list[Filled] = []
    after = order_book.FIRST
    while len(filled) < _MOST:
        with transaction(house.engine) as connection:
            waiting = order_book.fillable(connection, after, most=_MOST)
        for after in waiting:
            _, name, number, release = after
            done = _fill(house, name, number, release, now=now)
            filled += [done] if done.units else []
        if len(waiting) < _MOST:
            break
    return filled


def _fill(house: House, name: str, number: str, release: str, *, now: datetime) -> Filled:
    with transaction(house.engine) as connection:
        take_turn(connection)
        store.enter(connection)
        order = order_book.standing(connection, name, number, release)
        units = 0
        if order is not None and not order.is_cancelled:
            units = _promise(house, connection, name, order, now)
    return Filled(name, number, release, units)


def _promise(
    house: House, connection: Connection, name: str, order: Standing, now: datetime
) -> int:
    """Promise the backordered lines anew; nothing is left behind when nothing more can be."""
    short = [line for line in order.lines if line.backordered]
    drafts = [Draft(line, Decimal(line.ordered), line.ordered) for line in short]
    point = connection.begin_nested()
    try:
        desk = Desk(connection, house, partner(connection, name), None, now)
        after = promise_lines(desk, order, drafts)
        by_key = after.by_key()
        lines = [by_key[was.key] for was in short]
        more = sum(line.accepted for line in lines) - sum(line.accepted for line in short)
        if more == 0:
            point.rollback()
            return 0
        said = PurchaseOrder(order.number, order.day, (), release=order.release)
        reply = answers.order_answer(said, after.lines, today=now.date(), purpose=_REPLACES)
        answer(desk, reply, answers=None, number=order.number, release=order.release)
        point.commit()
        return more
    except (BadPartner, NotBooked):
        # What is wrong stands where the partner's next document meets it.
        point.rollback()
        return 0
