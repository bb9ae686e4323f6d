"""Failed work by command: seen, counted before it is touched, done again as stored work; queues paused and resumed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from sqlalchemy import text

from ledger.types import Failure, FailureClass, Origin
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Database
from tests.workers.failed_rig import failed, note
from workers.wiring import now

Lockstep = Callable[..., Said]


@pytest.fixture
def run(database: Database) -> Lockstep:
    def run(*command: str, typed: str | None = None) -> Said:
        return lockstep(*command, environment=surroundings(database), typed=typed)

    return run


def some(
    database: Database, count: int, *, channel: str = "shop", task: str = "workers.tasks.push"
) -> None:
    rows = [
        Failure(
            Origin.TASK, f"{channel}{n}", FailureClass.REJECTED, f"no {n}", task=task, channel=channel,
            sku=f"S{n}", payload={"kwargs": {"channel": channel}}, traceback="Traceback ...",
        )
        for n in range(count)
    ]  # fmt: skip
    note(database.engine, *rows, now=now())


def test_failures_are_listed_page_by_page_and_shown_whole(
    run: Lockstep, database: Database
) -> None:
    some(database, 3)

    first = run("failed", "list", "--channel", "shop", "--limit", "2", "--json")
    second = run("failed", "list", "--limit", "2", "--json", "--before", first.read["next"])

    assert (first.code, len(first.read["failures"]), len(second.read["failures"])) == (3, 2, 1)
    assert first.read["counts"][0]["rows"] == 3
    number = second.read["failures"][0]["id"]
    assert "Traceback ..." in run("failed", "show", str(number)).out
    assert run("failed", "list", "--sku", "nothing").code == 0


def test_a_retry_without_a_filter_is_refused(run: Lockstep, database: Database) -> None:
    some(database, 1)

    said = run("failed", "retry", "--yes", "--since", "2h")

    assert said.code == 5
    assert "name the failures" in said.err


def test_a_dry_run_counts_and_changes_nothing(run: Lockstep, database: Database) -> None:
    some(database, 2)
    some(database, 1, channel="other", task="workers.tasks.receive")

    said = run("failed", "retry", "--class", "rejected", "--dry-run", "--json")

    assert (said.code, said.read["total"], said.read["eligible"]) == (0, 3, 2)
    assert {row.state for row in failed(database.engine)} == {"open"}


def test_a_retry_asks_first_and_is_stored_with_its_count(run: Lockstep, database: Database) -> None:
    some(database, 3)

    assert run("failed", "retry", "--channel", "shop", typed="n\n").code == 5
    said = run("failed", "retry", "--channel", "shop", "--by", "ann", "--json", typed="y\n")

    assert (said.code, said.read["state"], said.read["done"]) == (0, "done", 3)
    (listed,) = run("op", "list", "--json").read
    assert (listed["id"], listed["actor"], listed["total"]) == (said.read["id"], "ann", 3)
    shown = run("op", "show", listed["id"], "--json").read
    assert shown["failures"] == {"retrying": 3}


def test_what_must_not_be_done_again_is_refused_with_its_reason(
    run: Lockstep, database: Database
) -> None:
    some(database, 1, task="workers.tasks.receive")

    said = run("failed", "retry", "--channel", "shop", "--yes")

    assert said.code == 4
    assert "its sender must send it again" in said.err
    assert {row.state for row in failed(database.engine)} == {"open"}


def test_more_than_a_thousand_are_touched_when_their_number_is_typed(
    run: Lockstep, database: Database
) -> None:
    some(database, 1001)
    retry = ("failed", "retry", "--channel", "shop")

    assert run(*retry, "--yes").code == 5
    assert run(*retry, typed="1000\n").code == 5
    assert run(*retry, "--yes", "--expect", "1000").code == 5
    said = run(*retry, "--json", typed="1001\n")

    assert (said.code, said.read["done"]) == (0, 1001)


def test_work_that_is_left_to_workers_is_cancelled(run: Lockstep, database: Database) -> None:
    some(database, 2)
    made = run("failed", "retry", "--channel", "shop", "--yes", "--detach", "--json").read

    assert made["state"] == "planned"
    assert "is cancelled" in run("op", "cancel", made["id"]).out
    assert run("op", "cancel", made["id"]).code == 5
    assert run("op", "watch", made["id"]).code == 0
    assert {row.state for row in failed(database.engine)} == {"open"}


def test_failures_are_assigned_discarded_and_exported(run: Lockstep, database: Database) -> None:
    some(database, 2)

    run("failed", "assign", "eve", "--sku", "S0", "--yes")
    run("failed", "discard", "--sku", "S1", "--yes", "--reason", "known")
    rows = list(csv.DictReader(io.StringIO(run("failed", "export").out)))

    assert {row["sku"]: (row["state"], row["assigned_to"], row["reason"]) for row in rows} == {
        "S0": ("open", "eve", ""),
        "S1": ("discarded", "", "known"),
    }


def test_a_queue_is_paused_with_a_reason_and_resumed(run: Lockstep, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO heartbeat (queue, seen_at) VALUES ('push.shop', now())")
        )

    assert run("queue", "pause", "control", "--reason", "r").code == 5
    assert run("queue", "pause", "push.nobody", "--reason", "r").code == 5
    assert "is paused" in run("queue", "pause", "push.shop", "--reason", "storm").out
    listed = run("queue", "list", "--json")
    assert listed.code == 3
    assert (listed.read[0]["paused"], listed.read[0]["reason"]) == (True, "storm")
    assert "works again" in run("queue", "resume", "push.shop").out
    assert run("queue", "resume", "push.shop").code == 5
    assert run("queue", "list").code == 0
