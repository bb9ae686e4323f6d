"""Tab-separated reports as rows by normalised column name: what varies by marketplace, locale and year is not believed.

Columns come in other orders, other cases and with other marks between the words ("Total Reserved Quantity",
"units-shipped-t30"); new ones appear. A column is found by its letters and digits alone, an unknown one is ignored.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from channels.amazon.wire import is_of_our_days
from channels.base import Unreadable

_NOT_NAME: Final = re.compile(r"[^a-z0-9]+")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
#: 1,000 and 1,000.5; the comma parts thousands.
_THOUSANDS: Final = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")
_DATES: Final = ("%Y-%m-%d", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y")


def normal(name: str) -> str:
    """A column's name as it is looked for: small letters and digits."""
    return _NOT_NAME.sub("", name.lower())


def rows(content: bytes, *, needed: frozenset[str]) -> Iterator[Mapping[str, str]]:
    """The rows of a report, each by normalised column name; empty lines are left out.

    needed    normalised columns without which the report says nothing
    raises    Unreadable when one of them is missing
    """
    # Only these end a line: a title may hold other characters that Python takes for an end.
    lines = _LINE_END.split(_text(content))
    names = [normal(cell) for cell in lines[0].split("\t")]
    missing = sorted(needed - set(names))
    if missing:
        raise Unreadable(f"Amazon: a report without {', '.join(missing)}; it has {names[:20]}")
    for line in lines[1:]:
        if line.strip():
            cells = [cell.strip().strip('"') for cell in line.split("\t")]
            # A cell is never missing in the middle; one that is cut off at the end says nothing.
            yield dict(zip(names, cells, strict=False))


def _text(content: bytes) -> str:
    """Amazon writes UTF-8 in some marketplaces and Windows-1252 in others, and says which of them nowhere."""
    try:
        if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            text = content.decode("utf-16")
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    # Nobody means it, and PostgreSQL takes none.
    return text.replace("\x00", "")


def whole(cell: str | None) -> int | None:
    """A number of units; None where the report says none."""
    number = decimal(cell)
    return int(number) if number is not None and number == number.to_integral_value() else None


def decimal(cell: str | None) -> Decimal | None:
    """A number with a point or a comma, thousands with or without commas; None where the report says none."""
    said = (cell or "").strip()
    is_parted = _THOUSANDS.fullmatch(said) is not None
    try:
        number = Decimal(said.replace(",", "" if is_parted else "."))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < Decimal(10) ** 12 else None


def day(cell: str | None) -> date | None:
    """A date in one of the ways Amazon writes them; None where it is none of them."""
    text = (cell or "").strip()
    for form in _DATES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).date()
        except ValueError:
            continue
    return None


def moment(cell: str | None) -> datetime | None:
    """A time with its offset, or the beginning of a day (UTC), of our days; None where it is neither."""
    text = (cell or "").strip()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        on = day(text)
        return None if on is None else datetime(on.year, on.month, on.day, tzinfo=UTC)
    if not is_of_our_days(at):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
