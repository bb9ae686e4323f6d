"""Canonical events at the relay, and the house behind it: 2xx is said only for what is kept."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from console.relay import application
from ledger.db import connect
from tests.builders import a_fact
from tests.console.door import (
    Door,
    a_door,
    a_door_with_channels,
    head,
    set_up_channels,
    the_settings,
)
from tests.servers import Database
from workers.wiring import NotSetUp

WRONG_TOKENS = (
    "Bearer wrong", "Bearer let-me-i", "Bearer let-me-inn", "Bearer  let-me-in", "Basic let-me-in",
    "let-me-in", "Bearer", "Bearer \xe9",
)  # fmt: skip


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.fixture
def door(database: Database) -> Iterator[Door]:
    with a_door_with_channels(database) as door:
        yield door


def test_one_event_is_kept(door: Door) -> None:
    answer = door.events(a_fact("receipt", units=3))

    assert (answer.status_code, answer.json()) == (200, {"kept": 1, "repeated": 0})
    assert door.inbox()[0][:3] == ("wms", "receipt:1", "fact")


@pytest.mark.parametrize("hours", [1, -1])
def test_whatever_the_clock_of_a_door_says_the_database_dates_what_it_takes(
    database: Database, hours: int
) -> None:
    def wrong() -> datetime:
        return datetime.now(UTC) + timedelta(hours=hours)

    set_up_channels(database)
    with a_door(the_settings(), database.engine, database, now=wrong) as door:
        door.events(a_fact("receipt", units=3))
        door.hook()

    with database.owner.connect() as connection:
        away = text("SELECT received_at BETWEEN now() - interval '1 minute' AND now() FROM inbox")
        assert list(connection.execute(away).scalars()) == [True, True]


def test_a_door_whose_clock_differs_by_a_second_dates_what_it_takes_itself(
    database: Database,
) -> None:
    at = datetime.now(UTC) - timedelta(seconds=1)
    with a_door(the_settings(), database.engine, database, now=lambda: at) as door:
        door.events(a_fact("receipt", units=3))

    with database.owner.connect() as connection:
        assert connection.execute(text("SELECT received_at FROM inbox")).scalar_one() == at


def test_what_is_to_come_is_told_at_the_same_door(door: Door) -> None:
    answer = door.events([a_fact("expected", units=3), a_fact("pull_forward", units=2)])
    refused = door.events(a_fact("expected", id="e2", units=3, due_at="soon"))

    assert answer.json() == {"kept": 2, "repeated": 0}
    assert refused.status_code == 400
    assert "due_at" in refused.text


def test_a_thousand_events_are_kept_and_one_more_is_too_many(database: Database) -> None:
    events = [a_fact("receipt", units=1, id=f"r:{n}") for n in range(1001)]

    with a_door(the_settings(relay_body_bytes=1_000_000), database.engine, database) as door:
        assert door.events(events[:1000]).json() == {"kept": 1000, "repeated": 0}
        assert door.events(events).status_code == 413
        assert len(door.inbox()) == 1000


def test_an_empty_list_is_refused(door: Door) -> None:
    assert door.events([]).status_code == 400


def test_a_wrong_token_is_refused(door: Door) -> None:
    for said in ("X-Nothing: 1", *(f"Authorization: {way}" for way in WRONG_TOKENS)):
        answer = door.raw(head(said, length=2, path="/events"), b"[]")

        assert answer.startswith(b"HTTP/1.1 401"), said


def test_without_a_token_the_door_is_closed(database: Database) -> None:
    with a_door(the_settings(relay_token=""), database.engine, database) as door:
        assert door.events(a_fact("receipt", units=1), token="").status_code == 404
        bare = door.raw(head("Authorization: Bearer ", length=2, path="/events"), b"{}")
        assert bare.startswith(b"HTTP/1.1 404")


def test_units_that_are_no_count_are_refused(door: Door) -> None:
    wrong: list[Any] = [-1, 0, 1.5, 1.0, "3", True, None, 10**10, 10**30, [1], math.nan]

    answers = {door.events(a_fact("receipt", units=units)).status_code for units in wrong}

    assert answers == {400}
    assert door.inbox() == []


def test_an_unknown_field_is_refused_by_name(door: Door) -> None:
    answer = door.events(a_fact("receipt", units=1, quantity=3))

    assert answer.status_code == 400
    assert "quantity" in answer.json()["error"]


def test_every_fault_is_named_by_its_place_and_nothing_is_kept(door: Door) -> None:
    events: list[Any] = [a_fact("receipt", units=1, id=f"r:{n}") for n in range(5)]
    events[1] |= {"units": -1}
    events[3] = "no event"
    events[4] |= {"kind": "gift"}

    answer = door.events(events)

    assert answer.status_code == 400
    assert [f"event {n}" in answer.json()["error"] for n in range(5)] == [
        False, True, False, True, True,
    ]  # fmt: skip
    assert door.inbox() == []


def test_a_long_list_of_faults_stays_short(door: Door) -> None:
    events = [{"kind": "receipt", "x" * 5000: n} for n in range(15)]

    answer = door.events(events)

    assert answer.status_code == 400
    assert len(answer.content) < 5000
    assert "more" in answer.json()["error"]


def test_a_reused_id_refuses_the_whole_request(door: Door) -> None:
    door.events(a_fact("receipt", units=1))

    answer = door.events([a_fact("receipt", units=1, id="new"), a_fact("receipt", units=2)])

    assert answer.status_code == 409
    assert "receipt:1" in answer.json()["error"]
    assert [row[1] for row in door.inbox()] == ["receipt:1"]


def test_one_request_that_contradicts_itself_is_refused(door: Door) -> None:
    answer = door.events([a_fact("receipt", units=1), a_fact("receipt", units=2)])

    assert answer.status_code == 409
    assert door.inbox() == []


def test_a_repeat_is_one_however_it_is_written(door: Door) -> None:
    fact = a_fact("receipt", units=1)
    door.events(fact)

    again = door.events(json.dumps(dict(reversed(fact.items())), indent=3).encode())

    assert again.json() == {"kept": 0, "repeated": 1}


def test_a_body_that_is_no_event_is_refused(door: Door) -> None:
    bodies = [
        b"",
        b"{",
        b"\xff",
        b"null",
        b"1",
        b'"\\ud800"',
        b'{"kind": "\\ud800"}',
        b'{"\\u0000": 1}',
        b'{"units": NaN}',
        b'{"units": 1e400}',
        b"[" + b"9" * 5000 + b"]",
        nested(250),
        nested(260),
        nested(600),
        nested(1020),
        nested(10_000),
        b'{"a":' * 10_000,
        b'{"a":' * 300 + b"1" + b"}" * 300,
    ]

    answers = [door.events(body) for body in bodies]

    assert {answer.status_code for answer in answers} == {400}
    assert all(answer.json()["error"] for answer in answers)
    assert door.inbox() == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
almost_facts = st.builds(
    lambda fact, wrong: fact | wrong,
    st.sampled_from(
        [a_fact("receipt", units=1), a_fact("order", units=1), a_fact("ship", units=1)]
    ),
    st.dictionaries(
        st.sampled_from(["units", "sku", "id", "source", "occurred_at", "kind", "reason", "x"]),
        json_values
        | st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:60Z", "\u202e"]),
        min_size=1,
    ),
)
bodies = st.one_of(
    st.binary(),
    json_values.map(lambda value: json.dumps(value).encode()),
    almost_facts.map(lambda value: json.dumps(value).encode()),
    st.lists(almost_facts, max_size=3).map(lambda value: json.dumps(value).encode()),
)


def test_no_body_at_all_makes_an_error_of_ours(door: Door) -> None:
    @hypothesis_settings(max_examples=150, deadline=None)
    @given(body=bodies, topic=st.text("/abc\xff \t", max_size=20), delivery_id=st.text("a\xff #"))
    def strange(body: bytes, topic: str, delivery_id: str) -> None:
        answers = [
            door.events(body),
            door.hook(body, topic=topic.strip(), delivery_id=delivery_id.strip()),
        ]

        assert all(answer.status_code < 500 for answer in answers), answers[0].text

    strange()
    assert door.hook(delivery_id="last").status_code == 200


# --- the house behind it ---


def test_without_a_database_nobody_is_told_that_it_was_kept(database: Database) -> None:
    nowhere = connect("postgresql+psycopg://lockstep_app@127.0.0.1:1/nowhere")

    with a_door(the_settings(), nowhere) as door:
        answers = [door.hook(), door.events(a_fact("receipt", units=1))]
        health = [
            door.raw(f"GET /{page} HTTP/1.1\nHost: x")[9:12] for page in ("healthz", "readyz")
        ]

    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [
        (503, "5"), (503, "5"),
    ]  # fmt: skip
    assert health == [b"200", b"503"]


def test_a_commit_that_fails_is_no_2xx(door: Door) -> None:
    assert door.database is not None
    with door.database.superuser.begin() as connection:
        connection.execute(
            text("""
                CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
                CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON inbox DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION full_disk();
            """)
        )

    answers = [door.hook(), door.events(a_fact("receipt", units=1))]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert door.inbox() == []


def test_a_channel_set_up_later_is_known_within_seconds(database: Database) -> None:
    with a_door(the_settings(), database.engine, database, channels_s=0.2) as door:
        assert door.hook().status_code == 404
        set_up_channels(database)
        time.sleep(0.3)

        assert door.hook().status_code == 200


def test_a_bell_rings_after_something_new_only(door: Door) -> None:
    door.hook()
    until = time.monotonic() + 5
    while not door.rung and time.monotonic() < until:
        time.sleep(0.01)
    rung = len(door.rung)

    door.hook()
    time.sleep(0.2)

    assert (rung, len(door.rung)) == (1, 1)


def test_a_broker_that_is_away_or_slow_holds_nobody_up(database: Database) -> None:
    set_up_channels(database)
    calls: list[int] = []

    def ring() -> None:
        calls.append(1)
        time.sleep(0.5)
        raise ConnectionError("no broker")

    with a_door(the_settings(), database.engine, database, ring=ring) as door:
        begun = time.monotonic()
        answers = [door.hook(delivery_id=f"d-{n}").status_code for n in range(20)]
        took_s = time.monotonic() - begun
        time.sleep(0.7)

    assert set(answers) == {200}
    assert took_s < 2
    # The ringer lives on after a failure, and coalesces.
    assert 2 <= len(calls) <= 6


def test_unusable_secrets_stop_the_relay_before_it_starts(database: Database) -> None:
    with pytest.raises(NotSetUp) as refused:
        application(the_settings(channel_secrets='{"shop": "hush"}'), database.engine, lambda: None)

    assert "hush" not in str(refused.value)
