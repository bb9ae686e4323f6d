"""CSV for spreadsheets: what somebody else wrote is text there, never a formula.

A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a line's end. Such text gets an apostrophe in
front; text with apostrophes before such a beginning gets one more, so that who reads a sheet back can tell
(`ledger.names.as_written`). Numbers stay numbers.

source    https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from console.access.types import Unfit
from console.cli.common import Failed
from ledger.names import as_text
from ledger.separated import NotText, decoded

_Row = TypeVar("_Row")


def read(file: Path, rows: Callable[[str], list[_Row]]) -> list[_Row]:
    """What a CSV file says, as `rows` reads its text; each fault names the file and its line. Raises Failed."""
    try:
        return rows(decoded(file.read_bytes()))
    except (OSError, NotText, csv.Error) as error:
        raise Failed(f"{file} cannot be read: {error}") from None
    except Unfit as error:
        raise Failed(str(error), faults=[f"{file}:{fault}" for fault in error.faults]) from None


@contextmanager
def faults_told() -> Iterator[None]:
    """What fails in this block is told fault by fault, before the sentence that ends it."""
    try:
        yield
    except Failed as error:
        for fault in error.faults:
            click.echo(fault, err=True)
        raise


def write(
    names: Sequence[str], rows: Iterable[Mapping[str, Any]], *, head: bool = True, end: str = "\n"
) -> None:
    """Print rows with these columns, in this order.

    head    whether the first line names the columns
    """
    out = csv.DictWriter(sys.stdout, names, lineterminator=end, extrasaction="ignore")
    if head:
        out.writeheader()
    out.writerows({name: _cell(row.get(name)) for name in names} for row in rows)


def _cell(said: Any) -> Any:
    # Python's writer puts no quotes around a lone \r, and a reader would begin another row there.
    return as_text(said.replace("\r", "\n") if isinstance(said, str) else said)
