"""The schema."""

from __future__ import annotations

import click

from console.cli.common import Failed, as_json, emit, house, sentences
from workers.settings import settings


@click.group()
def db() -> None:
    """The schema: upgrade, status."""


@db.command()
def upgrade() -> None:
    """Bring the database to the newest schema; a second one at the same time waits and finds nothing to do."""
    from ledger import migrate

    with sentences():
        wished = settings()
        url = wished.database_admin_url or wished.database_url
        if url:
            migrate.upgrade(url)
            return
    with house() as wiring:
        migrate.upgrade(wiring.settings.database_admin_url)
        click.echo("the local profile's database is at the newest schema", err=True)


@db.command()
@as_json
def status(as_json: bool) -> None:
    """Which schema the database has and which this code knows; exit code 3 when they differ."""
    from ledger import migrate

    with house() as wiring:
        url = wiring.settings.database_admin_url or wiring.settings.database_url
        has, knows = migrate.versions(url)
    emit({"database": has, "code": knows}, as_json=as_json)
    if has != knows:
        raise Failed("run `lockstep db upgrade`", code=3)
