"""Random schedules of the real flows: the short form of `lockstep chaos`, and mistakes that it must find.

In long: `make test-chaos`, which plays ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console.chaos.plans import plan_of
from console.chaos.plants import PLANTS
from console.chaos.run import Server, Theatre, shortest
from console.chaos.types import CALM, Plan, Step
from tests.databases import Servers

#: Schedules of the short form.
SEEDS = (1, 7, 13, 16)
#: Mistake -> a schedule that shows it, and the promise that breaks; `docs/reliability.md` has all of them.
CAUGHT = {
    "lost-inbox-row": (1, "each delivery once"),
    "no-sweep": (1, "nothing waits"),
    "restock-on-cancel": (0, "units are conserved"),
}


@pytest.fixture(scope="module")
def theatre(servers: Servers, template: str, worker_number: int) -> Iterator[Theatre]:
    server = Server(servers.superuser_url, servers.app_url)
    theatre = Theatre(server, f"chaos_test_{worker_number}", template)
    yield theatre
    theatre.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_fails_every_promise_is_kept_in_the_end(theatre: Theatre, seed: int) -> None:
    outcome = theatre.play(plan_of(seed))

    assert not outcome.breaches, "\n".join(outcome.trace[-200:])


def test_a_schedule_that_is_played_again_is_the_same_to_the_letter(theatre: Theatre) -> None:
    first = theatre.play(plan_of(13), keep_trace=True)
    theatre.play(plan_of(1))
    again = theatre.play(plan_of(13), keep_trace=True)

    assert any("dies" in line for line in first.trace)
    assert again.trace == first.trace
    assert again.digest == first.digest


@pytest.mark.parametrize("mistake", CAUGHT)
def test_a_mistake_made_on_purpose_is_found(theatre: Theatre, mistake: str) -> None:
    seed, promise = CAUGHT[mistake]

    outcome = theatre.play(plan_of(seed), plant=mistake)

    assert promise in {breach.invariant for breach in outcome.breaches}


def test_every_mistake_says_what_is_wrong() -> None:
    assert set(CAUGHT) <= set(PLANTS)
    assert all(plant.says for plant in PLANTS.values())


def test_what_fails_is_made_shorter_and_still_fails(theatre: Theatre) -> None:
    order = {"shop": "shop", "sku": "A", "place": "OSLO", "units": 1}
    away = {"sku": "B", "place": "OSLO", "units": 1}
    plan = Plan(
        1,
        CALM,
        (
            Step(0, "write_off", away),
            Step(0, "order", order),
            Step(1, "cancel", {"shop": "shop", "nth": 0, "restock": False}),
            Step(0, "write_off", away),
        ),
    )

    short, outcome = shortest(theatre, plan, plant="restock-on-cancel")

    assert [step.verb for step in short.steps] == ["order", "cancel"]
    assert {breach.invariant for breach in outcome.breaches} == {"units are conserved"}
