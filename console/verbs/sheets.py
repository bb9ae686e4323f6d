"""A sheet that somebody gives, as CSV: read line by line, all of it or nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import TypeVar

from console.access.types import Unfit
from ledger.separated import separator

_Row = TypeVar("_Row")


def read(
    said: str,
    head: Callable[[Sequence[str]], None],
    row: Callable[[dict[str, str]], _Row],
) -> list[_Row]:
    """Each line as `row` reads it; separated by commas, semicolons or tabs, columns in capitals or not.

    head      is given the names of the columns, and raises Unfit where one is missing
    row       is given column -> text ("" where nothing is said), and raises ValueError for what cannot be
    raises    Unfit, naming the lines
    """
    text = said.removeprefix("\ufeff")
    first = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="", delimiter=separator(first))
    rows: list[_Row] = []
    faults: list[str] = []
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
        head(reader.fieldnames)
        for line in reader:
            try:
                rows.append(row(line))
            except ValueError as error:
                faults.append(f"{reader.line_num}: {error}")
    except csv.Error as error:
        faults.append(f"{reader.line_num}: {error}; write CSV")
    if faults:
        raise Unfit(f"{len(faults)} to be put right; nothing was changed", faults=faults)
    return rows
