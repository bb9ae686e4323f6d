"""Addresses outside are told what there is to tell: transaction, call, transaction, a message at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine

from channels import base
from channels.addresses import Network
from channels.http import Http
from channels.outbound import Guarded, Unsafe, check
from ledger.db import refuse_inside_transaction, transaction
from workers.feed import hook_store, hook_words
from workers.feed.hook_store import Claim
from workers.feed.hook_words import SALT_BYTES

log = structlog.get_logger(__name__)

Clock: TypeAlias = Callable[[], datetime]

#: Messages of one go; more are left to the next.
ROUND: Final = 50
#: A go ends after so long, though more waits: a message that is being sent may take its whole patience.
_GO_S: Final = 45.0
_CONNECT_S: Final = 3.05
_READ_S: Final = 10.0
_GONE: Final = "410"


class NoHook(LookupError):
    """No address has this name; the message says where they are listed."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What telling needs.

    key       the secrets of addresses are derived from it
    inside    networks that may be called though they are not of the internet
    chance    0 to 1, for the scatter of waits
    """

    key: bytes
    inside: Sequence[Network]
    chance: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a go came to; `failed` are to be tried again, or were given up."""

    told: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a test; `error` is empty when the address took it."""

    name: str
    message: str
    error: str = ""


def add(
    engine: Engine,
    outside: Outside,
    name: str,
    url: str,
    kinds: Sequence[str],
    *,
    by: str,
    now: datetime,
    random: bytes,
) -> str:
    """Keep an address, and return its secret: nobody can read it again.

    random    32 bytes
    raises    Unsafe for an address that is not called; hook_store.NameTaken
    """
    check(url, outside.inside)
    if len(random) != SALT_BYTES:
        raise ValueError(f"a secret takes {SALT_BYTES} random bytes, not {len(random)}")
    secret = hook_words.secret_of(outside.key, random)
    with transaction(engine) as connection:
        hook_store.add(
            connection, name, url, kinds, salt=random, proof=hook_words.proof_of(secret), by=by, now=now
        )  # fmt: skip
    return hook_words.shown(secret)


def send(engine: Engine, outside: Outside, *, now: Clock, most: int = ROUND) -> Sent:
    """Tell what is due, for a while."""
    told = failed = 0
    until = now() + timedelta(seconds=_GO_S)
    with transaction(engine) as connection:
        hook_store.note_stockouts(connection, now())
    for _ in range(most):
        with transaction(engine) as connection:
            claim = hook_store.claim(connection, now())
        if claim is None:
            break
        error = _tell(engine, outside, claim, now)
        told += not error
        failed += bool(error)
        if now() >= until:
            break
    return Sent(told, failed)


def test(engine: Engine, outside: Outside, name: str, *, by: str, now: Clock) -> Tried:
    """Tell an address something harmless at once, whatever waits for it. Raises NoHook."""
    with transaction(engine) as connection:
        hook = hook_store.number_of(connection, name)
        if hook is None:
            raise NoHook(f"there is no hook {name}: lockstep hook list")
        event = hook_store.make_test(connection, hook, by, now())
        claim = hook_store.claim(connection, now(), hook=hook, event=event)
    assert claim is not None
    error = _tell(engine, outside, claim, now, is_test=True)
    return Tried(name, _named(event), error)


def _named(event: UUID) -> str:
    return f"msg_{event.hex}"


def _tell(
    engine: Engine, outside: Outside, claim: Claim, now: Clock, *, is_test: bool = False
) -> str:
    """One try and what is written down of it; "" when it was taken."""
    failure = _call(outside, claim, now())
    with transaction(engine) as connection:
        if failure is None:
            hook_store.told(connection, claim, now())
            return ""
        _settle(connection, outside, claim, failure, now(), is_test=is_test)
    return str(failure)


def _settle(
    connection: Connection,
    outside: Outside,
    claim: Claim,
    failure: Exception,
    at: datetime,
    *,
    is_test: bool,
) -> None:
    """What a failure means for the address, and for the message."""
    match failure:
        case base.Throttled(retry_after_s=retry_after_s):
            # It asked to be left alone: that is no failure.
            until = at + timedelta(seconds=max(1.0, retry_after_s))
            hook_store.leave_alone(connection, claim, until, away=False)
            if not is_test:
                hook_store.put_off(connection, claim, str(failure), until, tries=claim.tries)
                return
        case base.Refused(code=code) if code == _GONE:
            hook_store.stop(connection, claim, str(failure), at)
        case base.Refused() | base.Unauthorised() | Unsafe():
            pass
        case _:
            hook_store.leave_alone(connection, claim, hook_store.pause_until(claim, at), away=True)
    if is_test:
        hook_store.drop(connection, claim, str(failure))
    else:
        _again_or_never(connection, outside, claim, failure, at)


def _again_or_never(
    connection: Connection, outside: Outside, claim: Claim, failure: Exception, at: datetime
) -> None:
    wait_s = hook_words.wait_s(claim.tries + 1, outside.chance())
    age_s = (at - claim.message.at).total_seconds()
    if wait_s is not None and age_s < hook_words.GIVEN_UP_S:
        run_at = at + timedelta(seconds=wait_s)
        hook_store.put_off(connection, claim, str(failure), run_at, tries=claim.tries + 1)
        return
    refused = isinstance(failure, base.Refused | base.Unauthorised | Unsafe)
    given = hook_store.give_up(connection, claim, str(failure), refused=refused, now=at)
    log.error("hook.post.given_up", hook=claim.name, messages=len(given), why=str(failure))


def _call(outside: Outside, claim: Claim, now: datetime) -> Exception | None:
    """Post a message to its address; what went wrong, None when it was taken."""
    refuse_inside_transaction(f"{_named(claim.message.id)} to hook {claim.name}")
    secret = hook_words.secret_of(outside.key, claim.salt)
    if hook_words.proof_of(secret) != claim.proof:
        return base.Unavailable(
            f"hook {claim.name} was made with another key of the house: give this process the same"
            " LOCKSTEP_HOOK_KEY, or remove the hook and add it again"
        )
    body, headers = hook_words.call(claim.message, secret, now)
    parts = urlsplit(claim.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    http = Http(
        f"{parts.scheme}://{parts.netloc}",
        headers={},
        secrets=(hook_words.shown(secret),),
        connect_s=_CONNECT_S,
        read_s=_READ_S,
        adapter=Guarded(outside.inside),
    )
    try:
        check(claim.url, outside.inside)
        http.call("POST", path, body=body, headers=headers)
    except (base.ChannelError, Unsafe) as error:
        return error
    finally:
        http.close()
    return None
