"""Commands that change something: who runs them, whether they may, and what is written down of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from console.access.types import (
    Actor,
    Door,
    Forbidden,
    NotApplied,
    Outcome,
    Refusal,
    Role,
    Unfit,
    Unknown,
)
from console.cli.common import Failed, house, user
from console.local.errors import LocalError
from console.verbs.doing import doing, legible, rehearsing
from workers.settings import Settings
from workers.wiring import NotSetUp, Wiring, now

_BY = "acted_by"
_REFUSED = 5

_Command = TypeVar("_Command", bound=Callable[..., Any])


def said_by(command: _Command) -> _Command:
    """Let a command be told who runs it, where it has no other use for the name."""
    option = click.option(
        "--by",
        "--actor",
        _BY,
        default=user,
        show_default="the user of this machine",
        expose_value=False,
        callback=_keep,
        help="Who; it is kept in the trail.",
    )
    return option(command)


def _keep(context: click.Context, _option: click.Parameter, said: str) -> None:
    context.meta[_BY] = said


@contextmanager
def acting(
    verb: str, *, dry_run: bool = False, rehearse: bool = False, throw_away: bool = False
) -> Iterator[Wiring]:
    """The house, for a command that does `verb` in this block; its parameters are the verb's arguments.

    dry_run       the command itself changes nothing: nothing is asked and nothing written down
    rehearse      it is done and taken back: nothing is written down
    throw_away    the same as a dry run, in a database that is gone afterwards
    """
    context = click.get_current_context()
    with house(throw_away=throw_away) as wiring:
        if rehearse:
            actor = actor_of(context, wiring.settings)
            with _sentences(), rehearsing(wiring.engine, actor, verb):
                yield wiring
            return
        if dry_run or throw_away:
            with _sentences():
                yield wiring
            return
        said = dict(context.params)
        actor = actor_of(context, wiring.settings)
        if actor.name != user():
            said["user"] = user()
        reason = str(said.get("reason") or "")
        with (
            _sentences(),
            doing(wiring.engine, actor, verb, said, reason=reason, now=now, judge=judged),
        ):
            yield wiring


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except Forbidden as error:
        raise Failed(f"{error} (LOCKSTEP_ROLE)", code=_REFUSED) from None
    except Unfit as error:
        raise Failed(str(error), faults=error.faults) from None
    except NotApplied as error:
        raise Failed(str(error), code=4) from None
    except Unknown as error:
        raise Failed(str(error)) from None
    except Refusal as error:
        raise Failed(str(error), code=_REFUSED) from None


def actor_of(context: click.Context, settings: Settings) -> Actor:
    """Who runs a command, and as what."""
    params = context.params
    name = params.get("by") or params.get("author") or context.meta.get(_BY) or user()
    return Actor(legible(str(name))[:200], Role(settings.role), Door.CLI)


def judged(error: BaseException) -> tuple[Outcome, str]:
    """What an error means for the deed: exit code 5 is a refusal, 0, 3 and 4 are done."""
    match error:
        case Forbidden() | Refusal():
            return Outcome.REFUSED, str(error)
        case Failed():
            refused = error.exit_code == _REFUSED
            return Outcome.REFUSED if refused else Outcome.FAILED, error.message
        case click.UsageError() | LocalError() | NotSetUp():
            return Outcome.FAILED, str(error)
        case SystemExit(code=0 | 3 | None):
            return Outcome.DONE, ""
        case _:
            return Outcome.FAILED, type(error).__name__
