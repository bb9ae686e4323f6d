"""From the text of a rule file to a `Document`, or to everything that is wrong with it."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import BaseModel, ValidationError

from allocation.document import contradictions, notes, reasons
from allocation.document.findings import Finding, named
from allocation.document.halting import HaltTable
from allocation.document.lines import Path, line_of
from allocation.document.tables import (
    ChannelTable,
    Document,
    ExposureTable,
    LocationTable,
    OverrideTable,
    OversoldTable,
    PickupTable,
    PlayTable,
    ProtectionTable,
    QuotaTable,
    SafetyStockTable,
    SafetyTable,
    SplitTable,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a rule file, or worth saying of it.

    line      counted from 1; None where it could not be found
    where     the setting, as in `channels.shopify.cap`
    """

    file: str
    line: int | None
    where: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return (
            f"{place}: {self.where}: {self.message}" if self.where else f"{place}: {self.message}"
        )


class RuleFileError(ValueError):
    """A rule file that cannot be used; `problems` holds all that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def read(source: str, file: str = "lockstep.toml") -> Document:
    """Read a rule file that is to be put in force.

    source    its text
    file      its name, for the messages
    raises    RuleFileError: its shape is wrong, a reason is missing, or it contradicts itself
    """
    document = read_stored(source, file)
    found = [*_unstorable(document), *reasons.missing(document), *contradictions.find(document)]
    if found:
        raise RuleFileError(_placed(source, file, found))
    return document


def read_stored(source: str, file: str = "the rules in force") -> Document:
    """Read a version that was put in force once, maybe by an older release: only its shape is asked.

    A later release may be stricter with new files. What is in force stays readable all the same: shapes only ever gain.

    raises    RuleFileError
    """
    try:
        tree = tomllib.loads(source, parse_float=_decimal)
    except (ValueError, RecursionError) as error:
        raise RuleFileError([_unparsed(source, file, error)]) from None
    try:
        return Document.model_validate(tree)
    except ValidationError as error:
        raise RuleFileError(_placed(source, file, _misshapen(error))) from None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"the number {text} is out of all bounds") from None


def remarks(source: str, document: Document, file: str, now: datetime) -> list[Problem]:
    """What is allowed in a rule file and may not be meant, such as a tag that nothing uses."""
    return _placed(source, file, notes.find(document, now))


def _placed(source: str, file: str, findings: Iterable[Finding]) -> list[Problem]:
    """The findings with their lines, in the order of the file."""
    problems = [
        Problem(file, line_of(source, found.path), named(found.path), found.message)
        for found in findings
    ]
    return sorted(problems, key=lambda problem: problem.line or 0)


def _unparsed(source: str, file: str, error: Exception) -> Problem:
    if isinstance(error, RecursionError):
        return Problem(
            file, None, "", "not valid TOML: nested too deeply; a rule file needs no such"
        )
    text = str(error)
    if "integer string conversion" in text:
        text = "a whole number is out of all bounds"
    at = re.search(r"\(at line (\d+)", text)
    line = int(at.group(1)) if at else None
    if "(at end of document)" in text:
        line = max(1, len(source.splitlines()))
    return Problem(file, line, "", f"not valid TOML: {text}; correct this line")


def _unstorable(document: Document) -> Iterator[Finding]:
    """Texts that PostgreSQL cannot keep."""
    waiting: list[tuple[Path, object]] = [((), document.model_dump())]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*path, key), inner) for key, inner in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [((*path, place), inner) for place, inner in enumerate(value)]
        if "\0" in str(value if isinstance(value, str) else path[-1:] and path[-1]):
            yield Finding(path, "holds the character U+0000, which cannot be stored; remove it")


def _misshapen(error: ValidationError) -> Iterator[Finding]:
    for fault in error.errors(include_url=False, include_input=True):
        path = tuple(part for part in fault["loc"] if part != "[key]")
        yield Finding(path, _message(path, dict(fault)))


_NO_TABLE = {"model_type", "model_attributes_type", "dict_type"}


def _message(path: Path, fault: Mapping[str, Any]) -> str:
    match fault["type"]:
        case "extra_forbidden":
            return _unknown(path)
        case "missing":
            return f"is missing; add {path[-1]} = ..."
        case "string_pattern_mismatch" if path[-1] == "base_url":
            return (
                "is not a plain address; write https://host (sftp://host/path, file:///path) without user or"
                " password (secrets go into LOCKSTEP_CHANNEL_SECRETS)"
            )
        case "string_pattern_mismatch":
            return (
                "is not a channel name; use small letters, digits, - and _, starting with a letter"
            )
        case "tuple_type" if len(path) == 1:
            return f"is no list of tables; write [[{path[0]}]] above each, with two brackets"
        case kind if kind in _NO_TABLE:
            return f"is {_written(fault['input'])} and no table; write [{named(path)}]"
    words = str(fault["msg"])
    return f"{words[0].lower()}{words[1:]}, but it is {_written(fault['input'])}; correct the value"


def _written(value: object) -> str:
    """A value about as the file has it."""
    match value:
        case bool():
            return str(value).lower()
        case Decimal():
            return str(value)
        case dict():
            return "a table"
        case list() if value:
            return "a list"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


_TABLES: Mapping[str, type[BaseModel]] = {
    "locations": LocationTable,
    "safety": SafetyTable,
    "split": SplitTable,
    "exposure": ExposureTable,
    "halt": HaltTable,
    "channels": ChannelTable,
    "overrides": OverrideTable,
    "safety_stock": SafetyStockTable,
    "protection": ProtectionTable,
    "oversold": OversoldTable,
    "playbook": PlayTable,
}
_INNER: Mapping[str, type[BaseModel]] = {
    "pickup": PickupTable,
    "quota": QuotaTable,
    "halt": HaltTable,
}
_SECRETS = ("token", "secret", "password", "key")


def _unknown(path: Path) -> str:
    key = str(path[-1])
    if any(word in key.lower() for word in _SECRETS):
        return "secrets do not belong into this file; put it into LOCKSTEP_CHANNEL_SECRETS"
    table: type[BaseModel] = _TABLES.get(str(path[0]), Document) if len(path) > 1 else Document
    if len(path) > 3:
        table = _INNER.get(str(path[2]), table)
    known = [field.alias or name for name, field in table.model_fields.items()]
    near = difflib.get_close_matches(key, known, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return f"is not a setting; {remedy}"
