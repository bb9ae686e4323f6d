"""Where files are exchanged with a partner: a folder of this machine, or a mailbox on an SFTP server.

    file:///srv/edi/northmart
    sftp://lockstep@sftp.northmart.example:22/mailboxes/lockstep

A VAN, an AS2 process or a mounted share feeds the same folders; see `mailbox` for what lies in them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from channels.base import ChannelError, Refused, Unauthorised, Unavailable
from channels.edi.mailbox import FOLDERS, MAX_BYTES, QUIET_S, Entry, Exchange, Mailbox

if TYPE_CHECKING:
    from channels.edi.sftp import SftpExchange

__all__ = ["Exchange", "FolderExchange", "exchange_of", "make_folders"]


class FolderExchange(Mailbox):
    """A folder with inbound/ and outbound/ in it; archive/ and failed/ are made when they are missing.

    raises   Unavailable when inbound/ or outbound/ is missing, which is what an unmounted share looks like
    """

    def __init__(
        self, path: Path | str, *, quiet_s: float = QUIET_S, max_bytes: int = MAX_BYTES
    ) -> None:
        self.path = Path(path)
        super().__init__(
            _FolderDisk(self.path), str(self.path), quiet_s=quiet_s, max_bytes=max_bytes
        )


def make_folders(path: Path | str) -> None:
    """Make a mailbox's four folders; harmless when they are there."""
    for folder in FOLDERS:
        (Path(path) / folder).mkdir(parents=True, exist_ok=True)


def exchange_of(
    base_url: str, secrets: Mapping[str, str], *, quiet_s: float = QUIET_S
) -> FolderExchange | SftpExchange:
    """The exchange of an account; nothing is opened or connected yet.

    base_url   file:///... or sftp://[user@]host[:port]/path (`/~/path` is relative to the user's home)
    secrets    sftp: `host_key` (as `ssh-keyscan` prints it, or `SHA256:...`), `password` or `key` (the private key's
               text) with its `key_password`, and `user` where the address has none
    raises     Refused: code `address`; Unauthorised when a secret is missing; Unavailable without the `sftp` extra
    """
    parts = urlsplit(base_url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.strip("/"):
        return FolderExchange(unquote(parts.path), quiet_s=quiet_s)
    if parts.scheme == "sftp" and parts.hostname:
        return _sftp(base_url, secrets, quiet_s)
    shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    raise Refused(
        f"{shown} is no mailbox; write file:///folder or sftp://user@host:port/folder",
        code="address",
    )


def _sftp(base_url: str, secrets: Mapping[str, str], quiet_s: float) -> SftpExchange:
    try:
        from channels.edi.sftp import SftpExchange
    except ImportError:
        raise Unavailable("SFTP wants the extra: install lockstep[sftp]") from None
    parts = urlsplit(base_url)
    try:
        port = parts.port or 22
    except ValueError:
        raise Refused(f"{parts.hostname}: the port is no number", code="address") from None
    path = unquote(parts.path)
    return SftpExchange(
        parts.hostname or "",
        port,
        unquote(parts.username or "") or secrets.get("user", ""),
        path.removeprefix("/~/") if path.startswith("/~/") else path or "/",
        host_key=secrets.get("host_key", ""),
        password=secrets.get("password", ""),
        key=secrets.get("key", ""),
        key_password=secrets.get("key_password", ""),
        quiet_s=quiet_s,
    )


class _FolderDisk:
    """A folder of this machine as a `Disk`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def entries(self, folder: str) -> list[Entry]:
        # What is missing here is the folder, not a file.
        with _told(self._root / folder / "any"), os.scandir(self._root / folder) as found:
            return [entry for one in found if (entry := _entry(Path(one.path))) is not None]

    def find(self, path: str) -> Entry | None:
        with _told(self._root / path):
            return _entry(self._root / path)

    def read(self, path: str, most: int) -> bytes | None:
        try:
            # A link could lead out of the mailbox; a pipe would never end.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            with _told(self._root / path), os.fdopen(os.open(self._root / path, flags), "rb") as it:
                return it.read(most)
        except FileNotFoundError:
            return None

    def write(self, path: str, body: bytes) -> None:
        with _told(self._root / path, folder=True), (self._root / path).open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())

    def move(self, source: str, target: str) -> None:
        old, new = self._root / source, self._root / target
        with _told(new):
            try:
                # A rename would silently replace what lies there; a second name does not.
                os.link(old, new, follow_symlinks=False)
            except (FileExistsError, FileNotFoundError):
                raise
            except OSError:
                # Some mounted shares have no second names: what remains is a gap between looking and renaming.
                if new.exists():
                    raise FileExistsError(new) from None
                old.rename(new)
            else:
                old.unlink(missing_ok=True)
            for folder in {old.parent, new.parent}:
                _make_last(folder)

    def settle(self, source: str, target: str) -> bool:
        old, new = self._root / source, self._root / target
        with _told(new):
            try:
                waiting = old.lstat()
            except FileNotFoundError:
                return True  # another taker was faster, be it by a moment
            if not os.path.samestat(waiting, new.lstat()):
                return False
            old.unlink(missing_ok=True)
            return True

    def remove(self, path: str) -> None:
        with _told(self._root / path):
            (self._root / path).unlink(missing_ok=True)

    def make_folder(self, path: str) -> None:
        with _told(self._root, folder=True):
            if not self._root.is_dir():
                raise FileNotFoundError(self._root)
            (self._root / path).mkdir(parents=True, exist_ok=True)


def _entry(path: Path) -> Entry | None:
    with suppress(FileNotFoundError):
        seen = path.lstat()
        if stat.S_ISREG(seen.st_mode):
            return Entry(path.name, seen.st_size, seen.st_mtime_ns / 1e9)
    return None


def _make_last(folder: Path) -> None:
    """A rename outlives a power cut only once its folder is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        # Not every mounted share can do this to a folder.
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(path: Path, *, folder: bool = False) -> Iterator[None]:
    """Our errors for the machine's. Whether a file is there is the caller's business, unless a `folder` is missing."""
    try:
        yield
    except ChannelError:
        raise
    except FileExistsError:
        raise
    except FileNotFoundError as error:
        if not folder and path.parent.is_dir():
            raise
        raise Unavailable(
            f"{path.parent} is not there: mount the mailbox, or make its folders inbound, outbound,"
            " archive and failed"
        ) from error
    except PermissionError as error:
        raise Unauthorised(f"{path}: {error.strerror}; let this user read and write it") from error
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror or error}") from error
