"""Whatever a partner orders, changes and cancels, and whenever we ship, release and expire: no unit is lost."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from allocation.programs import Policy
from ledger import verify
from tests.databases import Shelf
from tests.servers import Clock
from tests.workers.edi_rig import PARTNER, Grocer, a_grocer, change, changed, line, po
from tests.workers.program_rig import agreement, booked, days, held, standing
from workers.flows import programs
from workers.flows.programs import Asked

_STOCK, _AGREED, _WINDOW_DAYS = 100, 40, 30
_numbers = itertools.count(1)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.just(0), st.integers(1, 60)),
        st.tuples(st.just("change"), st.integers(0, 3), st.integers(0, 60)),
        st.tuples(st.just("cancel"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("ship"), st.integers(0, 3), st.integers(1, 30)),
        st.tuples(st.just("release"), st.just(0), st.integers(1, 20)),
        st.tuples(st.just("expire"), st.just(0), st.just(0)),
        st.tuples(st.just("wait"), st.just(0), st.integers(1, 20)),
    ),
    min_size=1,
    max_size=10,
)


@dataclass
class _Order:
    """One purchase order of one line, as the model sees it."""

    accepted: int = 0
    out_of: int = 0
    shipped: int = 0
    changes: int = 0
    is_cancelled: bool = False


@dataclass
class _Model:
    """What should be so; the simplest thing that could be right."""

    policy: Policy
    free: int = _STOCK - _AGREED
    left: int = _AGREED
    released: int = 0
    shipped: int = 0
    is_open: bool = True
    has_ended: bool = False
    orders: list[_Order] = field(default_factory=list)

    def becomes(self, order: _Order, quantity: int) -> None:
        kept = min(order.accepted, max(quantity, order.shipped))
        back = max(0, order.out_of - kept)
        gone = order.accepted - kept - back
        order.out_of -= back
        self.free += gone
        if self.is_open:
            self.left += back
        else:
            self.free += back
            self.released += back
        more = max(0, quantity - kept)
        first = min(more, self.left) if self.is_open else 0
        only = self.is_open and self.policy is Policy.CAP
        rest = 0 if only else min(more - first, self.free)
        self.left -= first
        self.free -= rest
        order.out_of += first
        order.accepted = kept + first + rest

    def lets_go(self, units: int) -> None:
        self.left -= units
        self.released += units
        self.free += units


@pytest.fixture(scope="module")
def grocer(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grocer]:
    database = shelf.lend()
    yield a_grocer(database.engine, Clock(), Path(tmp_path_factory.mktemp("edi")))
    shelf.take_back(database)


def _begin(grocer: Grocer, number: int, policy: Policy) -> None:
    sku = f"S{number}"
    with grocer.engine.begin() as connection:
        connection.execute(text("INSERT INTO sku (sku) VALUES (:sku)"), {"sku": sku})
        connection.execute(
            text("""
                INSERT INTO binding (channel, sku, location, item_id, vendor_location_id, variant_id)
                VALUES (:channel, :sku, 'WH', :sku, 'DC1', :sku)
            """),
            {"channel": PARTNER, "sku": sku},
        )
    grocer.stock(**{sku: _STOCK})
    agreed = agreement(grocer, f"P{number}", days=_WINDOW_DAYS, policy=policy)
    programs.reserve(grocer.house, agreed, [Asked(sku, "WH", _AGREED)], now=grocer.clock.now)


def _do(grocer: Grocer, model: _Model, number: int, step: tuple[str, int, int]) -> None:
    verb, which, units = step
    grocer.clock.advance(1)
    if verb == "order":
        model.orders.append(_Order())
        model.becomes(model.orders[-1], units)
        name = f"PO{number}-{len(model.orders) - 1}"
        grocer.send(po(line(1, units, item=f"S{number}"), number=name))
    elif verb in ("change", "cancel", "ship"):
        if which < len(model.orders):
            _with_order(grocer, model, number, step)
    else:
        _with_program(grocer, model, f"P{number}", verb, units)
    grocer.visit()
    grocer.work()


def _with_order(grocer: Grocer, model: _Model, number: int, step: tuple[str, int, int]) -> None:
    verb, which, units = step
    order, name = model.orders[which], f"PO{number}-{which}"
    match verb:
        case "change" if not order.is_cancelled:
            order.changes += 1
            model.becomes(order, units)
            said = changed(1, "QI", units, item=f"S{number}")
            grocer.send(change(said, number=name, sequence=str(order.changes)))
        case "cancel" if not order.is_cancelled:
            order.is_cancelled = True
            model.becomes(order, 0)
            grocer.send(po(line(1, 1, item=f"S{number}"), number=name, purpose="01"))
        case "ship" if order.accepted > order.shipped:
            units = min(units, order.accepted - order.shipped)
            order.shipped += units
            model.shipped += units
            grocer.ship(name, "1", units, number=order.shipped)


def _with_program(grocer: Grocer, model: _Model, name: str, verb: str, units: int) -> None:
    now = grocer.clock.now
    match verb:
        case "release" if model.left >= units and not model.has_ended:
            model.has_ended = not model.is_open and units == model.left
            model.lets_go(units)
            programs.release(grocer.house, name, units=units, by="ann", why="x", now=now)
        case "expire":
            if not model.is_open and not model.has_ended:
                model.lets_go(model.left)
                model.has_ended = True
            programs.expire(grocer.house, now=now)
        case "wait":
            days(grocer, units)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(Policy)), steps)
def test_every_unit_of_a_program_is_used_given_back_released_or_left(
    grocer: Grocer, policy: Policy, said: list[tuple[str, int, int]]
) -> None:
    number, model = next(_numbers), _Model(policy)
    _begin(grocer, number, policy)
    ends = grocer.clock.now + timedelta(days=_WINDOW_DAYS)

    for step in said:
        model.is_open = model.is_open and grocer.clock.now + timedelta(seconds=1) < ends
        _do(grocer, model, number, step)

        used, released, left = standing(grocer, f"P{number}")
        available, committed, reserved = held(grocer, f"S{number}")
        assert (used, released, left) == (
            sum(order.out_of for order in model.orders),
            model.released,
            model.left,
        ), step
        assert reserved == left == booked(grocer, f"P{number}")
        assert 0 <= left == _AGREED - used - released
        assert available == model.free >= 0
        assert committed == sum(order.accepted - order.shipped for order in model.orders)
        assert available + committed + reserved == _STOCK - model.shipped
        if policy is Policy.CAP and model.is_open:
            assert sum(order.accepted for order in model.orders) <= _AGREED
    assert grocer.rows("SELECT error FROM edi_document WHERE state IN ('parked', 'held')") == []
    assert verify.verify(grocer.engine).clean
