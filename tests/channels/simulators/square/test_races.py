"""Two at once, and any order: keys hold under threads, counts do not depend on what came first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from channels.simulators.square.stock import Change, Level
from tests.channels.simulators.square.till import START, Till

KEY = ("V", "L", "IN_STOCK")


def at_once(*moves: Callable[[], object]) -> None:
    """All of them, begun at the same moment."""
    gate = threading.Barrier(len(moves))

    def run(move: Callable[[], object]) -> None:
        gate.wait()
        move()

    threads = [threading.Thread(target=run, args=(move,)) for move in moves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_one_key_sent_by_many_at_once_is_applied_once(till: Till) -> None:
    receipt = till.moved("SKU-1", "1", "NONE", "IN_STOCK", to_location_id=till.place())
    answers: list[dict[str, object]] = []

    at_once(*[lambda: answers.append(till.write(receipt, key="once").body)] * 8)

    assert till.units("SKU-1") == "11"
    assert len(answers) == 8
    assert all(answer == answers[0] for answer in answers)


def test_sales_and_receipts_at_once_lose_nothing(till: Till) -> None:
    receipt = till.moved("SKU-1", "2", "NONE", "IN_STOCK", to_location_id=till.place())
    line = {"sku": "SKU-1", "units": 1}

    at_once(
        *[lambda: till.do("sale", location="Main", lines=[line])] * 5,
        *[lambda: till.write(receipt)] * 5,
    )

    assert till.units("SKU-1") == "15"
    assert len(till.history("SKU-1")) == 11


@st.composite
def changes(draw: st.DrawFn) -> list[Change]:
    """A history of counts, sales and receipts; some share a moment."""
    made = []
    for seq in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(["count", "sale", "receipt"]))
        units = draw(st.decimals(0, 100, places=2))
        before, after = {
            "count": ("IN_STOCK", "IN_STOCK"),
            "sale": ("IN_STOCK", "SOLD"),
            "receipt": ("NONE", "IN_STOCK"),
        }[kind]
        at = START + timedelta(minutes=draw(st.integers(0, 5)))
        made.append(
            Change(
                id=str(seq),
                kind="PHYSICAL_COUNT" if kind == "count" else "ADJUSTMENT",
                seq=seq,
                variation_id="V",
                quantity=units,
                from_state=before,
                from_location="L",
                to_state=after,
                to_location="L",
                occurred_at=at,
                created_at=START,
                source={},
            )
        )
    return made


def by_hand(history: list[Change]) -> Decimal:
    """The vendor's sentence: all adjustments since the last physical count, or since zero."""
    total = Decimal(0)
    for change in sorted(history, key=lambda c: (c.occurred_at, c.seq)):
        if change.kind == "PHYSICAL_COUNT":
            total = change.quantity
        else:
            total += change.quantity if change.to_state == "IN_STOCK" else -change.quantity
    return total


@given(changes(), st.randoms(use_true_random=False))
def test_a_count_is_the_vendors_sum_in_any_order(history: list[Change], dice: Random) -> None:
    arriving = list(history)
    dice.shuffle(arriving)
    level = Level(KEY)

    for change in arriving:
        foretold = level.if_added(change)
        level.add(change)
        assert level.quantity == foretold

    assert level.quantity == by_hand(history)
