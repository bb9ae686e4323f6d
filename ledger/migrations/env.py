"""Alembic's door: runs the migrations on the connection that `ledger.migrate` hands over, under its advisory lock."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine

from ledger.migrate import locked


def _run(connection: Connection) -> None:
    context.configure(connection=connection, version_table="schema_version")
    with context.begin_transaction():
        context.run_migrations()


handed_over: Connection | None = context.config.attributes.get("connection")
if handed_over is not None:
    _run(handed_over)
else:
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not url:
        raise SystemExit("say which database: alembic -x url=postgresql+psycopg://... upgrade head")
    with create_engine(url).connect() as connection, locked(connection):
        _run(connection)
