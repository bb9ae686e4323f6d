"""A mailbox of files: what arrives, what leaves, what is kept; the rules, whatever disk the files lie on.

    inbound/            from the partner, until archived or failed
    outbound/           to the partner, who takes it from there
    archive/YYYY-MM-DD/ what was taken and booked, by the UTC day on which it arrived
    failed/YYYY-MM-DD/  what nobody could read, each with a `.reason.txt` beside it

Any step may be cut short and be done again: a file is in inbound/ until a rename takes it away.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from channels.base import ChannelError, Refused, Unavailable

INBOUND: Final = "inbound"
OUTBOUND: Final = "outbound"
ARCHIVE: Final = "archive"
FAILED: Final = "failed"
FOLDERS: Final = (INBOUND, OUTBOUND, ARCHIVE, FAILED)

#: Seconds without a change after which a file counts as whole.
QUIET_S: Final = 2.0
MAX_BYTES: Final = 64 * 1024 * 1024
_UNFINISHED: Final = (".tmp", ".part", ".partial", ".filepart")
_REASON: Final = ".reason.txt"
# Leaves room for what we append: a number, the reason's ending, a draft's marks.
_NAME_BYTES: Final = 200


class Exchange(Protocol):
    """Where a partner's files are exchanged. All verbs raise ChannelError; a name is a bare file name."""

    def inbound(self) -> list[str]:
        """Names that are ready to be taken, oldest first.

        Left alone: hidden files, drafts (`*.tmp`, `*.part`, ...), files that still grow, names we cannot keep.
        """

    def take(self, name: str) -> bytes:
        """The whole file, which stays where it is until `archive` or `fail`.

        raises   Refused: code `gone` (another taker was faster), `too-large`, `name`
        """

    def archive(self, name: str) -> None:
        """Move what was taken and booked into archive/, never over another file; harmless when it is gone."""

    def fail(self, name: str, reason: str) -> None:
        """Move what cannot be read into failed/ and write down why; harmless when it is gone."""

    def send(self, name: str, body: bytes) -> None:
        """Put a whole file into outbound/ at once; the same body again is harmless.

        raises   Refused: code `name-taken` (another body lies there under this name), `too-large`, `name`
        """

    def close(self) -> None:
        """Give a connection back; the next call makes another."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A plain file of a folder. `modified_s` is its last change, seconds of the disk's own clock."""

    name: str
    size: int
    modified_s: float


class Disk(Protocol):
    """What a mailbox needs of a disk. Paths are relative, with `/`. Errors are ChannelErrors but where said."""

    def entries(self, folder: str) -> list[Entry]:
        """Plain files only, no links."""

    def find(self, path: str) -> Entry | None:
        """One file; None when there is none."""

    def read(self, path: str, most: int) -> bytes | None:
        """At most `most` bytes; None when there is no such file."""

    def write(self, path: str, body: bytes) -> None:
        """Write a new file and make it last."""

    def move(self, source: str, target: str) -> None:
        """Rename at once, never over another file. Raises FileExistsError, FileNotFoundError."""

    def settle(self, source: str, target: str) -> bool:
        """End a move that was cut short; False when `target` is another file than `source`."""

    def remove(self, path: str) -> None:
        """Remove a file; harmless when it is gone."""

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it; harmless when it is there."""


class Mailbox:
    """An `Exchange` on a disk. It holds no state: any number of processes may use one mailbox at once.

    quiet_s     how long a file must not have changed; 0 when every writer renames
    max_bytes   a larger file is refused instead of read
    """

    def __init__(
        self, disk: Disk, where: str, *, quiet_s: float = QUIET_S, max_bytes: int = MAX_BYTES
    ) -> None:
        self._disk = disk
        self._where = where
        self._quiet_s = quiet_s
        self._max_bytes = max_bytes

    def close(self) -> None:
        """Nothing is held."""

    def inbound(self) -> list[str]:
        found = [entry for entry in self._disk.entries(INBOUND) if _ready(entry.name)]
        if found and self._quiet_s > 0:
            now_s = self._now_s()
            # A change time ahead of the disk's clock was set by hand: nobody is writing then.
            found = [one for one in found if abs(now_s - one.modified_s) >= self._quiet_s]
        return [one.name for one in sorted(found, key=lambda one: (one.modified_s, one.name))]

    def take(self, name: str) -> bytes:
        path = f"{INBOUND}/{_checked(name)}"
        before = self._disk.find(path)
        if before is not None and before.size > self._max_bytes:
            raise self._too_large(name, before.size)
        body = None if before is None else self._disk.read(path, self._max_bytes + 1)
        if before is None or body is None:
            raise Refused(
                f"{self._where}: {name} is no longer in {INBOUND}/; another taker was faster",
                code="gone",
            )
        if len(body) > self._max_bytes:
            raise self._too_large(name, len(body))
        if len(body) != before.size:
            raise Unavailable(f"{self._where}: {name} changed while it was read; it is not whole")
        return body

    def archive(self, name: str) -> None:
        self._put_away(name, ARCHIVE, None)

    def fail(self, name: str, reason: str) -> None:
        self._put_away(name, FAILED, reason)

    def send(self, name: str, body: bytes) -> None:
        if not _ready(_checked(name)):
            raise Refused(f"{self._where}: {name!r} looks like a draft; rename it", code="name")
        if len(body) > self._max_bytes:
            raise self._too_large(name, len(body))
        path = f"{OUTBOUND}/{name}"
        if self._lies_there(path, body):
            return
        draft = f"{OUTBOUND}/.{name}.{secrets.token_hex(4)}.tmp"
        self._write(draft, body)
        try:
            self._disk.move(draft, path)
        except FileExistsError:
            self._disk.remove(draft)
            self._lies_there(path, body)

    def _lies_there(self, path: str, body: bytes) -> bool:
        there = self._disk.read(path, self._max_bytes + 1)
        if there is not None and there != body:
            raise Refused(
                f"{self._where}: {path} holds another document; a name is given once",
                code="name-taken",
            )
        return there is not None

    def _put_away(self, name: str, folder: str, reason: str | None) -> None:
        source = f"{INBOUND}/{_checked(name)}"
        entry = self._disk.find(source)
        if entry is None:
            return
        day = datetime.fromtimestamp(entry.modified_s, UTC).date().isoformat()
        self._disk.make_folder(f"{folder}/{day}")
        for target in _targets(f"{folder}/{day}", name):
            if self._disk.find(target) is None:
                if reason is not None:
                    # Before the file: cut short here, it is failed again; the other way round nobody would know why.
                    self._write_reason(target, reason)
                with suppress(FileExistsError):
                    with suppress(FileNotFoundError):  # another taker was faster
                        self._disk.move(source, target)
                    return
            if self._disk.settle(source, target):
                return

    def _write(self, draft: str, body: bytes) -> None:
        """A draft, or nothing: halves of drafts would fill a full disk up each time that we try."""
        try:
            self._disk.write(draft, body)
        except ChannelError:
            with suppress(ChannelError):
                self._disk.remove(draft)
            raise

    def _write_reason(self, target: str, reason: str) -> None:
        self._disk.remove(target + _REASON)
        draft = f"{target}{_REASON}.{secrets.token_hex(4)}.tmp"
        self._write(draft, (reason.rstrip() + "\n").encode())
        try:
            self._disk.move(draft, target + _REASON)
        except FileExistsError:
            self._disk.remove(draft)

    def _now_s(self) -> float:
        """The disk's clock, read off a file that we write: ours may differ from a server's."""
        probe = f"{ARCHIVE}/.clock.{secrets.token_hex(4)}.tmp"
        self._disk.make_folder(ARCHIVE)
        self._write(probe, b"")
        try:
            entry = self._disk.find(probe)
        finally:
            self._disk.remove(probe)
        if entry is None:
            raise Unavailable(f"{self._where}: a file written into {ARCHIVE}/ was not there")
        return entry.modified_s

    def _too_large(self, name: str, size: int) -> Refused:
        return Refused(
            f"{self._where}: {name} has {size} bytes, more than {self._max_bytes};"
            " move it away by hand, or raise the limit",
            code="too-large",
        )


def _ready(name: str) -> bool:
    return _named(name) and not name.lower().endswith(_UNFINISHED)


def _checked(name: str) -> str:
    if not _named(name):
        raise Refused(f"{name!r} is no bare file name", code="name")
    return name


def _named(name: str) -> bool:
    """A visible name without a path in it, that can be kept in a database and on any disk."""
    if not name or name.startswith(".") or not name.isprintable() or set(name) & {"/", "\\"}:
        return False
    return len(name.encode()) <= _NAME_BYTES


def _targets(folder: str, name: str) -> Iterator[str]:
    """name, name.2, name.3, ..."""
    yield f"{folder}/{name}"
    number = 2
    while True:
        yield f"{folder}/{name}.{number}"
        number += 1
