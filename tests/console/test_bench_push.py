"""The push measurement in short: what it finds of each lane, and that it would find what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from channels.simulators.clock import Clock
from console.bench import push as measuring
from console.bench.push_order import Pushed, older_numbers
from console.bench.push_rates import Plan, Spent, play
from console.bench.push_vendors import Vendor, shopify
from tests.console.command import lockstep
from tests.servers import Database
from workers.settings import Settings

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def measured(database: Database, valkey: str, lane: str, **how: Any) -> dict[str, Any]:
    """One lane, in short."""

    @contextmanager
    def fresh() -> Iterator[Settings]:
        yield Settings(
            database_url=database.app_url,
            database_admin_url=database.admin_url,
            redis_url=valkey,
            channel_secrets=SecretStr("{}"),
        )

    result = measuring.measure(fresh, lanes=[lane], **how)
    assert result["passed"] is result["lanes"][lane]["passed"]
    found: dict[str, Any] = result["lanes"][lane]
    return found


@pytest.mark.parametrize(
    "lane",
    ["shopify", *(pytest.param(lane, marks=pytest.mark.slow) for lane in ("square", "edi"))],
)
def test_many_changes_go_out_in_the_fewest_calls_of_the_contract(
    database: Database, valkey: str, lane: str
) -> None:
    said = measured(database, valkey, lane, changes=520, skus=260)

    # Each SKU changes 2 times on average; some not at all, some back to what they were.
    rows = said["rows"]
    assert 200 < rows < 260
    assert said["calls"] == said["fewest_calls"] == {"square": 3}.get(lane, 1)
    assert 1 <= said["live"]["calls"] <= said["live"]["rows"] <= 520
    for passed in (said, said["live"]):
        assert passed["newest_wins"], passed["older"]
        assert passed["final_state_equal"], passed["differing"]
        assert passed["never_above"], passed["limits"]
        assert passed["read_back"], passed["stopped"]
        assert passed["refused"] == 0
    assert said["passed"] is True


@pytest.mark.slow
def test_few_of_amazons_offers_go_one_by_one_and_never_faster_than_its_plan(
    database: Database, valkey: str
) -> None:
    said = measured(database, valkey, "amazon", changes=60, skus=12)

    assert said["calls"] == said["fewest_calls"] == said["rows"]
    patches = next(one for one in said["limits"] if one["limit"].endswith("patchListingsItem"))
    assert patches["spent"] == said["rows"]
    assert patches["never_above"] is True
    assert said["passed"] is True, said


@pytest.mark.slow
def test_many_of_amazons_offers_go_in_one_feed(database: Database, valkey: str) -> None:
    said = measured(database, valkey, "amazon", changes=2500, skus=320, time_scale=10, live=False)

    assert (said["calls"], said["fewest_calls"]) == (1, 1)
    assert said["rows"] > 300
    assert said["passed"] is True, said


def test_a_vendor_that_shows_something_else_in_the_end_fails_the_lane(
    database: Database, valkey: str
) -> None:
    def forgetful(skus: Sequence[str], seed: int, clock: Clock) -> Vendor:
        true = shopify(skus, seed, clock)
        return replace(true, shown=lambda: {**true.shown(), skus[0]: -1}, fewest=lambda rows: 0)

    said = measured(
        database, valkey, "shopify", changes=20, skus=3, live=False, vendors={"shopify": forgetful}
    )

    assert said["differing"] == ["SKU-0000"]
    assert (said["final_state_equal"], said["calls"], said["fewest_calls"]) == (False, 1, 0)
    assert said["passed"] is False


@pytest.mark.slow
def test_the_command_prints_json_and_ends_with_0_when_the_goals_hold() -> None:
    said = lockstep(
        "bench", "push", "--json", "--fast", "--lanes", "shopify", "--changes", "40", "--skus", "8",
        environment={},
    )  # fmt: skip

    assert said.code == 0, said.err
    assert said.read["passed"] is True
    assert list(said.read["lanes"]) == ["shopify"]
    shopify = said.read["lanes"]["shopify"]
    assert shopify["calls"] == 1
    assert shopify["rate_used"] < shopify["rate_allowed"]
    assert json.loads(said.out)["changes"] == 40


def test_a_lane_that_is_none_is_named() -> None:
    said = lockstep("bench", "push", "--lanes", "shopify,etsy", environment={})

    assert said.code == 2
    assert "--lanes takes some of shopify, amazon, square, edi" in said.err


# ---- rates ----


def at(seconds: float, cost: float = 1, held: float | None = None) -> Spent:
    return Spent("", NOON + timedelta(seconds=seconds), cost if held is None else held, cost)


def played(*calls: Spent, burst: float = 5, per_s: float = 5) -> tuple[bool, float]:
    (use,) = play(calls, {"": Plan(burst, per_s)}, since=NOON, until=NOON + timedelta(seconds=10))
    return use.never_above, use.lowest


def test_a_burst_and_then_the_rate_is_not_above_the_plan() -> None:
    calls = [at(0) for _ in range(5)] + [at(place / 5) for place in range(1, 40)]

    never_above, lowest = played(*calls)
    assert never_above is True
    assert lowest == pytest.approx(0, abs=1e-6)


def test_one_call_too_many_is_above_it() -> None:
    assert played(*[at(0) for _ in range(6)]) == (False, -1)


def test_a_little_faster_than_the_rate_is_above_it_in_the_end() -> None:
    calls = [at(0) for _ in range(5)] + [at(place / 5.5) for place in range(1, 60)]

    assert played(*calls)[0] is False


def test_points_that_have_to_be_there_count_and_those_given_back_do_not() -> None:
    assert played(at(0, 10, held=60), at(0, 10, held=60), burst=100, per_s=1) == (True, 30)
    assert played(at(0, 10, held=95), at(0, 10, held=95), burst=100, per_s=1) == (False, -5)


def test_what_was_used_before_the_time_drains_the_bucket_and_is_not_counted() -> None:
    (use,) = play(
        [at(-1, 5), at(0), at(5)],
        {"": Plan(5, 0.5)},
        since=NOON,
        until=NOON + timedelta(seconds=10),
    )

    assert (use.spent, use.rate_used, use.rate_allowed) == (2, 0.2, 1.0)
    assert use.never_above is False


# ---- the newest wins ----


def sent(*numbers: tuple[int, int], outcome: str = "confirmed") -> list[Pushed]:
    return [Pushed("TEE", units, number, outcome) for number, units in numbers]


def test_what_was_written_in_the_order_of_its_numbers_is_in_order() -> None:
    assert older_numbers(sent((1, 9), (2, 7), (4, 8)), [("TEE", 9), ("TEE", 8)], {"TEE": 8}) == []


def test_an_older_number_after_a_newer_one_is_found() -> None:
    (said,) = older_numbers(sent((1, 9), (2, 7)), [("TEE", 7), ("TEE", 9)], {"TEE": 9})[:1]

    assert "the vendor took [7, 9]" in said


def test_numbers_confirmed_out_of_order_are_found() -> None:
    said = older_numbers(sent((2, 7), (1, 9)), [], {"TEE": 9})

    assert said == ["TEE: confirmed in the order [2, 1]"]


def test_a_last_write_that_is_not_the_newest_is_found() -> None:
    said = older_numbers(sent((1, 9)) + sent((2, 7), outcome="unknown"), [("TEE", 9)], {"TEE": 7})

    assert said == ["TEE: 9 was confirmed last, 7 is the newest"]
