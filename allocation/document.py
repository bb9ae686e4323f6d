"""The rule file `lockstep.toml`: its shape, what contradicts itself in it, and where.

`read` turns the text of a file into a `Document`, or raises `RuleFileError` with every problem found: file, line where
it is known, what is wrong and what to do. `Document.rules()` gives the words the engine works with.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from allocation import contradictions
from allocation.lines import line_of
from allocation.types import ChannelRule, LocationRule, OverCap, Override, Rule, Rules, Show, Which

Units = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Percent = Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LocationTable(_Table):
    """`[locations.<name>]`"""

    title: str = ""
    kind: Literal["warehouse", "store", "mirror", "virtual"] = "warehouse"
    safety_units: Units | None = None


class SafetyTable(_Table):
    """`[safety]`"""

    default_units: Units = 0


class SplitTable(_Table):
    """`[split]`"""

    over_cap: OverCap = OverCap.HOLD_BACK


class ChannelTable(_Table):
    """`[channels.<name>]`"""

    kind: Literal["shopify", "amazon", "square", "edi"]
    base_url: Annotated[
        str, StringConstraints(pattern=r"^(https?|sftp)://[^/@\s]+(/[^@\s]*)?$|^file:///[^@\s]+$")
    ]
    account: str = ""
    locations: Annotated[tuple[Name, ...], Field(min_length=1)]
    vendor_locations: Annotated[dict[Name, Name], Field(min_length=1)]
    show: Show = Show.POOLED
    show_at: Name | None = None
    percent: Percent | None = None
    buffer: Units = 0
    cap: Units | None = None
    floor: Units = 0
    hide_at_zero: bool = False
    why: str = ""
    options: dict[str, str] = {}

    def shown_at(self) -> str | None:
        """Where a pooled channel shows its number; with one location there is nothing to choose."""
        if self.show is Show.PER_LOCATION:
            return None
        return self.show_at or (self.locations[0] if len(self.locations) == 1 else None)


class OverrideTable(_Table):
    """`[[overrides]]`"""

    sku: Name
    channel: Name | None = None
    percent: Percent | None = None
    buffer: Units | None = None
    cap: Units | None = None
    floor: Units | None = None
    exclude: bool | None = None
    why: Why


class Document(_Table):
    """A rule file that has been read and does not contradict itself."""

    locations: dict[Name, LocationTable] = {}
    safety: SafetyTable = SafetyTable()
    split: SplitTable = SplitTable()
    channels: dict[ChannelName, ChannelTable] = {}
    overrides: tuple[OverrideTable, ...] = ()

    def rules(self) -> Rules:
        """The same in the engine's words."""
        return Rules(
            locations={name: self._location(name) for name in self.locations},
            channels=tuple(_channel(name, table) for name, table in self.channels.items()),
            overrides=tuple(_override(table) for table in self.overrides),
            over_cap=self.split.over_cap,
        )

    def _location(self, name: str) -> LocationRule:
        table = self.locations[name]
        own = table.safety_units
        safety = self.safety.default_units if own is None else own
        return LocationRule(name, table.title, table.kind, safety)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a rule file.

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
    """Read a rule file.

    source    its text
    file      its name, for the messages
    raises    RuleFileError
    """
    try:
        tree = tomllib.loads(source, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise RuleFileError([_unparsed(file, error)]) from None
    try:
        document = Document.model_validate(tree)
    except ValidationError as error:
        raise RuleFileError(_misshapen(file, source, error)) from None
    found = [
        Problem(file, line_of(source, path), ".".join(map(str, path)), message)
        for path, message in contradictions.find(document.rules(), _facts(document))
    ]
    if found:
        raise RuleFileError(found)
    return document


def _facts(document: Document) -> contradictions.Facts:
    return contradictions.Facts(
        overrides=tuple(_override(table) for table in document.overrides),
        show_at={name: table.show_at for name, table in document.channels.items()},
    )


def _unparsed(file: str, error: tomllib.TOMLDecodeError) -> Problem:
    text = str(error)
    at = re.search(r"\(at line (\d+)", text)
    line = int(at.group(1)) if at else None
    return Problem(file, line, "", f"not valid TOML: {text}; correct this line")


def _misshapen(file: str, source: str, error: ValidationError) -> Iterator[Problem]:
    for fault in error.errors(include_url=False, include_input=True):
        path = tuple(part for part in fault["loc"] if part != "[key]")
        where = ".".join(map(str, path))
        yield Problem(file, line_of(source, path), where, _message(path, dict(fault)))


def _message(path: tuple[int | str, ...], fault: Mapping[str, Any]) -> str:
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
    words = str(fault["msg"])
    return f"{words[0].lower()}{words[1:]}, but it is {fault['input']!r}; correct the value"


_TABLES: Mapping[str, type[BaseModel]] = {
    "locations": LocationTable,
    "safety": SafetyTable,
    "split": SplitTable,
    "channels": ChannelTable,
    "overrides": OverrideTable,
}
_SECRETS = ("token", "secret", "password", "key")


def _unknown(path: tuple[int | str, ...]) -> str:
    key = str(path[-1])
    if any(word in key.lower() for word in _SECRETS):
        return "secrets do not belong into this file; put it into LOCKSTEP_CHANNEL_SECRETS"
    table = _TABLES.get(str(path[0]), Document) if len(path) > 1 else Document
    known = list(table.model_fields)
    near = difflib.get_close_matches(key, known, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return f"is not a setting; {remedy}"


def _channel(name: str, table: ChannelTable) -> ChannelRule:
    why = (table.why,) if table.why else ()
    return ChannelRule(
        name=name,
        kind=table.kind,
        base_url=table.base_url,
        account=table.account,
        locations=table.locations,
        show=table.show,
        show_at=table.shown_at(),
        rule=Rule(
            percent=table.percent,
            buffer=table.buffer,
            cap=table.cap,
            floor=table.floor,
            why=why,
        ),
        hide_at_zero=table.hide_at_zero,
        vendor_locations=table.vendor_locations,
        options=table.options,
    )


def _override(table: OverrideTable) -> Override:
    return Override(
        which=Which(sku=table.sku),
        channel=table.channel,
        percent=table.percent,
        buffer=table.buffer,
        cap=table.cap,
        floor=table.floor,
        exclude=table.exclude,
        why=table.why,
    )
