"""Each step of a case is done at most once, whatever is killed, lost, chosen or sold meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.base import Unavailable
from ledger.db import transaction
from reconcile.oversold import steps
from tests.databases import Shelf
from tests.servers import Clock
from tests.workers.case_house import CaseHouse, choose, close, oversold
from workers.flows import cases
from workers.flows.case_steps import AT_CHANNEL, ELSEWHERE, carry_out
from workers.flows.cases import NotPossible

ALL = (*AT_CHANNEL, *ELSEWHERE)
ACTS = st.lists(
    st.sampled_from(
        ["act", "die before", "die after", "lose answer", "away", "refund", "hold", "split", "run", "wait",
         "stock", "sell", "look", "close"]
    ),
    min_size=3, max_size=14,
)  # fmt: skip


# Each is a database of its own: a handful with every run, hundreds with the proof's profile.
@settings(max_examples=settings().max_examples // 12, suppress_health_check=list(HealthCheck))
@given(acts=ACTS)
def test_each_step_is_done_at_most_once_whatever_happens(shelf: Shelf, acts: list[str]) -> None:
    database, clock = shelf.lend(), Clock()
    try:
        house = oversold(database.engine, clock, "refund")
        for number, act in enumerate(acts):
            _do(house, act, number)
        _settle(house)
        _check(house)
    finally:
        shelf.take_back(database)


def _do(house: CaseHouse, act: str, number: int) -> None:
    plain: dict[str, Callable[[], object]] = {
        "act": lambda: house.act(most=1),
        "die before": lambda: _die(house, called=False),
        "die after": lambda: _die(house, called=True),
        "lose answer": lambda: house.shop.after.append(Unavailable("lost")),
        "away": lambda: house.shop.failures.append(Unavailable("away")),
        "wait": lambda: house.clock.advance(steps.LEASE_S + 1),
        "stock": lambda: house.stock(1),
        "sell": lambda: house.order(f"more-{number}", at_s=1),
        "look": lambda: house.look(1),
        "close": lambda: close(house),
        "run": lambda: cases.again(house.engine, 1, by="ann", now=house.clock.now),
    }
    with suppress(NotPossible):
        plain.get(act, lambda: choose(house, act))()


def _die(house: CaseHouse, *, called: bool) -> None:
    """A worker takes a step and is killed, before its call or after it."""
    with transaction(house.engine) as connection:
        claim = steps.claim(connection, ALL, house.clock.now)
    if claim is not None and called:
        carry_out(house.engine, house.outside, claim, house.clock.now)


def _settle(house: CaseHouse) -> None:
    house.shop.failures.clear()
    house.shop.after.clear()
    for _ in range(4):
        house.clock.advance(steps.LEASE_S + 301)
        house.look()
        house.act()


def _check(house: CaseHouse) -> None:
    keys = [key for (key,) in house.rows("SELECT key FROM case_step")]
    assert len(keys) == len(set(keys))
    assert house.rows("SELECT 1 FROM case_step WHERE state = 'due'") == []
    done = [
        action for action in house.trail() if action.endswith(".done")
    ]  # fmt: skip
    assert len(done) == len(house.rows("SELECT 1 FROM case_step WHERE state = 'done'"))
    for case in house.cases():
        held = f"lockstep-case-{case.id}-{case.times}" in house.shop.held
        if case.state == "closed":
            assert not held
            assert f"case:{case.id}" not in house.alarms()
        else:
            assert case.state in ("waiting", "acted", "acting", "closing")
            assert f"case:{case.id}" in house.alarms()
    orders = [case.order_id for case in house.cases()]
    assert len(orders) == len(set(orders))
