"""Every notification the vendors publish is taken or refused with a reason, and settled with a reason; never a 500."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from channels.registry import LANES
from tests.doors.doorstep import CHANNELS, STATES, Doorstep, a_doorstep, has_a_named_end
from tests.doors.examples import Example, beside, of_yesterday, ours, strangers
from tests.servers import Database

KINDS = sorted(LANES.keys() & CHANNELS.keys())


@pytest.fixture
def step(database: Database) -> Iterator[Doorstep]:
    with a_doorstep(database) as step:
        yield step


def settled(step: Doorstep, examples: list[Example]) -> Counter[str]:
    """Leave them all, drain, and count the ends; fails when one of them has none."""
    wrong = {}
    kept = 0
    for example in examples:
        answer = step.leave(example.kind, example.topic, example.body)
        kept += answer.status_code == 200
        if said := has_a_named_end(answer):
            wrong[str(example)] = said
    step.drain()
    ends = step.became()
    nameless = [end for end in ends if end[1] not in STATES or (end[1] != "applied" and not end[2])]
    assert wrong == {}
    assert nameless == []
    assert len(ends) == kept
    return Counter(state for _, state, _ in ends)


def test_every_lane_that_is_told_things_is_here() -> None:
    assert sorted(CHANNELS) == KINDS
    assert all(len(_of(kind)) >= 6 for kind in KINDS)


def test_what_is_no_notification_has_an_end_with_a_name(step: Doorstep) -> None:
    ends = settled(step, strangers())

    assert ends["parked"] == 0


def _of(kind: str) -> list[Example]:
    return [example for example in ours() if example.kind == kind]


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_has_an_end_with_a_name(step: Doorstep, kind: str) -> None:
    examples = _of(kind)

    ends = settled(step, examples)

    assert sum(ends.values()) == len(examples)


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_of_yesterday_is_booked_when_its_things_have_names(
    step: Doorstep, kind: str
) -> None:
    now = datetime.now(UTC)
    fresh = [Example(e.kind, e.name, e.topic, of_yesterday(e.body, now)) for e in _of(kind)]
    step.know(kind, ((e.topic, e.body) for e in fresh))

    ends = settled(step, fresh)

    assert ends["applied"] > 0
    assert ends["rejected"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_example_signed_with_another_secret_is_turned_away(step: Doorstep, kind: str) -> None:
    example = _of(kind)[0]
    forged = {
        "X-Shopify-Hmac-Sha256": "bm8=",
        "X-Pipe-Signature": "bm8=",
        "x-square-hmacsha256-signature": "bm8=",
    }

    answer = step.leave(kind, example.topic, example.body, forged)

    assert (answer.status_code, step.became()) == (401, [])


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_lies_beside_the_repository_has_an_end_too(step: Doorstep, kind: str) -> None:
    examples = [example for example in beside() if example.kind == kind]
    if not examples:
        pytest.skip("the vendors' examples are not beside the repository")

    settled(step, examples)
