"""`lockstep forecast show` and `lockstep reorder list`: out of the book, for people and for scripts."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.builders import a_fact, book, stock_the_house
from tests.console.command import Said, lockstep, surroundings
from tests.servers import Database
from tests.workers.shelf import RULES, apply
from workers.flows import forecasting

Lockstep = Callable[..., Said]
NOW = datetime.now(UTC)


@pytest.fixture
def run(database: Database) -> Lockstep:
    stock_the_house(database.engine)
    book(database.engine, *half_a_year(), now=NOW)

    def run(*command: str) -> Said:
        return lockstep(*command, environment=surroundings(database))

    forecasting.run(database.engine, lambda: NOW)
    return run


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def half_a_year() -> list[dict[str, Any]]:
    """Three red mugs a day, a bulk order, one that was cancelled; purchases that took ten days; 20 left."""
    facts = [
        a_fact("order", id=f"o:{day}", order=str(day), units=3, occurred_at=ago(day))
        for day in range(1, 183)
    ]
    bulk = {"id": "o:bulk", "order": "bulk", "units": 900}
    gone = {"order": "gone", "units": 80_995}
    facts.append(a_fact("order", occurred_at=ago(40), **bulk))
    facts.append(a_fact("order", id="o:gone", occurred_at=ago(9), **gone))
    facts.append(a_fact("order_cancel", occurred_at=ago(8.99), **gone))
    for number, came in enumerate((120, 80, 50)):
        line = {"reference": f"PO-{number}", "units": 500}
        due = f"{ago(came):%Y-%m-%d}"
        said = {"id": f"x:{number}", "occurred_at": ago(came + 10), "due_at": due}
        facts.append(a_fact("expected", **said, **line))
        facts.append(a_fact("receipt", id=f"r:{number}", occurred_at=ago(came), **line))
    # 1500 came and 1446 went.
    facts.append(a_fact("write_off", id="left", units=34, occurred_at=ago(1)))
    return facts


def test_what_will_be_wanted_leaves_out_what_says_nothing(run: Lockstep) -> None:
    (row,) = run("forecast", "show", "MUG-RED", "--json").read

    assert (row["location"], row["days"], row["units"]) == ("OSLO", 28, 84)
    assert row["per_day"] == 3
    assert row["p50"] <= row["p90"] <= row["p95"]
    assert row["kind"] == "smooth"
    (line,) = row["left_out"]
    assert line.startswith("1 x 900 on ")
    assert "MUG-RED" not in run("forecast", "show", "MUG-RED").err


def test_a_sku_that_never_sold_has_no_forecast_and_an_unknown_one_is_told(run: Lockstep) -> None:
    assert run("forecast", "show", "MUG-BLUE", "--json").read == []
    said = run("forecast", "show", "GHOST")
    assert said.code == 1
    assert "no SKU GHOST" in said.err


def test_what_is_to_be_ordered_says_how_many_why_and_until_when(run: Lockstep) -> None:
    found = run("reorder", "list", "--pack", "12", "--json").read

    (line,) = found["lines"]
    assert (line["sku"], line["location"], line["free"]) == ("MUG-RED", "OSLO", 20)
    assert (line["lead_days"], line["lead_receipts"]) == (10, 3)
    # Ten days of 3, which never varies; with a week more 51; 31 are 3 packs.
    assert (line["reorder_point"], line["order_up_to"], line["units"]) == (30, 51, 36)
    assert "position 20 at or below 30" in line["why"]
    assert "lead time of 3 receipts" in line["why"]
    assert line["runs_out_on"] == f"{ago(-6):%Y-%m-%d}"
    assert found["held_back"] == []
    assert found["looked_at"] == 1


def test_a_sku_that_does_not_agree_is_held_back_with_the_reason(
    run: Lockstep, database: Database
) -> None:
    with database.engine.begin() as connection:
        apply(connection, RULES, NOW)
        connection.execute(
            text("""
                INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at)
                VALUES ('shop', 'MUG-RED', 'OSLO', 4, 7, 'swallowed', 'push', :at, :at)
            """),
            {"at": NOW},
        )

    found = run("reorder", "list", "--lead-days", "30", "--all", "--json").read
    said = run("reorder", "list", "--all", "--csv")

    assert found["lines"] == []
    (held,) = found["held_back"]
    assert held["sku"] == "MUG-RED"
    assert held["why"].startswith("shop at OSLO is off by +3 since")
    assert "held back MUG-RED: shop at OSLO is off by +3" in said.err
    assert list(csv.DictReader(io.StringIO(said.out))) == []


def test_a_window_that_failed_holds_back_what_its_channel_shows(
    run: Lockstep, database: Database
) -> None:
    with database.engine.begin() as connection:
        apply(connection, RULES, NOW)
        for statement in (
            "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
            " SELECT 'shop', 'MUG-RED', 'OSLO', 4, 1, max(version), :at FROM rule_set",
            "INSERT INTO run (job, channel, window_at, state) VALUES"
            " ('reconcile', 'shop', CAST(:at AS timestamptz) - interval '15 min', 'done'),"
            " ('reconcile', 'shop', :at, 'failed')",
        ):
            connection.execute(text(statement), {"at": NOW})

    found = run("reorder", "list", "--all", "--json").read
    assert [each["why"].split(" of ")[-1] for each in found["held_back"]] == ["shop was failed"]

    with database.engine.begin() as connection:
        connection.execute(text("UPDATE run SET state = 'done'"))
    assert run("reorder", "list", "--all", "--json").read["held_back"] == []


def test_the_list_for_spreadsheets_is_the_list_for_scripts(run: Lockstep) -> None:
    lines = run("reorder", "list", "--all", "--json").read["lines"]

    rows = list(csv.DictReader(io.StringIO(run("reorder", "list", "--all", "--csv").out)))

    assert [row["sku"] for row in rows] == [line["sku"] for line in lines]
    assert [int(row["units"]) for row in rows] == [line["units"] for line in lines]
    assert run("reorder", "list", "--csv", "--json").code == 2


def test_a_run_tells_how_it_goes_on_and_its_forecasts_hold_then(run: Lockstep) -> None:
    said = run("forecast", "run", "--json")

    assert said.code == 0
    assert (said.read["stage"], said.read["places"]) == ("done", 1)
    assert "reading" in said.err
    assert "forecasting" in said.err
    status = run("forecast", "status", "--json").read
    assert status["open"] is None
    assert status["newest"]["id"] == said.read["run"]
    assert run("reorder", "list", "--json").read["run"]["id"] == said.read["run"]


def test_terms_are_said_imported_shown_and_taken_back(run: Lockstep, tmp_path: Path) -> None:
    file = tmp_path / "terms.csv"
    file.write_text("sku,supplier,pack,service\nMUG-RED,Acme,,\n,Acme,25,99\n,,,90\n")

    assert run("reorder", "import", str(file), "--json").read == {"terms": 3, "levels": 1}
    (line,) = run("reorder", "list", "--json").read["lines"]
    assert (line["supplier"], line["pack"], line["service"], line["units"]) == ("Acme", 25, 99, 50)
    rows = {(row["scope"], row["name"]): row for row in run("reorder", "terms", "--json").read}
    assert rows["house", ""]["service"] == 90
    assert rows["supplier", "Acme"]["pack"] == 25

    assert run("reorder", "set", "--supplier", "Acme", "--dry-run").code == 0
    assert len(run("reorder", "terms", "--json").read) == 3
    assert run("reorder", "set", "--supplier", "Acme").code == 0
    (line,) = run("reorder", "list", "--json").read["lines"]
    assert (line["pack"], line["service"]) == (1, 90)


def test_terms_that_make_no_sense_name_their_lines_and_change_nothing(
    run: Lockstep, tmp_path: Path
) -> None:
    file = tmp_path / "terms.csv"
    file.write_text("sku,pack\nMUG-RED,0\nGHOST,2\n")
    said = run("reorder", "import", str(file))
    assert said.code != 0
    assert f"{file}:2: pack 0 must be from 1 to 1e+06" in said.err

    file.write_text("sku,pack\nGHOST,2\n")
    said = run("reorder", "import", str(file))
    assert said.code != 0
    assert "unknown SKU 'GHOST': correct it" in said.err
    assert run("reorder", "terms", "--json").read == []


def test_the_list_by_other_terms_is_only_looked_at(run: Lockstep) -> None:
    kept = run("reorder", "list", "--json").read["lines"]

    (longer,) = run("reorder", "list", "--review-days", "28", "--json").read["lines"]

    assert longer["order_up_to"] > kept[0]["order_up_to"]
    assert run("reorder", "list", "--json").read["lines"] == kept


def test_a_past_is_tried_and_its_table_told(run: Lockstep, tmp_path: Path) -> None:
    file = tmp_path / "parts.csv"
    dice = random.Random(3)
    rows = [
        ",".join([f"P{n}", *(str(dice.choice((0, 0, 1, 2, 5))) for _ in range(30))])
        for n in range(60)
    ]
    months = ",".join(f"20{10 + n // 12}-{n % 12 + 1:02}" for n in range(30))
    file.write_text("\n".join([f"part,{months}", *rows]))

    said = run("forecast", "backtest", "--file", str(file), "--horizon", "2", "--json")

    assert said.code in (0, 3)
    assert said.read["forecasts"] == 240
    assert {"mix", "moving_average", "ses", "naive"} <= set(said.read["scores"])
    assert said.read["passed"] is (said.code == 0)
    assert said.read["period"] == "month"
    assert set(said.read["beside"]) == {"rmsse", "sum_error"}
    refused = run("forecast", "backtest", "--file", str(file), "--period", "week")
    assert "its columns are months" in refused.err
    assert "give --file with --period" in run("forecast", "backtest", "--period", "day").err
    strange = tmp_path / "strange.csv"
    strange.write_text("a,b\n1,2\n")
    assert "names neither InvoiceNo" in run("forecast", "backtest", "--file", str(strange)).err


@pytest.mark.skipif(find_spec("statsforecast") is not None, reason="statsforecast is installed")
def test_a_library_that_is_not_installed_is_told_with_how_to_get_it(
    run: Lockstep, tmp_path: Path
) -> None:
    said = run("forecast", "backtest", "--with", "statsforecast")

    assert said.code == 1
    assert "pip install 'lockstep[statsforecast]'" in said.err


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffSKU;Supplier;Pack\nMUG-RED;Acme;6\n".encode(),
        "sku\tsupplier\tpack\nMUG-RED\tAcme\t6\n".encode("utf-16"),
    ],
)
def test_terms_are_imported_as_spreadsheets_of_other_countries_write_them(
    run: Lockstep, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "terms.csv"
    file.write_bytes(content)

    said = run("reorder", "import", str(file))
    (row,) = run("reorder", "terms", "--json").read

    assert said.code == 0
    assert (row["name"], row["supplier"], row["pack"]) == ("MUG-RED", "Acme", 6)


def test_a_file_in_an_older_encoding_is_refused_with_what_to_do(
    run: Lockstep, tmp_path: Path
) -> None:
    file = tmp_path / "terms.csv"
    file.write_bytes("sku,supplier\nMUG,Möller\n".encode("cp1252"))

    said = run("reorder", "import", str(file))

    assert said.code == 1
    assert f"{file} cannot be read: line 2 is not UTF-8: save it again as CSV UTF-8" in said.err


def test_terms_of_an_unknown_sku_name_it(run: Lockstep) -> None:
    said = run("reorder", "set", "--sku", "NOPE", "--pack", "6")

    assert said.code == 1
    assert "unknown SKU 'NOPE': correct it" in said.err


def test_saying_nothing_takes_the_terms_of_the_house_back_and_says_so(run: Lockstep) -> None:
    empty = run("reorder", "terms")
    said = run("reorder", "set", "--service", "98")
    back = run("reorder", "set")

    assert "nobody said any: two weeks of lead time" in empty.err
    assert "terms of the house: " in said.out + said.err
    assert "terms of the house, of which nothing is said any more" in back.out + back.err


def test_a_house_without_sales_says_why_nothing_is_forecast(database: Database) -> None:
    stock_the_house(database.engine, skus=("MUG",), locations=("WH",))
    run = partial(lockstep, environment=surroundings(database))

    run("forecast", "run")
    said = run("reorder", "list")

    assert "the last run found no sales to forecast from" in said.err


def test_past_sales_with_semicolons_are_read(run: Lockstep, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    columns = ";".join(f"2025-{month:02}" for month in range(1, 13))
    file.write_text(f"name;{columns}\nA;{';'.join('5' for _ in range(12))}\n")

    said = run("forecast", "backtest", "--file", str(file), "--horizon", "1")

    assert "1 series" in said.out
