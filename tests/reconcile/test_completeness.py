"""Orders that channels told against those in the book: what is missing is counted, and since when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, text

from ledger import inbox
from ledger.db import transaction
from ledger.inbox import FACT_TOPIC, Delivery
from reconcile.completeness import Completeness, completeness
from tests.builders import NOON, a_fact, a_house, minutes, stock_the_house
from tests.console.command import lockstep, surroundings
from tests.servers import Database
from tests.workers.shelf import RULES, apply
from workers.flows.ingest import drain


@pytest.fixture
def engine(database: Database) -> Engine:
    stock_the_house(database.engine)
    with database.engine.begin() as connection:
        apply(connection, RULES, NOON)
    return database.engine


def tell(
    engine: Engine, name: str, *, road: str = "", topic: str = FACT_TOPIC, **said: Any
) -> None:
    """The channel tells an order, by a notification or (road) by its API."""
    fact = a_fact("order", id=name, source="shop", order=name, units=1, **said)
    headers = {"road": road} if road else {}
    at = said.get("occurred_at", NOON)
    with transaction(engine) as connection:
        inbox.keep(connection, [Delivery("shop", name, topic, orjson.dumps(fact), headers)], now=at)


def found(engine: Engine) -> Completeness:
    with engine.connect() as connection:
        (one,) = completeness(connection, NOON - timedelta(hours=1))
    return one


def test_an_order_that_only_the_poll_brought_is_booked_and_told_apart(engine: Engine) -> None:
    tell(engine, "1", road="poll")
    tell(engine, "2", road="poll")
    drain(a_house(engine), now=NOON)

    one = found(engine)

    assert (one.told, one.booked, one.polled, one.gaps, one.percent) == (2, 2, 2, 0, 100.0)


def test_an_order_that_is_parked_is_a_gap_since_it_came_however_long_ago(engine: Engine) -> None:
    tell(engine, "old", road="poll", sku="NOBODY", occurred_at=NOON - timedelta(days=3))
    tell(engine, "1", road="poll")
    tell(engine, "2", road="poll", sku="NOBODY")
    drain(a_house(engine), now=NOON + minutes(1))
    tell(engine, "3", road="poll")

    one = found(engine)

    assert (one.told, one.booked, one.gaps) == (3, 1, 3)
    assert one.oldest_gap_at == NOON - timedelta(days=3)
    assert one.percent == pytest.approx(100 / 3)


def test_what_is_told_of_other_things_is_no_order(engine: Engine) -> None:
    tell(engine, "1", topic="inventory_levels/update")

    assert found(engine).told == found(engine).gaps == 0


def test_the_command_ends_with_3_while_an_order_is_missing(
    database: Database, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE channel SET orders_mark = now() - interval '90 seconds'"))
    here = surroundings(database)
    whole = lockstep("channel", "complete", "--json", environment=here)
    tell(engine, "1", road="poll")

    lacking = lockstep("channel", "complete", "--json", environment=here)

    assert (whole.code, lacking.code) == (0, 3)
    (row,) = lacking.read
    assert row["gaps"] == 1
    assert row["oldest_gap_s"] > 0
    assert 90 <= row["behind_s"] < 600


def test_gaps_are_told_with_why_and_what_to_do(database: Database, engine: Engine) -> None:
    here = surroundings(database)
    tell(engine, "1", road="poll", sku="NOBODY")
    tell(engine, "2", road="poll", sku="NOBODY")
    drain(a_house(engine), now=NOON + minutes(1))
    tell(engine, "3", road="poll")

    shown = lockstep("channel", "complete", environment=here)
    (row,) = lockstep("channel", "complete", "--json", environment=here).read

    assert shown.code == 3
    first, second = row["reasons"]
    assert (first["state"], first["orders"], second["state"]) == ("parked", 2, "pending")
    assert first["why"].startswith("unknown SKU 'NOBODY': add it to the catalogue")
    assert "shop: 2 parked since " in shown.err
    assert "see lockstep inbox list --source shop --state parked" in shown.err
    assert "shop: 1 pending since " in shown.err


def test_an_order_api_that_was_not_read_for_an_hour_is_told_though_nothing_is_known_to_be_missing(
    database: Database, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE channel SET orders_mark = now() - interval '61 minutes'"))

    said = lockstep("channel", "complete", environment=surroundings(database))

    assert said.code == 3
    assert "shop: its orders were last asked for at " in said.err


def test_an_unknown_channel_is_no_complete_one(database: Database, engine: Engine) -> None:
    said = lockstep("channel", "complete", "--channel", "shp", environment=surroundings(database))

    assert said.code == 1
    assert "there is no channel shp: see lockstep channel list" in said.err
