"""Tokens in PostgreSQL: made, found by their hash, revoked; never deleted, so that deeds keep their names."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from console.access import secrets
from console.access.types import Role, Token, Unknown

_COLUMNS = (
    "id, name, role, created_at, created_by, last_used_at, expires_at, revoked_at, revoked_by"
)
_SEEN_EVERY = timedelta(minutes=1)

_ADD = text(f"""
    INSERT INTO token (name, role, hash, created_at, created_by, expires_at)
    VALUES (:name, :role, :hash, :now, :by, :expires_at)
    ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
    RETURNING {_COLUMNS}
""")  # noqa: S608 -- composed of constants
_BY_HASH = text(f"SELECT {_COLUMNS} FROM token WHERE hash = :hash")  # noqa: S608 -- constant
_BY_ID = text(f"SELECT {_COLUMNS} FROM token WHERE id = :id")  # noqa: S608 -- constant
_SEEN = text("""
    UPDATE token SET last_used_at = :now
    WHERE id = :id AND (last_used_at IS NULL OR last_used_at < :before)
""")
_REVOKE = text(f"""
    UPDATE token SET revoked_at = :now, revoked_by = :by WHERE name = :name AND revoked_at IS NULL
    RETURNING {_COLUMNS}
""")  # noqa: S608 -- composed of constants


class NameTaken(Exception):
    """A token of this name is in use."""


def add(
    connection: Connection,
    name: str,
    role: Role,
    token: str,
    *,
    by: str,
    now: datetime,
    expires_at: datetime | None,
) -> Token:
    """Keep a new token's hash.

    raises    NameTaken while another of this name is not revoked
    """
    values = {"name": name, "role": role.value, "hash": secrets.hash_of(token), "now": now}
    row = connection.execute(_ADD, values | {"by": by, "expires_at": expires_at}).one_or_none()
    if row is None:
        raise NameTaken(
            f"there is a token {name!r} already: `lockstep token rotate {name}` makes it anew,"
            f" `lockstep token revoke {name}` ends it"
        )
    return _token(row)


def find(connection: Connection, token: str, now: datetime) -> Token | None:
    """The token somebody shows, if it is good; that it was used is noted once a minute."""
    if not secrets.is_token(token):
        return None
    row = connection.execute(_BY_HASH, {"hash": secrets.hash_of(token)}).one_or_none()
    found = None if row is None else _token(row)
    if found is None or not found.is_good(now):
        return None
    if found.last_used_at is None or found.last_used_at < now - _SEEN_EVERY:
        connection.execute(_SEEN, {"id": found.id, "now": now, "before": now - _SEEN_EVERY})
    return found


def by_id(connection: Connection, token_id: int, now: datetime) -> Token | None:
    """The token behind a session, if it is still good."""
    row = connection.execute(_BY_ID, {"id": token_id}).one_or_none()
    found = None if row is None else _token(row)
    return found if found is not None and found.is_good(now) else None


def revoke(connection: Connection, name: str, *, by: str, now: datetime) -> Token:
    """End a token; sessions that it opened end with it. Raises Unknown when none of this name is in use."""
    row = connection.execute(_REVOKE, {"name": name, "by": by, "now": now}).one_or_none()
    if row is None:
        raise Unknown(f"no token {name!r} is in use: see `lockstep token list`")
    return _token(row)


def _token(row: Any) -> Token:
    number, name, role, *rest = row
    return Token(number, name, Role(role), *rest)
