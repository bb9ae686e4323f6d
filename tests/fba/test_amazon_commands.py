"""`lockstep amazon`: what an operator sees and does, against a simulated account on the wall's clock."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from channels.amazon import movement_store
from channels.amazon.movements import LedgerRow
from channels.simulators.amazon.serving import AmazonRunning, start_amazon
from console.cli.common import user
from ledger.db import transaction
from tests.builders import a_fact, a_house, book
from tests.channels.amazon_rig import CHANNEL, AmazonRig
from tests.console.command import Said, lockstep, surroundings
from tests.fba.house import FBA, OSLO, SHOP, FbaHouse
from tests.servers import Database
from workers import amazon as chores
from workers.flows.ingest import drain
from workers.settings import Settings
from workers.wiring import Wiring, now

Lockstep = Callable[..., Said]


@pytest.fixture(scope="module")
def running() -> Iterator[AmazonRunning]:
    account = start_amazon()
    yield account
    account.stop()


@pytest.fixture
def house(running: AmazonRunning, database: Database) -> Iterator[FbaHouse]:
    rig = AmazonRig(running)
    made = FbaHouse(rig, database.engine)
    account = rig.account()
    made.furnish(json.dumps(dict(account.options)), base_url=account.base_url)
    made.at_amazon("A-1", fulfillable=20, inbound_shipped=4)
    made.at_amazon("A-2", fulfillable=7)
    yield made
    rig.close()


@pytest.fixture
def run(house: FbaHouse, database: Database) -> Lockstep:
    secrets = {CHANNEL: dict(house.rig.account().secrets)}

    def run(*command: str) -> Said:
        more = {"LOCKSTEP_CHANNEL_SECRETS": json.dumps(secrets)}
        said = lockstep(*command, environment=surroundings(database, **more))
        drain(a_house(database.engine), now=now())
        return said

    return run


def test_the_mirror_is_filled_and_shown_beside_the_book(run: Lockstep) -> None:
    went = run("amazon", "mirror", "--json")
    shown = run("amazon", "fba", "--json").read

    assert (went.code, went.read["followed"], went.read["state"]) == (0, 2, "done")
    assert [
        (row["seller_sku"], row["fulfillable"], row["inbound"], row["available"], row["off"])
        for row in shown
    ] == [
        ("A-1", 20, 4, 20, 0),
        ("A-2", 7, 0, 7, 0),
    ]
    assert "A-2" in run("amazon", "fba").out
    assert run("amazon", "fba", "--sku", "A-2", "--json").read[0]["sku"] == "A-2"
    assert run("amazon", "fba", "--exit-code").code == 0
    assert run("amazon", "changes", "--json").read == []


def test_amazon_is_asked_to_ship_an_order_of_the_shop(
    run: Lockstep, house: FbaHouse, tmp_path: Path
) -> None:
    run("amazon", "mirror")
    order = {"channel": SHOP, "order": "1001", "line": "1", "units": 3}
    fact = a_fact("order", source=SHOP, sku="A-1", location=FBA, occurred_at=now(), **order)
    book(house.engine, fact, now=now())
    address = tmp_path / "address.json"
    address.write_text(
        '{"name": "A. Buyer", "addressLine1": "1 Main St", "postalCode": "98109", "countryCode": "US"}'
    )

    asked = run("amazon", "mcf", "create", SHOP, "1001", "--address", str(address), "--json")
    again = run("amazon", "mcf", "create", SHOP, "1001", "--address", str(address))
    (listed,) = run("amazon", "mcf", "list", "--json").read

    assert (asked.code, again.code) == (0, 0), asked.err + again.err
    assert asked.read["seller_id"] == "shopify-1001"
    assert (listed["id"], listed["role"], listed["of_order"], listed["units"]) == (
        "shopify-1001",
        "matched",
        "1001",
        "3",
    )
    assert house.truth("A-1")["reserved_orders"] == 3


def test_what_cannot_be_shipped_is_refused_in_a_sentence(run: Lockstep, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('{"name": "A", "addressLine1": "1", "postalCode": "9", "countryCode": "US"}')
    bad.write_text('{"name": "A", "zip": "9", "countryCode": "usa"}')

    unknown = run("amazon", "mcf", "create", SHOP, "77", "--address", str(good))
    wrong = run("amazon", "mcf", "create", SHOP, "77", "--address", str(bad))

    assert (unknown.code, wrong.code) == (1, 1)
    assert "no order '77' in the book" in unknown.err
    assert "addressLine1: Field required" in wrong.err
    assert "zip" in wrong.err


def test_scores_and_offers_are_kept_and_listed(run: Lockstep) -> None:
    first = run("amazon", "ipi", "set", "512", "--threshold", "400", "--date", "2026-01-05")
    run("amazon", "ipi", "set", "380", "--threshold", "400", "--date", "2026-01-12", "--by", "ann")
    wrong = run("amazon", "ipi", "set", "1200")
    late = run("amazon", "ipi", "set", "500", "--date", "2999-01-01")

    scores = run("amazon", "ipi", "list", "--json").read
    assert first.code == 0
    assert (wrong.code, late.code) == (2, 5)
    assert [(s["scored_on"], s["score"], s["above"], s["set_by"]) for s in scores] == [
        ("2026-01-12", 380, -20, "ann"),
        ("2026-01-05", 512, 112, user()),
    ]
    assert run("amazon", "offers", "--json").read == []


def test_stock_at_amazon_is_judged_and_explained(run: Lockstep) -> None:
    run("amazon", "mirror")
    run("amazon", "ipi", "set", "512", "--threshold", "400")

    said = run("amazon", "health", "--json").read
    first = said["lines"][0]
    shown = run("amazon", "health")
    sheet = list(csv.DictReader(io.StringIO(run("amazon", "health", "--csv").out)))
    why = run("amazon", "explain", "A-1", "--json").read
    unknown = run("amazon", "explain", "Z-9")

    assert [line["seller_sku"] for line in said["lines"]] == ["A-1", "A-2"]
    assert (first["on_hand"], first["inbound"], first["excess_units"]) == (20, 4, 24)
    assert (first["days_of_supply"], first["stranded_units"], first["surcharge"]) == (
        None,
        None,
        None,
    )
    assert (said["factors"]["on_hand"], said["factors"]["excess_ratio"]) == (27, 1.0)
    assert said["ipi"]["score"] == 512
    assert "IPI: 512" in shown.out
    assert [row["seller_sku"] for row in sheet] == ["A-1", "A-2"]
    assert (why["snapshots"], why["paced_by"]) == ([20], "nothing was sold")
    assert sum(layer["units"] for layer in why["layers"]) == 20
    assert (unknown.code, "holds no 'Z-9'" in unknown.err) == (1, True)
    assert run("amazon", "health", "--csv", "--json").code == 2


def test_what_lies_too_long_is_listed_with_what_taking_it_out_saves(
    run: Lockstep, house: FbaHouse, tmp_path: Path
) -> None:
    run("amazon", "mirror")
    sizes = tmp_path / "sizes.csv"
    said = "sku,length_in,width_in,height_in,ounces\nA-1,12,12,6,6\nA-2,12,12,12,\n"
    sizes.write_text(said)
    run("amazon", "size", "set", str(sizes))
    with transaction(house.engine) as connection:
        long_ago = [
            LedgerRow(f"r-{sku}", at, sku, "Receipts", "", units, "SELLABLE", "", "SEA1")
            for sku, units in (("A-1", 20), ("A-2", 7))
            for at in [now() - timedelta(days=500)]
        ]
        movement_store.keep_rows(connection, CHANNEL, long_ago, now=now(), past=True)

    found = run("amazon", "removals", "--json").read
    shown = run("amazon", "removals")

    first, second = found["lines"]
    # Of more than 15 months: 7 x 1 and 20 x 0.5 cubic feet, at 7.90 in the first month alone. Half a cubic foot counts
    # as 6.2 pounds, whatever it weighs: 2.89 and five times 1.06.
    assert (first["seller_sku"], first["units"], first["first_surcharge"]) == ("A-1", 20, "79.00")
    assert (first["fee"], Decimal(first["net"]) - Decimal(first["saved"])) == (
        "163.80",
        Decimal("-163.80"),
    )
    assert float(first["saved"]) > 12 * 79
    assert (second["seller_sku"], second["units"], second["first_surcharge"]) == ("A-2", 7, "55.30")
    assert (second["fee"], second["net"]) == (None, None)
    assert second["why"].endswith("no weight: what it costs is not known")
    assert (found["units"], found["fee"], found["stay"]) == (27, "163.80", [])
    assert "27 units; saved " in shown.out
    assert run("amazon", "removals", "--csv").out.startswith("seller_sku,sku,units,saved,fee,net")


def test_what_costs_more_to_take_out_than_to_keep_stays_and_is_named(
    run: Lockstep, house: FbaHouse, tmp_path: Path
) -> None:
    run("amazon", "mirror")
    sizes = tmp_path / "sizes.csv"
    sizes.write_text("sku;cubic_feet;pounds\nA-1;0.01;0,4\n")
    refused = run("amazon", "size", "set", str(sizes), "--dry-run")
    sizes.write_text("sku,cubic_feet,pounds,grams\nA-1,0.01,0.4,181\n")
    doubled = run("amazon", "size", "set", str(sizes))
    sizes.write_text("sku,cubic_feet,grams\nA-1,0.001,12000\n")
    run("amazon", "size", "set", str(sizes))
    with transaction(house.engine) as connection:
        at = now() - timedelta(days=170)
        rows = [LedgerRow("r", at, "A-1", "Receipts", "", 20, "SELLABLE", "", "SEA1")]
        movement_store.keep_rows(connection, CHANNEL, rows, now=now(), past=True)

    found, shown = run("amazon", "removals", "--json").read, run("amazon", "removals")
    why = run("amazon", "explain", "A-1", "--json").read

    assert refused.code == 1
    assert "pounds '0,4' is no number: write 12.5" in refused.err
    assert "the weight stands in pounds and grams: write one of them" in doubled.err
    assert found["lines"] == []
    assert [row["seller_sku"] for row in found["stay"]] == ["A-1"]
    assert "stays A-1: 20 of 20 will pass 180 days unsold; nothing sells; 20 stay" in shown.err
    assert (why["removal_units"], why["fee_per_unit"]) == (0, "29.39")
    assert "20 stay: taking one out costs 29.39 dollars" in why["why"]


def test_sizes_and_limits_are_said_listed_and_refused_in_words(
    run: Lockstep, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("sku,cubic_feet,storage_type,carton_units\nA-1,0.25,apparel,12\n")
    bad.write_text("sku,cubic_feet,storage_type\nA-1,,\nA-2,1,attic\nA-1,much,\n,1,\n")

    tried = run("amazon", "size", "set", str(good), "--dry-run", "--json")
    nothing = run("amazon", "size", "list", "--json").read
    done = run("amazon", "size", "set", str(good), "--by", "ann")
    wrong = run("amazon", "size", "set", str(bad))
    run("amazon", "capacity", "set", "apparel", "--cubic-feet", "12.5", "--since", "2026-01-01")
    empty = run("amazon", "capacity", "set", "apparel")
    (size,) = run("amazon", "size", "list", "--json").read
    (limit,) = run("amazon", "capacity", "list", "--json").read

    assert (tried.code, tried.read, nothing, done.code) == (0, {"skus": 1}, [], 0)
    assert (size["sku"], size["carton_units"], float(size["carton_cubic_feet"])) == ("A-1", 12, 3.0)
    assert (limit["storage_type"], float(limit["cubic_feet"]), limit["units"]) == (
        "apparel",
        12.5,
        None,
    )
    assert wrong.code != 0
    assert "2: write cubic_feet, or length_in" in wrong.err
    assert "3: storage_type 'attic' is none of" in wrong.err
    assert "4: cubic_feet 'much' is no number" in wrong.err
    assert "5: no SKU" in wrong.err
    assert (empty.code, "say one of them" in empty.err) == (5, True)


def test_a_shipment_is_proposed_within_the_limit(
    run: Lockstep, house: FbaHouse, tmp_path: Path
) -> None:
    run("amazon", "mirror")
    sizes = tmp_path / "sizes.csv"
    sizes.write_text("sku,cubic_feet,carton_units\nA-1,1,6\n")
    run("amazon", "size", "set", str(sizes))
    for number, units in enumerate((10, 6)):
        line = {"channel": SHOP, "order": f"s-{number}", "line": "1", "units": units}
        house_now = now() - timedelta(hours=1 + number)
        fact = a_fact("order", source=SHOP, sku="A-1", location=FBA, occurred_at=house_now, **line)
        book(house.engine, fact, now=now())
    home = {"sku": "A-1", "location": OSLO, "units": 500, "reason": "first count"}
    opening = a_fact("opening", source=SHOP, occurred_at=now(), **home)
    book(house.engine, opening, now=now())

    free = run("amazon", "send-in", "--json").read
    run("amazon", "capacity", "set", "standard", "--cubic-feet", "42")
    tight = run("amazon", "send-in", "--json").read
    shown = run("amazon", "send-in")
    sheet = list(csv.DictReader(io.StringIO(run("amazon", "send-in", "--csv").out)))
    elsewhere = run("amazon", "send-in", "--home", "BERGEN", "--json").read

    assert free["shipments"][0]["location"] == OSLO
    assert free["shipments"][0]["units"] > tight["shipments"][0]["units"] == 18
    # 20 there and 4 on their way take 24 of 42 cubic feet: three cartons of six fit.
    assert tight["rooms"][0]["used_cubic_feet"] == "24.000000"
    assert tight["short"][0]["why"] == "no room: 42.00 cubic feet are the limit"
    assert [(row["location"], row["units"], row["cartons"]) for row in sheet] == [(OSLO, "18", "3")]
    assert "A-1 falls short" in shown.err
    assert elsewhere["shipments"] == []


def test_a_channel_that_is_not_amazons_is_refused(run: Lockstep) -> None:
    said = run("amazon", "fba", "--channel", SHOP)

    assert said.code == 1
    assert f"Of kind amazon: {CHANNEL}" in said.err


def test_the_window_of_the_mirror_is_opened_once_and_worked(
    house: FbaHouse, database: Database, valkey: str
) -> None:
    secrets = json.dumps({CHANNEL: dict(house.rig.account().secrets)})
    settings = Settings(
        database_url=database.app_url,
        redis_url=valkey,
        channel_secrets=secrets,
    )
    wiring = Wiring(settings)
    try:
        chores.open_mirror(wiring)
        chores.open_mirror(wiring)
        opened = house.rows("SELECT channel, state FROM run WHERE job = 'mirror'")
        (window_at,) = house.rows("SELECT window_at FROM run WHERE job = 'mirror'")[0]
        report = chores.mirror_channel(wiring, CHANNEL, window_at.isoformat())
        again = chores.mirror_channel(wiring, CHANNEL, window_at.isoformat())
    finally:
        wiring.close()

    assert opened == [(CHANNEL, "due")]
    assert (report.state, report.followed, again.state) == ("done", 2, "skipped")


def test_the_mirror_has_a_place_among_the_tasks() -> None:
    from celeryconfig import route
    from workers import tasks

    assert route("workers.tasks.mirror", (), {"channel": CHANNEL}, {}) == {"queue": "reconcile"}
    assert tasks.mirror.name == "workers.tasks.mirror"
