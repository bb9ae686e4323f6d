"""Doing something: may they, write it down, do it, write down how it ended. Every door goes through here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from console.access import deeds
from console.access.rights import VERBS, may
from console.access.types import Actor, Deed, Forbidden, Outcome, Refusal
from ledger.db import rehearsal, transaction

#: What an error means for a deed, and what may be said of it.
Judge: TypeAlias = Callable[[BaseException], tuple[Outcome, str]]

_MOST_TEXT: Final = 200
_MOST_ITEMS: Final = 50
_MOST_INTEGER: Final = 2**63
_NO_ARGUMENTS: Final = frozenset({"as_json", "by", "author", "reason", "yes", "token", "url"})


def judged(error: BaseException) -> tuple[Outcome, str]:
    """A refusal in its own words; of anything else only the name: its words may hold what nobody should read."""
    if isinstance(error, Refusal):
        return Outcome.REFUSED, str(error)
    return Outcome.FAILED, type(error).__name__


@contextmanager
def rehearsing(engine: Engine, actor: Actor, verb: str) -> Iterator[None]:
    """Do a verb in this block and take it back: nothing is changed, and nothing is written down.

    raises    Forbidden as `doing` does
    """
    if not may(actor.role, verb):
        raise Forbidden(actor, VERBS[verb])
    with rehearsal(engine):
        yield


@contextmanager
def doing(
    engine: Engine,
    actor: Actor,
    verb: str,
    said: Mapping[str, Any],
    *,
    reason: str = "",
    now: Callable[[], datetime],
    judge: Judge = judged,
) -> Iterator[None]:
    """Do a verb in this block.

    said      its arguments, by name; those of `VERBS[verb].of` say what it is done to
    judge     see `Judge`
    raises    Forbidden when the actor's role does not reach; that is written down too
    """
    known = VERBS[verb]
    deed = Deed(actor, verb, legible(known.object(said)), legible(reason), arguments_of(said))
    allowed = may(actor.role, verb)
    with transaction(engine) as connection:
        number = deeds.begin(connection, deed, now())
        if not allowed:
            why = f"{actor.role} may not: it is for {known.role} and above"
            deeds.end(connection, number, Outcome.REFUSED, now(), why)
    if not allowed:
        raise Forbidden(actor, known)
    try:
        yield
    except BaseException as error:
        outcome, words = judge(error)
        # Where the database is away, the deed stays without an end; the first error is the one to be told.
        with suppress(SQLAlchemyError), transaction(engine) as connection:
            deeds.end(connection, number, outcome, now(), words)
        raise
    with transaction(engine) as connection:
        deeds.end(connection, number, Outcome.DONE, now())


def arguments_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as they are written down: what was not said is left out, what is long is cut."""
    return {
        name: _plain(value)
        for name, value in said.items()
        if name not in _NO_ARGUMENTS and not _is_left_out(value)
    }


def legible(words: str) -> str:
    """Words as PostgreSQL can keep them: what is no text is shown as `?`."""
    return words.encode("utf-8", "replace").decode().replace("\0", "?")


def _is_left_out(value: Any) -> bool:
    return value is None or value is False or value in ("", (), [])


def _plain(value: Any) -> Any:
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < _MOST_INTEGER):
        return value
    if isinstance(value, list | tuple):
        more = len(value) - _MOST_ITEMS
        return [_plain(each) for each in value[:_MOST_ITEMS]] + ([f"+{more}"] if more > 0 else [])
    if isinstance(value, datetime | date):
        return value.isoformat()
    words = legible(str(value))
    return words if len(words) <= _MOST_TEXT else f"{words[:_MOST_TEXT]}..."
