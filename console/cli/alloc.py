"""The rules."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from allocation import document, store
from console.cli import rule_files
from console.cli.acting import acting
from console.cli.alloc_fit import fit
from console.cli.alloc_plan import plan
from console.cli.alloc_simulate import simulate
from console.cli.common import Failed, as_json, by, emit, house, reason
from console.verbs import rules as verbs
from ledger.db import transaction
from workers.flows import drafts
from workers.wiring import Wiring, now


@click.group()
def alloc() -> None:
    """Rules: check, plan, apply, show, history, rollback.

    Workers follow the version in the database, never a file: what a file says counts once it is applied, within
    seconds and for every SKU.
    """


alloc.add_command(fit)
alloc.add_command(plan)
alloc.add_command(simulate)


@alloc.command()
@rule_files.file
@as_json
def check(file: Path, as_json: bool) -> None:
    """Read a rule file and say what is wrong with it, line by line.

    Neither a database nor the rules in force are looked at. Notes are about what is allowed and may not be meant.
    """
    try:
        read = rule_files.check(file)
    except document.RuleFileError as error:
        if not as_json:
            raise Failed(str(error)) from None
        emit({"fine": False, "problems": list(error.problems), "notes": []}, as_json=True)
        raise SystemExit(1) from None
    if as_json:
        emit({"fine": True, "problems": [], "notes": read.remarks}, as_json=True)
        return
    rule_files.tell(read.remarks)
    rules = read.document.rules()
    click.echo(
        f"{file}: {len(rules.channels)} channels, {len(rules.locations)} locations, no problems"
    )


@alloc.command()
@rule_files.file
@click.option("--author", required=True, help="Who puts the rules in force.")
@reason
@click.option(
    "--expect-version",
    type=click.IntRange(min=0),
    default=None,
    help="Refuse (exit 5) unless this version is in force: the one the plan was made against; 0 is none yet.",
)
@as_json
def apply(file: Path, author: str, reason: str, expect_version: int | None, as_json: bool) -> None:
    """Put a rule file in force; a faulty one is refused whole and the running version stays.

    The text is stored as a new version. Workers compute every SKU with it from then on; changing the file afterwards
    changes nothing until it is applied again.
    """
    read = rule_files.read(file)
    rule_files.tell(read.remarks)
    with acting("alloc.apply") as wiring:
        applied = _put_in_force(wiring, read.source, read.document, author, reason, expect_version)
    if as_json:
        emit(applied, as_json=True)
    else:
        click.echo(f"version {applied.version} is in force; every SKU is being computed again")


@alloc.command()
@click.option(
    "--version",
    type=click.IntRange(min=1),
    default=None,
    help="Which version; the one in force if left out.",
)
@as_json
def show(version: int | None, as_json: bool) -> None:
    """Print a version of the rules as it was applied; without --version the one that workers follow."""
    with house() as wiring, transaction(wiring.engine) as connection:
        newest = store.history(connection, limit=1)
        if not newest:
            raise Failed(
                "no rules were ever applied: lockstep alloc apply FILE --author ... --reason ..."
            )
        number = version or newest[0].version
        try:
            source = store.source_of(connection, number)
        except store.NoSuchVersion as error:
            raise Failed(str(error)) from None
    if as_json:
        emit({"version": number, "source": source}, as_json=True)
    else:
        click.echo(source)


@alloc.command()
@as_json
def history(as_json: bool) -> None:
    """Every version ever in force, newest first: the first line is the one that workers follow."""
    with house() as wiring, transaction(wiring.engine) as connection:
        versions = store.history(connection)
    emit([dataclasses.asdict(version) for version in versions], as_json=as_json)


@alloc.command()
@click.argument("version", type=click.IntRange(min=1))
@by
@reason
@as_json
def rollback(version: int, by: str, reason: str, as_json: bool) -> None:
    """Put an older version in force again, as a new one.

    It was in force once, so it is not refused for what newer releases would ask of a new file; that is said, though.
    """
    name = f"version {version}"
    with acting("alloc.rollback") as wiring:
        source, read = verbs.stored(wiring.engine, version)
        rule_files.tell(_would_refuse(source, name))
        why = f"rollback to {version}: {reason}"
        applied = _put_in_force(wiring, source, read, by, why, None)
    if as_json:
        emit(applied, as_json=True)
    else:
        click.echo(f"version {applied.version} is in force, equal to version {version}")


def _would_refuse(source: str, name: str) -> tuple[document.Problem, ...]:
    try:
        document.read(source, name)
    except document.RuleFileError as error:
        return error.problems
    return ()


def _put_in_force(
    wiring: Wiring,
    source: str,
    read: document.Document,
    author: str,
    reason: str,
    expected: int | None,
) -> drafts.Applied:
    for name, said in (("who", author), ("why", reason)):
        if not said.strip():
            raise click.UsageError(f"say {name}: it is kept with the version")
    return verbs.apply(
        wiring.engine, source, read, by=author, reason=reason, now=now(), expected=expected
    )
