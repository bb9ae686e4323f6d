"""Reading straight from the driver: the same rows and errors as the long way."""

from __future__ import annotations

import os
import socket

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from ledger import catalogue
from ledger.db import (
    NetworkInTransaction,
    ahead,
    connect,
    fetch,
    refuse_inside_transaction,
    rehearsal,
    send,
    transaction,
)
from tests.databases import Servers
from tests.servers import Database

_SUM = text("SELECT CAST(:one AS integer) + 1 AS two, CAST(:words AS text[]) AS words")
_NOWHERE = text("SELECT 1 FROM nowhere WHERE :one = 1")
_ADD = text("INSERT INTO sku (sku, title) VALUES (:sku, '')")
_ADDED = text("SELECT sku FROM sku WHERE sku LIKE 'AHEAD-%' ORDER BY sku")
_ME = text("SELECT pg_backend_pid() AS pid")


def test_rows_have_the_names_of_their_columns(database: Database) -> None:
    with transaction(database.engine) as connection:
        (row,) = fetch(connection, _SUM, {"one": 1, "words": ["50%", "a:b"]})

    assert (row.two, row.words) == (2, ["50%", "a:b"])


def test_what_the_server_refuses_is_raised_as_by_any_statement(database: Database) -> None:
    with (
        pytest.raises(ProgrammingError, match="nowhere") as refused,
        transaction(database.engine) as connection,
    ):
        fetch(connection, _NOWHERE, {"one": 1})

    assert not refused.value.connection_invalidated


def test_it_is_part_of_the_transaction_of_its_connection(database: Database) -> None:
    with database.engine.connect() as connection, connection.begin() as work:
        first = fetch(connection, text("SELECT txid_current() AS id"), {})
        assert connection.execute(text("SELECT txid_current()")).scalar_one() == first[0].id
        work.rollback()


def test_a_connection_that_was_lost_is_given_up_and_the_next_one_works(
    servers: Servers, database: Database
) -> None:
    engine = connect(database.app_url, pool=1)
    try:
        with engine.connect() as connection:
            _lose(servers, connection)
            with pytest.raises(OperationalError) as lost:
                fetch(connection, _ME, {})
        assert lost.value.connection_invalidated
        with transaction(engine) as connection:
            assert fetch(connection, _ME, {})
    finally:
        engine.dispose()


def test_what_is_sent_ahead_is_there_for_whoever_reads_after_it(database: Database) -> None:
    with transaction(database.engine) as connection:
        with ahead(connection):
            for n in range(3):
                send(connection, _ADD, {"sku": f"AHEAD-{n}"})
            seen = [row.sku for row in fetch(connection, _ADDED, {})]
            send(connection, _ADD, {"sku": "AHEAD-3"})
        after = [row.sku for row in fetch(connection, _ADDED, {})]

    assert seen == ["AHEAD-0", "AHEAD-1", "AHEAD-2"]
    assert after == [*seen, "AHEAD-3"]


def test_what_the_server_refuses_of_it_is_raised_by_the_end_and_nothing_of_it_stays(
    database: Database,
) -> None:
    with pytest.raises(IntegrityError, match="AHEAD-TWICE") as refused:
        _send_ahead(database, "AHEAD-TWICE", "AHEAD-TWICE", "AHEAD-LATER")

    assert "duplicate key" in str(refused.value.orig)
    with transaction(database.engine) as connection:
        assert not fetch(connection, _ADDED, {})


def test_a_connection_that_is_lost_with_statements_on_their_way_is_given_up(
    servers: Servers, database: Database
) -> None:
    engine = connect(database.app_url, pool=1)
    try:
        with engine.connect() as connection:
            _lose(servers, connection)
            with pytest.raises(OperationalError) as lost, ahead(connection):
                send(connection, _ADD, {"sku": "AHEAD-LOST"})
        assert lost.value.connection_invalidated
        with transaction(engine) as connection:
            assert not fetch(connection, _ADDED, {})
    finally:
        engine.dispose()


def test_a_connection_that_died_while_nobody_used_it_is_replaced_unseen(
    servers: Servers, database: Database
) -> None:
    engine = connect(database.app_url, pool=2, idle_s=0)
    try:
        with engine.connect() as first, engine.connect() as second:
            dead = [fetch(connection, _ME, {})[0].pid for connection in (first, second)]
        with servers.connect() as other:
            for pid in dead:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

        with transaction(engine) as one, transaction(engine) as another:
            alive = [fetch(connection, _ME, {})[0].pid for connection in (one, another)]
        assert not set(alive) & set(dead)
    finally:
        engine.dispose()


def _lose(servers: Servers, connection: Connection) -> None:
    (mine,) = fetch(connection, _ME, {})
    with servers.connect() as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (mine.pid,))


def _send_ahead(database: Database, *skus: str) -> None:
    with transaction(database.engine) as connection, ahead(connection):
        for sku in skus:
            send(connection, _ADD, {"sku": sku})


def _add_and_fail(database: Database) -> None:
    with transaction(database.engine) as connection:
        catalogue.add_skus(connection, {"REHEARSED-2": ""})
        connection.execute(text("SELECT 1 FROM nowhere"))


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="another name elsewhere")
def test_a_server_that_is_gone_without_a_word_is_given_up_within_a_minute(
    database: Database,
) -> None:
    """Nobody can be silent in a test for so long: what the kernel was told is looked at instead."""
    engine = connect(database.app_url)
    try:
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            with socket.socket(fileno=os.dup(driver.fileno())) as line:
                asks = line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                after_s, every_s, times = (
                    line.getsockopt(socket.IPPROTO_TCP, option)
                    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
                )
    finally:
        engine.dispose()

    assert asks
    assert after_s + every_s * times <= 60


def test_what_is_rehearsed_is_seen_while_it_lasts_and_taken_back(database: Database) -> None:
    count = text("SELECT count(*) FROM sku WHERE sku LIKE 'REHEARSED-%'")
    with rehearsal(database.engine):
        with transaction(database.engine) as connection:
            catalogue.add_skus(connection, {"REHEARSED-1": ""})
        with pytest.raises(ProgrammingError):
            _add_and_fail(database)
        with transaction(database.engine) as connection:
            inside = connection.execute(count).scalar_one()
        with pytest.raises(NetworkInTransaction):
            refuse_inside_transaction("a call")
    with transaction(database.engine) as connection:
        after = connection.execute(count).scalar_one()

    assert (inside, after) == (1, 0)
