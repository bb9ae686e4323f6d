"""What an export folder holds: `manifest.json`, written anew in one step after each file.

A file that it does not name was never exported: a run that dies leaves at most one, under the name that the next run
gives to the same beginning.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from workers.feed.sheets import Form

NAME: Final = "manifest.json"
#: Of the manifest itself; another one is not read.
VERSION: Final = 1


class Unfit(Exception):
    """A folder cannot be exported into, or does not hold what it says; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What a file is proven by.

    events    rows that begin an event (of events only)
    units     its units added up
    states    of events: state -> units that came less units that went
    """

    rows: int
    units: int
    events: int = 0
    states: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was exported, and will never be written again.

    name       within the folder
    first, last    what it covers: numbers of the order of writing, or days
    """

    name: str
    first: str
    last: str
    sums: Sums
    bytes: int
    sha256: str
    made_at: str


@dataclass(slots=True)
class Progress:
    """How far a sheet is exported.

    through     the last number, or day, that is in the files
    event_id    of events: the one with the highest number, by which the ledger is known again
    """

    through: str = ""
    event_id: str = ""
    files: list[Written] = field(default_factory=list)


@dataclass(slots=True)
class Manifest:
    """All that an export folder says of itself."""

    form: Form
    version: int = VERSION
    sheets: dict[str, Progress] = field(default_factory=dict)

    def of(self, sheet: str) -> Progress:
        """How far a sheet is; a new one is at its beginning."""
        return self.sheets.setdefault(sheet, Progress())


_READ: Final = TypeAdapter(Manifest)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """One run at a time in a folder.

    raises    Unfit while another one is at work there
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unfit(f"another export is at work in {folder}: wait for it, or end it") from None
        yield


def read(folder: Path) -> Manifest | None:
    """What the folder holds; None for one that holds no export.

    raises    Unfit for a manifest that cannot be read
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        found = _READ.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise Unfit(f"{path} is no manifest of an export: {_short(error)}") from None
    if found.version != VERSION:
        raise Unfit(
            f"{path} has version {found.version}, and this program writes {VERSION}: export into a new folder"
        )
    return found


def write(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step, and see it on the disk."""
    body: dict[str, Any] = asdict(manifest)
    replace(folder / NAME, orjson.dumps(body, option=orjson.OPT_INDENT_2))


def replace(path: Path, body: bytes) -> None:
    """Write a whole file under its name in one step."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(body)
        settle(file.fileno())
    put(draft, path)


def settle(descriptor: int) -> None:
    """See what was written on the disk."""
    os.fsync(descriptor)


def put(draft: Path, path: Path) -> None:
    """Give a finished draft its name, and see the name on the disk."""
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
