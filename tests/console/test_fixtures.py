"""The promises the shared fixtures make to every other test."""

from __future__ import annotations

import socket
import tempfile
from datetime import timedelta

import pytest
import redis
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import ProgrammingError

from tests.databases import Shelf
from tests.servers import Clock, Database

A_DELIVERY = "INSERT INTO inbox (source, delivery_id, topic, body, received_at) VALUES ('x', '1', 't', '', now())"


@pytest.mark.parametrize("round_number", [1, 2])
def test_a_test_finds_nothing_of_the_one_before(
    database: Database, valkey: str, round_number: int
) -> None:
    with redis.Redis.from_url(valkey) as client, database.owner.begin() as connection:
        seen = connection.execute(text("SELECT to_regclass('left_behind')")).scalar_one()
        remembered = client.get("left_behind")

        connection.execute(text("CREATE TABLE left_behind (round int)"))
        client.set("left_behind", round_number)

    assert (seen, remembered) == (None, None)


def test_a_database_is_lent_again_as_it_was_copied(shelf: Shelf) -> None:
    used = shelf.lend()
    with used.superuser.begin() as connection:
        places = connection.execute(text("SELECT * FROM location ORDER BY location")).all()
        connection.execute(text(A_DELIVERY))
        connection.execute(text("DELETE FROM location"))

    shelf.take_back(used)
    again = shelf.lend()

    with again.engine.begin() as connection:
        kept = connection.execute(text("SELECT * FROM location ORDER BY location")).all()
        numbers = connection.execute(text(A_DELIVERY + " RETURNING id")).scalars().all()
        found = connection.execute(text("SELECT count(*) FROM inbox")).scalar_one()
    shelf.take_back(again)
    assert (again.name, kept, numbers, found) == (used.name, places, [1], 1)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE left_behind (round int)",
        "ALTER TABLE event DISABLE TRIGGER event_keeps_all",
        "GRANT DELETE ON event TO lockstep_app",
        "ALTER TABLE inbox ALTER topic SET DEFAULT 'x'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET jit = on', current_database()); END $$",
        "INSERT INTO sku (sku) SELECT 's' || n FROM generate_series(1, 20000) AS n",
    ],
    ids=["table", "trigger", "right", "column", "setting", "many rows"],
)
def test_a_database_that_was_changed_is_not_lent_again(shelf: Shelf, change: str) -> None:
    used = shelf.lend()
    with used.superuser.begin() as connection:
        connection.execute(text(change))

    shelf.take_back(used)
    next_one = shelf.lend()

    shelf.take_back(next_one)
    assert next_one.name != used.name


def test_a_database_that_somebody_still_uses_is_not_lent_again(shelf: Shelf) -> None:
    used = shelf.lend()
    stranger = create_engine(used.app_url, poolclass=NullPool)
    with stranger.connect() as connection:
        connection.execute(text("SELECT 1"))

        shelf.take_back(used)
        next_one = shelf.lend()

        connection.invalidate()
    shelf.take_back(next_one)
    assert next_one.name != used.name


def test_the_three_engines_are_three_roles(database: Database) -> None:
    engines = (database.engine, database.owner, database.superuser)
    roles = []
    for engine in engines:
        with engine.connect() as connection:
            roles.append(connection.execute(text("SELECT current_user")).scalar_one())

    assert roles == ["lockstep_app", "lockstep", "postgres"]


def test_the_owner_is_no_superuser_but_may_make_roles(database: Database) -> None:
    with database.owner.connect() as connection:
        rights = connection.execute(
            text("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user")
        ).one()

    assert tuple(rights) == (False, True)


def test_the_application_role_owns_nothing(database: Database) -> None:
    with database.engine.connect() as connection, pytest.raises(ProgrammingError, match="denied"):
        connection.execute(text("CREATE TABLE mine (a int)"))


def test_a_bare_database_has_no_schema_of_ours(bare_database: Database) -> None:
    with bare_database.owner.connect() as connection:
        tables = connection.execute(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        ).scalar_one()

    assert tables == 0


def test_the_clock_stands_until_it_is_moved(clock: Clock) -> None:
    before = clock.now

    clock.advance(90)

    assert clock.now - before == timedelta(seconds=90)


def test_no_test_reaches_the_network() -> None:
    with socket.socket() as probe, pytest.raises(BaseException, match=r"127\.0\.0\.1 only"):
        probe.connect(("192.0.2.1", 80))
    with pytest.raises(BaseException, match=r"127\.0\.0\.1 only"):
        socket.getaddrinfo("shop.example", 443)


def test_loopback_and_unix_sockets_stay_open() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as door,
        socket.create_connection(door.getsockname()) as caller,
    ):
        assert caller.getpeername() == door.getsockname()
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(f"{folder}/s")
        unix.listen()
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(f"{folder}/s")
