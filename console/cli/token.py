"""Tokens: who may come in by the API and the dashboard."""

from __future__ import annotations

import os
import re
from datetime import timedelta

import click

from console.access import secrets
from console.access.types import Role
from console.cli.acting import acting
from console.cli.common import as_json, by, emit, house
from console.verbs import tokens
from console.verbs.tokens import Made
from console.views.access import TOKENS
from console.views.listing import MOST, page
from ledger.db import transaction
from workers.wiring import now

_TABLE = (
    "id",
    "name",
    "role",
    "created_by",
    "created_at",
    "last_used_at",
    "expires_at",
    "revoked_at",
)
_NAME = re.compile(r"[^\s\x00-\x1f/]{1,100}")


def _checked(_context: click.Context, _option: click.Parameter, said: str) -> str:
    if not _NAME.fullmatch(said):
        raise click.BadParameter(f"{said!r}: up to 100 characters, no blanks, no slashes")
    return said


_name = click.argument("name", callback=_checked)


@click.group()
def token() -> None:
    """Tokens of the API and the dashboard: create, list, revoke, rotate."""


@token.command()
@_name
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]))
@click.option(
    "--days", type=click.IntRange(1, 3650), help="How long it is good; for ever if left out."
)
@by
@as_json
def create(name: str, role: str, days: int | None, by: str, as_json: bool) -> None:
    """Make a token for NAME, a person or a program. It is printed once and cannot be read again."""
    with acting("token.create") as wiring:
        made = tokens.create(
            wiring.engine,
            name,
            Role(role),
            by=by,
            now=now(),
            random=os.urandom(secrets.BYTES),
            lasts=timedelta(days=days) if days else None,
        )
    _tell(made, as_json=as_json)


@token.command()
@_name
@by
@as_json
def rotate(name: str, by: str, as_json: bool) -> None:
    """End the token of NAME and make another with the same role; sessions of the old one end."""
    with acting("token.rotate") as wiring:
        made = tokens.rotate(
            wiring.engine, name, by=by, now=now(), random=os.urandom(secrets.BYTES)
        )
    _tell(made, as_json=as_json)


@token.command()
@_name
@by
def revoke(name: str, by: str) -> None:
    """End the token of NAME, and every session it opened, at once."""
    with acting("token.revoke") as wiring:
        ended = tokens.revoke(wiring.engine, name, by=by, now=now())
    click.echo(f"{ended.name} ({ended.role}) is no longer let in")


@token.command("list")
@click.option("--all", "all_", is_flag=True, help="Those that are revoked or over too.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, MOST))
@as_json
def list_(all_: bool, limit: int, as_json: bool) -> None:
    """Tokens, newest first; never the token itself: nobody has it but its holder."""
    with house() as wiring, transaction(wiring.engine) as connection:
        found = page(connection, TOKENS, {"all": all_, "now": now()}, limit=limit)
    emit(found.rows, as_json=as_json, table=_TABLE)


def _tell(made: Made, *, as_json: bool) -> None:
    if as_json:
        emit(
            {
                "name": made.token.name,
                "role": made.token.role,
                "token": made.secret,
                "expires_at": made.token.expires_at,
            },
            as_json=True,
        )
        return
    click.echo(made.secret)
    until = f" until {made.token.expires_at:%Y-%m-%d}" if made.token.expires_at else ""
    click.echo(
        f"{made.token.name} is {made.token.role}{until}; keep it now, it is shown only once",
        err=True,
    )
