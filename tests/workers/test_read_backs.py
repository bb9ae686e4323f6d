"""Read-backs: what is at risk first, a sample of the rest within its budget, pushes before the sample, halts last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from channels.base import Binding, Reading, Throttled
from reconcile.proving import Proof
from tests.servers import Clock, Database
from tests.workers.shelf import House, Shelf, a_house
from workers.flows.lane import Lane
from workers.flows.push import push
from workers.flows.verify import VerifyReport, verify

SHOWN = "SELECT sku, verify_at IS NOT NULL, verify_first FROM shown ORDER BY sku"


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    """A, B and C are deep and slow: 500 of each are shown, and one is sold of each."""
    house = a_house(database.engine, clock, "A", "B", "C", "D")
    house.set(A=500, B=500, C=500, D=500)
    push(house.lane)
    clock.advance(2)
    verify(house.lane)
    house.shelf.reads.clear()
    return house


def _sold(house: House, proof: Proof = Proof(), **units: int) -> Lane:  # noqa: B008 - frozen
    lane = replace(house.lane, proof=proof)
    house.set(**units)
    push(lane)
    house.clock.advance(2)
    return lane


def test_what_is_not_sampled_is_left_to_the_window(house: House) -> None:
    lane = _sold(house, Proof(share=0), A=499, B=5)

    assert verify(lane) == VerifyReport(read=1)
    assert house.shelf.reads == [["B"]]


def test_the_sample_is_a_share_of_the_rest(house: House) -> None:
    chances = iter([0.1, 0.9, 0.2])
    lane = replace(house.lane, proof=Proof(share=0.3), chance=lambda: next(chances))
    house.set(A=499, B=499, C=499)
    push(lane)

    assert house.rows(SHOWN)[:3] == [("A", True, False), ("B", False, True), ("C", True, False)]


def test_a_sku_that_sells_fast_is_read_first_however_deep_it_is(house: House) -> None:
    house.run(
        "INSERT INTO pace (sku, channel, location, slow_lines, slow_units, slow_squares, at, since)"
        " VALUES ('A', 'shop', 'WH', 30, 30, 30, :now, :now)",
        now=house.clock.now,
    )

    _sold(house, A=499, B=499)

    assert house.rows(SHOWN)[:2] == [("A", True, True), ("B", True, False)]


def test_a_sku_divided_into_quotas_is_read_first(house: House) -> None:
    house.set(A=499)
    house.run(
        "INSERT INTO exposure (sku, scarce, since) VALUES ('A', '{WH}', :now)"
        " ON CONFLICT (sku) DO UPDATE SET scarce = excluded.scarce",
        now=house.clock.now,
    )

    push(house.lane)

    assert house.rows(SHOWN)[0] == ("A", True, True)


def test_what_is_at_risk_goes_before_the_sample(house: House) -> None:
    lane = _sold(house, A=499, B=499, C=3)

    assert verify(lane) == VerifyReport(read=3)
    assert house.shelf.reads == [["C"], ["A", "B"]]


def test_the_sample_keeps_to_its_budget_and_what_it_cannot_read_is_left(house: House) -> None:
    lane = _sold(house, Proof(rows=1), A=499, B=499, C=499)

    assert verify(lane).read == 1
    assert verify(lane).read == 1
    house.clock.advance(61)
    left = verify(replace(lane, proof=Proof(rows=0)))

    assert (left.read, left.left) == (0, 1)
    assert [waits for _, waits, _ in house.rows(SHOWN)[:3]] == [False] * 3


def test_pushes_go_before_read_backs_but_what_is_at_risk_waits_seconds_only(house: House) -> None:
    lane = _sold(house, A=499, C=3)
    house.set(B=1)

    assert verify(lane) == VerifyReport()
    house.clock.advance(3)
    assert verify(lane) == VerifyReport(read=1)
    assert house.shelf.reads == [["C"]]
    push(lane)
    assert verify(lane) == VerifyReport(read=1)
    assert house.shelf.reads[-1] == ["A"]


class FullReader(Shelf):
    """Its share of the account's limit is used up."""

    def snapshot(self, bindings: Sequence[Binding]) -> Iterator[Reading]:
        raise Throttled("pushes go first", retry_after_s=5.0)


def test_a_sample_that_finds_the_limit_used_up_stops_no_push(house: House) -> None:
    lane = _sold(house, A=499)
    lane = replace(lane, reader=FullReader(house.clock))

    assert verify(lane) == VerifyReport()
    house.set(B=2)

    assert push(lane).confirmed == 1


def test_a_repair_that_does_not_come_through_either_halts_the_sku(house: House) -> None:
    house.shelf.swallow.add("A")
    lane = _sold(house, A=300)

    first = verify(lane)
    push(lane)
    house.clock.advance(2)
    second = verify(lane)

    assert (first.too_much, first.halted, first.ring_push) == (1, frozenset(), True)
    assert (second.halted, second.ring_halts) == (frozenset({"A"}), True)
    assert house.rows("SELECT sku, state, set_by, reason FROM halt") == [
        (
            "A",
            "setting",
            "rule:reconcile",
            "WH shows 500, expected 300: 200 units (66.7 %) too many, and a repair did not come through",
        )
    ]
    assert house.rows("SELECT action FROM drift") == [("halt and re-push",)]


def test_a_small_error_is_pushed_again_and_halts_nothing(house: House) -> None:
    house.shelf.swallow.add("A")
    lane = _sold(house, A=480)
    for _ in range(2):
        verify(lane)
        push(lane)
        house.clock.advance(10)

    assert house.rows("SELECT count(*) FROM halt") == [(0,)]


def test_nothing_is_halted_on_a_paused_channel(house: House) -> None:
    house.shelf.swallow.add("A")
    lane = _sold(house, A=300)
    verify(lane)
    push(lane)
    house.clock.advance(2)
    house.run("UPDATE channel SET paused = true, paused_why = 'move'")

    assert verify(lane).halted == frozenset()
