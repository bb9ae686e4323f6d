"""The application's connection to PostgreSQL, at whose door workers take turns and die."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from sqlalchemy import Connection, Engine, event

from console.chaos.stage import Died, Stage
from console.chaos.straight import go_straight
from ledger.db import connect


def mortal_engine(url: str, stage: Stage) -> Engine:
    """An engine whose transactions are places to hand over and whose commits are places to die.

    One connection serves all: nobody hands over inside a transaction, and what one worker had planned, the next one
    need not have planned again.
    """
    engine = connect(url, pool=1, application="lockstep chaos", idle_s=1e9)
    _plan_once(engine)
    _take_turns(engine, stage)
    _die(engine, stage)
    eye = Eye(stage)
    _see_writes(engine, eye)
    go_straight(engine, eye)
    _keep_hold(engine, stage)
    return engine


def _plan_once(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _keep_plans(connection: Any, _record: Any) -> None:
        connection.prepare_threshold, connection.prepared_max = 0, None
        # Tables are small and stay so: a plan for these values is no better than one for any.
        connection.execute("SET plan_cache_mode = force_generic_plan")
        # The next transaction is begun with the end of the one before, however long nobody comes.
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        connection.commit()


def _take_turns(engine: Engine, stage: Stage) -> None:
    check_out = engine.raw_connection

    def raw_connection() -> Any:
        worker = stage.on
        if worker is not None and worker.dead:
            raise Died(worker.name)
        # Before there is a connection: who waits for a turn holds none.
        stage.hand_over("before a transaction")
        return check_out()

    # SQLAlchemy has no event before a connection is taken; the method is this engine's own.
    engine.raw_connection = raw_connection  # type: ignore[method-assign]  # the only place to wait before it

    @event.listens_for(engine, "checkout")
    def _begins(connection: Any, _record: Any, _proxy: Any) -> None:
        worker = stage.on
        if worker is not None:
            worker.connections.append(connection)

    @event.listens_for(engine, "checkin")
    def _ends(connection: Any, _record: Any) -> None:
        worker = stage.on
        if worker is not None and connection in worker.connections:
            worker.connections.remove(connection)


def _keep_hold(engine: Engine, stage: Stage) -> None:
    """Have transactions follow one another on a connection that is not given back between them.

    To hand it back to the pool and take it again takes as long as a statement. A transaction in another one, and who
    connects without `begin`, has one of the pool's.
    """
    take, held = engine.begin, _Held()

    @contextmanager
    def begin() -> Iterator[Connection]:
        worker = stage.on
        if worker is not None and worker.dead:
            raise Died(worker.name)
        stage.hand_over("before a transaction")
        if held.busy:
            with take() as another:
                yield another
            return
        connection = held.by(engine, stage)
        if worker is not None:
            worker.connections.append(connection)
        held.busy = True
        try:
            with connection.begin():
                yield connection
        finally:
            held.busy = False
            # As the pool does with what it is given back: who died at its commit has not ended it.
            if not connection.invalidated:
                engine.dialect.do_rollback(connection.connection)
            if worker is not None:
                worker.connections.remove(connection)

    engine.begin = begin  # type: ignore[method-assign]  # the only place before a connection is taken

    @event.listens_for(engine, "engine_disposed")
    def _let_go(_engine: Engine) -> None:
        held.let_go()


class _Held:
    """A connection that is kept from one transaction to the next."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self.busy = False

    def by(self, engine: Engine, stage: Stage) -> Connection:
        """It, or another one where it is gone."""
        connection = self._connection
        if connection is None or connection.closed or connection.invalidated:
            # It is nobody's, whoever is the first to need it.
            with stage.aside():
                connection = self._connection = engine.connect()
        return connection

    def let_go(self) -> None:
        """The engine is disposed of."""
        if self._connection is not None:
            # Its pool is gone already: given back there it would stay open.
            driver: Any = self._connection.connection.driver_connection
            self._connection.close()
            driver.close()
            self._connection = None


def _die(engine: Engine, stage: Stage) -> None:
    dialect: Any = engine.dialect

    def do_commit(connection: Any) -> None:
        stage.point("before a commit")
        _end(connection, "COMMIT")
        stage.point("after a commit")

    def do_rollback(connection: Any) -> None:
        _end(connection, "ROLLBACK")

    # SQLAlchemy has no event after a commit; the dialect is this engine's own.
    dialect.do_commit, dialect.do_rollback = do_commit, do_rollback

    @event.listens_for(engine, "handle_error")
    def _stays_connected(context: Any) -> None:
        # The connection is everybody's: made anew, every statement would have to be planned anew.
        if isinstance(context.original_exception, Died):
            context.is_disconnect = False


def _end(connection: Any, how: str) -> None:
    """End a transaction, if anything was done in it, and begin the next one in the same breath.

    Not by the driver, which after a rollback has every statement planned anew: no table comes or goes here.
    """
    # While a connection is being made it comes in a wrapping, and is not marked yet.
    connection = getattr(connection, "driver_connection", connection)
    if not getattr(connection, "used", True):
        return
    chained = "" if getattr(connection, "apart", True) else " AND CHAIN"
    connection.used = connection.apart = False
    if connection.pgconn.transaction_status != TransactionStatus.IDLE:
        result = connection.pgconn.exec_(f"{how}{chained}".encode())
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)


class Eye:
    """Has every worker know whether it changed anything, and nothing reach the server of one that is dead."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def before(self, connection: Any) -> None:
        """A statement is about to be asked. Raises OperationalError where whoever asks is dead."""
        worker = self._stage.on
        if worker is not None and worker.dead:
            raise psycopg.OperationalError("the connection is closed")
        connection.used = True

    def after(self, connection: Any, said: str, rows: int) -> None:
        """A statement was done, in the server's word for it."""
        worker = self._stage.on
        if said == "SET":
            # The next transaction would inherit it.
            connection.apart = True
        elif said == "ROLLBACK":
            # To a savepoint: the driver has made the server forget every plan.
            connection.known.clear()
        elif worker is not None and rows > 0 and not said.startswith("SELECT"):
            worker.wrote = True


def _see_writes(engine: Engine, eye: Eye) -> None:
    class Seen(psycopg.Cursor[Any]):
        def execute(self, *of: Any, **more: Any) -> Any:
            eye.before(self.connection)
            done = super().execute(*of, **more)
            eye.after(self.connection, self.statusmessage or "", self.rowcount)
            return done

        def executemany(self, *of: Any, **more: Any) -> None:
            eye.before(self.connection)
            super().executemany(*of, **more)
            eye.after(self.connection, self.statusmessage or "", self.rowcount)

    @event.listens_for(engine, "connect")
    def _watch(connection: Any, _record: Any) -> None:
        connection.cursor_factory, connection.used, connection.apart = Seen, True, False
        connection.known, connection.numbers = {}, itertools.count()
