"""The rules."""

from __future__ import annotations

from pathlib import Path

import click

from allocation import document, store
from console.cli.common import Failed, as_json, by, emit, house, reason
from ledger.db import transaction
from workers.wiring import now

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def alloc() -> None:
    """Rules: check, apply, show, history, rollback."""


@alloc.command()
@click.argument("file", type=_FILE, default=Path("lockstep.toml"))
def check(file: Path) -> None:
    """Read a rule file and say what is wrong with it, line by line."""
    read = _read(file)
    click.echo(
        f"{file}: {len(read.rules().channels)} channels, {len(read.rules().locations)} locations, no problems"
    )


@alloc.command()
@click.argument("file", type=_FILE, default=Path("lockstep.toml"))
@click.option("--author", required=True, help="Who puts the rules in force.")
@reason
def apply(file: Path, author: str, reason: str) -> None:
    """Put a rule file in force; a faulty one is refused whole and the running version stays."""
    read = _read(file)
    with house() as wiring, transaction(wiring.engine) as connection:
        version = store.apply_rules(connection, file.read_text(), read, author, reason, now())
    click.echo(f"version {version} is in force; every SKU is being computed again")


@alloc.command()
@click.option(
    "--version", type=int, default=None, help="Which version; the one in force if left out."
)
def show(version: int | None) -> None:
    """Print a version of the rules as it was applied."""
    with house() as wiring, transaction(wiring.engine) as connection:
        number = version or store.current_rules(connection)[0]
        if number == 0:
            raise Failed(
                "no rules were ever applied: lockstep alloc apply FILE --author ... --reason ..."
            )
        try:
            click.echo(store.source_of(connection, number))
        except store.NoSuchVersion as error:
            raise Failed(str(error)) from None


@alloc.command()
@as_json
def history(as_json: bool) -> None:
    """Every version ever in force, newest first."""
    with house() as wiring, transaction(wiring.engine) as connection:
        emit(store.history(connection), as_json=as_json)


@alloc.command()
@click.argument("version", type=int)
@by
@reason
def rollback(version: int, by: str, reason: str) -> None:
    """Put an older version in force again, as a new one."""
    with house() as wiring, transaction(wiring.engine) as connection:
        try:
            source = store.source_of(connection, version)
        except store.NoSuchVersion as error:
            raise Failed(str(error)) from None
        read = _parsed(source, f"version {version}")
        new = store.apply_rules(
            connection, source, read, by, f"rollback to {version}: {reason}", now()
        )
    click.echo(f"version {new} is in force, equal to version {version}")


def _read(file: Path) -> document.Document:
    try:
        source = file.read_text()
        if not source.strip():
            # A write that was cut short looks like this; in force it would end every channel.
            raise Failed(f"{file} is empty: write at least one location and one channel")
        return _parsed(source, str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{file} cannot be read: {error}") from None


def _parsed(source: str, name: str) -> document.Document:
    try:
        return document.read(source, name)
    except document.RuleFileError as error:
        raise Failed(str(error)) from None
