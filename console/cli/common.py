"""What commands share: the house they speak to, errors as sentences, and the two forms of output."""

from __future__ import annotations

import os
import pwd
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from console import logs
from console.cli.places import why_local
from console.local.errors import LocalError
from console.local.stack import Stack, attached, forget
from console.views.plain import dumps, plain
from ledger.db import UnfitDatabase
from workers.settings import Settings, settings
from workers.wiring import NotSetUp, Wiring, set_clock

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
ephemeral = click.option(
    "--ephemeral", is_flag=True, help="Use a throw-away database, gone afterwards."
)
durable = click.option(
    "--durable/--fast",
    default=True,
    show_default=True,
    help="fsync on or off on the throw-away server.",
)
reason = click.option("--reason", required=True, help="Why; it is kept in the trail.")
reason_if_any = click.option("--reason", default="", help="Why; it is kept in the trail.")


def user() -> str:
    """Who runs this, as the machine knows it; what the environment says does not count."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid:{number}"


by = click.option(
    "--by",
    "--actor",
    "by",
    default=user,
    show_default="the user of this machine",
    help="Who; it is kept in the trail.",
)


class Failed(click.ClickException):
    """A sentence on stderr and an exit code.

    faults    what is to be put right, one by one, for commands that print that
    """

    def __init__(self, message: str, *, code: int = 1, faults: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click reads it from the instance
        self.faults = tuple(faults)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn what can go wrong outside of us into sentences; our own mistakes keep their traceback."""
    try:
        yield
    except (LocalError, NotSetUp, UnfitDatabase) as error:
        raise Failed(str(error)) from None
    except ValidationError as error:
        if error.title != Settings.__name__:
            raise
        raise Failed(_unusable(error)) from None
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", error)).strip().split("\n", 1)[0]
        raise Failed(f"the database refused or did not answer: {why}") from None


@contextmanager
def house(*, throw_away: bool = False, durable: bool = False) -> Iterator[Wiring]:
    """The house a command speaks to: the servers named in the settings, the running local stack, or else the local
    profile's own servers, started for this command alone.

    throw_away    own servers with an empty database, gone afterwards; with `durable` they sync like a kept one
    """
    with sentences():
        wished = settings()
        if wished.url and not throw_away:
            raise Failed(_only_here(), code=2)
        # What flows have to say goes to stderr; stdout is for data.
        logs.configure("WARNING")
        if not throw_away:
            found = _found(wished)
            if found is not None:
                with closing(Wiring(found, pause=time.sleep)) as wiring:
                    set_clock(wiring.engine)
                    yield wiring
                return
        if throw_away:
            wished = wished.model_copy(
                update={"database_url": "", "database_admin_url": "", "redis_url": ""}
            )
        if throw_away and durable:
            with (
                _new_home() as home,
                _served(wished.model_copy(update={"home": home}), ephemeral=False) as wiring,
            ):
                yield wiring
            return
        with _served(wished, ephemeral=throw_away) as wiring:
            yield wiring


def _only_here() -> str:
    context = click.get_current_context(silent=True)
    name = context.command_path.partition(" ")[2] if context is not None else ""
    why = why_local(name) or "it needs the database"
    return f"`lockstep {name}` works beside the house only: {why}. LOCKSTEP_URL names an API: unset it, or run it there"


@contextmanager
def _served(wished: Settings, *, ephemeral: bool) -> Iterator[Wiring]:
    with Stack(wished, ephemeral=ephemeral) as stack:
        stack.start_servers()
        stack.migrate()
        wiring = Wiring(stack.settings, pause=time.sleep)
        try:
            yield wiring
        finally:
            wiring.engine.dispose()


@contextmanager
def _new_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="lockstep-bench-")).resolve()
    home.chmod(0o711)
    try:
        yield home
    finally:
        forget(home)


def _unusable(error: ValidationError) -> str:
    """Which settings make no sense; never their values, which may be secret."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"LOCKSTEP_{'.'.join(str(part) for part in e['loc']).upper()}: {e['msg']}" for e in found
    )


def _found(wished: Settings) -> Settings | None:
    if wished.database_url:
        return wished
    try:
        return attached(wished)
    except LocalError:
        return None


def emit(value: Any, *, as_json: bool, table: Sequence[str] = ()) -> None:
    """Print a value: as JSON, or as a table of the named fields."""
    if as_json:
        click.echo(dumps(value, indent=1))
        return
    rows = value if isinstance(value, list) else [value]
    shown = [{**plain(row)} for row in rows]
    names = list(table) or (list(shown[0]) if shown else [])
    cells = [names, *[[_cell(row.get(name)) for name in names] for row in shown]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    for line in cells:
        click.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
    if not shown:
        click.echo("(none)", err=True)


def tell(told: Any, words: str, *, as_json: bool) -> None:
    """Print what came of a change: as JSON, or in words."""
    if as_json:
        emit(told, as_json=True)
    else:
        click.echo(words)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def aside(words: str) -> None:
    """Say how a long command goes on, beside what it prints."""
    click.echo(words, err=True)


def progress(what: str) -> Any:
    """A callback (done, of) that shows progress on a terminal and says nothing elsewhere."""
    shown = [-1]

    def show(done: int, of: int) -> None:
        percent = 100 * done // max(of, 1)
        if sys.stderr.isatty() and percent != shown[0]:
            shown[0] = percent
            click.echo(f"\r{what}: {percent} %", err=True, nl=done >= of)

    return show
