"""One form of JSON for every door."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, datetime
from typing import Any


def dumps(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON: dataclasses by field, times in ISO 8601, anything else that JSON has no word for as text."""
    return json.dumps(plain(value), indent=indent, default=_text)


def plain(value: Any) -> Any:
    """Dataclasses, rows and sequences of them as dicts and lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return dict(value) if hasattr(value, "keys") else value


def _text(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.isoformat() if isinstance(value, datetime | date) else str(value)
