"""The measurement of the availability door in short: what it finds, and that it would find what is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import redis

from console.bench import availability as measuring
from console.bench.availability import Booked, wrong_answers
from console.bench.availability_load import Answer
from tests.builders import NOON
from tests.console.command import lockstep
from tests.servers import Database
from workers.settings import Settings

AT = NOON.timestamp()
BOOKED = (Booked("A", 1, 20, AT - 60), Booked("A", 2, 17, AT), Booked("B", 1, 5, AT - 60))


def an_answer(**said: Any) -> Answer:
    """Of version 1, true a tenth of a second before it ended, asked for as it ended."""
    body = {
        "available": 20,
        "safety": 2,
        "threshold": 3,
        "owed": 0,
        "units": 15,
        "version": {"rules": 1, "ledger": 1},
        "as_of": "2026-03-02T11:59:59.900000+00:00",
        "age_s": 0.15,
        "max_age_s": 2,
    }
    return Answer("A", AT, AT + 0.05, 200, body | said)


def test_every_answer_is_checked_and_the_goals_decide(database: Database, valkey: str) -> None:
    said = measuring.measure(
        Settings(database_url=database.app_url, redis_url=valkey),
        rate=60,
        seconds=2,
        skus=20,
        changes_per_s=20,
        empty=redis.Redis.flushdb,
    )

    assert said["answers"] > 0
    assert (said["wrong"], said["failed"]) == (0, 0), said
    assert said["changes"] > 0
    assert 0 < said["p50_ms"] <= said["p95_ms"] <= said["p99_ms"] <= said["max_ms"]
    assert said["passed"] == (said["p99_ms"] < 10 and said["rate_reached"] > 57)


def test_a_true_answer_is_not_found_wrong() -> None:
    newer = an_answer(available=17, units=12, version={"rules": 1, "ledger": 2})

    assert list(wrong_answers([an_answer(), newer], BOOKED)) == []


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"available": 19, "units": 14}, "version 1 had 20, not 19"),
        ({"version": {"rules": 1, "ledger": 3}}, "version 3 had None"),
        ({"as_of": "2026-03-02T12:00:00.001000+00:00"}, "had ended before"),
        ({"age_s": 0.05}, "it is not 0.05 s old"),
        ({"units": 16}, "terms do not add up"),
    ],
)
def test_what_is_not_true_is_found(said: dict[str, Any], words: str) -> None:
    (found,) = wrong_answers([an_answer(**said)], BOOKED)

    assert words in found


def test_an_answer_beyond_the_greatest_age_is_wrong_unless_it_was_made_for_the_question() -> None:
    long_ago = an_answer(as_of="2026-03-02T11:59:57+00:00", age_s=3.1)
    late = replace(an_answer(age_s=3.1), due=AT - 0.2)

    assert len(list(wrong_answers([long_ago], BOOKED))) == 1
    assert list(wrong_answers([late], BOOKED)) == []


@pytest.mark.slow
def test_the_command_prints_json_and_ends_with_0_or_3() -> None:
    said = lockstep(
        "bench", "availability", "--json", "--fast", "--rate", "40", "--seconds", "1", "--skus", "5",
        environment={},
    )  # fmt: skip

    assert said.code == (0 if said.read["passed"] else 3), said.err
    assert (said.read["wrong"], said.read["failed"]) == (0, 0)
