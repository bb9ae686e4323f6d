"""Tokens: who may come in by the API and the dashboard."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import Any

import click

from console.access import secrets
from console.access.types import Role
from console.cli.common import as_json, by, emit, tell
from console.cli.elsewhere import done, elsewhere, listed, quoted, trying
from console.verbs import tokens
from console.views.access import TOKENS
from console.views.listing import MOST
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


def checked(_context: click.Context, _option: click.Parameter, said: str) -> str:
    """A name that may stand in an address."""
    if not _NAME.fullmatch(said):
        raise click.BadParameter(f"{said!r}: up to 100 characters, no blanks, no slashes")
    return said


_name = click.argument("name", callback=checked)


@click.group()
def token() -> None:
    """Tokens of the API and the dashboard: create, list, revoke, rotate."""


@token.command()
@_name
@click.option(
    "--role",
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="What its holder may do; each role may what those before it may.",
)
@click.option(
    "--days", type=click.IntRange(1, 3650), help="How long it is good; for ever if left out."
)
@by
@as_json
def create(name: str, role: str, days: int | None, by: str, as_json: bool) -> None:
    """Make a token for NAME, a person or a program. It is printed once and cannot be read again."""
    told = done(
        "token.create",
        "/tokens",
        {"name": name, "role": role, "days": days},
        lambda wiring: tokens.told(
            tokens.create(
                wiring.engine,
                name,
                Role(role),
                by=by,
                now=now(),
                random=os.urandom(secrets.BYTES),
                lasts=timedelta(days=days) if days else None,
            )
        ),
    )
    _tell(told, as_json=as_json)


@token.command()
@_name
@by
@as_json
def rotate(name: str, by: str, as_json: bool) -> None:
    """End the token of NAME and make another with the same role; sessions of the old one end."""
    told = done(
        "token.rotate",
        f"/tokens/{quoted(name)}/rotate",
        {},
        lambda wiring: tokens.told(
            tokens.rotate(wiring.engine, name, by=by, now=now(), random=os.urandom(secrets.BYTES))
        ),
    )
    _tell(told, as_json=as_json)


@token.command()
@_name
@trying
@by
@as_json
def revoke(name: str, dry_run: bool, by: str, as_json: bool) -> None:
    """End the token of NAME, and every session it opened, at once."""
    ended = done(
        "token.revoke",
        f"/tokens/{quoted(name)}/revoke",
        {},
        lambda wiring: tokens.revoke(wiring.engine, name, by=by, now=now()),
        dry_run=dry_run,
    )
    tell(ended, f"{ended['name']} ({ended['role']}) is no longer let in", as_json=as_json)


@token.command("list")
@click.option("--all", "all_", is_flag=True, help="Those that are revoked or over too.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, MOST), help="Rows at most."
)
@as_json
def list_(all_: bool, limit: int, as_json: bool) -> None:
    """Tokens, newest first; never the token itself: nobody has it but its holder."""
    if there := elsewhere():
        found = there.rows("/tokens", limit, all=all_)
    else:
        found = listed(TOKENS, "/tokens", {"all": all_, "now": now()}, limit=limit)
    emit(found, as_json=as_json, table=_TABLE)


def _tell(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit(told, as_json=True)
        return
    click.echo(told["token"])
    until = f" until {told['expires_at']:%Y-%m-%d}" if told["expires_at"] else ""
    click.echo(
        f"{told['name']} is {told['role']}{until}; keep it now, it is shown only once",
        err=True,
    )
