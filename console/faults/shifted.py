"""Run a command of ours with a calendar that somebody sets meanwhile; clocks that only count go on as they are.

    python -m console.faults.shifted OFFSET_FILE beat

The file holds seconds, read at each look at the clock. A library that is loaded before all others would reach further,
and the one there is breaks the way in which Python sleeps.
"""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import psycopg
from psycopg.adapt import PyFormat

_Real = datetime.datetime


class _Kind(type):
    """What was made before, or in C, is a datetime all the same."""

    def __instancecheck__(cls, other: object) -> bool:
        return isinstance(other, _Real)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, _Real)


def shift(offset_s: Callable[[], float]) -> None:
    """Let every module that is imported from here on see a clock that is ahead by so much."""
    # The driver knows the kind by its name, and gives what it knows to the first that it meets; it would write what is
    # of the other kind as a day.
    for form in PyFormat:
        psycopg.adapters.get_dumper(_Real, form)
    wall = time.time

    class Shifted(_Real, metaclass=_Kind):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return _Real.fromtimestamp(wall() + offset_s(), tz)

        @classmethod
        def utcnow(cls) -> Any:
            return _Real.fromtimestamp(wall() + offset_s(), datetime.UTC).replace(tzinfo=None)

    Shifted.__name__ = Shifted.__qualname__ = "datetime"
    Shifted.__module__ = "datetime"
    cast("Any", datetime).datetime = Shifted
    cast("Any", time).time = lambda: wall() + offset_s()


def _read(file: Path) -> Callable[[], float]:
    def offset_s() -> float:
        return float(file.read_text() or 0)

    return offset_s


def main() -> None:
    """The offset's file, then a command line of ours."""
    file = Path(sys.argv.pop(1))
    shift(_read(file))
    # From here on, and not before: what is imported earlier keeps the clock it has seen.
    from console.cli import main as run

    run()


if __name__ == "__main__":
    main()
