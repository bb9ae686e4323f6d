"""`lockstep amazon`: what an operator sees and does, against a simulated account on the wall's clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from channels.simulators.amazon.serving import AmazonRunning, start_amazon
from console.cli.common import user
from tests.builders import a_fact, a_house, book
from tests.channels.amazon_rig import CHANNEL, AmazonRig
from tests.console.command import Said, lockstep, surroundings
from tests.fba.house import FBA, SHOP, FbaHouse
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
    assert run("amazon", "health", "--json").read == []


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
