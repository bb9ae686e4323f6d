"""CSV for spreadsheets: what somebody else wrote is text there, never a formula.

A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a line's end. Such text gets an apostrophe in
front; text with apostrophes before such a beginning gets one more, so that who reads a sheet back can tell
(`ledger.names.as_written`). Numbers stay numbers.

source    https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ledger.names import as_text


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
