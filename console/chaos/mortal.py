"""The application's connection to PostgreSQL, at whose door workers take turns and die."""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import Engine, event

from console.chaos.stage import Died, Stage
from ledger.db import connect


def mortal_engine(url: str, stage: Stage) -> Engine:
    """An engine whose transactions are places to hand over and whose commits are places to die."""
    engine = connect(url, pool=12, application="lockstep chaos", idle_s=1e9)
    _take_turns(engine, stage)
    _die(engine, stage)
    _see_writes(engine, stage)
    return engine


def _take_turns(engine: Engine, stage: Stage) -> None:
    @event.listens_for(engine, "checkout")
    def _begins(connection: Any, _record: Any, _proxy: Any) -> None:
        worker = stage.on
        if worker is None:
            return
        if worker.dead:
            raise Died(worker.name)
        stage.hand_over("before a transaction")
        worker.connections.append(connection)

    @event.listens_for(engine, "checkin")
    def _ends(connection: Any, record: Any) -> None:
        worker = stage.on
        if worker is not None and connection in worker.connections:
            worker.connections.remove(connection)
        if connection is not None and connection.closed:
            record.invalidate()


def _die(engine: Engine, stage: Stage) -> None:
    dialect: Any = engine.dialect
    commit, roll_back = dialect.do_commit, dialect.do_rollback

    def do_commit(connection: Any) -> None:
        stage.point("before a commit")
        commit(connection)
        stage.point("after a commit")

    def do_rollback(connection: Any) -> None:
        if not connection.closed:
            roll_back(connection)

    # SQLAlchemy has no event after a commit; the dialect is this engine's own.
    dialect.do_commit, dialect.do_rollback = do_commit, do_rollback


def _see_writes(engine: Engine, stage: Stage) -> None:
    """Have every worker know whether it changed anything."""

    class Seen(psycopg.Cursor[Any]):
        def execute(self, *of: Any, **more: Any) -> Any:
            done = super().execute(*of, **more)
            if self.rowcount > 0 and not (self.statusmessage or "SELECT").startswith("SELECT"):
                worker = stage.on
                if worker is not None:
                    worker.wrote = True
            return done

    @event.listens_for(engine, "connect")
    def _watch(connection: Any, _record: Any) -> None:
        connection.cursor_factory = Seen
