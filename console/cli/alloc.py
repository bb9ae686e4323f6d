"""The rules."""

from __future__ import annotations

from pathlib import Path

import click

from allocation import document
from console.cli import rule_files
from console.cli.alloc_fit import fit
from console.cli.alloc_plan import plan
from console.cli.alloc_simulate import simulate
from console.cli.common import Failed, as_json, by, emit, reason, tell
from console.cli.elsewhere import asked, done, listed, trying
from console.verbs import rules as verbs
from console.views import rules as views
from workers.wiring import now


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
@trying
@as_json
def apply(
    file: Path,
    author: str,
    reason: str,
    expect_version: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put a rule file in force; a faulty one is refused whole and the running version stays.

    The text is stored as a new version. Workers compute every SKU with it from then on; changing the file afterwards
    changes nothing until it is applied again.
    """
    read = rule_files.read(file)
    rule_files.tell(read.remarks)
    _said(author, reason)
    told = done(
        "alloc.apply",
        "/rules",
        {"source": read.source, "expect_version": expect_version, "reason": reason},
        lambda wiring: verbs.apply(
            wiring.engine, read.source, read.document, by=author, reason=reason, now=now(),
            expected=expect_version,
        ),
        dry_run=dry_run,
    )  # fmt: skip
    words = f"version {told['version']} is in force; every SKU is being computed again"
    tell(told, words, as_json=as_json)


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
    path = f"/rules/{version}" if version else "/rules/newest"
    told = asked(path, lambda _, book: views.version(book, version))
    tell(told, told["source"], as_json=as_json)


@alloc.command()
@as_json
def history(as_json: bool) -> None:
    """Every version ever in force, newest first: the first line is the one that workers follow."""
    emit(listed(views.VERSIONS, "/rules", {}), as_json=as_json)


@alloc.command()
@click.argument("version", type=click.IntRange(min=1))
@trying
@by
@reason
@as_json
def rollback(version: int, dry_run: bool, by: str, reason: str, as_json: bool) -> None:
    """Put an older version in force again, as a new one.

    It was in force once, so it is not refused for what newer releases would ask of a new file; that is said, though.
    """
    _said(by, reason)
    told = done(
        "alloc.rollback",
        "/rules/rollback",
        {"version": version, "reason": reason},
        lambda wiring: verbs.rollback(wiring.engine, version, by=by, reason=reason, now=now()),
        dry_run=dry_run,
    )
    rule_files.tell(_would_refuse(version))
    words = f"version {told['version']} is in force, equal to version {version}"
    tell(told, words, as_json=as_json)


def _would_refuse(version: int) -> tuple[document.Problem, ...]:
    stored = asked(f"/rules/{version}", lambda _, book: views.version(book, version))
    try:
        document.read(stored["source"], f"version {version}")
    except document.RuleFileError as error:
        return error.problems
    return ()


def _said(author: str, reason: str) -> None:
    for name, said in (("who", author), ("why", reason)):
        if not said.strip():
            raise click.UsageError(f"say {name}: it is kept with the version")
