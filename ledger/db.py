"""Connections to PostgreSQL: one engine a process, one kind of transaction, and a guard against waiting inside one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import OperationalError
from psycopg.errors import InsufficientPrivilege, InvalidParameterValue
from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Dialect, Engine, TextClause, create_engine, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError

from ledger.lists import Lists

_open_transactions: ContextVar[int] = ContextVar("open_transactions", default=0)
_rehearsal: ContextVar[Connection | None] = ContextVar("rehearsal", default=None)


class NetworkInTransaction(RuntimeError):
    """A call to the outside was about to be made while a transaction is open.

    If you see this, a flow holds locks while it waits for a vendor: commit first, call, then open the next transaction.
    It is our own mistake and should not be caught.
    """


class UnfitDatabase(Exception):
    """The database cannot hold a ledger as it was made; the message says how to make one that can."""


def connect(
    url: str, *, pool: int = 8, application: str = "lockstep", idle_s: float = 1.0
) -> Engine:
    """An engine for the application role.

    url          SQLAlchemy URL; a login other than lockstep_app becomes it with SET ROLE
    pool         connections kept and allowed
    application  name shown in pg_stat_activity
    idle_s       a connection that nobody used for longer is asked whether it still lives
    """
    engine = create_engine(
        url,
        pool_size=pool,
        max_overflow=2,
        pool_recycle=1800,
        connect_args={
            "application_name": application[:63],
            "connect_timeout": 5,
            # A server that is gone without a word is asked for after half a minute and given up after one; the kernel's
            # own answer is two hours, and whoever waits for rows meanwhile is lost to its queue.
            "keepalives": 1,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 60_000,
            # PostgreSQL prices a random page for a disk with a moving head (4.0) and then reads a whole table where
            # an index would do; a ledger lives on flash and mostly in memory.
            "client_encoding": "utf8",
            "options": "-c timezone=UTC -c lock_timeout=5s -c statement_timeout=30s"
            " -c idle_in_transaction_session_timeout=30s -c random_page_cost=1.1",
        },
    )

    @event.listens_for(engine, "checkin")
    def _remember_its_use(_connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _ask_whether_it_lives(connection: Any, record: Any, _proxy: Any) -> None:
        # What worked a moment ago works: to ask each time takes as long as a statement. Where the server has gone in
        # that moment, the work fails and is done again, as it would have done in the middle.
        if time.monotonic() - record.info.get("used", 0.0) > idle_s:
            try:
                engine.dialect.do_ping(connection)
            except psycopg.Error as error:
                raise InvalidatePoolError(str(error)) from error

    @event.listens_for(engine, "connect")
    def _take_the_lesser_role(connection: Any, _record: Any) -> None:
        connection.adapters.register_dumper(list, Lists)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            login = cursor.fetchone()[0]
            if login != "lockstep_app":
                _become_the_application(cursor, login)
        connection.commit()

    return engine


def _become_the_application(cursor: Any, login: str) -> None:
    try:
        cursor.execute("SET ROLE lockstep_app")
    except (InvalidParameterValue, InsufficientPrivilege) as error:
        raise OperationalError(
            f"login {login} cannot become lockstep_app ({str(error).strip()}): migrate the database"
            f" (lockstep db upgrade), or as an administrator: GRANT lockstep_app TO {login}"
        ) from error


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed when the block ends, rolled back when it raises."""
    rehearsed = _rehearsal.get()
    token = _open_transactions.set(_open_transactions.get() + 1)
    try:
        if rehearsed is not None:
            with rehearsed.begin_nested():
                yield rehearsed
        else:
            with engine.begin() as connection:
                yield connection
    finally:
        _open_transactions.reset(token)


@contextmanager
def rehearsal(engine: Engine) -> Iterator[None]:
    """What this thread does by `transaction` in this block is done, can be read there, and is taken back at its end.

    It holds its locks until then. What calls the network is refused: outside nothing can be taken back.
    """
    with engine.connect() as connection, connection.begin() as whole:
        token = _rehearsal.set(connection)
        opened = _open_transactions.set(_open_transactions.get() + 1)
        try:
            yield
        finally:
            _open_transactions.reset(opened)
            _rehearsal.reset(token)
            if whole.is_active:
                whole.rollback()


#: With more rows than these a plan pays for itself.
_FEW = 50


@lru_cache(maxsize=256)
def _as_the_driver_reads_it(statement: TextClause, dialect: Dialect) -> bytes:
    return str(statement.compile(dialect=dialect)).encode()


def fetch(connection: Connection, statement: TextClause, values: Mapping[str, object]) -> list[Any]:
    """What a statement returns, straight from the driver: for the few that are asked all the time.

    SQLAlchemy takes as long to prepare a small statement and to wrap its rows as PostgreSQL takes to answer it.

    statement    a constant of its module: its translation is kept. The server plans it once where an array stands in a
                 sub-select, `unnest((SELECT CAST(:skus AS text[])))`: it has no length to plan for then. Where a list
                 is long, the tables' size of that moment decides
    returns      named tuples
    raises       DBAPIError, as `Connection.execute` does
    """
    with _asked(connection, statement, values) as cursor:
        return cursor.fetchall()


def send(connection: Connection, statement: TextClause, values: Mapping[str, object]) -> int:
    """As `fetch`, for a statement that returns nothing; how many rows it wrote."""
    with _asked(connection, statement, values) as cursor:
        return cursor.rowcount


@contextmanager
def ahead(connection: Connection) -> Iterator[None]:
    """What `send` sends in this block goes out without waiting for the answer to what went before it.

    So the next statement is made ready while the server carries out the last. `fetch` waits for all before it; nothing
    else may be executed here.

    raises    DBAPIError of whichever statement failed, from a later one or from the end of the block
    """
    driver = _driver(connection)
    try:
        with driver.pipeline():
            yield
    except psycopg.Error as error:
        raise _told(connection, driver, error, "statements sent ahead", {}) from error


def _is_long(values: Mapping[str, object]) -> bool:
    return any(isinstance(value, list) and len(value) > _FEW for value in values.values())


@contextmanager
def _asked(
    connection: Connection, statement: TextClause, values: Mapping[str, object]
) -> Iterator[psycopg.Cursor[Any]]:
    query = _as_the_driver_reads_it(statement, connection.dialect)
    driver = _driver(connection)
    try:
        with driver.cursor(row_factory=namedtuple_row) as cursor:
            yield cursor.execute(query, values, prepare=False if _is_long(values) else None)
    except psycopg.Error as error:
        raise _told(connection, driver, error, query.decode(), values) from error


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _told(
    connection: Connection,
    driver: psycopg.Connection[Any],
    error: psycopg.Error,
    statement: str,
    values: Mapping[str, object],
) -> DBAPIError:
    """The driver's error as everybody above expects it."""
    if driver.closed:
        connection.invalidate(error)
    told = DBAPIError.instance(
        statement, values, error, psycopg.Error, connection_invalidated=driver.closed
    )
    assert isinstance(told, DBAPIError)
    return told


def refuse_inside_transaction(what: str) -> None:
    """Called by everything that goes out to the network.

    raises    NetworkInTransaction while this thread (or task) holds a transaction open
    """
    if _open_transactions.get():
        raise NetworkInTransaction(f"{what} inside an open transaction; commit first, then call")
