"""Halts by command: one SKU, a location, a channel, everything; asked for once more when it is much."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from tests.console.command import Said, lockstep, surroundings
from tests.reconcile.house import CHANNEL, furnish, rows
from tests.servers import Clock, Database

Lockstep = Callable[..., Said]
WHY = ("--reason", "recall")
STATES = "SELECT channel, sku, state FROM halt WHERE state <> 'lifted' ORDER BY channel, sku"


@pytest.fixture
def run(database: Database, clock: Clock) -> Lockstep:
    furnish(database.engine, {"TEA-1": 30, "TEA-2": 9}, clock=clock)
    furnish(database.engine, {"TEA-1": 30}, clock=clock, channel="amazon")

    def run(*command: str, **more: str) -> Said:
        return lockstep(*command, environment=surroundings(database), **more)

    return run


def _many(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO sku (sku) SELECT 'S' || n FROM generate_series(1, 40) n")
        )
        connection.execute(
            text(
                "INSERT INTO binding (channel, sku, location, item_id, vendor_location_id)"
                " SELECT 'shopify', sku, 'OSLO', sku, 'x' FROM sku WHERE sku LIKE 'S%'"
            )
        )


def test_one_sku_is_halted_for_a_time_listed_and_lifted(run: Lockstep, database: Database) -> None:
    said = run("halt", "set", "TEA-1", "--channel", CHANNEL, "--for", "4h", *WHY)
    (listed,) = run("halt", "list", "--json").read

    assert "is being set" in said.out
    assert (listed["sku"], listed["state"], listed["scope"]) == ("TEA-1", "setting", "")
    assert listed["until_at"] is not None
    assert "is being lifted" in run("halt", "lift", "TEA-1", "--channel", CHANNEL, *WHY).out
    assert rows(database.engine, STATES) == [(CHANNEL, "TEA-1", "lifting")]


def test_a_dry_run_says_what_would_be_halted_and_halts_nothing(
    run: Lockstep, database: Database
) -> None:
    said = run("halt", "set", "--everything", "--dry-run", "--json", *WHY)

    assert said.read == [
        {"channel": "amazon", "skus": 1, "halted_already": 0},
        {"channel": CHANNEL, "skus": 2, "halted_already": 0},
    ]
    assert "everything: 3 SKUs" in run("halt", "set", "--everything", "--dry-run", *WHY).out
    assert rows(database.engine, STATES) == []


@pytest.mark.parametrize(
    ("words", "halted"),
    [
        (("TEA-1",), "amazon/TEA-1 shopify/TEA-1"),
        (("--location", "OSLO"), "amazon/TEA-1 shopify/TEA-1 shopify/TEA-2"),
        (("--location", "OSLO", "--channel", "amazon"), "amazon/TEA-1"),
        (("--channel", CHANNEL, "--all"), "shopify/TEA-1 shopify/TEA-2"),
        (("--everything",), "amazon/TEA-1 shopify/TEA-1 shopify/TEA-2"),
    ],
)
def test_one_command_halts_a_scope_and_one_lifts_it(
    run: Lockstep, database: Database, words: tuple[str, ...], halted: str
) -> None:
    assert run("halt", "set", *words, *WHY).code == 0
    found = [f"{channel}/{sku}" for channel, sku, _ in rows(database.engine, STATES)]
    (listed,) = run("halt", "list", "--json").read
    assert found == halted.split()
    assert listed["setting"] == len(found)
    assert len(run("halt", "list", "--all", "--json").read) == 1 + len(found)

    assert run("halt", "lift", *words, *WHY).code == 0
    assert {state for _, _, state in rows(database.engine, STATES)} == {"lifting"}
    assert run("halt", "list", "--json").read == []
    assert run("halt", "lift", *words, *WHY).code == 1


def test_much_is_asked_for_once_more(run: Lockstep, database: Database) -> None:
    _many(database)

    for typed in ("", "yes\n"):
        said = run("halt", "set", "--channel", CHANNEL, "--all", *WHY, typed=typed)
        assert said.code != 0
        assert rows(database.engine, STATES) == []
    said = run("halt", "set", "--channel", CHANNEL, "--all", *WHY, typed=f"{CHANNEL}\n")
    assert "42 SKUs on 1 channels are being halted" in said.out
    said = run("halt", "set", "--everything", "--yes", "--json", *WHY)
    assert (said.read["skus"], said.read["fresh"]) == (43, True)


def test_a_sku_that_a_scope_holds_is_not_lifted_alone(run: Lockstep) -> None:
    run("halt", "set", "--channel", CHANNEL, "--all", *WHY)

    said = run("halt", "lift", "TEA-1", "--channel", CHANNEL, *WHY)

    assert said.code == 5
    assert f"`lockstep halt lift --channel {CHANNEL} --all --reason ...`" in said.err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--all",),
        ("TEA-1", "--everything"),
        ("--everything", "--channel", CHANNEL),
        ("TEA-1", "--for", "soon"),
    ],
    ids=" ".join,
)
def test_words_that_name_nothing_or_two_things_are_a_mistake(
    run: Lockstep, words: tuple[str, ...]
) -> None:
    assert run("halt", "set", *words, *WHY).code == 2


def test_what_is_not_there_is_a_sentence(run: Lockstep) -> None:
    for words in (("NOPE",), ("--location", "MOON"), ("--channel", "nowhere", "--all")):
        said = run("halt", "set", *words, *WHY)
        assert said.code == 1
        assert "there is no" in said.err
