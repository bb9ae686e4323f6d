"""The commands of the rules: what a file would change, what comes into force, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from allocation import drafts as gate
from allocation.document import read
from ledger.db import transaction
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Clock, Database
from tests.workers.shelf import House, a_house
from workers.flows import drafts

# Two channels that divide a pool, so that each unit has one place and exposure plays no part.
SHARED = """\
[locations.WH]
[channels.shop]
kind = "shopify"
base_url = "https://shop.example"
locations = ["WH"]
percent = 60
why = "own shop"
vendor_locations = { "gid://1" = "WH" }
[channels.second]
kind = "shopify"
base_url = "https://second.example"
locations = ["WH"]
percent = 40
why = "the rest"
vendor_locations = { "gid://1" = "WH" }
"""
DRAFT = SHARED.replace("60", "50").replace("percent = 40", "percent = 40\ncap = 5")
THIRD = """
[channels.third]
kind = "shopify"
base_url = "https://third.example"
locations = ["WH"]
vendor_locations = { "gid://1" = "WH" }
"""

Lockstep = Callable[..., Said]


@pytest.fixture
def run(database: Database) -> Lockstep:
    def run(*command: str) -> Said:
        return lockstep("alloc", *command, environment=surroundings(database))

    return run


@pytest.fixture
def house(database: Database, clock: Clock) -> House:
    """A of which 100 are there and B of which 10 are, shown by both channels as the rules say."""
    house = a_house(database.engine, clock, "A", "B", rules=SHARED)
    house.set(A=100, B=10)
    return house


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(DRAFT, encoding="utf-8")
    return file


# --- check ------------------------------------------------------------------------------------------------------------


def test_a_check_names_every_problem_and_needs_no_database(file: Path) -> None:
    file.write_text(SHARED.replace("60", "61").replace('why = "the rest"\n', ""))
    nowhere = {"LOCKSTEP_DATABASE_URL": "postgresql+psycopg://x@127.0.0.1:1/nowhere"}

    said = lockstep("alloc", "check", str(file), environment=nowhere)
    told = lockstep("alloc", "check", str(file), "--json", environment=nowhere)

    assert (said.code, told.code) == (1, 1)
    assert f"{file}:9: channels.second.why: is missing" in said.err
    assert "sum to 101" in said.err
    assert told.read["fine"] is False
    assert [p["line"] for p in told.read["problems"]] == [9, 13]


def test_a_check_notes_what_may_not_be_meant(run: Lockstep, file: Path) -> None:
    file.write_text(f'{SHARED}[tags]\nspare = ["A"]\n')

    said = run("check", str(file))

    assert (said.code, said.err) == (0, f"note: {file}:17: tags.spare: is used by nothing\n")
    assert run("check", str(file), "--json").read["notes"][0]["where"] == "tags.spare"


# --- plan -------------------------------------------------------------------------------------------------------------


def test_a_plan_says_now_and_then_and_the_sums(house: House, run: Lockstep, file: Path) -> None:
    said = run("plan", str(file), "--json")

    assert said.code == 3
    assert (said.read["differs"], said.read["version"], said.read["skus"]) == (True, 1, 2)
    assert [(c["channel"], c["sku"], c["now"], c["then"]) for c in said.read["changes"]] == [
        ("second", "A", 40, 5),
        ("shop", "A", 60, 50),
        ("shop", "B", 6, 5),
    ]
    assert [(s["channel"], s["now"], s["then"], s["fall"]) for s in said.read["sums"]] == [
        ("second", 44, 9, 1),
        ("shop", 66, 55, 2),
    ]


def test_a_plan_writes_nothing(house: House, run: Lockstep, file: Path) -> None:
    tables = "SELECT (SELECT count(*) FROM rule_set), (SELECT count(*) FROM due), max(number) FROM target"
    before = house.rows(tables)

    run("plan", str(file))

    assert house.rows(tables) == before


def test_a_plan_is_a_table_for_people(house: House, run: Lockstep, file: Path) -> None:
    said = run("plan", str(file), "--limit", "1")

    assert said.code == 3
    assert said.out.splitlines()[1].split() == ["second", "A", "WH", "40", "5", "-35"]
    assert "and 2 more: --limit, --sku or --json show them" in said.err
    assert f"{file} against version 1: 3 numbers change, of 2 SKUs" in said.err


def test_a_plan_looks_at_the_skus_that_are_asked_for(
    house: House, run: Lockstep, file: Path
) -> None:
    assert {c["sku"] for c in run("plan", str(file), "--sku", "B*", "--json").read["changes"]} == {
        "B"
    }
    assert run("plan", str(file), "--sku", "%").code == 0
    assert "no SKU fits %" in run("plan", str(file), "--sku", "%").err


def test_rules_that_change_no_number_are_told_by_the_exit_code(
    house: House, run: Lockstep, file: Path
) -> None:
    file.write_text(SHARED.replace("own shop", "another reason"))

    said = run("plan", str(file))

    assert said.code == 0
    assert "no number of 2 SKUs changes" in said.err


def test_a_channel_that_leaves_the_file_falls_to_nothing(
    house: House, run: Lockstep, file: Path
) -> None:
    file.write_text(SHARED[: SHARED.index("[channels.second]")])

    changes = run("plan", str(file), "--json").read["changes"]

    assert [(c["sku"], c["then"]) for c in changes if c["channel"] == "second"] == [
        ("A", 0),
        ("B", 0),
    ]


def test_a_plan_says_which_channels_it_knows_nothing_of_and_what_still_moves(
    house: House, run: Lockstep, file: Path
) -> None:
    house.stock(A=50)
    file.write_text(SHARED + THIRD)

    said = run("plan", str(file))

    assert "nothing is listed on third yet" in said.err
    assert "1 SKUs are still being computed with the rules in force" in said.err


def test_a_plan_goes_through_all_skus_in_batches(
    database: Database, clock: Clock, house: House
) -> None:
    draft = read(DRAFT).rules()

    whole = drafts.plan(database.engine, draft, clock.now)
    parts = drafts.plan(database.engine, draft, clock.now, batch=1)

    assert whole == parts


def test_a_plan_before_any_rules_and_without_skus_is_a_sentence(run: Lockstep, file: Path) -> None:
    said = run("plan", str(file))

    assert (said.code, said.out) == (0, "")
    assert f"{file} against no rules in force: no SKU is known yet" in said.err
    assert run("plan", str(file), "--json").read["version"] == 0


def test_a_season_counts_at_the_time_of_the_plan(
    database: Database, clock: Clock, house: House
) -> None:
    season = (
        '[[overrides]]\nsku = "A"\nchannel = "shop"\ncap = 1\nfrom = 2030-01-01\nwhy = "later"\n'
    )
    draft = read(SHARED + season).rules()

    soon = drafts.plan(database.engine, draft, clock.now)
    then = drafts.plan(database.engine, draft, clock.now.replace(year=2031))

    assert soon.changes == []
    assert [(c.channel, c.sku, c.then) for c in then.changes] == [("shop", "A", 1)]


# --- apply, rollback, show, history -----------------------------------------------------------------------------------


def test_what_is_applied_is_what_was_planned(house: House, run: Lockstep, file: Path) -> None:
    applied = run(
        "apply", str(file), "--author", "ann", "--reason", "r", "--expect-version", "1", "--json"
    )
    house.allocate()

    assert applied.read == {"version": 2, "before": 1}
    assert run("plan", str(file)).code == 0
    assert run("show", "--json").read == {"version": 2, "source": DRAFT}


def test_a_version_that_was_overtaken_is_refused(house: House, run: Lockstep, file: Path) -> None:
    run("apply", str(file), "--author", "bob", "--reason", "quicker")

    said = run("apply", str(file), "--author", "ann", "--reason", "r", "--expect-version", "1")

    assert said.code == 5
    assert "version 2 is in force, not version 1: plan again, then expect 2" in said.err
    assert [v["version"] for v in run("history", "--json").read] == [2, 1]


def test_the_first_version_can_be_expected_to_be_the_first(run: Lockstep, file: Path) -> None:
    first = ("apply", str(file), "--author", "ann", "--reason", "r", "--expect-version", "0")

    assert run(*first).code == 0
    assert "version 1 is in force, not version 0" in run(*first).err


def test_two_who_expect_the_same_version_do_not_both_get_it(
    database: Database, clock: Clock, house: House
) -> None:
    outcomes: list[object] = []

    def apply() -> None:
        try:
            outcomes.append(
                drafts.put_in_force(
                    database.engine, DRAFT, read(DRAFT), "ann", "r", clock.now, expected=1
                )
            )
        except drafts.Overtaken as error:
            outcomes.append(error)

    with transaction(database.engine) as connection:
        gate.close_gate(connection)
        both = [threading.Thread(target=apply) for _ in range(2)]
        for one in both:
            one.start()
    for one in both:
        one.join(timeout=20)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Applied", "Overtaken"]


def test_a_file_with_a_mark_of_its_encoding_is_read(run: Lockstep, file: Path) -> None:
    file.write_text(DRAFT, encoding="utf-8-sig")

    assert run("apply", str(file), "--author", "ann", "--reason", "r").code == 0
    assert run("show", "--json").read["source"] == DRAFT


@pytest.mark.parametrize(("author", "reason"), [(" ", "r"), ("ann", " ")])
def test_an_author_and_a_reason_are_more_than_blanks(
    run: Lockstep, file: Path, author: str, reason: str
) -> None:
    said = run("apply", str(file), "--author", author, "--reason", reason)

    assert said.code == 2
    assert "it is kept with the version" in said.err


def test_an_older_version_comes_back_though_a_new_file_like_it_would_be_refused(
    database: Database, house: House, run: Lockstep
) -> None:
    loose = SHARED.replace('why = "own shop"\n', "")
    house.run(
        "INSERT INTO rule_set (source, document, author, reason, applied_at)"
        " VALUES (:source, '{}', 'ann', 'an older release', now())",
        source=loose,
    )

    said = run("rollback", "2", "--by", "cy", "--reason", "as it was", "--json")

    assert (said.code, said.read) == (0, {"version": 3, "before": 2})
    assert "note: version 2:2: channels.shop.why: is missing" in said.err
    with database.engine.connect() as connection:
        kept = connection.execute(text("SELECT source FROM rule_set WHERE version = 3"))
        assert kept.scalar_one() == loose


def test_a_version_that_cannot_be_read_at_all_is_a_sentence(house: House, run: Lockstep) -> None:
    house.run(
        "INSERT INTO rule_set (source, document, author, reason, applied_at)"
        " VALUES ('[', '{}', 'ann', 'damaged', now())"
    )

    assert "version 2:1: not valid TOML" in run("rollback", "2", "--reason", "r").err
    assert run("rollback", "1", "--reason", "back").code == 0


def test_before_the_first_version_every_command_speaks_in_sentences(run: Lockstep) -> None:
    assert "no rules were ever applied" in run("show").err
    assert "version 1 of the rules was never applied" in run("rollback", "1", "--reason", "r").err
    assert run("history", "--json").read == []


def test_the_help_says_what_workers_follow(run: Lockstep) -> None:
    assert "Workers follow the version in the database, never a file" in run("--help").out
    assert "workers go on with the version in force" in " ".join(run("plan", "--help").out.split())
