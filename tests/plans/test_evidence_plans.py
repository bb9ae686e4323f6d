"""Evidence is asked of the differing places alone, by their keys, however much the book and the inbox hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from channels.base import Binding, Reading
from reconcile import aftermath, crossings, debt, evidence, hindsight, stood
from reconcile.types import Case, Observation, OpenDrift
from tests.databases import Shelf
from tests.plans.large import filled
from tests.plans.test_push_plans import plan_of
from tests.reconcile.cases import a_case, a_push
from tests.servers import FIRST_NOW

ROWS = 20_000
DIFFER = ("S7", "S100", "S19000")
LARGE = {
    "balance",
    "drift",
    "event",
    "inbox",
    "posting",
    "push",
    "target",
    "target_history",
}

# Twenty thousand SKUs of a shop, each ordered once within a month and delivered by a webhook of its own.
SEED = (
    "INSERT INTO channel (channel, kind, base_url, writes, orders_mark) VALUES ('shop', 'shopify', '', true, :now)",
    "INSERT INTO rule_set (source, document, author, reason, applied_at) VALUES ('', '{}', 'ann', 'first', :now)",
    "INSERT INTO sku (sku) SELECT 'S' || n FROM generate_series(1, :n) n",
    "INSERT INTO location (location) VALUES ('WH')",
    "INSERT INTO balance (sku, location, state, units)"
    " SELECT 'S' || n, 'WH', state, 5 FROM generate_series(1, :n) n, unnest(ARRAY['available', 'committed']) state",
    "INSERT INTO target (channel, sku, location, units, number, rule_version, set_at)"
    " SELECT 'shop', 'S' || n, 'WH', 5, 2, 1, :now - interval '1 day' FROM generate_series(1, :n) n",
    "INSERT INTO target_history (channel, sku, location, number, units, rule_version, set_at, terms)"
    " SELECT 'shop', 'S' || n, 'WH', number, 5, 1, :now - interval '1 day' * (3 - number), '{}'"
    " FROM generate_series(1, :n) n, generate_series(1, 2) number",
    "INSERT INTO inbox (source, delivery_id, topic, body, received_at, state)"
    " SELECT 'shop', n::text, 'orders/create', convert_to('{\"id\": ' || n || '}', 'UTF8'),"
    " :now - interval '30 days' + make_interval(secs => n * 129), 'applied' FROM generate_series(1, :n) n",
    "INSERT INTO event (kind, source, source_id, occurred_at, recorded_at, channel, order_id, line_id, inbox_id)"
    " SELECT 'order', 'shop', n::text, :now - interval '30 days' + make_interval(secs => n * 129),"
    " :now - interval '30 days' + make_interval(secs => n * 129 + 5), 'shop', n::text, '1', n"
    " FROM generate_series(1, :n) n",
    "INSERT INTO posting (event_id, line, sku, units, from_location, from_state, from_before, from_after, from_version,"
    " to_location, to_state, to_before, to_after, to_version, occurred_at, recorded_at)"
    " SELECT id, 1, 'S' || source_id, 1, 'WH', 'available', 6, 5, 1, 'WH', 'committed', 0, 1, 1, occurred_at,"
    " recorded_at FROM event",
    "INSERT INTO push (push_key, channel, sku, location, units, number, sent_at, answered_at, outcome)"
    " SELECT n::text, 'shop', 'S' || n, 'WH', 6, 2, :now - make_interval(secs => n * 30),"
    " :now - make_interval(secs => n * 30), 'confirmed' FROM generate_series(1, :n) n",
    "INSERT INTO shown (channel, sku, location, units, number, confirmed_at)"
    " SELECT 'shop', 'S' || n, 'WH', 5, 2, :now FROM generate_series(1, :n) n",
    "INSERT INTO drift (channel, sku, location, expected, actual, cause, action, seen_at, last_at, resolved_at)"
    " SELECT 'shop', 'S' || n, 'WH', 5, 6, 'unknown', 're-push',"
    " :now - interval '400 days' + make_interval(mins => n * 20), :now,"
    " CASE WHEN n % 1000 = 0 THEN NULL ELSE :now END FROM generate_series(1, :n) n",
)


@pytest.fixture(scope="module")
def shop(shelf: Shelf) -> Iterator[Engine]:
    def fill(connection: Connection) -> None:
        connection.execute(text("SET session_replication_role = replica"))
        for statement in SEED:
            connection.execute(text(statement), {"now": FIRST_NOW, "n": ROWS})

    with filled(shelf, fill) as engine:
        yield engine


def the_cases() -> list[Case]:
    """Three places that show too much, pushed a day ago and read now, with an open drift."""
    at = FIRST_NOW - timedelta(days=1)
    push = replace(a_push(5, 2), sent_at=at, answered_at=at)
    case = replace(
        a_case(6, target=5, pushes=(push,)),
        location="WH",
        reading=Observation(6, None, FIRST_NOW),
        open_drift=OpenDrift(1000, 5, 6, 1, None),
    )
    return [replace(case, sku=sku) for sku in DIFFER]


def the_readings() -> list[Reading]:
    return [
        Reading(Binding("shop", sku, "WH", f"item-{sku}", "1"), 4, None, None, FIRST_NOW)
        for sku in DIFFER
    ]


def whole_tables(nodes: list[dict[str, object]]) -> list[object]:
    return [
        node["Relation Name"]
        for node in nodes
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
    ]


def test_evidence_is_found_by_the_keys_of_the_places(shop: Engine) -> None:
    with shop.connect() as connection:
        nodes = plan_of(connection, lambda: evidence.collect(connection, "shop", the_cases()))
        connection.rollback()

    assert whole_tables(nodes) == []
    assert {"posting_sku", "inbox_pending", "inbox_parked"} <= {n.get("Index Name") for n in nodes}


def test_whose_push_wrote_a_number_is_asked_by_its_second(shop: Engine) -> None:
    strange = [
        replace(case, reading=Observation(6, FIRST_NOW - timedelta(hours=3), FIRST_NOW))
        for case in the_cases()
    ]

    with shop.connect() as connection:
        nodes = plan_of(connection, lambda: crossings.collect(connection, "shop", strange))
        connection.rollback()

    assert whole_tables(nodes) == []
    assert "push_sent" in {n.get("Index Name") for n in nodes}


def test_targets_as_they_stood_are_found_by_their_places(shop: Engine) -> None:
    moved = [
        replace(case, orders_mark=FIRST_NOW, target=replace(case.target, set_at=later))
        for case in the_cases()
        for later in (FIRST_NOW + timedelta(seconds=5),)
    ]

    with shop.connect() as connection:
        nodes = plan_of(connection, lambda: stood.as_read(connection, "shop", moved))
        connection.rollback()

    assert whole_tables(nodes) == []
    assert {"target_history_of", "posting_sku"} <= {n.get("Index Name") for n in nodes}


def test_hindsight_goes_by_the_places_too(shop: Engine) -> None:
    def look() -> None:
        hindsight.label(
            connection,
            "shop",
            the_readings(),
            window_at=None,
            now=FIRST_NOW,
            grace=timedelta(seconds=60),
        )

    with shop.connect() as connection:
        nodes = plan_of(connection, look)
        connection.rollback()

    assert whole_tables(nodes) == []
    assert "target_history_of" in {n.get("Index Name") for n in nodes}


def test_late_orders_are_settled_from_a_minute_of_the_inbox(shop: Engine) -> None:
    with shop.connect() as connection:
        connection.execute(
            text(
                "UPDATE drift SET look_again_at = :now, seen_at = :now - interval '60 s' WHERE id = 5"
            ),
            {"now": FIRST_NOW - timedelta(days=2)},
        )
        nodes = plan_of(connection, lambda: aftermath.settle_late(connection, "shop", FIRST_NOW))
        connection.rollback()

    assert whole_tables(nodes) == []
    assert {"drift_look_again", "inbox_received"} <= {n.get("Index Name") for n in nodes}


def test_a_month_of_debt_is_read_by_its_time(shop: Engine) -> None:
    since = FIRST_NOW - timedelta(days=30)
    with shop.connect() as connection:
        nodes = plan_of(connection, lambda: debt.debts(connection, now=FIRST_NOW, since=since))
        connection.rollback()

    assert "drift" not in whole_tables(nodes)
