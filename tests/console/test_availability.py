"""What stores may promise, asked over HTTP: true as of the moment named, whatever becomes of Redis and the database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from sqlalchemy import text

from tests.console.window import RULES, TOKEN, Window, a_window, away
from tests.databases import Servers
from tests.servers import Database
from tests.workers.shelf import apply


@pytest.fixture
def window(database: Database, valkey: str) -> Iterator[Window]:
    """Answers may be half a minute old: what a test sees changed was computed anew."""
    with a_window(database, valkey) as window:
        yield window


def test_an_answer_names_its_moment_its_versions_and_its_arithmetic(window: Window) -> None:
    window.say("receipt", units=20)
    before = datetime.now(UTC)

    answer = window.ask()

    said = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert (said["sku"], said["location"], said["units"]) == ("MUG-RED", "STORE-1", 15)
    assert [said[term] for term in ("available", "safety", "threshold", "owed")] == [20, 2, 3, 0]
    assert said["version"] == {"rules": 1, "ledger": 1}
    assert before <= datetime.fromisoformat(said["as_of"]) <= datetime.now(UTC)
    assert 0 <= said["age_s"] < 5
    assert said["max_age_s"] == 30


def test_without_a_location_all_that_have_pick_up_answer(window: Window) -> None:
    window.say("receipt", units=20)
    window.say("receipt", units=4, location="STORE-2")
    window.say("receipt", units=100, location="WH")

    said = window.ask(query="").json()

    assert [(one["location"], one["units"]) for one in said["locations"]] == [
        ("STORE-1", 15),
        ("STORE-2", 4),
    ]
    assert said["units"] == 19


def test_what_is_sold_or_held_is_gone_from_the_number_within_its_age(
    database: Database, valkey: str
) -> None:
    with a_window(database, valkey, age_s=0.2) as window:
        window.say("receipt", units=20)
        assert window.units() == 15

        window.say("order", units=4, order="1")
        booked = datetime.now(UTC)
        window.say("reservation", units=3)

        said = window.ask().json()
        while datetime.fromisoformat(said["as_of"]) <= booked:
            assert said["age_s"] <= 0.2
            assert said["units"] in (15, 11)
            said = window.ask().json()
        while said["version"]["ledger"] < 3:
            assert said["age_s"] <= 0.2
            said = window.ask().json()
        assert said["units"] == 8


def test_an_answer_from_redis_is_as_old_as_it_says(window: Window) -> None:
    window.say("receipt", units=20)
    first = window.ask().json()
    window.kept()
    window.say("order", units=4, order="1")

    asked = datetime.now(UTC)
    second = window.ask().json()

    assert second["as_of"] == first["as_of"]
    assert second["units"] == first["units"] == 15
    assert datetime.fromisoformat(second["as_of"]) + timedelta(seconds=second["age_s"]) >= asked


def test_after_redis_lost_everything_an_answer_is_of_now_or_young(window: Window) -> None:
    window.say("receipt", units=20)
    assert window.units() == 15
    window.kept()
    window.say("order", units=4, order="1")
    assert window.units() == 15, "from Redis"

    window.redis.flushdb()

    comes_to(window, 11, instead_of=15)


def comes_to(window: Window, units: int, *, instead_of: int) -> None:
    """Long before the old number would be too old: a busy database takes longer than an answer may."""
    said = window.ask().json()
    while said["units"] != units:
        assert said["units"] == instead_of
        assert said["age_s"] <= said["max_age_s"] / 2
        said = window.ask().json()


@pytest.mark.parametrize(
    "dirt",
    [
        b"",
        b"junk",
        b"1 1 99999999999999999999999\n{}",
        b"99 99 1\n{}",
        b"1 1 9000000000000000\n{}",
        "list",
    ],
)
def test_what_redis_should_not_hold_is_not_believed_and_gives_way(
    window: Window, dirt: bytes | str
) -> None:
    window.say("receipt", units=20)
    window.units()
    key = window.kept()
    window.redis.delete(key)
    if dirt == "list":
        window.redis.rpush(key, "x")
    else:
        window.redis.set(key, dirt)

    assert window.units() == 15
    assert window.units() == 15


def test_without_redis_the_database_answers(database: Database) -> None:
    with a_window(database, "redis://127.0.0.1:1/0") as window:
        window.say("receipt", units=20)
        assert window.units() == 15
        window.say("order", units=4, order="1")
        comes_to(window, 11, instead_of=15)


def test_without_redis_and_database_what_was_computed_is_said_within_its_age(
    servers: Servers, database: Database, valkey: str
) -> None:
    with a_window(database, valkey) as window:
        window.say("receipt", units=20)
        assert window.units() == 15

        with away(servers, database):
            window.redis.flushdb()
            said = window.ask().json()

        assert said["units"] == 15
        assert 0 < said["age_s"] <= said["max_age_s"]


def test_without_the_database_nothing_is_answered_beyond_its_age(
    servers: Servers, database: Database, valkey: str
) -> None:
    with a_window(database, valkey, age_s=0.5) as window:
        window.say("receipt", units=20)
        assert window.units() == 15

        with away(servers, database):
            answers = [window.ask()]
            while answers[-1].status_code == 200:
                answers.append(window.ask())

            assert all(answer.json()["age_s"] <= 0.5 for answer in answers[:-1])
            assert answers[-1].status_code == 503
            assert answers[-1].headers["retry-after"] == "1"
            assert "ledger" in answers[-1].json()["error"]
        assert window.units() == 15, "it is back"


def test_new_rules_hold_within_the_age(database: Database, valkey: str) -> None:
    with a_window(database, valkey, age_s=0.1) as window:
        window.say("receipt", units=20)
        assert window.units() == 15

        with database.engine.begin() as connection:
            apply(connection, RULES.replace("threshold = 3", "threshold = 9"), datetime.now(UTC))

        said = window.ask().json()
        while said["version"]["rules"] == 1:
            assert said["age_s"] <= 0.1
            said = window.ask().json()
        assert (said["units"], said["threshold"]) == (9, 9)


def test_a_location_gains_and_loses_its_pick_up(database: Database, valkey: str) -> None:
    with a_window(database, valkey, age_s=0.0) as window:
        window.say("receipt", units=20, location="WH")
        assert window.ask(query="location=WH").status_code == 404

        more = (
            '[locations.WH]\n[locations.WH.pickup]\nhours = 0\nloss_per_day = 0\nwhy = "opened"\n'
        )
        with database.engine.begin() as connection:
            apply(connection, RULES.replace("[locations.WH]\n", more), datetime.now(UTC))
        assert window.units(location="WH") == 20

        with database.engine.begin() as connection:
            apply(connection, RULES, datetime.now(UTC))
        assert window.ask(query="location=WH").status_code == 404


def test_a_count_of_nothing_shows_nothing_and_a_failed_pick_is_one(
    database: Database, valkey: str
) -> None:
    with a_window(database, valkey, age_s=0.0) as window:
        window.say("receipt", units=20)
        window.say("count", counted=0)

        said = window.ask().json()

        assert (said["units"], said["available"]) == (0, 0)
        assert said["counted_at"] is not None


def test_a_bundle_is_promised_by_its_scarcest_part(database: Database, valkey: str) -> None:
    with a_window(database, valkey, age_s=0.0) as window:
        with database.owner.begin() as connection:
            connection.execute(text("INSERT INTO sku (sku) VALUES ('SET')"))
            connection.execute(
                text(
                    "INSERT INTO bundle (sku, component, units) VALUES ('SET', 'MUG-RED', 4), ('SET', 'MUG-BLUE', 1)"
                )
            )
        window.say("receipt", units=11, location="STORE-2")
        window.say("receipt", units=9, location="STORE-2", sku="MUG-BLUE")

        said = window.ask("SET", "location=STORE-2").json()

        assert said["units"] == 2
        assert [(p["sku"], p["each"], p["units"]) for p in said["parts"]] == [
            ("MUG-BLUE", 1, 9),
            ("MUG-RED", 4, 11),
        ]


def test_a_sku_of_any_script_with_a_slash_is_found(window: Window) -> None:
    window.say("receipt", units=20, sku="Größe/2 x")

    assert window.units("Größe/2 x") == 15
    slashed = f"{window.url}/availability/Gr%C3%B6%C3%9Fe/2%20x"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert requests.get(slashed, headers=headers, timeout=10).json()["units"] == 30 - 15


# ---- races ----


@dataclass
class Market:
    """Sales, questions and losses of Redis, all at once.

    ended    ledger version -> when the sale that ended it was in the book
    heard    (when it was asked, the answer)
    """

    window: Window
    ended: dict[int, float] = field(default_factory=dict)
    heard: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def sell(self) -> None:
        for number in range(60):
            self.window.say("order", units=1, order=f"o{number}")
            self.ended[number + 1] = datetime.now(UTC).timestamp()
        self.over.set()

    def ask(self) -> None:
        with requests.Session() as wire:
            own = replace(self.window, wire=wire)
            while not self.over.is_set():
                asked = datetime.now(UTC).timestamp()
                self.heard.append((asked, own.ask().json()))

    def lose(self) -> None:
        while not self.over.wait(0.03):
            self.window.redis.flushdb()


def test_under_concurrent_sales_every_answer_is_one_that_the_book_gave(
    database: Database, valkey: str
) -> None:
    """Each ledger version has one number, and no answer tells one that had been over when it says it was true."""
    with a_window(database, valkey, age_s=0.05) as window:
        window.say("receipt", units=200)
        market = Market(window)
        works = (market.sell, market.ask, market.ask, market.ask, market.lose)
        threads = [threading.Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(market.heard) > 100
    for asked, said in market.heard:
        version = said["version"]["ledger"]
        true_at = datetime.fromisoformat(said["as_of"]).timestamp()
        assert said["available"] == 201 - version
        assert said["units"] == said["available"] - 5
        assert said["age_s"] <= 0.05 or true_at >= asked
        assert true_at + said["age_s"] >= asked
        assert market.ended.get(version, float("inf")) > true_at
