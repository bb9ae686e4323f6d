"""The schema."""

from __future__ import annotations

import click
from sqlalchemy import create_engine
from sqlalchemy.exc import ProgrammingError

from console.access.rights import may
from console.access.types import Forbidden
from console.cli.acting import actor_of, said_by
from console.cli.common import Failed, as_json, emit, house, sentences
from console.verbs.doing import doing
from workers.settings import Settings, settings
from workers.wiring import now


@click.group()
def db() -> None:
    """The schema: upgrade, status."""


@db.command()
@said_by
def upgrade() -> None:
    """Bring the database to the newest schema; a second one at the same time waits and finds nothing to do."""
    from ledger import migrate

    with sentences():
        wished = settings()
        url = wished.database_admin_url or wished.database_url
        if url:
            _upgrade(url, wished)
            return
    with house() as wiring:
        migrate.upgrade(wiring.settings.database_admin_url)
        click.echo("the local profile's database is at the newest schema", err=True)


def _upgrade(url: str, wished: Settings) -> None:
    """Here the deed comes after: before, there may be no table to write it into."""
    from ledger import migrate

    actor = actor_of(click.get_current_context(), wished)
    is_allowed = may(actor.role, "db.upgrade")
    if is_allowed:
        migrate.upgrade(url)
    # As the schema's owner, who may not be the application.
    engine = create_engine(url)
    try:
        with doing(engine, actor, "db.upgrade", {}, now=now):
            pass
    except Forbidden as error:
        raise Failed(f"{error} (LOCKSTEP_ROLE)", code=5) from None
    except ProgrammingError:
        if not is_allowed:
            raise Failed(
                f"{actor.role} may not upgrade the database (LOCKSTEP_ROLE)", code=5
            ) from None
        raise
    finally:
        engine.dispose()


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
