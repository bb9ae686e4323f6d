"""Listings that go off sale at zero while their numbers come back: no zero may stay behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from channels.base import Binding
from tests.servers import Clock, Database
from tests.workers.shelf import HIDING, House, Shelf, a_house
from workers.flows.push import push
from workers.flows.verify import verify


def nothing(_sku: str) -> None:
    """Nobody does anything meanwhile."""


@dataclass
class SlowShelf(Shelf):
    """Stops a sale as vendors do, by showing 0; others may act while it is asked and while it stops."""

    while_asked: Callable[[str], None] = nothing
    while_stopping: Callable[[str], None] = nothing

    def sale_state(self, binding: Binding) -> Mapping[str, str]:
        self.while_asked(binding.sku)
        return super().sale_state(binding)

    def stop_sale(self, binding: Binding) -> Mapping[str, str]:
        self.while_stopping(binding.sku)
        undo = Shelf.sale_state(self, binding)
        self.numbers[binding.sku] = 0
        self.off_sale[binding.sku] = "CONTINUE"
        return undo

    def resume_sale(self, binding: Binding, undo: Mapping[str, str]) -> None:
        self.off_sale.pop(binding.sku, None)


@pytest.fixture
def slow(clock: Clock) -> SlowShelf:
    return SlowShelf(clock, {"A": 3, "B": 3})


@pytest.fixture
def house(database: Database, clock: Clock, slow: SlowShelf) -> House:
    house = a_house(database.engine, clock, "A", "B", rules=HIDING)
    house.shelf = slow
    house.set(A=3, B=3)
    push(house.lane)
    clock.advance(60)
    verify(house.lane)
    return house


def comes_back(house: House, slow: SlowShelf, units: int) -> None:
    """New stock of B, shown at once by another worker."""
    slow.while_asked = slow.while_stopping = nothing
    house.set(B=units)
    house.clock.advance(5)
    push(house.lane)
    assert slow.numbers["B"] == units


def test_a_number_that_came_back_while_others_were_stopped_is_left_alone(
    house: House, slow: SlowShelf
) -> None:
    slow.while_asked = lambda sku: comes_back(house, slow, 8) if sku == "A" else None

    house.set(A=0, B=0)
    push(house.lane)

    assert slow.numbers == {"A": 0, "B": 8}
    assert slow.off_sale == {"A": "CONTINUE"}


def test_a_number_that_came_back_while_its_sale_was_stopped_is_shown_again(
    house: House, slow: SlowShelf
) -> None:
    slow.while_stopping = lambda sku: comes_back(house, slow, 8) if sku == "B" else None

    house.set(A=3, B=0)
    push(house.lane)
    assert slow.numbers["B"] == 0
    verify(house.lane)
    house.clock.advance(5)
    push(house.lane)

    assert slow.numbers["B"] == 8
    assert slow.off_sale == {}
