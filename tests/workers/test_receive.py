"""The Celery door: whatever a relay of one's own hands over is kept once, in full, and answered for by the drain."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from ledger.inbox import Kept
from tests.builders import NOON, a_fact, a_house, balance, stock_the_house
from tests.servers import Database
from workers.flows.ingest import drain
from workers.flows.receive import kept_headers, name_of, receive


def hand_over(
    database: Database,
    body: Any,
    *,
    source: Any = "wms",
    topic: Any = "fact",
    delivery_id: Any = "d-1",
    headers: Any = None,
) -> Kept:
    return receive(database.engine, source, topic, delivery_id, headers, body, now=NOON)


def bodies(database: Database) -> list[bytes]:
    with database.engine.connect() as connection:
        return [
            bytes(body)
            for body in connection.execute(text("SELECT body FROM inbox ORDER BY id")).scalars()
        ]


def states(database: Database) -> list[tuple[str, str]]:
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT state, coalesce(error, '') FROM inbox ORDER BY id"))
        return [(row[0], row[1]) for row in rows]


def test_a_fact_handed_over_as_text_bytes_or_value_reaches_the_book(database: Database) -> None:
    stock_the_house(database.engine)
    facts = [a_fact("receipt", units=2, id=f"r:{n}") for n in range(4)]
    written = [json.dumps(fact) for fact in facts]

    hand_over(database, written[0], delivery_id="1")
    hand_over(database, written[1].encode(), delivery_id="2")
    hand_over(database, "base64:" + base64.b64encode(written[2].encode()).decode(), delivery_id="3")
    hand_over(database, facts[3], delivery_id="4")
    drain(a_house(database.engine), now=NOON)

    assert balance(database.engine)["available"] == 8


def test_what_a_worker_takes_in_by_a_wrong_clock_is_dated_by_the_database(
    database: Database,
) -> None:
    hour = datetime.now(UTC) + timedelta(hours=1)
    receive(
        database.engine, "wms", "fact", "d-1", None, "{}", now=hour, tolerated=timedelta(seconds=5)
    )

    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT received_at <= now() FROM inbox")).scalar_one()


def test_a_message_that_comes_twice_is_kept_once(database: Database) -> None:
    hand_over(database, "{}")

    assert hand_over(database, "{}").repeated == (0,)
    assert len(bodies(database)) == 1


def test_a_reused_id_loses_neither_body(database: Database) -> None:
    for _ in range(2):
        hand_over(database, "1")
        hand_over(database, "2")

    assert bodies(database) == [b"1", b"2"]


def test_deliveries_without_an_id_are_known_by_their_bodies(database: Database) -> None:
    for delivery_id in ("", None, " \0"):
        hand_over(database, "1", delivery_id=delivery_id)
        hand_over(database, "2", delivery_id=delivery_id)

    assert bodies(database) == [b"1", b"2"]


def test_ids_that_differ_at_their_end_only_are_two(database: Database) -> None:
    for end in "ab":
        hand_over(database, end, delivery_id="x" * 400 + end)

    assert bodies(database) == [b"a", b"b"]


@pytest.mark.parametrize(
    "body",
    [
        None,
        True,
        math.nan,
        math.inf,
        10**400,
        [],
        {"a": {"b": [1, "\ud800"]}},
        "\ud800",
        "base64:no base64 \ud800",
        "base64:%%%",
        "\0",
        "",
        b"\xff\x00",
        {"when": NOON},
    ],
)
def test_any_value_is_kept_and_the_drain_says_what_is_wrong_with_it(
    database: Database, body: Any
) -> None:
    hand_over(database, body)
    drain(a_house(database.engine), now=NOON)

    [(state, why)] = states(database)
    assert state == "rejected"
    assert why


def test_a_value_nested_beyond_reason_is_kept_as_such(database: Database) -> None:
    body: Any = []
    for _ in range(100_000):
        body = [body]

    hand_over(database, body)

    assert len(bodies(database)) == 1


@pytest.mark.parametrize("headers", [None, "none", ["a"], 3, {"X-Shopify-A": None, 4: "\ud800\0"}])
def test_headers_of_any_shape_hold_nothing_up(database: Database, headers: Any) -> None:
    assert hand_over(database, "{}", headers=headers).fresh == (0,)


@pytest.mark.parametrize("name", ["", None, 17, "\0", "\ud800", "x" * 5000, "\u202e", ["a"]])
def test_names_of_any_shape_hold_nothing_up(database: Database, name: Any) -> None:
    assert hand_over(database, "{}", source=name, topic=name, delivery_id=name).fresh == (0,)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(body=json_values, source=json_values, topic=json_values, headers=json_values)
@hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_handed_over_is_lost(
    database: Database, body: Any, source: Any, topic: Any, headers: Any
) -> None:
    before = len(bodies(database))

    kept = hand_over(
        database, body, source=source, topic=topic, delivery_id=str(before), headers=headers
    )

    assert len(kept.fresh) == 1
    assert len(bodies(database)) == before + 1


def test_an_unknown_source_is_parked_with_what_to_do(database: Database) -> None:
    hand_over(database, "{}", source="myshop", topic="orders/create")
    drain(a_house(database.engine), now=NOON)

    [(state, why)] = states(database)
    assert state == "parked"
    assert "'myshop'" in why


def test_what_opens_a_door_is_never_kept() -> None:
    kept = kept_headers(
        {
            "X-Shopify-Access-Token": "1",
            "x-amz-security-token": "1",
            "X-Shopify-Topic": "orders/create",
            "Cookie": "1",
            "Authorization": "1",
            "X-Forwarded-For": "1",
            "WEBHOOK-ID": "w",
        }
    )

    assert kept == {"x-shopify-topic": "orders/create", "webhook-id": "w"}


def test_a_name_is_told_from_its_neighbours_and_stays_the_same() -> None:
    long = "x" * 300

    assert name_of(" a\0b ") == "ab"
    assert name_of(long + "a") != name_of(long + "b")
    assert name_of(name_of(long)) == name_of(long)
    assert len(name_of("\U0001f600" * 400)) == 255
