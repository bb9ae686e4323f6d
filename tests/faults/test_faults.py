"""Faults of real processes in their short form: nothing accepted is lost or doubled. In long: `make test-faults`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.faults.catalogue import FAULTS
from console.faults.house import House, fact, opened
from console.faults.judge import judge
from console.faults.load import Diary
from console.faults.run import one
from workers.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

#: One of each kind: a process that hangs, the database killed, the broker without its memory, a line that says nothing.
SHORT = ("worker-stop", "postgres-kill", "valkey-lost", "postgres-half-open")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home: Path = tmp_path_factory.mktemp("faults") / "home"
    # PostgreSQL runs as another user where we are root, and must be able to walk there.
    with opened(Settings(), home) as house:
        yield house


def does(house: House, name: str, hold_s: float = 3.0) -> dict[str, Any]:
    chosen = next(fault for fault in FAULTS if fault.name == name)
    return one(house, chosen, seed=1, hold_s=hold_s, say=print)


@pytest.mark.parametrize("name", SHORT)
def test_nothing_accepted_is_lost_or_doubled_by(house: House, name: str) -> None:
    said = does(house, name)

    assert said["breaches"] == []
    assert said["passed"]
    assert said["accepted"] == said["applied"] > 0


def test_a_fact_that_was_answered_and_not_kept_is_found(house: House) -> None:
    """As a relay would do that answers before it has committed."""
    diary = Diary(accepted=["never-kept"])

    verdict = judge(house, diary, Counter(house.book()), house.now(), limit_s=10)

    assert not verdict.passed
    assert verdict.lost == 1
    assert verdict.breaches == ("accepted and not in the inbox: wms never-kept",)


def test_units_that_the_diary_does_not_know_are_found(house: House) -> None:
    """As a drain would do that books a delivery twice."""
    opening, sku = Counter(house.book()), house.skus[0]
    assert house.post([fact("receipt", "unknown-to-the-diary", sku, 7)]) == 200

    verdict = judge(house, Diary(), opening, house.now(), limit_s=5)

    assert not verdict.passed
    assert any(f"{sku} available" in breach for breach in verdict.breaches)


def test_a_shop_that_shows_something_else_is_found(house: House) -> None:
    """As a push would do that an older one overtook."""
    house.proxies["web"].cut()
    try:
        house.shops["web"].ask("drift", sku=house.skus[1], location="WH", units=5)

        verdict = judge(house, Diary(), Counter(house.book()), house.now(), limit_s=2)
    finally:
        house.proxies["web"].pass_on()

    assert not verdict.passed
    assert any(f"web {house.skus[1]} shows" in breach for breach in verdict.breaches)


def test_a_number_that_a_shop_is_told_twice_is_found(house: House) -> None:
    """As a push would do that is sent again after it has taken effect, where nothing compares."""
    since, shop = house.now(), house.shops["web"]
    level = shop.level(house.skus[2], "WH")
    shop.set_available(level["item"], level["location_id"], level["available"])

    verdict = judge(house, Diary(), Counter(house.book()), since, limit_s=3)

    assert verdict.doubled == 1
    assert not verdict.passed


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]

    assert len(names) == len(set(names))
