"""What stores may promise, asked over HTTP: true as of the moment named, whatever becomes of Redis and the database."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import redis
import requests
from sqlalchemy import text

from ledger.db import connect
from tests.builders import a_fact, book, stock_the_house
from tests.console.door import a_door, the_settings
from tests.databases import Servers
from tests.servers import Database
from tests.workers.shelf import apply

RULES = """\
[locations.WH]
[locations.STORE-1]
kind = "store"
safety_units = 2
why = "shelf"
[locations.STORE-1.pickup]
confidence = 0.97
threshold = 3
hours = 0
loss_per_day = 0
why = "the last three are hard to find"
[locations.STORE-2]
kind = "store"
[locations.STORE-2.pickup]
threshold = 0
hours = 0
loss_per_day = 0
why = "counted every morning"
[exposure]
per_day = 0
why = "nothing sells by itself here"
"""
TOKEN = "shop-window"
SKUS = ("MUG-RED", "MUG-BLUE", "Größe/2 x")


@dataclass
class Window:
    """A relay whose availability door is open, and the ledger behind it."""

    database: Database
    url: str
    redis: redis.Redis
    wire: requests.Session = field(default_factory=requests.Session)
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ask(self, sku: str = "MUG-RED", query: str = "location=STORE-1", token: str = TOKEN) -> Any:
        path = f"{self.url}/availability/{quote(sku, safe='')}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.wire.get(f"{path}?{query}" if query else path, headers=headers, timeout=10)

    def units(self, sku: str = "MUG-RED", location: str = "STORE-1") -> int:
        answer = self.ask(sku, f"location={location}")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["units"])

    def say(self, kind: str, **said: Any) -> None:
        """A fact of this moment in the book."""
        fact = {"id": f"{kind}:{next(self.serial)}", "location": "STORE-1"} | said
        when = {"occurred_at": datetime.now(UTC)} | fact
        book(self.database.engine, a_fact(kind, **when), now=datetime.now(UTC))

    def keys(self) -> list[bytes | str]:
        return list(self.redis.keys("*pickup:*"))


@contextmanager
def a_window(
    database: Database, valkey: str, *, age_s: float = 30.0, rules: str = RULES
) -> Iterator[Window]:
    stock_the_house(database.engine, SKUS, ())
    with database.engine.begin() as connection:
        apply(connection, rules, datetime.now(UTC))
    settings = the_settings(redis_url=valkey, availability_token=TOKEN, availability_age_s=age_s)
    engine = connect(database.app_url)
    with (
        redis.Redis.from_url(valkey) as client,
        a_door(settings, engine, database) as door,
    ):
        window = Window(database, door.url, client)
        try:
            yield window
        finally:
            window.wire.close()
    engine.dispose()


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
    window.say("order", units=4, order="1")
    time.sleep(0.05)

    asked = datetime.now(UTC)
    second = window.ask().json()

    assert second["as_of"] == first["as_of"]
    assert second["units"] == first["units"] == 15
    assert datetime.fromisoformat(second["as_of"]) + timedelta(seconds=second["age_s"]) >= asked


def test_after_redis_lost_everything_the_next_answer_is_of_now(window: Window) -> None:
    window.say("receipt", units=20)
    assert window.units() == 15
    window.say("order", units=4, order="1")
    assert window.units() == 15, "from Redis"

    window.redis.flushdb()

    assert window.units() == 11


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
    (key,) = window.keys()
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
        assert window.units() == 11


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


@contextmanager
def away(servers: Servers, database: Database) -> Iterator[None]:
    """Nobody gets into the database, and who is in is put out."""
    database.dispose()
    allow = f"ALTER DATABASE {database.name} WITH ALLOW_CONNECTIONS"
    with servers.connect() as connection:
        connection.execute(f"{allow} false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [database.name],
        )
        try:
            yield
        finally:
            connection.execute(f"{allow} true")


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


# ---- who may not, and what cannot be asked ----


def test_the_door_is_closed_without_a_token_of_ours(database: Database, window: Window) -> None:
    assert {window.ask(token=token).status_code for token in ("", "wrong", TOKEN + "x")} == {401}
    assert "LOCKSTEP_AVAILABILITY_TOKEN" in window.ask(token="").json()["error"]
    with a_door(the_settings(), database.engine, database) as door:
        answer = requests.get(f"{door.url}/availability/MUG-RED", timeout=10)
        assert answer.status_code == 404
        assert "LOCKSTEP_AVAILABILITY_TOKEN" in answer.json()["error"]


@pytest.mark.parametrize(
    ("sku", "query", "words"),
    [
        ("MUG-GREEN", "location=STORE-1", "no SKU 'MUG-GREEN'"),
        ("MUG-GREEN", "", "no SKU 'MUG-GREEN'"),
        ("MUG-RED", "location=STORE-9", "they are at STORE-1, STORE-2"),
        ("MUG-RED", "location=WH", "no orders are picked up at 'WH'"),
        ("MUG-RED", "location=OUTSIDE", "no orders are picked up at 'OUTSIDE'"),
    ],
)
def test_what_is_not_there_is_named(window: Window, sku: str, query: str, words: str) -> None:
    answer = window.ask(sku, query)

    assert answer.status_code == 404
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    ("sku", "query"),
    [
        ("MUG-RED", "location="),
        ("MUG-RED", "location=STORE-1&location=STORE-2"),
        ("MUG-RED", "place=STORE-1"),
        ("MUG-RED", "location=STORE-1&channel=shop"),
        ("MUG-RED", "location=a%00b"),
        ("MUG\0RED", ""),
        ("x" * 129, ""),
        ("MUG-RED", "location=" + "x" * 129),
    ],
)
def test_what_cannot_be_asked_is_refused(window: Window, sku: str, query: str) -> None:
    answer = window.ask(sku, query)

    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "target",
    [
        "/availability/%FF%FE?location=%FF",
        "/availability/%ED%A0%80",
        "/availability/../availability/MUG-RED",
        "/availability/%2e%2e%2f",
        "/availability/MUG-RED?" + "&" * 3000,
        "/availability/MUG-RED?location=%",
        "/availability/'; DROP TABLE sku; --",
        "/availability/" + "%F0%9F%92%A9" * 100,
    ],
)
def test_odd_addresses_are_no_errors_of_ours(window: Window, target: str) -> None:
    request = requests.Request("GET", window.url, headers={"Authorization": f"Bearer {TOKEN}"})
    prepared = request.prepare()
    prepared.url = window.url + target.replace(" ", "%20")

    assert window.wire.send(prepared, timeout=10).status_code < 500


def test_other_methods_are_refused(window: Window) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (
            requests.request(method, f"{window.url}/availability/MUG-RED", timeout=10).status_code
            == 405
        )


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
