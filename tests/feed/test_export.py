"""The export: files that go on where they end, are never changed, and come to what the ledger says."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, text

from ledger.store import WRITERS_GATE
from tests.builders import NOON, a_fact, book, stock_the_house
from tests.console.command import lockstep, surroundings
from tests.servers import Database
from tests.workers.shelf import RULES, apply
from workers.feed import export as flow
from workers.feed import manifest
from workers.feed.export import Exported
from workers.feed.manifest import Unfit, held
from workers.feed.sheets import SHEETS, Form
from workers.feed.verifying import verify

DAY = timedelta(days=1)
FORMS = [Form.CSV, Form.PARQUET]


@pytest.fixture(autouse=True)
def _stocked(database: Database) -> None:
    stock_the_house(database.engine)
    sell(database.engine, range(7), NOON)


def sell(engine: Engine, numbers: range, now: datetime) -> None:
    """So many mugs come, and each is sold to somebody."""
    facts = [a_fact("receipt", id=f"r:{numbers}", units=len(numbers) * 2, occurred_at=now)]
    facts += [
        a_fact("order", id=f"o:{n}", order=f"#{n}", line='"1", first', units=2, occurred_at=now)
        for n in numbers
    ]
    book(engine, *facts, now=now)


def exported(engine: Engine, folder: Path, now: datetime = NOON, **more: Any) -> Exported:
    return flow.export(engine, folder, now=lambda: now, span=3, **more)


def held_by(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", ".lock")
    }


def rows_of(folder: Path, sheet: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for path in sorted((folder / sheet).iterdir()):
        with gzip.open(path, "rt", newline="") as file:
            found += csv.DictReader(file)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_files_come_to_what_the_ledger_says(database: Database, tmp_path: Path, form: Form) -> None:
    done = exported(database.engine, tmp_path, NOON + 2 * DAY, form=form)

    assert [file.sums.rows for file in done.files["events"]] == [3, 3, 2]
    assert [file.sums.states for file in done.files["events"]][2] == {
        "available": -4,
        "committed": 4,
    }
    assert done.through == dict.fromkeys(SHEETS, "2026-03-04") | {
        "events": "8",
        **dict.fromkeys(("balances", "drift", "oversell"), "2026-03-03"),
    }
    assert verify(database.engine, tmp_path) == []


@pytest.mark.parametrize("form", FORMS)
def test_a_later_run_adds_what_is_new_and_changes_nothing(
    database: Database, tmp_path: Path, form: Form
) -> None:
    exported(database.engine, tmp_path, form=form)
    before = held_by(tmp_path)
    again = exported(database.engine, tmp_path)
    sell(database.engine, range(7, 9), NOON + DAY)

    more = exported(database.engine, tmp_path, NOON + 2 * DAY)

    assert [file for written in again.files.values() for file in written] == []
    assert [file.first for file in more.files["events"]] == ["9"]
    assert [file.first for file in more.files["balances"]] == ["2026-03-02", "2026-03-03"]
    assert before.items() <= held_by(tmp_path).items()
    assert verify(database.engine, tmp_path) == []


def test_what_was_booked_after_the_export_does_not_disturb_its_proof(
    database: Database, tmp_path: Path
) -> None:
    exported(database.engine, tmp_path, NOON + DAY)

    sell(database.engine, range(7, 20), NOON + DAY)

    assert verify(database.engine, tmp_path) == []


def test_an_event_that_is_still_being_written_is_waited_for(
    database: Database, tmp_path: Path
) -> None:
    """Its number is lower than that of one that is there already: a range closed now would leave it out for ever."""
    with database.engine.connect() as writer:
        writer.execute(text("SELECT pg_advisory_xact_lock_shared(:gate)"), {"gate": WRITERS_GATE})
        writer.execute(
            text(
                "INSERT INTO event (kind, source, source_id, occurred_at, recorded_at)"
                " VALUES ('pull_forward', 'wms', 'slow', :now, :now)"
            ),
            {"now": NOON},
        )
        sell(database.engine, range(7, 8), NOON)
        run = Thread(target=exported, args=[database.engine, tmp_path])
        run.start()
        while not _somebody_waits(database.superuser):
            run.join(0.01)
        writer.commit()
        run.join()

    assert [int(row["seq"]) for row in rows_of(tmp_path, "events")] == list(range(1, 12))
    assert verify(database.engine, tmp_path) == []


def _somebody_waits(superuser: Engine) -> bool:
    with superuser.connect() as connection:
        found = connection.execute(
            text("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)")
        )
        return bool(found.scalar_one())


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_run_that_dies_is_gone_on_with(database: Database, tmp_path: Path, at: int) -> None:
    def die(_: str, left: list[int] = [at]) -> None:  # noqa: B006 -- counts down over the calls
        left[0] -= 1
        if not left[0]:
            raise Killed

    with pytest.raises(Killed):
        exported(database.engine, tmp_path, NOON + DAY, say=die)
    sell(database.engine, range(7, 9), NOON + DAY)
    begun = int(manifest.read(tmp_path).of("events").through) + 1  # type: ignore[union-attr]  # a file was written
    orphan = tmp_path / "events" / f"events-{begun:015}.csv.gz"
    orphan.write_bytes(b"what a run left that died before its manifest")

    exported(database.engine, tmp_path, NOON + DAY)

    assert verify(database.engine, tmp_path) == []
    numbers = [int(row["seq"]) for row in rows_of(tmp_path, "events")]
    assert numbers == list(range(1, 12))


def test_values_come_through_as_they_are(database: Database, tmp_path: Path) -> None:
    from pyarrow import parquet

    exported(database.engine, tmp_path / "csv", NOON + 2 * DAY, form=Form.CSV)
    exported(database.engine, tmp_path / "arrow", NOON + 2 * DAY, form=Form.PARQUET)

    row = rows_of(tmp_path / "csv", "events")[1]
    assert (row["line_id"], row["units"], row["reverses"]) == ('"1", first', "2", "")
    assert row["occurred_at"] == "2026-03-02 12:00:00+00"
    (same,) = (
        each
        for each in parquet.read_table(tmp_path / "arrow" / "events").to_pylist()
        if each["seq"] == 2
    )
    assert (same["line_id"], same["units"], same["reverses"]) == ('"1", first', 2, None)
    assert same["occurred_at"] == NOON
    assert same["reason"] == ""


def spoil(path: Path) -> None:
    body = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(body.replace(b",2,OSLO", b",3,OSLO", 1)))


def forget(folder: Path) -> None:
    """The manifest loses its second file of events."""
    path = folder / "manifest.json"
    said = orjson.loads(path.read_bytes())
    del said["sheets"]["events"]["files"][1]
    path.write_bytes(orjson.dumps(said))


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda folder: (folder / "events/events-000000000000004.csv.gz").unlink(), "is missing"),
        (lambda folder: spoil(folder / "events/events-000000000000004.csv.gz"), "was changed"),
        (forget, "begins at 7, and the file before it ends at 3"),
    ],
)
def test_what_is_wrong_with_an_export_is_named(
    database: Database, tmp_path: Path, harm: Callable[[Path], None], says: str
) -> None:
    exported(database.engine, tmp_path, NOON + DAY)

    harm(tmp_path)

    assert any(says in each for each in verify(database.engine, tmp_path))


def test_another_ledger_and_another_form_are_refused(database: Database, tmp_path: Path) -> None:
    exported(database.engine, tmp_path)
    path = tmp_path / "manifest.json"
    path.write_bytes(
        path.read_bytes().replace(
            orjson.loads(path.read_bytes())["sheets"]["events"]["event_id"].encode(),
            b"01a22111-f734-7000-8aa4-2b60e3404398",
        )
    )

    with pytest.raises(Unfit, match="another ledger"):
        exported(database.engine, tmp_path)
    with pytest.raises(Unfit, match=r"holds csv\.gz"):
        exported(database.engine, tmp_path, form=Form.PARQUET)


def test_two_runs_do_not_write_into_one_folder(database: Database, tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(Unfit, match="another export is at work"):
        exported(database.engine, tmp_path)


def test_what_channels_show_is_taken_once_a_day(database: Database, tmp_path: Path) -> None:
    with database.superuser.begin() as connection:
        apply(connection, RULES, NOON)
        connection.execute(
            text(
                "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
                " VALUES ('shop', 'MUG-RED', 'WH', 5, 1, 1, :now)"
            ),
            {"now": NOON},
        )

    exported(database.engine, tmp_path, what=["shown"])
    exported(database.engine, tmp_path, NOON + timedelta(hours=3), what=["shown"])
    exported(database.engine, tmp_path, NOON + DAY, what=["shown"])

    rows = rows_of(tmp_path, "shown")
    assert [(row["sku"], row["target_units"], row["halted"]) for row in rows] == [
        ("MUG-RED", "5", "f")
    ] * 2
    assert all(row["taken_at"] for row in rows)


def test_drifts_are_told_on_the_day_they_began_and_the_day_they_ended(
    database: Database, tmp_path: Path
) -> None:
    with database.superuser.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at,"
                " resolved_at) VALUES ('shop', 'MUG-RED', 'OSLO', 3, 5, 'unknown', 'repush', :begun, :ended, :ended)"
            ),
            {"begun": NOON, "ended": NOON + 2 * DAY},
        )

    exported(database.engine, tmp_path, NOON + 4 * DAY, what=["drift"])

    names = [path.name for path in sorted((tmp_path / "drift").iterdir())]
    assert names[0] == "drift-2026-03-02.csv.gz"
    assert [row["drift_units"] for row in rows_of(tmp_path, "drift")] == ["2", "2"]


def test_a_view_that_is_not_there_is_a_sentence(database: Database, tmp_path: Path) -> None:
    with database.owner.begin() as connection:
        connection.execute(text("REVOKE SELECT ON feed.event_v1 FROM lockstep_app"))
    try:
        said = lockstep("export", "run", str(tmp_path), environment=surroundings(database))
    finally:
        with database.owner.begin() as connection:
            connection.execute(text("GRANT SELECT ON feed.event_v1 TO lockstep_app"))

    assert (said.code, "the database refused" in said.err) == (1, True)


def test_the_command_exports_and_proves(database: Database, tmp_path: Path) -> None:
    here = surroundings(database)

    said = lockstep("export", "run", str(tmp_path / "out"), "--json", environment=here)
    proof = lockstep("export", "verify", str(tmp_path / "out"), "--json", environment=here)
    spoil(tmp_path / "out/events/events-000000000000001.csv.gz")
    spoilt = lockstep("export", "verify", str(tmp_path / "out"), environment=here)
    nothing = lockstep("export", "verify", str(tmp_path / "none"), environment=here)
    strange = lockstep("export", "run", str(tmp_path), "--what", "secrets", environment=here)

    assert said.code == 0
    assert {row["sheet"]: row["rows"] for row in said.read}["events"] == 8
    assert (proof.code, proof.read) == (0, {"passed": True, "wrong": []})
    assert (spoilt.code, "was changed" in spoilt.out) == (3, True)
    assert (nothing.code, "holds no export" in nothing.err) == (1, True)
    assert (strange.code, "takes some of events" in strange.err) == (2, True)
