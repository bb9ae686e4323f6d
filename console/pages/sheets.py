"""What a form is: the verb it does, its fields, what they must say, and what is asked before it is done.

A sheet is read by the same words as the API's body (pydantic), so that both doors refuse the same; what is wrong is
told beside its field. One that is dangerous is rehearsed first: what it would come to is shown, and asked once more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection

from console.api.state import Act

Form: TypeAlias = Mapping[str, str]
#: Field -> what is wrong with it, and what to do; "" is the form as a whole.
Faults: TypeAlias = dict[str, str]
W = TypeVar("W", bound=BaseModel)

_SPLIT: Final = re.compile(r"[,;\s]+")
#: What pydantic says, as people say it.
_SAID: Final = {
    "missing": "fill this in",
    "string_too_short": "fill this in",
    "string_too_long": "this is too long",
    "string_pattern_mismatch": "these signs cannot be taken here",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "decimal_parsing": "write a number, such as 12.5",
    "enum": "choose one that is listed",
    "literal_error": "choose one that is listed",
    "datetime_from_date_parsing": "write a moment, such as 2026-03-12T09:00Z",
    "timezone_aware": "say its offset from UTC, such as 2026-03-12T09:00Z",
    "date_from_datetime_parsing": "write a day, such as 2026-03-12",
    "uuid_parsing": "use the whole id",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form.

    kind       text, number, area (many lines), flag, choice, list (several, apart by commas or blanks), hidden
    hint       what to write, told below it
    """

    name: str
    label: str
    kind: str = "text"
    hint: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Came:
    """What a deed came to: a sentence, rows that show more of it, a secret that is told this once."""

    sentence: str
    rows: Sequence[Mapping[str, Any]] = ()
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Sheet(Generic[W]):
    """A form.

    words     what it must say;  do   does it, or rehearses it where the act is a dry run
    home      the page it belongs to
    danger    whether it is asked once more;  hands_out   a secret, which is not made for asking
    begin     what its fields hold before somebody writes, beside what the address says
    """

    verb: str
    title: str
    words: type[W]
    fields: tuple[Field, ...]
    do: Callable[[Act, W], Came]
    home: str
    about: str = ""
    danger: Callable[[W], bool] = lambda _: False
    hands_out: bool = False
    begin: Callable[[Connection, Form], dict[str, str]] = lambda _connection, _form: {}

    def read(self, form: Form) -> W:
        """What a form says. Raises ValidationError."""
        said: dict[str, Any] = {}
        for field in self.fields:
            value = form.get(field.name, "").strip()
            if field.kind == "flag":
                said[field.name] = value == "1"
            elif field.kind == "list" and value:
                said[field.name] = [part for part in _SPLIT.split(value) if part]
            elif value:
                said[field.name] = value
        return self.words.model_validate(said)

    def faults(self, error: ValidationError) -> Faults:
        """What is wrong, beside each field, and what to do about it."""
        known = {field.name: field for field in self.fields}
        found: Faults = {}
        for each in error.errors():
            name = str(each["loc"][0]) if each["loc"] else ""
            words = _SAID.get(each["type"], each["msg"].removeprefix("Value error, "))
            field = known.get(name)
            hint = f": {field.hint}" if field is not None and field.hint else ""
            found.setdefault(name if field else "", f"{words}{hint}")
        return found


WHY: Final = Field("reason", "Why", hint="it is kept with what is done", required=True)
WHY_IF_ANY: Final = Field("reason", "Why, if you like", hint="it is kept with what is done")
