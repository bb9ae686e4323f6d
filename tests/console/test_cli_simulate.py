"""`alloc simulate`: scenarios, files and the ledger's last days; bad input as sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import a_fact, book, minutes, stock_the_house
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Database
from workers.wiring import now

HEAD = "event_id,occurred_at,event_type,channel,location_id,sku,quantity_delta,unit_price\n"
RULES = """\
[locations.OSLO]
[channels.shopify]
kind = "shopify"
base_url = "https://shop.example"
locations = ["OSLO"]
vendor_locations = { "gid://1" = "OSLO" }
"""
FIRST = {"sold_units", "oversold_units", "oversold_lines", "lost_units"}

Lockstep = Callable[..., Said]


@pytest.fixture
def run(tmp_path: Path) -> Lockstep:
    """The command where no house is running."""

    def run(*command: str) -> Said:
        return lockstep("alloc", "simulate", *command, environment={"LOCKSTEP_HOME": str(tmp_path)})

    return run


@pytest.fixture
def rules(tmp_path: Path) -> str:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    return str(file)


def events(folder: Path, *rows: str) -> str:
    file = folder / "events.csv"
    file.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    return str(file)


def test_black_friday_sells_out_and_oversells_nothing_with_the_defaults(run: Lockstep) -> None:
    said = run("--scenario", "black-friday", "--json")

    assert said.code == 0
    found = said.read
    assert list(found) == ["lockstep", "hub_15min", "point_to_point", "spreadsheet"]
    assert all(set(each) >= FIRST for each in found.values())
    assert found["lockstep"]["oversold_units"] == 0
    assert found["lockstep"]["sold_units"] >= 190
    assert found["hub_15min"]["oversold_units"] == 40


def test_the_table_names_every_strategy_and_says_what_was_played(run: Lockstep) -> None:
    said = run("--scenario", "black-friday", "--seed", "2")

    assert [line.split()[0] for line in said.out.splitlines()] == [
        "strategy",
        "lockstep",
        "hub_15min",
        "point_to_point",
        "spreadsheet",
    ]
    assert "240 events of 1 SKU" in said.err


def test_a_slow_channel_makes_the_others_keep_more_back(run: Lockstep) -> None:
    usual = run("--scenario", "black-friday", "--json").read["lockstep"]
    slow = run("--scenario", "black-friday", "--json", "--lag", "amazon=30").read["lockstep"]

    assert slow != usual


def test_files_are_played_with_the_rules_given(run: Lockstep, rules: str, tmp_path: Path) -> None:
    file = events(
        tmp_path,
        "A:1,2026-03-02T10:00:00,order,shopify,OSLO,MUG,-3,2.50",
        "R:1,2026-03-02T11:00:00,receipt,,OSLO,MUG,4,",
    )

    said = run("--orders", file, "--rules", rules, "--json")

    assert said.code == 0
    assert next(iter(said.read)) == "lockstep"
    assert "today" not in said.read
    assert said.read["lockstep"]["sold_units"] == 3
    assert said.read["lockstep"]["revenue"] == "7.50"


def test_opening_balances_can_be_given(run: Lockstep, rules: str, tmp_path: Path) -> None:
    file = events(tmp_path, "A:1,2026-03-02T10:00:00,order,shopify,OSLO,MUG,-3,2.50")
    opening = tmp_path / "opening.csv"
    opening.write_text("sku,location_id,opening\nMUG,OSLO,2\n")

    found = run("--orders", file, "--opening", str(opening), "--rules", rules, "--json").read

    assert found["lockstep"]["sold_units"] == 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("A:1,2026-03-02T10:00:00,order,ebay,OSLO,MUG,-3,1", "events.csv:2: channel 'ebay' is not"),
        ("A:1,2026-03-02T10:00:00,order,shopify,OSLO,MUG,many,1", "events.csv:2: quantity_delta"),
    ],
)
def test_a_bad_row_is_a_sentence_with_file_and_line(
    run: Lockstep, rules: str, tmp_path: Path, row: str, message: str
) -> None:
    said = run("--orders", events(tmp_path, row), "--rules", rules)

    assert said.code == 1
    assert message in said.err


def test_files_without_rows_or_columns_or_sense_are_refused(
    run: Lockstep, rules: str, tmp_path: Path
) -> None:
    assert "there are no events" in run("--orders", events(tmp_path), "--rules", rules).err
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    assert "no column event_id" in run("--orders", str(other), "--rules", rules).err
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(b"no gzip")
    assert "cannot be read" in run("--orders", str(broken), "--rules", rules).err


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("--scenario", "black-friday", "--last", "30d"),
        ("--scenario", "black-friday", "--lag", "ebay=2"),
        ("--scenario", "black-friday", "--lag", "shopify=soon"),
        ("--scenario", "black-friday", "--opening", __file__),
    ],
)
def test_wrong_usage_exits_with_2(run: Lockstep, command: tuple[str, ...]) -> None:
    assert run(*command).code == 2


def test_the_last_days_of_the_ledger_are_played_with_the_rules_in_force_and_those_tried(
    database: Database, rules: str
) -> None:
    stock_the_house(database.engine)
    at = now()
    book(
        database.engine,
        a_fact("receipt", units=10, occurred_at=at - minutes(5)),
        a_fact("order", id="o1", units=3, occurred_at=at),
        now=at,
    )
    around = surroundings(database)

    nothing = lockstep("alloc", "simulate", "--last", "1h", environment=around)
    assert nothing.code == 1
    assert "no rules are in force" in nothing.err
    put = ("--author", "ann", "--reason", "first")
    assert lockstep("alloc", "apply", rules, *put, environment=around).code == 0

    in_force = lockstep("alloc", "simulate", "--last", "1h", "--json", environment=around)
    tried = lockstep(
        "alloc", "simulate", "--last", "1h", "--rules", rules, "--json", environment=around
    )

    assert list(in_force.read)[:2] == ["lockstep", "hub_15min"]
    assert list(tried.read)[:2] == ["lockstep", "today"]
    assert tried.read["today"] == tried.read["lockstep"]
    assert tried.read["lockstep"]["sold_units"] == 3
    assert tried.read["lockstep"]["revenue"] is None


def test_a_time_that_is_none_is_refused(database: Database, rules: str) -> None:
    said = lockstep(
        "alloc", "simulate", "--last", "soon", "--rules", rules, environment=surroundings(database)
    )

    assert said.code == 2
    assert "write 30d, 12h or 90m" in said.err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_month_of_a_real_seller_with_less_stock_oversells_nothing_and_loses_nothing(
    run: Lockstep,
) -> None:
    found = run("--scenario", "may-2011-tight", "--json").read

    ours, best = found["lockstep"], found["omniscient"]
    naive = [found[name] for name in ("hub_15min", "point_to_point", "spreadsheet")]
    assert ours["demanded_lines"] == 34_723
    assert ours["oversold_rate"] < 0.002
    assert all(each["oversold_lines"] > 0 for each in naive)
    assert all(each["oversold_lines"] >= 10 * ours["oversold_lines"] for each in naive)
    assert ours["lost_units"] <= 1.02 * best["lost_units"]
