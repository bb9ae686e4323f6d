"""Tokens: made, made anew, ended. The token itself is handed to who asked, once, and kept nowhere."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from console.access import secrets, tokens
from console.access.types import Refusal, Role, Token, Unknown
from ledger.db import transaction


@dataclass(frozen=True, slots=True)
class Made:
    """A new token; `secret` is to be shown once."""

    token: Token
    secret: str = field(repr=False)


def told(made: Made) -> dict[str, Any]:
    """A new token as it is handed out: the only place where it can be read."""
    token = made.token
    return {
        "name": token.name,
        "role": token.role,
        "token": made.secret,
        "expires_at": token.expires_at,
    }


def create(
    engine: Engine,
    name: str,
    role: Role,
    *,
    by: str,
    now: datetime,
    random: bytes,
    lasts: timedelta | None = None,
) -> Made:
    """Make a token.

    lasts     how long it is good; None: until it is revoked
    random    32 bytes
    raises    Refusal when a token of this name is in use
    """
    secret = secrets.token_of(random)
    expires_at = None if lasts is None else now + lasts
    with transaction(engine) as connection:
        try:
            made = tokens.add(connection, name, role, secret, by=by, now=now, expires_at=expires_at)
        except tokens.NameTaken as error:
            raise Refusal(str(error)) from None
    return Made(made, secret)


def rotate(engine: Engine, name: str, *, by: str, now: datetime, random: bytes) -> Made:
    """End a token and make another of the same name, role and duration. Raises Unknown."""
    secret = secrets.token_of(random)
    with transaction(engine) as connection:
        old = tokens.revoke(connection, name, by=by, now=now)
        lasts = None if old.expires_at is None else old.expires_at - old.created_at
        expires_at = None if lasts is None else now + lasts
        made = tokens.add(connection, name, old.role, secret, by=by, now=now, expires_at=expires_at)
    return Made(made, secret)


def renew(
    engine: Engine,
    name: str,
    role: Role,
    *,
    by: str,
    now: datetime,
    random: bytes,
    lasts: timedelta,
) -> Made:
    """Make a token in the place of the one of this name, if there is one: whoever held that is let in no longer."""
    secret = secrets.token_of(random)
    with transaction(engine) as connection:
        with suppress(Unknown):
            tokens.revoke(connection, name, by=by, now=now)
        made = tokens.add(connection, name, role, secret, by=by, now=now, expires_at=now + lasts)
    return Made(made, secret)


def revoke(engine: Engine, name: str, *, by: str, now: datetime) -> Token:
    """End a token, and every session it opened. Raises Unknown."""
    with transaction(engine) as connection:
        return tokens.revoke(connection, name, by=by, now=now)
