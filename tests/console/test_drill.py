"""Every cause of drift, made to happen over HTTP among live sales, gets its name.

In short here; `lockstep recon drill --each 20`, and in long by `make test-causes`.
"""

from __future__ import annotations

from typing import Any

import pytest

from console.cli.measured import tell
from console.drill import run
from reconcile.types import Cause
from tests.builders import a_house
from tests.servers import Database
from workers.flows.reconcile_terms import Terms
from workers.settings import Settings

CAUSES = 14
#: As an installation runs that sets nothing.
TERMS = Terms.of(Settings())


def test_a_drift_of_every_cause_is_called_by_its_name(database: Database) -> None:
    result = run.measure(a_house(database.engine), seed=1, each=1, terms=TERMS)

    said: list[str] = []
    run.table(result, said.append)
    assert len(result["causes"]) == CAUSES
    # One of each proves that every test is reached; how often each is right is measured by the long form.
    assert result["right_share"] >= 0.8, "\n".join(said)
    assert result["unknown_share"] <= 0.1, "\n".join(said)
    assert (result["innocent_drifts"], result["innocent_halts"]) == (0, 0)
    assert any(line.startswith("stale_overwrite") for line in said)


def drilled(*, right: int = 20, drifts: int = 0, halts: int = 0) -> dict[str, Any]:
    """What a drill came to, of two causes."""
    missed = [
        run.Labelled(Cause.SWALLOWED, f"S-{n}", "swallowed_update" if n < right else "unknown", {})
        for n in range(20)
    ]
    found = [run.Labelled(Cause.PENDING_PUSH, f"P-{n}", "pending_push", {}) for n in range(60)]
    innocent = {"innocent_drifts": drifts, "innocent_halts": halts}
    return run.named([*found, *missed]) | innocent


def test_one_cause_below_the_goal_fails_the_drill_whatever_the_others_are() -> None:
    assert run.is_passed(drilled(right=19))
    assert drilled(right=18)["right_share"] > 0.95
    assert not run.is_passed(drilled(right=18))


def test_a_drift_or_a_halt_where_there_was_nothing_fails_the_drill() -> None:
    assert not run.is_passed(drilled(drifts=1))
    assert not run.is_passed(drilled(halts=1))


def test_a_failed_drill_names_the_causes_and_ends_with_three() -> None:
    result = drilled(right=18)
    said: list[str] = []
    run.table(result, said.append)

    assert "below the goal: swallowed_update" in said
    with pytest.raises(SystemExit) as ended:
        tell(result | {"passed": run.is_passed(result)}, run.table, True)
    assert ended.value.code == 3


@pytest.mark.battery
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1, 2])
def test_causes_are_right_nineteen_times_out_of_twenty(database: Database, seed: int) -> None:
    result = run.measure(a_house(database.engine), seed=seed, each=20, terms=TERMS)

    said: list[str] = []
    run.table(result, said.append)
    assert all(row["right"] >= 19 for row in result["causes"].values()), "\n".join(said)
    assert result["passed"]
    assert result["unknown_share"] <= 0.05, "\n".join(said)
    assert (result["innocent_drifts"], result["innocent_halts"]) == (0, 0)
