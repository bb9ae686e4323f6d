"""What commands do: rules, stock, deliveries, the book, channels, the schema; and what they say when they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.builders import NOON, a_fact, balance, book, deliver, stock_the_house
from tests.console.command import Said, lockstep, surroundings
from tests.console.door import RULES
from tests.servers import Database

Lockstep = Callable[..., Said]


@pytest.fixture
def run(database: Database) -> Lockstep:
    def run(*command: str, **more: str) -> Said:
        return lockstep(*command, environment=surroundings(database, **more))

    return run


# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    return file


def test_rules_are_checked_applied_shown_and_rolled_back(run: Lockstep, rules: Path) -> None:
    assert run("alloc", "check", str(rules)).out.endswith("2 channels, 1 locations, no problems\n")
    run("alloc", "apply", str(rules), "--author", "ann", "--reason", "first")
    rules.write_text(RULES.replace("one.example", "three.example"))
    run("alloc", "apply", str(rules), "--author", "bob", "--reason", "second")
    back = run("alloc", "rollback", "1", "--by", "cy", "--reason", "oops")
    history = run("alloc", "history", "--json").read

    assert "version 3 is in force, equal to version 1" in back.out
    assert run("alloc", "show").out.strip() == RULES.strip()
    assert "three.example" in run("alloc", "show", "--version", "2").out
    assert [(h["version"], h["author"]) for h in history] == [(3, "cy"), (2, "bob"), (1, "ann")]
    assert "rollback to 1: oops" in run("alloc", "history").out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[channels.shop\n", "line 1"),
        (b"[locations.WH]\n[channels.shop]\nkind = 3\n", ":3: channels.shop.kind"),
        (b"\xff\xfe", "cannot be read"),
        (b" \n", "is empty"),
    ],
)
def test_a_faulty_rule_file_is_refused_with_its_place(
    run: Lockstep, rules: Path, content: bytes, said: str
) -> None:
    rules.write_bytes(content)

    checked = run("alloc", "check", str(rules))
    applied = run("alloc", "apply", str(rules), "--author", "ann", "--reason", "x")

    assert [checked.code, applied.code] == [1, 1]
    assert said in checked.err
    assert run("alloc", "show").code == 1


def test_a_rule_file_that_is_not_there_is_wrong_usage(run: Lockstep) -> None:
    said = run("alloc", "check", "nowhere.toml")

    assert said.code == 2
    assert "nowhere.toml" in said.err


def test_a_version_that_never_was_is_a_sentence(run: Lockstep) -> None:
    assert run("alloc", "show", "--version", "7").code == 1
    assert "7" in run("alloc", "rollback", "7", "--by", "a", "--reason", "b").err


def test_applying_wants_an_author_and_a_reason(run: Lockstep, rules: Path) -> None:
    assert run("alloc", "apply", str(rules), "--author", "ann").code == 2
    assert run("alloc", "apply", str(rules), "--reason", "why").code == 2


# --- catalogue, stock, deliveries, the book ---------------------------------------------------------------------------


def test_stock_is_corrected_shown_and_the_correction_undone(
    run: Lockstep, database: Database
) -> None:
    run("catalogue", "add-sku", "MUG-RED", "MUG-BLUE")
    run("catalogue", "add-location", "OSLO", "--kind", "store")

    assert (
        run("stock", "adjust", "MUG-RED", "5", "--location", "OSLO", "--reason", "found").code == 0
    )
    assert (
        run(
            "stock", "adjust", "MUG-RED", "--location", "OSLO", "--reason", "broken", "--", "-2"
        ).code
        == 0
    )
    position = run("sku", "show", "MUG-RED", "--json").read["positions"]
    with database.engine.connect() as connection:
        event_id = connection.execute(
            text("SELECT source_id FROM event WHERE reason = 'broken'")
        ).scalar_one()
    undone = run("stock", "reverse", event_id, "--source", "operator", "--reason", "was not broken")
    again = run("stock", "reverse", event_id, "--source", "operator", "--reason", "again")

    assert [(p["location"], p["available"]) for p in position] == [("OSLO", 3)]
    assert undone.code == 0
    assert again.code == 5
    assert balance(database.engine)["available"] == 5
    assert "OSLO" in run("sku", "show", "MUG-RED").out


def test_a_correction_that_the_book_refuses_says_why(run: Lockstep) -> None:
    said = run("stock", "adjust", "NO-SUCH", "5", "--location", "OSLO", "--reason", "found")

    assert said.code == 4
    assert "NO-SUCH" in said.err


def test_a_correction_of_nothing_is_refused(run: Lockstep) -> None:
    run("catalogue", "add-sku", "MUG-RED")
    run("catalogue", "add-location", "OSLO")

    said = run("stock", "adjust", "MUG-RED", "0", "--location", "OSLO", "--reason", "none")

    assert said.code != 0


def test_an_event_nobody_knows_cannot_be_undone(run: Lockstep) -> None:
    said = run("stock", "reverse", "no-such", "--source", "wms", "--reason", "why")

    assert said.code == 4
    assert "no-such" in said.err


def test_a_sku_is_shown_as_it_was_and_as_it_was_known(run: Lockstep, database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, a_fact("receipt", units=3), now=NOON)

    def available(*options: str) -> list[int]:
        said = run("sku", "show", "MUG-RED", "--json", *options)
        return [p["available"] for p in said.read["positions"]] if said.code == 0 else []

    assert available() == [3]
    assert available("--at", "2026-03-02T12:00:00") == [3]
    assert available("--at", "2026-03-02T11:59:59") == []
    assert available("--known-at", "2026-03-02T11:59:59") == []
    assert run("sku", "show", "MUG-RED", "--at", "yesterday").code == 2


def test_an_unknown_sku_is_a_sentence(run: Lockstep) -> None:
    assert "nothing is known of SKU 'X'" in run("sku", "show", "X").err


def test_parked_deliveries_are_listed_shown_and_replayed(run: Lockstep, database: Database) -> None:
    book(database.engine, a_fact("receipt", units=3))
    [row] = run("inbox", "list", "--json").read

    shown = run("inbox", "show", str(row["id"])).read
    stock_the_house(database.engine)
    replayed = run("inbox", "replay", str(row["id"]), "4711")

    assert row["state"] == "parked"
    assert "MUG-RED" in row["why"]
    assert json.loads(shown["body"])["units"] == 3
    assert replayed.code == 4
    assert "1 pending again" in replayed.out
    assert "4711" in replayed.err
    assert run("inbox", "list", "--state", "pending", "--json").read[0]["id"] == row["id"]
    assert "MUG-RED" not in run("inbox", "list").out


def test_a_delivery_that_is_not_there_is_a_sentence(run: Lockstep) -> None:
    assert "no delivery 99" in run("inbox", "show", "99").err
    assert run("inbox", "show", str(10**30)).code in (1, 2)
    assert run("inbox", "replay", str(10**30)).code in (1, 2, 4)


def test_a_body_of_bytes_can_be_shown(run: Lockstep, database: Database) -> None:
    deliver(database.engine, a_fact("receipt", units=1))
    with database.superuser.begin() as connection:
        connection.execute(text("UPDATE inbox SET body = '\\xff00'"))
        row_id = connection.execute(text("SELECT id FROM inbox")).scalar_one()

    assert run("inbox", "show", str(row_id)).code == 0


def test_a_clean_book_is_proven(run: Lockstep, database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, *(a_fact("receipt", units=1, id=f"r:{n}") for n in range(5)))
    assert run("ledger", "seal").code == 0

    said = run("ledger", "verify", "--json")

    assert said.code == 0
    assert (said.read["events"], said.read["unsealed_events"]) == (5, 0)
    assert "clean; newest root" in run("ledger", "verify").out


def test_a_changed_posting_is_named(run: Lockstep, database: Database) -> None:
    stock_the_house(database.engine)
    book(database.engine, *(a_fact("receipt", units=n + 1, id=f"r:{n}") for n in range(5)))
    run("ledger", "seal")
    with database.superuser.begin() as connection:
        connection.execute(text("ALTER TABLE posting DISABLE TRIGGER USER"))
        event_id = connection.execute(
            text("""
                UPDATE posting SET units = 30, from_after = from_before - 30, to_after = to_before + 30
                WHERE units = 3 RETURNING event_id
            """)
        ).scalar_one()
        connection.execute(text("ALTER TABLE posting ENABLE TRIGGER USER"))

    said = run("ledger", "verify")

    assert said.code == 1
    assert str(event_id) in said.out
    assert run("ledger", "verify", "--json").read["clean"] is False


# --- halts, pushes, channels ------------------------------------------------------------------------------------------


def test_a_halt_wants_something_to_halt(run: Lockstep) -> None:
    said = run("halt", "set", "MUG-RED", "--channel", "nowhere", "--reason", "why")

    assert said.code == 1
    assert said.err.startswith("Error: ")
    assert run("halt", "lift", "MUG-RED", "--channel", "nowhere", "--reason", "why").code == 1
    assert run("halt", "list", "--json").read == []


def test_what_is_empty_is_said_to_be(run: Lockstep) -> None:
    for command in (
        ("channel", "list"), ("push", "parked"), ("halt", "list"), ("recon", "status"),
        ("recon", "drift"), ("inbox", "list"), ("alloc", "history"),
    ):  # fmt: skip
        assert run(*command).err.strip() == "(none)", command
        assert run(*command, "--json").read == []


@pytest.mark.parametrize("verb", ["test", "map", "subscribe"])
def test_an_unknown_channel_is_a_sentence(run: Lockstep, verb: str) -> None:
    more = ("--uri", "https://x.example") if verb == "subscribe" else ()

    said = run("channel", verb, "nowhere", *more)

    assert said.code == 1
    assert "no channel 'nowhere'" in said.err


def test_a_channel_without_a_token_is_a_sentence(run: Lockstep, rules: Path) -> None:
    run("alloc", "apply", str(rules), "--author", "ann", "--reason", "x")

    assert "no token for channel 'shop'" in run("channel", "test", "shop").err
    assert "no token for channel 'shop'" in run("recon", "run", "shop").err


def test_a_channel_is_paused_and_resumed(run: Lockstep, rules: Path) -> None:
    run("alloc", "apply", str(rules), "--author", "ann", "--reason", "x")

    assert run("channel", "pause", "shop", "--reason", "fire").out == "paused\n"
    assert [c["paused"] for c in run("channel", "list", "--json").read] == [False, True]
    assert "resumed" in run("channel", "resume", "shop").out
    assert "shop" in run("channel", "list").out


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_pausing_a_channel_that_is_not_there_is_an_error(run: Lockstep, verb: str) -> None:
    more = ("--reason", "fire") if verb == "pause" else ()

    said = run("channel", verb, "nowhere", *more)

    assert said.code == 1
    assert "nowhere" in said.err


# --- the schema -------------------------------------------------------------------------------------------------------


def test_a_new_database_is_brought_up_and_says_so(bare_database: Database) -> None:
    here = surroundings(bare_database)

    before = lockstep("db", "status", "--json", environment=here)
    upgraded = [lockstep("db", "upgrade", environment=here).code for _ in range(2)]
    after = lockstep("db", "status", "--json", environment=here)

    assert (before.code, before.read["database"]) == (3, None)
    assert upgraded == [0, 0]
    assert after.code == 0
    assert after.read["database"] == after.read["code"]
