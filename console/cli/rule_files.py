"""Rule files as commands are given them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from allocation.document import Document, Problem, RuleFileError
from allocation.document import read as read_rules
from allocation.document import remarks as remarks_on
from console.cli.common import Failed
from workers.wiring import now

file = click.argument(
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path("lockstep.toml"),
)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A rule file without fault; `remarks` is what may not be meant all the same."""

    source: str
    document: Document
    remarks: list[Problem]


def read(path: Path) -> RuleFile:
    """Read a rule file.

    raises    Failed: it cannot be read, or is faulty
    """
    try:
        return check(path)
    except RuleFileError as error:
        raise Failed(str(error)) from None


def check(path: Path) -> RuleFile:
    """Read a rule file.

    raises    Failed: it cannot be read;  RuleFileError: it is faulty
    """
    try:
        source = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"{path} cannot be read: {error}") from None
    if not source.strip():
        # A write that was cut short looks like this; in force it would end every channel.
        raise Failed(f"{path} is empty: write at least one location and one channel")
    found = read_rules(source, str(path))
    return RuleFile(source, found, remarks_on(source, found, str(path), now()))


def tell(remarks: Iterable[Problem]) -> None:
    """Say what may not be meant, beside the data."""
    for remark in remarks:
        click.echo(f"note: {remark}", err=True)
