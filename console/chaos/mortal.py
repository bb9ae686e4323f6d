"""The application's connection to PostgreSQL, at whose door workers take turns and die."""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import Engine, event

from console.chaos.stage import Died, Stage
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
    _see_writes(engine, stage)
    return engine


def _plan_once(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _keep_plans(connection: Any, _record: Any) -> None:
        connection.prepare_threshold, connection.prepared_max = 0, None
        # Tables are small and stay so: a plan for these values is no better than one for any.
        connection.execute("SET plan_cache_mode = force_generic_plan")
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
    engine.raw_connection = raw_connection  # type: ignore[method-assign]

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


def _die(engine: Engine, stage: Stage) -> None:
    dialect: Any = engine.dialect
    commit = dialect.do_commit

    def do_commit(connection: Any) -> None:
        stage.point("before a commit")
        commit(connection)
        stage.point("after a commit")

    # SQLAlchemy has no event after a commit; the dialect is this engine's own.
    dialect.do_commit = do_commit


def _see_writes(engine: Engine, stage: Stage) -> None:
    """Have every worker know whether it changed anything, and nothing reach the server of one that is dead."""

    class Seen(psycopg.Cursor[Any]):
        def execute(self, *of: Any, **more: Any) -> Any:
            worker = stage.on
            if worker is None:
                return super().execute(*of, **more)
            if worker.dead:
                raise psycopg.OperationalError("the connection is closed")
            done = super().execute(*of, **more)
            if self.rowcount > 0 and not (self.statusmessage or "SELECT").startswith("SELECT"):
                worker.wrote = True
            return done

    @event.listens_for(engine, "connect")
    def _watch(connection: Any, _record: Any) -> None:
        connection.cursor_factory = Seen
