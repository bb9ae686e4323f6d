"""What a house grows by, told from looks at it."""

from __future__ import annotations

import pytest

from console.faults.soak import Look, report, slope

_WELL = {"breaches": [], "passed": True, "accepted": 1, "applied": 1, "lost": 0, "doubled": 0}


def looks(*, growth_mb: float = 0.0, stuck: int = 0, keys_grow: int = 0) -> list[Look]:
    """Thirty looks, a hundred deliveries apart; `growth_mb` a look of the relay."""
    return [
        Look(
            at_s=5.0 * n,
            deliveries=100 * n,
            rss_mb={
                "relay": 80 + growth_mb * n,
                "beat": 60.0,
                "worker-threads": 100.0,
                "worker-prefork": 160.0,
            },
            sessions=12,
            stuck=stuck,
            keys=20 + keys_grow * n,
        )
        for n in range(30)
    ]


def told(*, growth_mb: float = 0.0, stuck: int = 0, keys_grow: int = 0) -> list[str]:
    seen = looks(growth_mb=growth_mb, stuck=stuck, keys_grow=keys_grow)
    said = report(seen, _WELL, minutes=1, seed=0)
    assert said["passed"] == (not said["breaches"])
    breaches: list[str] = said["breaches"]
    return breaches


def test_a_slope_is_how_much_one_grows_by_the_other() -> None:
    assert slope([(0, 5), (10, 25), (20, 45)]) == pytest.approx(2)
    assert slope([(1, 5)]) == 0
    assert slope([(1, 5), (1, 9)]) == 0


def test_a_house_that_stays_as_it_is_passes() -> None:
    assert told() == []


def test_memory_that_grows_with_the_work_is_told_by_service() -> None:
    # A fifth of a megabyte in each hundred deliveries.
    assert told(growth_mb=0.2) == ["relay grows by 2 MB a thousand deliveries"]
    assert told(growth_mb=0.05) == []


def test_a_session_that_stands_in_a_transaction_is_told() -> None:
    assert told(stuck=1) == ["a session stood idle in a transaction for over five seconds"]


def test_keys_that_only_grow_are_told() -> None:
    assert len(told(keys_grow=20)) == 1
    assert told(keys_grow=0) == []
