"""Statements that go straight to the server: the way round them, SQLAlchemy's and the driver's, takes longer than they.

Only for a played house, where one small statement follows another; what is asked, and what comes back, is the same.
Values are written and read by the driver's own adapters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from sqlalchemy import Connection, Dialect, Engine, TextClause
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

#: Statements that are remembered, each twice: more than there are constant ones.
_KNOWN: Final = 4000
_NOTHING: Final = SimpleResultMetaData(())
_FINE: Final = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
#: A dialect that numbers what is given, as the server does.
_NUMBERED: Final[Dialect] = asyncpg.dialect()  # type: ignore[no-untyped-call]  # untyped there


class Watch(Protocol):
    """Who sees what is asked: `before` may refuse it, `after` is told the server's word for it and how many rows."""

    def before(self, connection: Any) -> None: ...

    def after(self, connection: Any, said: str, rows: int) -> None: ...


class Rows(IteratorResult[Any]):
    """What a statement returned, and how many rows it returned or wrote."""

    rowcount: int


class Known:
    """A statement as the server reads it.

    names     of its values, in their order;  plain: False where SQLAlchemy has more to say about a value
    prepared  types of the values -> its name on the server, where it is known to one connection
    keys      names of what it returns, once that is known
    """

    def __init__(self, statement: TextClause) -> None:
        compiled: Any = statement.compile(dialect=_NUMBERED)
        self.plain = _is_plain(statement)
        self.query = str(compiled).encode()
        self.names: Sequence[str] = compiled.positiontup or ()
        self.formats = [PyFormat.AUTO] * len(self.names)
        self.prepared: dict[tuple[int, ...], bytes] = {}
        self.keys: SimpleResultMetaData | None = None

    def ask(self, driver: Any, values: Mapping[str, Any], watch: Watch) -> Rows:
        """Ask it. Raises psycopg.Error."""
        watch.before(driver)
        server, adapters = driver.pgconn, Transformer(driver)
        given = adapters.dump_sequence([values[name] for name in self.names], self.formats)
        if server.transaction_status == TransactionStatus.IDLE:
            _fine(server.exec_(b"BEGIN"))
        name = self._prepare(driver, adapters.types or ())
        result = _fine(server.exec_prepared(name, given, adapters.formats))
        rows = _rows(self, adapters, result)
        watch.after(driver, (result.command_status or b"").decode(), rows.rowcount)
        return rows

    def _prepare(self, driver: Any, types: tuple[int, ...]) -> bytes:
        name = self.prepared.get(types)
        if name is None:
            name = f"straight {next(driver.numbers)}".encode()
            _fine(driver.pgconn.prepare(name, self.query, types))
            self.prepared[types] = name
        return name


def _is_plain(statement: TextClause) -> bool:
    binds = statement._bindparams.values()
    return all(type(bind.type) is NullType and not bind.expanding for bind in binds)


def _known(driver: Any, statement: TextClause) -> Known | None:
    """What is remembered of a statement, or of another one with its words; None where no more are remembered."""
    known: dict[TextClause | str, Known] = driver.known
    if (of := known.get(statement)) is not None:
        return of
    if (of := known.get(statement.text)) is not None and of.plain and _is_plain(statement):
        return of
    if len(known) < _KNOWN:
        of = known[statement] = known[statement.text] = Known(statement)
        return of
    return None


def _fine(result: Any) -> Any:
    if result.status not in _FINE:
        raise error_from_result(result)
    return result


def _rows(of: Known, adapters: Any, result: Any) -> Rows:
    if result.nfields:
        if of.keys is None:
            of.keys = SimpleResultMetaData(
                [(result.fname(at) or b"").decode() for at in range(result.nfields)]
            )
        adapters.set_pgresult(result)
        rows = Rows(of.keys, iter(adapters.load_rows(0, result.ntuples, tuple)))
    else:
        rows = Rows(_NOTHING, iter(()))
    rows.rowcount = -1 if result.command_tuples is None else result.command_tuples
    return rows


def _connection_of(watch: Watch) -> type[Connection]:
    class Straight(Connection):
        """A connection that hands constant statements to the server, and all else to SQLAlchemy."""

        def execute(self, statement: Any, parameters: Any = None, **more: Any) -> Any:
            plain = parameters is None or isinstance(parameters, Mapping)
            if type(statement) is not TextClause or more or not plain or not self._transaction:
                return super().execute(statement, parameters, **more)
            driver: Any = self.connection.driver_connection
            of = _known(driver, statement)
            if of is None or not of.plain:
                return super().execute(statement, parameters)
            try:
                return of.ask(driver, parameters or {}, watch)
            except psycopg.Error as error:
                raise DBAPIError.instance(
                    of.query.decode(), parameters, error, psycopg.Error, dialect=self.dialect
                ) from error

    return Straight


def go_straight(engine: Engine, watch: Watch) -> None:
    """Have this engine's statements go straight to the server, each seen by `watch`."""
    # The engine's own place for the class of its connections; SQLAlchemy gives it no public name.
    engine._connection_cls = _connection_of(watch)
